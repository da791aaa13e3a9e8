#ifndef DOTWARD_DNSSEC_TRUST_ANCHORS_H_
#define DOTWARD_DNSSEC_TRUST_ANCHORS_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dnssec/delegation.h"
#include "dotward/clock.h"

namespace dotward {

// Where chains of trust begin (RFC 4033 §2), and where they are cut off on purpose (RFC 7646). Immutable once made;
// then safe to share between threads.
class TrustAnchors {
 public:
  struct Anchor {
    Name zone;
    DelegationSigners signers;
    friend bool operator==(const Anchor&, const Anchor&) = default;
  };
  struct Negative {
    Name zone;
    std::optional<WallTime> end;  // none: until it is taken out of the configuration
    friend bool operator==(const Negative&, const Negative&) = default;
  };

  // None at all: every answer is indeterminate.
  TrustAnchors() = default;
  // The root's keys of 2017 (tag 20326) and 2024 (tag 38696).
  static TrustAnchors BuiltIn();
  // DS and DNSKEY records in zone format (RFC 1035 §5), of any zones. `source` is how messages call the text.
  // kInvalidArgument begins with "SOURCE:LINE: ". $INCLUDE is refused.
  static absl::StatusOr<TrustAnchors> Parse(std::string_view text, std::string_view source);
  // The same from a file. kNotFound, kPermissionDenied or kUnavailable where it cannot be read.
  static absl::StatusOr<TrustAnchors> Load(const std::string& path);

  // A key of `zone` is trusted, beside those that are.
  void Add(Name zone, DelegationSigner signer);
  // What is at or below `zone` is insecure, until `end`.
  void AddNegative(Name zone, std::optional<WallTime> end);

  // The anchor of the lowest zone at or above `name`; null where there is none. Borrowed.
  const Anchor* ClosestTo(const Name& name) const;
  // The negative anchor that decides about `name` at `now`: it is at or above the name, and no anchor is below it. Null
  // where there is none. Borrowed.
  const Negative* NegativeFor(const Name& name, WallTime now) const;

  friend bool operator==(const TrustAnchors&, const TrustAnchors&) = default;

  const std::vector<Anchor>& anchors() const { return anchors_; }
  const std::vector<Negative>& negatives() const { return negatives_; }

 private:
  std::vector<Anchor> anchors_;
  std::vector<Negative> negatives_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_TRUST_ANCHORS_H_
