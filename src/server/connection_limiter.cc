#include "server/connection_limiter.h"

namespace dotward {

void ConnectionLimiter::SetOptions(const Options& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
}

ConnectionLimiter::Verdict ConnectionLimiter::Admit(const IpAddress& client, IpAddress* counted_as) {
  const std::lock_guard lock(mutex_);
  const IpAddress prefix = PrefixLocked(client).address;
  if (counted_as != nullptr) *counted_as = prefix;
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
  const std::lock_guard lock(mutex_);
  auto entry = by_client_.find(client);
  if (entry == by_client_.end()) entry = by_client_.find(PrefixLocked(client).address);
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
  const std::lock_guard lock(mutex_);
  return PrefixLocked(client);
}

IpPrefix ConnectionLimiter::PrefixLocked(const IpAddress& client) const {
  return ClientPrefix(client, options_.ipv4_prefix, options_.ipv6_prefix);
}

}  // namespace dotward
