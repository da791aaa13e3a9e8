#ifndef DOTWARD_TESTING_LOOPBACK_TCP_PROXY_H_
#define DOTWARD_TESTING_LOOPBACK_TCP_PROXY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/ip_address.h"

namespace dotward {

// A TCP relay on a loopback address and a port of its own, on a thread of its own, that does to the octets what bad
// networks do. It knows nothing of TLS or DNS. All members are thread-safe, and their effect is there when they return.
// What is said of a direction holds for the connections that are open and for later ones, until it is said otherwise.
class TcpProxy {
 public:
  enum class Direction : uint8_t { kToServer, kToClient };
  enum class Cut : uint8_t {
    kReset,      // RST to both sides; what is under way is lost
    kClose,      // FIN to both sides behind what has been forwarded; what still comes is read and thrown away
    kHalfClose,  // FIN to the client alone: what it sends still reaches the server
  };
  enum class NewConnections : uint8_t {
    kServe,
    kReset,   // accepted, counted, and reset at once
    kRefuse,  // nobody listens: the kernel resets them
    kHang,    // SYNs get no answer, as behind a firewall that drops them
  };
  // All of these only grow but `open`.
  struct Counters {
    uint64_t connections = 0;  // accepted
    uint64_t open = 0;
    uint64_t octets_to_server = 0;  // that were forwarded
    uint64_t octets_to_client = 0;
  };

  explicit TcpProxy(const Endpoint& target, const IpAddress& address = IpAddress::V4({127, 0, 0, 1}));
  // A loopback address that no other process uses at the time, so that a port which is closed for a while is not taken
  // by somebody else.
  static IpAddress OwnAddress();
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  const Endpoint& endpoint() const;
  void SetNewConnections(NewConnections what);

  // Every octet arrives so much later than without it. 0 ends it.
  void Delay(Direction direction, std::chrono::milliseconds delay);
  // One octet at a time, one an interval. 0 ends it.
  void Drip(Direction direction, std::chrono::milliseconds interval);

  // Connections that are open now forward nothing any more in either direction, and stay open; new ones are forwarded.
  void StallOpenConnections();
  // All connections, new ones included: they are accepted, and that is all. False: everything goes on, and what had
  // been held arrives.
  void StallAll(bool stall);

  // Closes what is open now; new connections are welcome.
  void CutAll(Cut how);
  // Once: when `octets` more have been forwarded in `direction`, over all connections, the one that carried the last of
  // them is cut.
  void CutAfter(Direction direction, size_t octets, Cut how);
  // Once: flips a bit of the octet that comes behind `octets` more in `direction`, over all connections.
  void CorruptAfter(Direction direction, size_t octets);

  Counters counters() const;
  // Looks again whenever a counter has changed. False after `patience`, a guard against tests that hang.
  bool WaitUntil(const std::function<bool(const Counters&)>& condition,
                 std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_LOOPBACK_TCP_PROXY_H_
