#ifndef DOTWARD_BASE_IP_ADDRESS_H_
#define DOTWARD_BASE_IP_ADDRESS_H_

#include <absl/status/statusor.h>

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace dotward {

enum class IpFamily : uint8_t { kIpv4, kIpv6 };

// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses become IPv4, so that one client has one spelling. A zone index
// ("%eth0") is kept as its number, for link-local addresses.
class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static IpAddress V4(std::array<uint8_t, 4> octets);
  static IpAddress V6(std::array<uint8_t, 16> octets, uint32_t zone_index = 0);
  // "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; kInvalidArgument says what was read.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  IpFamily family() const { return family_; }
  bool is_v4() const { return family_ == IpFamily::kIpv4; }
  // 4 or 16 octets in network order.
  std::span<const uint8_t> octets() const { return {octets_.data(), is_v4() ? size_t{4} : size_t{16}}; }
  uint32_t zone_index() const { return zone_index_; }
  bool IsUnspecified() const;
  bool IsLoopback() const;
  bool IsMulticast() const;
  // With all bits behind the first `length` cleared. Keeps the zone index: every link has an fe80::/10 of its own.
  IpAddress Masked(unsigned length) const;
  std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;
  template <typename H>
  friend H AbslHashValue(H state, const IpAddress& address) {
    state = H::combine_contiguous(std::move(state), address.octets_.data(), address.octets_.size());
    return H::combine(std::move(state), address.family_, address.zone_index_);
  }

 private:
  IpFamily family_ = IpFamily::kIpv4;
  std::array<uint8_t, 16> octets_{};
  uint32_t zone_index_ = 0;
};

// An address prefix such as 10.0.0.0/8. Bits behind the prefix are zero.
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;  // bits: 0 to 32 or 128

  // "10.0.0.0/8", "::1/128"; a plain address is a prefix of full length; host bits behind the length are an error.
  static absl::StatusOr<IpPrefix> Parse(std::string_view text);
  bool Contains(const IpAddress& candidate) const;
  std::string ToString() const;
  auto operator<=>(const IpPrefix&) const = default;
};

// As much of an address as counts as one client, where clients are counted or named: whoever has one IPv6 address has
// 2^64 of them. Lengths in bits.
inline IpPrefix ClientPrefix(const IpAddress& client, uint8_t ipv4_length, uint8_t ipv6_length) {
  const uint8_t length = client.is_v4() ? ipv4_length : ipv6_length;
  return {client.Masked(length), length};
}

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  // "192.0.2.1:53", "[2001:db8::1]:53"; without a port `default_port` is taken, 0 meaning that one is required.
  static absl::StatusOr<Endpoint> Parse(std::string_view text, uint16_t default_port = 0);
  std::string ToString() const;  // "192.0.2.1:53", "[::1]:53"
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_IP_ADDRESS_H_
