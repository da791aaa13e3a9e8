#include "policy/access_list.h"

#include <algorithm>
#include <tuple>

namespace dotward {
namespace {

absl::uint128 NumberOf(const IpAddress& address) {
  absl::uint128 number = 0;
  for (const uint8_t octet : address.octets()) number = (number << 8) | octet;
  return number;
}

}  // namespace

AccessList::AccessList(std::span<const IpPrefix> allow, std::span<const IpPrefix> deny)
    : v4_(IpFamily::kIpv4, allow, deny), v6_(IpFamily::kIpv6, allow, deny) {}

bool AccessList::Allows(const IpAddress& client) const {
  return (client.is_v4() ? v4_ : v6_).At(NumberOf(client)) == Verdict::kAllowed;
}

AccessList::RangeTable::RangeTable(IpFamily family, std::span<const IpPrefix> allow, std::span<const IpPrefix> deny) {
  struct Prefix {
    absl::uint128 first;
    absl::uint128 last;
    uint8_t length;
    Verdict verdict;
  };
  std::vector<Prefix> prefixes;
  const auto collect = [family, &prefixes](std::span<const IpPrefix> list, Verdict verdict) {
    for (const IpPrefix& prefix : list) {
      if (prefix.address.family() != family) continue;
      const unsigned bits = static_cast<unsigned>(prefix.address.octets().size()) * 8U - prefix.length;
      const absl::uint128 below = bits == 128 ? absl::Uint128Max() : (absl::uint128(1) << static_cast<int>(bits)) - 1;
      const absl::uint128 first = NumberOf(prefix.address) & ~below;
      prefixes.push_back({first, first | below, prefix.length, verdict});
    }
  };
  collect(allow, Verdict::kAllowed);
  collect(deny, Verdict::kRefused);
  // The wider before what lies in it; of equals the denied one last, where it has the last word.
  std::stable_sort(prefixes.begin(), prefixes.end(), [](const Prefix& a, const Prefix& b) {
    return std::tie(a.first, a.length) < std::tie(b.first, b.length);
  });

  StartRange(0, Verdict::kRefused);
  std::vector<Prefix> around;  // those that hold the address which the sweep has come to, the widest first
  const auto leave_until = [this, &around](absl::uint128 address) {
    while (!around.empty() && around.back().last < address) {
      const absl::uint128 behind = around.back().last + 1;
      around.pop_back();
      StartRange(behind, around.empty() ? Verdict::kRefused : around.back().verdict);
    }
  };
  for (const Prefix& prefix : prefixes) {
    leave_until(prefix.first);
    StartRange(prefix.first, prefix.verdict);
    around.push_back(prefix);
  }
  // What ends with the last address of the family has nothing behind it.
  const absl::uint128 last = family == IpFamily::kIpv4 ? absl::uint128(UINT32_MAX) : absl::Uint128Max();
  leave_until(last);
  starts_.shrink_to_fit();
  verdicts_.shrink_to_fit();
}

// A range that starts where the one before it did takes its place: the prefix inside is the more specific.
void AccessList::RangeTable::StartRange(absl::uint128 start, Verdict verdict) {
  if (!starts_.empty() && starts_.back() == start) {
    verdicts_.back() = verdict;
    return;
  }
  starts_.push_back(start);
  verdicts_.push_back(verdict);
}

AccessList::Verdict AccessList::RangeTable::At(absl::uint128 address) const {
  const auto behind = std::upper_bound(starts_.begin(), starts_.end(), address);
  return verdicts_[static_cast<size_t>(behind - starts_.begin()) - 1];
}

}  // namespace dotward
