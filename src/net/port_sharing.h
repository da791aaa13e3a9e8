#ifndef DOTWARD_NET_PORT_SHARING_H_
#define DOTWARD_NET_PORT_SHARING_H_

#include <cstdint>

namespace dotward {

// How a server's socket takes its address and port. Each worker has a socket of its own on the same port
// (SO_REUSEPORT), and the kernel spreads the clients over them. If the first of them asked to share already when it is
// bound, a second server of the same user would be let in silently and take half of the queries; so the first one is
// bound exclusively and allows its siblings only then.
enum class PortSharing : uint8_t {
  kExclusive,  // nobody else has the port, or binding fails
  kSibling,    // joins a socket of ours that has the port already and shares it
};

}  // namespace dotward

#endif  // DOTWARD_NET_PORT_SHARING_H_
