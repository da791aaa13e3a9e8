#include "net/bind_error.h"

#include <cerrno>
#include <system_error>

#include "base/strings.h"

namespace dotward {
namespace {

std::string_view Remedy(SocketKind kind, int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "; ports under 1024 need a privilege. One of these gives it: start as root (and set \"user\" to drop to "
             "after binding); setcap cap_net_bind_service=+ep on the program; "
             "AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit; "
             "sysctl net.ipv4.ip_unprivileged_port_start=53. Or listen on another port";
    case EADDRINUSE:
      return kind == SocketKind::kUdp
                 ? "; another program listens there, often the stub of systemd-resolved (127.0.0.53), dnsmasq, or a "
                   "second dotward. See which: ss -lunp 'sport = :53' (with your port)"
                 : "; another program listens there, often the stub of systemd-resolved (127.0.0.53), dnsmasq, or a "
                   "second dotward. See which: ss -ltnp 'sport = :53' (with your port)";
    case EADDRNOTAVAIL:
      return "; no interface of this machine has the address. See which there are: ip address";
    case EAFNOSUPPORT:
      return "; this machine's kernel has that address family switched off";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files (LimitNOFILE= in the systemd unit, ulimit -n)";
    default:
      return "";
  }
}

}  // namespace

absl::Status BindError(const Endpoint& endpoint, SocketKind kind, std::string_view call, int error) {
  const std::string text = StrCat("cannot listen on ", endpoint.ToString(), kind == SocketKind::kUdp ? "/udp" : "/tcp",
                                  ": ", call, ": ", std::generic_category().message(error), Remedy(kind, error));
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case EADDRINUSE:
      return absl::AlreadyExistsError(text);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace dotward
