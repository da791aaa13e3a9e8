#ifndef DOTWARD_BASE_LIMIT_LOG_H_
#define DOTWARD_BASE_LIMIT_LOG_H_

#include <cstddef>
#include <cstdint>

#include "base/ip_address.h"
#include "dotward/clock.h"

namespace dotward {

// Why a client did not get what it asked for.
enum class LimitReason : uint8_t {
  kAccess,             // access.allow
  kWaitingOfClient,    // limits.waiting_per_client
  kWaitingOfDomain,    // Limits::kPendingPerSuffixMax, or half of a client's places
  kWaitingOfAll,       // Limits::kExchangesMax
  kLargeAnswers,       // ResolverLimits::kLargeAnswersPerSecond
  kConnectionsClient,  // limits.tcp_connections_per_client
  kConnectionsAll,     // limits.tcp_connections
};
inline constexpr size_t kLimitReasons = 7;

// Says in the log who was limited and why: the first time at once, then one line a minute with the number of times and
// with the client (an address, or the prefix that counts as one client) that it happened to most. Costs a few dozen
// nanoseconds, allocates only for the line that is written. Thread-safe, never blocks: of what several threads report
// in the same moment only the number is kept.
void LogLimited(LimitReason reason, const IpPrefix& client, SteadyTime now);

}  // namespace dotward

#endif  // DOTWARD_BASE_LIMIT_LOG_H_
