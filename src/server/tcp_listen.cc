#include "server/tcp_listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/limits.h"
#include "net/bind_error.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

bool SetOption(int descriptor, int level, int option) {
  const int on = 1;
  return setsockopt(descriptor, level, option, &on, sizeof(on)) == 0;
}

}  // namespace

absl::StatusOr<Descriptor> ListenTcp(const Endpoint& endpoint, PortSharing sharing) {
  const auto fail = [&endpoint](std::string_view call) { return BindError(endpoint, SocketKind::kTcp, call, errno); };
  const bool is_v4 = endpoint.address.is_v4();
  Descriptor descriptor(socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!descriptor.is_open()) return fail("socket");
  // Connections of an earlier run that linger in TIME_WAIT must not keep a restarted server from its port.
  if (!SetOption(descriptor.get(), SOL_SOCKET, SO_REUSEADDR)) return fail("SO_REUSEADDR");
  if (!is_v4 && !SetOption(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY)) return fail("IPV6_V6ONLY");
  if (sharing == PortSharing::kSibling && !SetOption(descriptor.get(), SOL_SOCKET, SO_REUSEPORT)) {
    return fail("SO_REUSEPORT");
  }
  // Accepted sockets inherit it. A batch of replies is one write, so waiting for more could only delay it.
  if (!SetOption(descriptor.get(), IPPROTO_TCP, TCP_NODELAY)) return fail("TCP_NODELAY");
  const SocketAddress address(endpoint);
  if (bind(descriptor.get(), address.data(), address.size()) != 0) return fail("bind");
  // Before listen, which is when the kernel makes the group that siblings join.
  if (!SetOption(descriptor.get(), SOL_SOCKET, SO_REUSEPORT)) return fail("SO_REUSEPORT");
  if (listen(descriptor.get(), Limits::kAcceptBacklog) != 0) return fail("listen");
  return descriptor;
}

}  // namespace dotward
