#ifndef DOTWARD_POLICY_ACCESS_LIST_H_
#define DOTWARD_POLICY_ACCESS_LIST_H_

#include <absl/numeric/int128.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.h"

namespace dotward {

// Which clients may ask. The most specific prefix that holds the address decides; a prefix that is both allowed and
// denied is denied; an address that no prefix holds is refused. Immutable, thread-safe.
//
// Nested prefixes are cut into ranges that do not overlap when the list is made, so that a lookup is one binary search
// and allocates nothing, however long the lists are: n prefixes make at most 2n + 1 ranges.
class AccessList {
 public:
  AccessList(std::span<const IpPrefix> allow, std::span<const IpPrefix> deny);

  // An interface that a link-local address belongs to (its zone) makes no difference.
  bool Allows(const IpAddress& client) const;

 private:
  enum class Verdict : uint8_t { kRefused, kAllowed };

  // One family. Range i goes from starts_[i] to before starts_[i + 1]; starts_[0] is the lowest address.
  class RangeTable {
   public:
    RangeTable(IpFamily family, std::span<const IpPrefix> allow, std::span<const IpPrefix> deny);
    Verdict At(absl::uint128 address) const;

   private:
    void StartRange(absl::uint128 start, Verdict verdict);

    std::vector<absl::uint128> starts_;
    std::vector<Verdict> verdicts_;
  };

  RangeTable v4_;
  RangeTable v6_;
};

}  // namespace dotward

#endif  // DOTWARD_POLICY_ACCESS_LIST_H_
