#include "upstream/stream_upstream.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/strings.h"
#include "net/local_route.h"
#include "net/plain_stream.h"
#include "net/tls_stream.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

StreamUpstream::StreamUpstream(asio::io_context& loop, Timeouts& timeouts, Options options)
    : UpstreamServer(loop, timeouts, options.name, options.endpoint, options.transport),
      options_(std::move(options)),
      tasks_(loop) {}

StreamUpstream::~StreamUpstream() {
  while (!waiting_.empty()) waiting_.PopFront().HeldBy(nullptr);
}

// --- attempts ---

void StreamUpstream::Start(Attempt& attempt, SteadyTime now) {
  attempt.started_at = now;
  Place(attempt, now);
}

void StreamUpstream::Place(Attempt& attempt, SteadyTime now) {
  if (closed_) return Fail(attempt, Error("it is being closed"));
  if (Usable(current_)) {
    if (current_->HasRoom()) {
      if (attempt.sends != 0) record_.counters.retried.Add();
      if (!std::exchange(attempt.counted, true)) {
        (attempt.own ? record_.counters.probes : record_.counters.queries).Add();
      }
      return current_->Send(attempt, now);
    }
    if (!current_->HasHadEnough() && !others_.empty()) {
      return Fail(attempt, Error("too many queries wait for its answers"));
    }
    // Where each takes few, they stand beside each other, and those that are too many wait their turn.
    if (HasRoomForConnection()) Replace(std::exchange(current_, nullptr));
  }
  if (waiting_.size() >= Limits::kWaitingForConnectionMax) {
    return Fail(attempt, Error("too many queries wait for a connection"));
  }
  if (FailsAtOnce(now)) return Fail(attempt, last_error());
  // While a connection is ending, what becomes of it decides whether another is made at once.
  // So do those that are there, where there are too many of them.
  const bool connect = current_ == nullptr && !connecting_since_ && HasRoomForConnection();
  if (connect && !back_off_.MayTryUrgentlyAt(now)) return Fail(attempt, last_error());
  attempt.HeldBy(this);
  waiting_.PushBack(attempt);
  if (connect) StartConnecting(now);
}

void StreamUpstream::PlaceAll(AttemptList attempts, SteadyTime now) {
  while (!attempts.empty()) {
    Attempt& attempt = attempts.PopFront();
    attempt.HeldBy(nullptr);
    Place(attempt, now);
  }
}

void StreamUpstream::Release(Attempt& attempt) { waiting_.Remove(attempt); }

bool StreamUpstream::FailsAtOnce(SteadyTime now) const {
  return current_ == nullptr && back_off_.failures() >= Limits::kFailuresToRest &&
         now - back_off_.failed_at() <= Limits::kFailureRecent;
}

UpstreamServer::Readiness StreamUpstream::Tend(SteadyTime now, Urgency urgency) {
  if (closed_) return Readiness::kResting;
  if (Usable(current_)) {
    if (back_off_.failures() != 0) return Readiness::kDoubtful;
    // It should have answered the question that it is asked half way there.
    if (current_->SilentFor(now) >= current_->patience() * 3 / 4) return Readiness::kDoubtful;
    const bool full = !others_.empty() && !current_->HasRoom();
    return full ? Readiness::kDoubtful : Readiness::kReady;
  }
  if (connecting_since_) {
    if (FailsAtOnce(now)) return Readiness::kResting;
    const bool late = now - *connecting_since_ >= Limits::kConnectDoubtful;
    return late || back_off_.failures() != 0 ? Readiness::kDoubtful : Readiness::kReady;
  }
  if (current_ == nullptr && !HasRoomForConnection()) return Readiness::kDoubtful;
  if (current_ != nullptr || back_off_.failures() == 0) return Readiness::kReady;
  const bool may_try = urgency == Urgency::kNobodyElse ? back_off_.MayTryUrgentlyAt(now) : back_off_.MayTryAt(now);
  if (!may_try || !HasRoomForConnection()) return Readiness::kResting;
  StartConnecting(now);
  return connecting_since_ && !FailsAtOnce(now) ? Readiness::kDoubtful : Readiness::kResting;
}

