#include "net/udp_socket.h"

#include <optional>
#include <system_error>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "net/bind_error.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

bool SetOption(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof(value)) == 0;
}

// RFC 9715 §3.1: neither learn a path MTU from ICMP messages, which anybody can forge to make us fragment, nor fail on
// datagrams that are longer than a small one that was learnt. OMIT does both since Linux 3.15; DONT is the next best.
// Replies are kept short by the payload size instead (query.udp_payload_size).
void IgnorePathMtu(int descriptor, bool is_v4) {
  if (is_v4) {
    if (!SetOption(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)) {
      SetOption(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    }
    return;
  }
  if (!SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)) {
    SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  }
  // No router fragments IPv6. Where an operator allows replies over 1,232 octets, they leave in fragments that every
  // link must carry (RFC 8200 §5).
  SetOption(descriptor, IPPROTO_IPV6, IPV6_MTU, 1280);
}

// The options of a server's UDP socket; the errno and the call of the first one that it cannot do without and failed.
struct Failure {
  int error;
  std::string_view call;
};
std::optional<Failure> SetOptions(int descriptor, const Endpoint& endpoint, PortSharing sharing) {
  const bool is_v4 = endpoint.address.is_v4();
  if (sharing == PortSharing::kSibling && !SetOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return Failure{errno, "SO_REUSEPORT"};
  }
  // So that [::]:53 and 0.0.0.0:53 can stand side by side, and every IPv4 client has one spelling.
  if (!is_v4 && !SetOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return Failure{errno, "IPV6_V6ONLY"};
  // Bound to a wildcard address, the socket would answer from whatever address the route gives, and a client takes only
  // what comes from the address that it asked.
  if (endpoint.address.IsUnspecified()) {
    const bool set = is_v4 ? SetOption(descriptor, IPPROTO_IP, IP_PKTINFO, 1)
                           : SetOption(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!set) return Failure{errno, is_v4 ? "IP_PKTINFO" : "IPV6_RECVPKTINFO"};
  }
  // Errors that ICMP reports would come out of the next send, which is to somebody else. Off is the default of the
  // kernel; it is set so that nothing inherited changes it.
  SetOption(descriptor, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, 0);
  IgnorePathMtu(descriptor, is_v4);
  // Room for the bursts between two turns of the loop. Only root may pass net.core.[rw]mem_max; others get that much.
  for (const auto& [option, force] : {std::pair(SO_RCVBUF, SO_RCVBUFFORCE), std::pair(SO_SNDBUF, SO_SNDBUFFORCE)}) {
    if (!SetOption(descriptor, SOL_SOCKET, force, Limits::kUdpKernelBufferOctets)) {
      SetOption(descriptor, SOL_SOCKET, option, Limits::kUdpKernelBufferOctets);
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<UdpSocket> UdpSocket::Bind(const Endpoint& endpoint, PortSharing sharing) {
  const auto fail = [&endpoint](std::string_view call, int error) {
    return BindError(endpoint, SocketKind::kUdp, call, error);
  };
  Descriptor descriptor(
      socket(endpoint.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!descriptor.is_open()) return fail("socket", errno);
  if (const auto failure = SetOptions(descriptor.get(), endpoint, sharing)) return fail(failure->call, failure->error);
  const SocketAddress address(endpoint);
  if (bind(descriptor.get(), address.data(), address.size()) != 0) return fail("bind", errno);
  const Endpoint local = LocalEndpoint(descriptor.get());
  return UdpSocket(std::move(descriptor), local);
}

absl::Status UdpSocket::ShareWithSiblings() {
  if (SetOption(descriptor_.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return absl::OkStatus();
  return BindError(local_, SocketKind::kUdp, "SO_REUSEPORT", errno);
}

absl::Status UdpSocket::Receive(UdpReceiveBatch& batch) {
  const std::span<mmsghdr> messages = batch.Prepare();
  while (true) {
    const int received =
        recvmmsg(descriptor_.get(), messages.data(), static_cast<unsigned>(messages.size()), MSG_DONTWAIT, nullptr);
    if (received >= 0) {
      batch.size_ = static_cast<size_t>(received);
      return absl::OkStatus();
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return absl::OkStatus();
    if (errno != EINTR) {
      return absl::UnavailableError(
          StrCat(local_.ToString(), "/udp: recvmmsg: ", std::generic_category().message(errno)));
    }
  }
}

UdpSendResult UdpSocket::Send(std::span<mmsghdr> messages) {
  return SendDatagrams(messages, [this](std::span<mmsghdr> rest) {
    return sendmmsg(descriptor_.get(), rest.data(), static_cast<unsigned>(rest.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

}  // namespace dotward
