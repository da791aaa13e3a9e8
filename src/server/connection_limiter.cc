#include "server/connection_limiter.h"

namespace dotward {

ConnectionLimiter::Verdict ConnectionLimiter::Admit(const IpAddress& client) {
  const IpAddress prefix = PrefixOf(client).address;
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
  const IpAddress prefix = PrefixOf(client).address;
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

IpPrefix ConnectionLimiter::PrefixOf(const IpAddress& client) const {
  return ClientPrefix(client, options_.ipv4_prefix, options_.ipv6_prefix);
}

}  // namespace dotward