void StreamUpstream::Prepare(SteadyTime now) {
  if (closed_ || !HasRoomForConnection()) return;
  if (Usable(current_) && current_->HasHadEnough()) Replace(std::exchange(current_, nullptr));
  const bool connect = current_ == nullptr && !connecting_since_ && HasRoomForConnection();
  if (connect && back_off_.MayTryAt(now)) StartConnecting(now);
}

// --- connections ---

// May end before it returns: a network that is not there is noticed at once.
void StreamUpstream::StartConnecting(SteadyTime now) {
  connecting_since_ = now;
  UpdateState(now);
  tasks_.Spawn(RunConnection());
}

Duration StreamUpstream::ConnectPatience() const {
  const bool never_connected = record_.connect_time == Duration::zero();
  if (never_connected && back_off_.failures() % Limits::kPatientConnectEvery == 0) return Limits::kConnectTime;
  // A packet that was lost because the server is away is sent again after a second, and then after two. A server that
  // is back is noticed sooner by a new connection.
  const Duration shortest = std::max<Duration>(back_off_.urgent_interval(), Limits::kBackOffUrgentMax / 2);
  return std::clamp<Duration>(2 * record_.connect_time, shortest, Limits::kConnectTime);
}

Task<absl::StatusOr<std::unique_ptr<ClientStream>>> StreamUpstream::Connect(SteadyTime started) {
  StreamCanceller canceller;
  connect_canceller_ = &canceller;
  if (closed_) canceller.Cancel();
  const Deadline deadline = Deadline::After(started, Limits::kConnectTime);
  absl::StatusOr<std::unique_ptr<ClientStream>> stream = absl::UnknownError("");
  if (options_.transport == QueryTransport::kTcp) {
    PlainClientOptions options;
    options.peer = options_.endpoint;
    options.connect_patience = ConnectPatience();
    options.canceller = &canceller;
    stream = co_await PlainStream::Connect(loop_, std::move(options), deadline);
  } else {
    TlsClientOptions options;
    options.credentials = options_.credentials;
    options.auth_name = options_.auth_name;
    options.peer = options_.endpoint;
    options.session_ticket = std::exchange(ticket_, {});
    options.connect_patience = ConnectPatience();
    options.canceller = &canceller;
    absl::StatusOr<std::unique_ptr<TlsStream>> secure =
        co_await TlsStream::Connect(loop_, std::move(options), deadline);
    if (secure.ok()) {
      stream = *std::move(secure);
    } else {
      stream = secure.status();
    }
  }
  connect_canceller_ = nullptr;
  co_return stream;
}

// The life of one connection. It lives in this frame, so that it outlasts everything that runs on it.
Task<> StreamUpstream::RunConnection() {
  const SteadyTime started = Now();
  absl::StatusOr<std::unique_ptr<ClientStream>> stream = co_await Connect(started);
  connecting_since_.reset();
  const SteadyTime connected_at = Now();
  const bool overtaken = std::exchange(connect_again_, false);
  if (!stream.ok() && overtaken && !closed_) {
    // It says nothing about the server as it can be reached now.
    StartConnecting(connected_at);
    co_return;
  }
  if (!stream.ok()) {
    ConnectFailed(stream.status(), started, connected_at);
    co_return;
  }

  record_.connect_time = connected_at - started;
  ReportConnected(**stream);
  UpstreamConnection connection(loop_, timeouts_, *std::move(stream), options_.transport, record_, ids_, *this);
  Connected(connection, connected_at);
  co_await connection.Run();
  ConnectionEnded(connection, connected_at);
}

void StreamUpstream::Connected(UpstreamConnection& connection, SteadyTime now) {
  UpstreamConnection* const replaced = std::exchange(current_, &connection);
  if (replaced != nullptr) Replace(replaced);
  if (closed_) connection.Close(ConnectionEnd::kClosedHere, "it is being closed");
  bool doubtful = back_off_.failures() != 0;
  const auto others = others_;  // which the new one may join, if it takes few queries
  for (UpstreamConnection* other : others) {
    if (!other->suspect()) continue;
    doubtful = true;
    PlaceAll(other->TakeUnanswered(UpstreamConnection::Sent::kInVain), now);
  }
  PlaceAll(std::exchange(waiting_, {}), now);
  // Who was failing has to answer something before it is trusted again; who fell silent shall have done so before the
  // silent connection is given up.
  if (doubtful) connection.Probe(now);
  UpdateState(now);
}

