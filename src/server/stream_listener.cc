#include "server/stream_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "net/socket_address.h"
#include "server/tcp_stream.h"

namespace dotward {
namespace {

// Errors of a connection that has failed before it was accepted (accept(2)): the next one may be fine.
bool IsThatConnectionsTrouble(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

StreamListener::StreamListener(ListenerContext& context, Descriptor listening, ConnectionLimiter& limiter,
                               StreamStatistics& statistics, const StreamPatience& patience)
    : context_(context),
      listening_(std::move(listening)),
      local_(LocalEndpoint(listening_.get())),
      limiter_(limiter),
      statistics_(statistics),
      patience_(patience),
      readiness_(context.loop.get_executor(), listening_.get()),
      back_off_(context.loop.get_executor()),
      tasks_(context.loop) {}

StreamListener::~StreamListener() {
  if (readiness_.is_open()) (void)readiness_.release();
}

void StreamListener::Start() { tasks_.Spawn(AcceptConnections()); }

void StreamListener::StopReading() {
  if (std::exchange(stopping_, true)) return;
  back_off_.cancel();
  if (readiness_.is_open()) (void)readiness_.release();
  // Whoever connects from now on is refused at once instead of waiting for a server that will not serve.
  listening_ = Descriptor();
  for (const auto& [connection, owner] : connections_) connection->Drain(patience_.drain);
}

Task<> StreamListener::Stop() {
  StopReading();
  co_await tasks_.Join();
}

Task<> StreamListener::AcceptConnections() {
  while (!stopping_) {
    if (AcceptBatch() == AcceptOutcome::kWait) {
      co_await readiness_.async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    } else {
      back_off_.expires_after(Limits::kSocketBackOff);
      co_await back_off_.async_wait(kAwait);
    }
  }
}

StreamListener::AcceptOutcome StreamListener::AcceptBatch() {
  for (size_t i = 0; i < Limits::kAcceptBatch; ++i) {
    SocketAddress peer;
    socklen_t size = SocketAddress::kCapacity;
    Descriptor connected(accept4(listening_.get(), peer.Receive(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connected.is_open()) {
      failing_ = false;
      Admit(std::move(connected), peer.ToEndpoint());
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (!IsThatConnectionsTrouble(errno)) {
      // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the kernel's queue and would wake us again at once.
      statistics_.accept_failures.Add();
      if (!std::exchange(failing_, true)) {
        Log(LogLevel::kError, "cannot accept connections, will try again; is the limit of open files too low?",
            {{"listener", local_.ToString()}, {"reason", std::generic_category().message(errno)}});
      }
      return AcceptOutcome::kRest;
    }
  }
  return AcceptOutcome::kWait;
}

void StreamListener::Admit(Descriptor connected, const Endpoint& peer) {
  IpAddress counted_as;
  switch (limiter_.Admit(peer.address, &counted_as)) {
    case ConnectionLimiter::Verdict::kAdmitted:
      break;
    case ConnectionLimiter::Verdict::kTotalReached:
      statistics_.refused_total.Add();
      return Refused(LimitReason::kConnectionsAll, peer.address);
    case ConnectionLimiter::Verdict::kClientReached:
      statistics_.refused_per_client.Add();
      return Refused(LimitReason::kConnectionsClient, peer.address);
  }
  statistics_.accepted.Add();
  statistics_.open.Add();
  auto stream = std::make_unique<TcpStream>(context_.loop, std::move(connected), peer.address.family());
  auto owner = std::make_unique<StreamConnection>(context_, std::move(stream), Client{peer, Transport::kTcp},
                                                  statistics_, patience_);
  StreamConnection* const connection = owner.get();
  connections_.emplace(connection, std::move(owner));
  tasks_.Spawn(Serve(connection, counted_as));
}

void StreamListener::Refused(LimitReason reason, const IpAddress& client) const {
  LogLimited(reason, limiter_.PrefixOf(client), context_.clock.Now());
}

Task<> StreamListener::Serve(StreamConnection* connection, IpAddress counted_as) {
  co_await connection->Run();
  connections_.erase(connection);
  limiter_.Release(counted_as);
  statistics_.open.Subtract();
}

}  // namespace dotward
