#include "server/connection_limiter.h"

#include <algorithm>
#include <array>

namespace dotward {

ConnectionLimiter::Verdict ConnectionLimiter::Admit(const IpAddress& client) {
  const IpAddress prefix = PrefixOf(client);
  const std::lock_guard lock(mutex_);
  if (open_ >= options_.total_max) return Verdict::kTotalReached;
  const auto [entry, added] = by_client_.try_emplace(prefix, 0);
  if (entry->second >= options_.per_client_max) {
    if (added) by_client_.erase(entry);
    return Verdict::kClientReached;
  }
  ++entry->second;
  ++open_;
  return Verdict::kAdmitted;
}

void ConnectionLimiter::Release(const IpAddress& client) {
  const IpAddress prefix = PrefixOf(client);
  const std::lock_guard lock(mutex_);
  const auto entry = by_client_.find(prefix);
  if (entry == by_client_.end()) return;
  --open_;
  if (--entry->second == 0) by_client_.erase(entry);
}

size_t ConnectionLimiter::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

size_t ConnectionLimiter::clients() const {
  const std::lock_guard lock(mutex_);
  return by_client_.size();
}

IpAddress ConnectionLimiter::PrefixOf(const IpAddress& client) const {
  std::array<uint8_t, 16> octets{};
  const unsigned length = client.is_v4() ? options_.ipv4_prefix : options_.ipv6_prefix;
  const std::span<const uint8_t> full = client.octets();
  for (size_t i = 0; i < full.size(); ++i) {
    const unsigned bits = std::min(8U, length > 8 * i ? length - static_cast<unsigned>(8 * i) : 0U);
    octets[i] = static_cast<uint8_t>(full[i] & (0xff00U >> bits));
  }
  if (client.is_v4()) return IpAddress::V4({octets[0], octets[1], octets[2], octets[3]});
  // Every link has an fe80::/10 of its own.
  return IpAddress::V6(octets, client.zone_index());
}

}  // namespace dotward