void StreamUpstream::Replace(UpstreamConnection* connection) {
  others_.push_back(connection);
  // The next one may be made before this one has ended.
  if (TlsSessionTicket ticket = connection->TakeSessionTicket(); !ticket.empty()) ticket_ = std::move(ticket);
  connection->Retire();
}

void StreamUpstream::ConnectFailed(const absl::Status& status, SteadyTime started, SteadyTime now) {
  if (closed_) return;
  record_.counters.connect_failures.Add();
  // What was suspect has answered meanwhile, and serves.
  if (Usable(current_)) return;
  back_off_.Failed(BackOff::Failure::kConnect, started, now, ids_.Next());
  // The stream's own text begins with the address.
  ReportTrouble("cannot connect to upstream", absl::UnavailableError(StrCat(*record_.name, " ", MessageOf(status))),
                now);
  UpdateState(now);
  AttemptList failed = std::exchange(waiting_, {});
  while (!failed.empty()) {
    Attempt& attempt = failed.PopFront();
    attempt.HeldBy(nullptr);
    Fail(attempt, last_error());
  }
}

// New queries need another connection. Those of this one may still be answered on it, until there is that other one.
void StreamUpstream::OnSuspected(UpstreamConnection& connection, SteadyTime now) {
  if (&connection != current_) {
    if (Usable(current_)) PlaceAll(connection.TakeUnanswered(UpstreamConnection::Sent::kInVain), now);
    return;
  }
  silent_ = true;
  current_ = nullptr;
  others_.push_back(&connection);
  const bool may_connect = !closed_ && !connecting_since_ && back_off_.MayTryUrgentlyAt(now);
  if (may_connect && HasRoomForConnection()) StartConnecting(now);
  UpdateState(now);
}

void StreamUpstream::OnAlive(UpstreamConnection& connection, SteadyTime now) {
  back_off_.Succeeded();
  if (std::exchange(silent_, false)) CountReturn();
  if (connection.retired() || (&connection != current_ && current_ != nullptr)) {
    // It was only slow, and is not needed any more.
    connection.Retire();
  } else if (current_ == nullptr && connection.open() && !connection.retired() && !closed_) {
    // It was only slow, and nothing has taken its place.
    const auto place = std::find(others_.begin(), others_.end(), &connection);
    if (place != others_.end()) others_.erase(place);
    current_ = &connection;
    PlaceAll(std::exchange(waiting_, {}), now);
  }
  UpdateState(now);
}

void StreamUpstream::ConnectionEnded(UpstreamConnection& connection, SteadyTime connected_at) {
  const SteadyTime now = Now();
  if (&connection == current_) {
    current_ = nullptr;
  } else {
    others_.erase(std::find(others_.begin(), others_.end(), &connection));
  }
  if (TlsSessionTicket ticket = connection.TakeSessionTicket(); !ticket.empty()) ticket_ = std::move(ticket);
  const bool ended_by_peer =
      connection.end() == ConnectionEnd::kPeerClosed || connection.end() == ConnectionEnd::kBroken;
  const bool served = ended_by_peer && connection.responses() != 0;
  AttemptList again =
      connection.TakeUnanswered(served ? UpstreamConnection::Sent::kServed : UpstreamConnection::Sent::kInVain);
  AttemptList lost = connection.TakeUnanswered(UpstreamConnection::Sent::kAll);
  const absl::Status reason = connection.end() == ConnectionEnd::kBroken
                                  ? absl::UnavailableError(StrCat(*record_.name, " ", connection.end_text()))
                                  : Error(connection.end_text());
  JudgeEnd(connection, again.empty() && lost.empty() ? Waiting::kNothing : Waiting::kQueries, reason, connected_at,
           now);
  UpdateState(now);
  while (!lost.empty()) {
    Attempt& attempt = lost.PopFront();
    attempt.HeldBy(nullptr);
    Fail(attempt, reason);
  }
  PlaceAll(std::move(again), now);
  // What came while it was ending, or while there were too many, has waited for this moment.
  const bool full = current_ != nullptr && current_->HasHadEnough();
  if ((current_ == nullptr || full) && !connecting_since_) PlaceAll(std::exchange(waiting_, {}), now);
}

