#include "net/local_route.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward {

std::optional<IpAddress> LocalAddressTowards(const Endpoint& peer) {
  const SocketAddress address(peer);
  const Descriptor descriptor(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  // To connect a datagram socket is to look up the route.
  if (!descriptor.is_open() || connect(descriptor.get(), address.data(), address.size()) != 0) return std::nullopt;
  const IpAddress local = LocalEndpoint(descriptor.get()).address;
  if (local.IsUnspecified()) return std::nullopt;
  return local;
}

}  // namespace dotward
