#ifndef DOTWARD_DNS_NAME_H_
#define DOTWARD_DNS_NAME_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "dns/types.h"

namespace dotward {

// A domain name in uncompressed wire form, root label included: 1 to 255 octets. Octets keep their case; comparison
// ignores the case of ASCII letters (RFC 4343). Names up to 48 octets need no allocation.
class Name {
 public:
  Name() { wire_.push_back(0); }  // the root
  // `wire` must be a valid uncompressed name, as ScanMessage and WireName make it.
  static Name FromWire(OctetView wire) { return Name(wire); }
  // Presentation form with \DDD and \X escapes, with or without the final dot; "." is the root.
  static absl::StatusOr<Name> Parse(std::string_view text);

  OctetView wire() const { return {wire_.data(), wire_.size()}; }
  bool is_root() const { return wire_.size() == 1; }
  // Presentation form with the final dot; unusual octets are escaped.
  std::string ToString() const;
  // Labels without the root's.
  size_t label_count() const;
  // The name without its first label; of the root, the root.
  Name Parent() const;
  // True where this is `zone` or below it.
  bool IsAtOrBelow(const Name& zone) const;

  friend bool operator==(const Name& a, const Name& b);

 private:
  explicit Name(OctetView wire) : wire_(wire.begin(), wire.end()) {}
  absl::InlinedVector<uint8_t, 48> wire_;
};

// `octet` with A–Z made a–z. Length octets of labels are below 64 and so never changed: whole wire names may be
// lowered octet by octet.
constexpr uint8_t LowerOctet(uint8_t octet) {
  return octet >= 'A' && octet <= 'Z' ? static_cast<uint8_t>(octet + 32) : octet;
}
bool EqualIgnoringCase(OctetView a, OctetView b);
bool IsAtOrBelow(OctetView name, OctetView zone);
std::string NameToString(OctetView wire);

}  // namespace dotward

#endif  // DOTWARD_DNS_NAME_H_
