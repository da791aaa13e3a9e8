#ifndef DOTWARD_NET_SOCKET_ADDRESS_H_
#define DOTWARD_NET_SOCKET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "base/ip_address.h"

namespace dotward {

// An Endpoint in the form that the socket calls take: sockaddr_in or sockaddr_in6, with the zone index of a link-local
// address as its scope. Small enough that arrays of it serve batched calls. Never allocates.
class SocketAddress {
 public:
  // Room for an address that a system call is to fill in; see Receive().
  SocketAddress() : any_{} {}
  explicit SocketAddress(const Endpoint& endpoint);

  // The address and port. Anything but AF_INET and AF_INET6 gives 0.0.0.0:0; an IPv4-mapped IPv6 address gives IPv4.
  Endpoint ToEndpoint() const;

  int family() const { return any_.sa_family; }
  uint16_t port() const;
  // The octets that belong to the family, for bind, connect and sendto.
  const sockaddr* data() const { return &any_; }
  socklen_t size() const { return family() == AF_INET6 ? sizeof(v6_) : sizeof(v4_); }

  // Where a system call writes an address of up to kCapacity octets. The family it writes tells the size from then on.
  sockaddr* Receive() { return &any_; }
  static constexpr socklen_t kCapacity = sizeof(sockaddr_in6);

 private:
  union {
    sockaddr any_;
    sockaddr_in v4_;
    sockaddr_in6 v6_;
  };
};

// The address that `descriptor` is bound to, with the port that the kernel chose where 0 was asked for. A descriptor
// that is not an internet socket gives 0.0.0.0:0.
Endpoint LocalEndpoint(int descriptor);

}  // namespace dotward

#endif  // DOTWARD_NET_SOCKET_ADDRESS_H_