void StreamUpstream::JudgeEnd(const UpstreamConnection& connection, Waiting waiting, const absl::Status& reason,
                              SteadyTime connected_at, SteadyTime now) {
  const ConnectionEnd end = connection.end();
  const bool by_server = end == ConnectionEnd::kPeerClosed || end == ConnectionEnd::kBroken;
  if (by_server && waiting == Waiting::kQueries) {
    record_.pipeline_limit.Cut(connection.responses(), now);
  } else {
    record_.pipeline_limit.Served(connection.responses());
  }
  if (end == ConnectionEnd::kOpen || end == ConnectionEnd::kClosedHere) return;
  if (waiting == Waiting::kQueries) record_.counters.connections_lost.Add();
  const bool served = connection.responses() != 0;
  const bool stable = now - connected_at >= Limits::kStableConnection && back_off_.failures() == 0;
  // A server may close when it likes; only one that does so before it was of any use has failed.
  const bool no_failure = by_server && (served || (stable && waiting == Waiting::kNothing));
  // Another connection has taken its place, and that one serves.
  const bool replaced = Usable(current_) && current_->responses() != 0;
  if (no_failure || replaced) {
    Log(by_server ? LogLevel::kDebug : LogLevel::kInfo, "upstream connection ended",
        {{"upstream", *record_.name}, {"address", record_.endpoint.ToString()}, {"why", connection.end_text()}});
    return;
  }
  // A silent one has been given the time to be replaced; another may be replaced at once, the first time.
  const auto failure = end == ConnectionEnd::kSilent ? BackOff::Failure::kConnect : BackOff::Failure::kConnection;
  back_off_.Failed(failure, now, now, ids_.Next());
  ReportTrouble("upstream connection failed", reason, now);
  // The one that took its place has to answer something before it is trusted.
  if (Usable(current_)) current_->Probe(now);
}

void StreamUpstream::NetworkChanged(SteadyTime now) {
  if (closed_) return;
  back_off_.Succeeded();
  // Before the connections are asked, whose doubts may begin another try.
  if (connect_canceller_ != nullptr) {
    connect_again_ = true;
    connect_canceller_->Cancel();
  }
  const std::optional<IpAddress> address = LocalAddressTowards(options_.endpoint);
  const auto others = others_;  // which the current one may join
  if (current_ != nullptr) current_->NetworkChanged(now, address);
  for (UpstreamConnection* connection : others) connection->NetworkChanged(now, address);
  UpdateState(now);
}

void StreamUpstream::UpdateState(SteadyTime now) {
  if (back_off_.failures() != 0) return SetState(UpstreamState::kFailing, now);
  if (Usable(current_)) return SetState(UpstreamState::kConnected, now);
  SetState(connecting_since_ ? UpstreamState::kConnecting : UpstreamState::kIdle, now);
}

void StreamUpstream::ReportConnected(const ClientStream& stream) {
  record_.counters.connections.Add();
  (stream.resumed() ? record_.counters.handshakes_resumed : record_.counters.handshakes_full).Add();
  // A server that closes idle connections makes this routine: only the first one, and one after trouble, is news.
  Log(TakeNews() ? LogLevel::kInfo : LogLevel::kDebug, "connected to upstream",
      {{"upstream", *record_.name},
       {"address", record_.endpoint.ToString()},
       {"tls", stream.protocol_version()},
       {"resumed", stream.resumed() ? "yes" : "no"}});
}

void StreamUpstream::Close() {
  if (std::exchange(closed_, true)) return;
  if (connect_canceller_ != nullptr) connect_canceller_->Cancel();
  PlaceAll(std::exchange(waiting_, {}), Now());  // which fails them all
  ForEachConnection(
      [](UpstreamConnection& connection) { connection.Close(ConnectionEnd::kClosedHere, "it is being closed"); });
}

void StreamUpstream::AddToSnapshot(UpstreamSnapshot& snapshot) const {
  snapshot.in_flight = waiting_.size();
  snapshot.connections_connecting = connecting_since_ ? 1 : 0;
  ForEachConnection([&snapshot](const UpstreamConnection& connection) {
    if (!connection.open()) return;
    ++snapshot.connections_open;
    ++(connection.in_flight() != 0 ? snapshot.connections_busy : snapshot.connections_idle);
    snapshot.in_flight += connection.in_flight();
    snapshot.tls_version = connection.stream().protocol_version();
  });
}

}  // namespace dotward
