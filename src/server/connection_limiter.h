#ifndef DOTWARD_SERVER_CONNECTION_LIMITER_H_
#define DOTWARD_SERVER_CONNECTION_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/ip_address.h"

namespace dotward {

// Counts the stream connections of the whole process, in all and for each client, so that nobody can take them all
// (RFC 7766 §6.2.2). A client is a prefix: whoever has one IPv6 address has 2^64 of them. Thread-safe; the map has at
// most as many entries as there are connections.
class ConnectionLimiter {
 public:
  struct Options {
    size_t total_max = 1000;
    size_t per_client_max = 50;
    uint8_t ipv4_prefix = 32;
    uint8_t ipv6_prefix = 56;
  };
  enum class Verdict : uint8_t { kAdmitted, kTotalReached, kClientReached };

  explicit ConnectionLimiter(const Options& options) : options_(options) {}
  ConnectionLimiter(const ConnectionLimiter&) = delete;
  ConnectionLimiter& operator=(const ConnectionLimiter&) = delete;

  // From the next connection on these count. Nobody is put out; where more are open than may be, new ones are refused
  // until some have closed.
  void SetOptions(const Options& options);

  // Each kAdmitted is owed one Release, with the same address or, since what counts as one client may have changed by
  // then, with what it was `counted_as`.
  Verdict Admit(const IpAddress& client, IpAddress* counted_as = nullptr);
  void Release(const IpAddress& client);

  // What counts as one client.
  IpPrefix PrefixOf(const IpAddress& client) const;

  size_t open() const;
  size_t clients() const;  // with at least one connection

 private:
  IpPrefix PrefixLocked(const IpAddress& client) const;

  mutable std::mutex mutex_;
  Options options_;                        // guarded by mutex_
  size_t open_ = 0;                        // guarded by mutex_
  std::map<IpAddress, size_t> by_client_;  // guarded by mutex_
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_CONNECTION_LIMITER_H_
