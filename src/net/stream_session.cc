#include "net/stream_session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/units.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

// What the operator can do about a network error, where there is something to say.
std::string_view HintFor(int error) {
  switch (error) {
    case ECONNREFUSED:
      return " (nothing listens there: check address and port)";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
      return " (there is no route: is the network up, and does it have this address family?)";
    case EACCES:
    case EPERM:
      return " (a local firewall or sandbox forbids it)";
    default:
      return "";
  }
}

void SetOption(int descriptor, int level, int option, int value) {
  // None of these is worth a connection: where one is refused, the timers of the layers above have to do.
  setsockopt(descriptor, level, option, &value, sizeof value);
}

// Small messages, each of which somebody waits for: never hold one back (RFC 7766 leaves it to us).
void SendAtOnce(int descriptor) { SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1); }

// The second line of defence against a peer that is gone without a word: data that nobody acknowledges ends the
// connection after TCP_USER_TIMEOUT (RFC 5482), and one on which nothing is sent is probed.
void NoticeDeadPeers(int descriptor) {
  const auto milliseconds = std::chrono::milliseconds(Limits::kTcpUserTimeout).count();
  SetOption(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(milliseconds));
  SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(Limits::kTcpKeepaliveIdle.count()));
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(Limits::kTcpKeepaliveInterval.count()));
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPCNT, Limits::kTcpKeepaliveProbes);
}

}  // namespace

void StreamCanceller::Cancel() {
  cancelled_ = true;
  if (const std::shared_ptr<StreamSession> session = session_.lock()) session->Close();
}

StreamSession::StreamSession(asio::io_context& loop)
    : executor_(loop.get_executor()), descriptor_(loop), started_at_(std::chrono::steady_clock::now()) {}

// --- errors ---

absl::Status StreamSession::Error(absl::StatusCode code, std::string_view text) const {
  constexpr std::string_view kPhases[] = {"connect", "handshake", "certificate", "stream"};
  return {code, StrCat(peer_.ToString(), ": ", kPhases[static_cast<size_t>(phase_)], ": ", text)};
}

absl::Status StreamSession::NetworkError(int error) const {
  return Error(absl::StatusCode::kUnavailable, StrCat(std::strerror(error), HintFor(error)));
}

absl::Status StreamSession::ClosedError() const {
  if (!timed_out_) return Error(absl::StatusCode::kCancelled, "closed");
  if (phase_ != Phase::kConnect) return Error(absl::StatusCode::kDeadlineExceeded, "not finished in time");
  return Error(absl::StatusCode::kDeadlineExceeded,
               StrCat("TCP got no answer in ", FormatDuration(std::chrono::steady_clock::now() - started_at_),
                      " (is the address right, does a firewall drop the port?)"));
}

// --- setting up ---

absl::Status StreamSession::Own(int descriptor) {
  asio::error_code error;
  descriptor_.assign(descriptor, error);
  if (error) {
    close(descriptor);
    return NetworkError(error.value());
  }
  SendAtOnce(descriptor);
  return absl::OkStatus();
}

absl::Status StreamSession::Adopt(int descriptor) {
  RETURN_IF_ERROR(Own(descriptor));
  connected_ = true;
  local_ = LocalEndpoint(descriptor);
  return absl::OkStatus();
}

void StreamSession::CloseAt(SteadyTime time) {
  deadline_.emplace(executor_, time);
  deadline_->async_wait(OnDeadline{weak_from_this(), ++timers_});
}

void StreamSession::OnDeadline::operator()(const asio::error_code& error) const {
  const std::shared_ptr<StreamSession> alive = session.lock();
  // What the timer guards may have ended after the timer did and before this call.
  if (error || alive == nullptr || !alive->deadline_ || alive->timers_ != timer || alive->closed_) return;
  alive->timed_out_ = true;
  alive->Close();
}

Task<absl::Status> StreamSession::Connect() {
  const SocketAddress address(peer_);
  const int opened = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (opened < 0) co_return NetworkError(errno);
  CO_RETURN_IF_ERROR(Own(opened));
  connects_ = true;
  NoticeDeadPeers(opened);
  if (connect(opened, address.data(), address.size()) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) co_return NetworkError(errno);
    const bool open = co_await Wait(asio::posix::descriptor_base::wait_write);
    if (!open) co_return ClosedError();
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(opened, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) co_return NetworkError(error);
  }
  connected_ = true;
  local_ = LocalEndpoint(opened);
  co_return absl::OkStatus();
}

Task<absl::Status> StreamSession::ConnectAndEstablish(SetUpOptions options) {
  if (closed_) co_return ClosedError();
  if (options.deadline.ExpiredAt(started_at_)) {
    co_return Error(absl::StatusCode::kDeadlineExceeded, "not begun: no time is left");
  }
  if (!connected_) {
    CloseAt(options.deadline.Within(started_at_, options.connect_patience).at());
    const absl::Status connected = co_await Connect();
    if (!connected.ok()) co_return connected;
  }
  CloseAt(options.deadline.at());
  const absl::Status established = co_await Establish();
  if (!established.ok()) co_return established;
  if (closed_) co_return ClosedError();
  phase_ = Phase::kEstablished;
  handshake_time_ = std::chrono::steady_clock::now() - started_at_;
  co_return absl::OkStatus();
}

Task<absl::Status> StreamSession::SetUp(std::shared_ptr<StreamSession> self, SetUpOptions options) {
  StreamCanceller* const canceller = options.canceller;
  if (canceller != nullptr) {
    canceller->session_ = self;
    if (canceller->cancelled_) self->Close();
  }
  const absl::Status done = co_await self->ConnectAndEstablish(options);
  if (canceller != nullptr) canceller->session_.reset();
  self->deadline_.reset();
  if (!done.ok()) self->Close();
  co_return done;
}

// --- in use ---

Task<bool> StreamSession::Wait(asio::posix::descriptor_base::wait_type direction) {
  // Whoever has more to say and does without TCP_NODELAY, as resolvers do, says it when what came is acknowledged (RFC
  // 896): of two answers, the second would wait for our delayed acknowledgement, up to 40 ms. What was read is
  // acknowledged now; a listener's own replies do that.
  if (connects_ && direction == asio::posix::descriptor_base::wait_read) {
    SetOption(descriptor(), IPPROTO_TCP, TCP_QUICKACK, 1);
  }
  // Asio arms its edge trigger anew with each wait, so what is ready already ends the wait at once.
  // An error shows in the call that follows.
  co_await descriptor_.async_wait(direction, kAwait);
  if (direction == asio::posix::descriptor_base::wait_read) {
    drained_ = false;
    reads_without_wait_ = 0;
  }
  co_return !closed_;
}

ssize_t StreamSession::Receive(std::span<uint8_t> buffer, int& error) {
  ssize_t received = -1;
  do {
    received = recv(descriptor(), buffer.data(), buffer.size(), 0);
  } while (received < 0 && errno == EINTR);
  error = received < 0 ? errno : 0;
  drained_ = received >= 0 && static_cast<size_t>(received) < buffer.size();
  return received;
}

int StreamSession::Send(std::span<const uint8_t>& octets) {
  while (!octets.empty()) {
    const ssize_t sent = send(descriptor(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      octets = octets.subspan(static_cast<size_t>(sent));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

bool StreamSession::TurnIsOver() const { return reads_without_wait_ >= Limits::kStreamReadsPerTurn; }

Task<> StreamSession::NextTurn() {
  reads_without_wait_ = 0;
  co_await asio::post(executor_, kAwait);
}

void StreamSession::Close() {
  if (closed_) return;
  closed_ = true;
  deadline_.reset();
  asio::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace dotward
