#include "server/server.h"

#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "net/socket_address.h"
#include "server/tcp_listen.h"

namespace dotward {
namespace {

// The kernel would say of these "address already in use", which sends the operator looking for another program.
absl::Status CheckOverlaps(const std::vector<ListenConfig>& listen) {
  for (size_t i = 0; i < listen.size(); ++i) {
    const Endpoint& one = listen[i].endpoint;
    if (one.port == 0) continue;
    for (size_t j = 0; j < i; ++j) {
      const Endpoint& other = listen[j].endpoint;
      if (one.port != other.port || one.address.family() != other.address.family()) continue;
      if (one == other) return absl::InvalidArgumentError(StrCat("listen: ", one.ToString(), " is there twice"));
      if (one.address.IsUnspecified() || other.address.IsUnspecified()) {
        const bool one_is_wide = one.address.IsUnspecified();
        const Endpoint& wide = one_is_wide ? one : other;
        const Endpoint& narrow = one_is_wide ? other : one;
        return absl::InvalidArgumentError(StrCat("listen: ", wide.ToString(), " stands for every address, so ",
                                                 narrow.ToString(), " cannot be beside it; drop one of them"));
      }
    }
  }
  return absl::OkStatus();
}

struct SocketPair {
  UdpSocket udp;
  Descriptor tcp;
};

// Both sockets of an endpoint. A port that the kernel chooses for UDP may be taken for TCP: then another is tried.
absl::StatusOr<SocketPair> BindPair(const Endpoint& wanted) {
  for (int tries = 1;; ++tries) {
    ASSIGN_OR_RETURN(UdpSocket udp, UdpSocket::Bind(wanted, PortSharing::kExclusive));
    absl::StatusOr<Descriptor> tcp = ListenTcp(udp.local(), PortSharing::kExclusive);
    if (tcp.ok()) return SocketPair{std::move(udp), *std::move(tcp)};
    const bool other_port_may_do = wanted.port == 0 && tcp.status().code() == absl::StatusCode::kAlreadyExists;
    if (!other_port_may_do || tries >= Limits::kPortZeroTriesMax) return tcp.status();
  }
}

// The default configuration and every careful one names IPv6 beside IPv4. On a machine that has it switched off, ::1
// and :: do not exist: that is no mistake in the file, and no reason to leave the IPv4 clients without DNS.
bool IsForWantOfIpv6(const Endpoint& wanted, const absl::Status& status) {
  const bool every_machine_has_it = wanted.address.IsLoopback() || wanted.address.IsUnspecified();
  return !wanted.address.is_v4() && every_machine_has_it && absl::IsUnavailable(status);
}

ConnectionLimiter::Options LimiterOptions(const Config& config) {
  return {.total_max = config.limits.tcp_connections,
          .per_client_max = config.limits.tcp_connections_per_client,
          .ipv4_prefix = config.limits.client_prefix.ipv4,
          .ipv6_prefix = config.limits.client_prefix.ipv6};
}

// What a client has to take the reply that was made at its query's deadline, when the server stops.
constexpr std::chrono::seconds kStopMargin{1};

}  // namespace

Server::Server(const Config& config, size_t workers)
    : limiter_(LimiterOptions(config)), patience_(PatienceOf(config)), sockets_(workers), statistics_(workers) {}

void Server::SetLimits(const Config& config) { limiter_.SetOptions(LimiterOptions(config)); }

StreamPatience Server::PatienceOf(const Config& config) {
  StreamPatience patience;
  patience.idle = config.limits.tcp_idle;
  patience.drain = config.query.deadline + kStopMargin;
  return patience;
}

absl::StatusOr<std::unique_ptr<Server>> Server::Bind(const Config& config, size_t workers) {
  RETURN_IF_ERROR(CheckOverlaps(config.listen));
  std::unique_ptr<Server> server(new Server(config, workers));
  for (const ListenConfig& listen : config.listen) {
    if (listen.protocol != ListenProtocol::kDo53) {
      return absl::InvalidArgumentError(
          StrCat("listen: tls://", listen.endpoint.ToString(), ": this version listens with UDP and TCP only"));
    }
    const absl::Status bound = server->BindFirst(listen.endpoint);
    if (bound.ok()) continue;
    if (config.listen.size() == 1 || !IsForWantOfIpv6(listen.endpoint, bound)) return bound;
    Log(LogLevel::kWarning, "this machine has no IPv6: an address is not listened on",
        {{"listen", listen.endpoint.ToString()}, {"error", MessageOf(bound)}});
  }
  if (server->endpoints_.empty()) return absl::UnavailableError("listen: not one of the addresses can be had");
  RETURN_IF_ERROR(server->BindSiblings());
  return server;
}

absl::Status Server::BindFirst(const Endpoint& wanted) {
  ASSIGN_OR_RETURN(SocketPair pair, BindPair(wanted));
  endpoints_.push_back(pair.udp.local());
  sockets_.front().udp.push_back(std::move(pair.udp));
  sockets_.front().tcp.push_back(std::move(pair.tcp));
  return absl::OkStatus();
}

absl::Status Server::BindSiblings() {
  if (workers() == 1) return absl::OkStatus();
  for (UdpSocket& first : sockets_.front().udp) RETURN_IF_ERROR(first.ShareWithSiblings());
  for (size_t worker = 1; worker < workers(); ++worker) {
    for (const Endpoint& endpoint : endpoints_) {
      ASSIGN_OR_RETURN(UdpSocket udp, UdpSocket::Bind(endpoint, PortSharing::kSibling));
      ASSIGN_OR_RETURN(Descriptor tcp, ListenTcp(endpoint, PortSharing::kSibling));
      sockets_[worker].udp.push_back(std::move(udp));
      sockets_[worker].tcp.push_back(std::move(tcp));
    }
  }
  return absl::OkStatus();
}

std::unique_ptr<ServerWorker> Server::MakeWorker(size_t worker, asio::io_context& loop, QueryHandler& handler,
                                                 const Clock& clock) {
  Statistics& statistics = statistics_[worker];
  return std::make_unique<ServerWorker>(std::exchange(sockets_[worker], {}), loop, handler, clock, limiter_, patience_,
                                        statistics.udp, statistics.streams);
}

UdpTotals Server::udp_totals() const {
  UdpTotals totals;
  for (const Statistics& worker : statistics_) AddTo(totals, worker.udp);
  return totals;
}

StreamTotals Server::stream_totals() const {
  StreamTotals totals;
  for (const Statistics& worker : statistics_) AddTo(totals, worker.streams);
  return totals;
}

}  // namespace dotward
