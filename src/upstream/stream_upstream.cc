#include "upstream/stream_upstream.h"

#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/units.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

std::string_view UpstreamStateToString(UpstreamState state) {
  switch (state) {
    case UpstreamState::kIdle:
      return "idle";
    case UpstreamState::kConnecting:
      return "connecting";
    case UpstreamState::kConnected:
      return "connected";
    case UpstreamState::kFailing:
      return "failing";
  }
  return "unknown";
}

StreamUpstream::StreamUpstream(asio::io_context& loop, Timeouts& timeouts, Options options)
    : loop_(loop),
      timeouts_(timeouts),
      options_(std::move(options)),
      label_(StrCat(*options_.name, " ", options_.endpoint.ToString())),
      tasks_(loop) {}

StreamUpstream::~StreamUpstream() {
  while (!waiting_.empty()) waiting_.PopFront().HeldBy(nullptr);
}

Task<absl::StatusOr<UpstreamResponse>> StreamUpstream::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const PreparedQuery prepared(query);
  const SteadyTime started = Now();
  Wakeup wakeup(loop_.get_executor());
  Attempt attempt(prepared, wakeup);
  Timeout timeout(timeouts_, wakeup);
  if (!deadline.ExpiredAt(started)) {
    Tend(started);
    Start(attempt, started);
    timeout.Set(deadline.at());
    while (!attempt.done() && !timeout.expired()) co_await wakeup.Wait();
  }
  if (attempt.done()) co_return std::move(attempt.result());
  GiveUp(attempt, Now());
  co_return absl::DeadlineExceededError(
      StrCat(label_, ": no answer within ", FormatDuration(deadline.RemainingAt(started))));
}

void StreamUpstream::Start(Attempt& attempt, SteadyTime now) {
  attempt.started_at = now;
  Place(attempt, now);
}

void StreamUpstream::GiveUp(Attempt& attempt, SteadyTime now) {
  counters_.timeouts.Add();
  counters_.failed.Add();
  attempt.Withdraw();
  Tend(now);
}

void StreamUpstream::Place(Attempt& attempt, SteadyTime now) {
  if (closed_) return Fail(attempt, Error("it is being closed"));
  if (current_ != nullptr && current_->open()) {
    if (current_->HasRoom()) {
      if (attempt.sends != 0) counters_.retried.Add();
      if (!std::exchange(attempt.counted, true)) counters_.queries.Add();
      return current_->Send(attempt, now);
    }
    if (retired_ != nullptr) return Fail(attempt, Error("too many queries wait for its answers"));
    retired_ = std::exchange(current_, nullptr);
    retired_->Retire();
  }
  if (waiting_.size() >= Limits::kWaitingForConnectionMax) {
    return Fail(attempt, Error("too many queries wait for a connection"));
  }
  // While a connection is ending, what becomes of it decides whether another is made at once.
  const bool connect = current_ == nullptr && !connecting_since_;
  if (connect && !back_off_.MayTryAt(now)) return Fail(attempt, last_error_);
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

void StreamUpstream::Fail(Attempt& attempt, const absl::Status& status) {
  counters_.failed.Add();
  attempt.Complete(status);
}

absl::Status StreamUpstream::Error(std::string_view text) const {
  return absl::UnavailableError(StrCat(label_, ": ", text));
}

StreamUpstream::Readiness StreamUpstream::Tend(SteadyTime now) {
  if (closed_) return Readiness::kResting;
  for (UpstreamConnection* connection : {current_, retired_}) {
    if (connection == nullptr || connection->SilentFor(now) < Limits::kSilenceMax) continue;
    connection->Close(ConnectionEnd::kSilent,
                      StrCat("it answered nothing for ", FormatDuration(connection->SilentFor(now))));
  }
  if (current_ != nullptr && current_->open()) {
    const bool full = retired_ != nullptr && !current_->HasRoom();
    return full || current_->SilentFor(now) >= Limits::kSilenceDoubtful ? Readiness::kDoubtful : Readiness::kReady;
  }
  if (connecting_since_) {
    const bool late = now - *connecting_since_ >= Limits::kSilenceDoubtful;
    return late || back_off_.failures() != 0 ? Readiness::kDoubtful : Readiness::kReady;
  }
  if (current_ != nullptr || back_off_.failures() == 0) return Readiness::kReady;
  if (!back_off_.MayTryAt(now)) return Readiness::kResting;
  StartConnecting(now);
  return connecting_since_ ? Readiness::kDoubtful : Readiness::kResting;
}

// May end before it returns: a network that is not there is noticed at once.
void StreamUpstream::StartConnecting(SteadyTime now) {
  connecting_since_ = now;
  tasks_.Spawn(RunConnection());
}

// The life of one connection. It lives in this frame, so that it outlasts everything that runs on it.
Task<> StreamUpstream::RunConnection() {
  TlsCanceller canceller;
  TlsClientOptions options;
  options.credentials = options_.credentials;
  options.auth_name = options_.auth_name;
  options.peer = options_.endpoint;
  options.session_ticket = std::exchange(ticket_, {});
  options.canceller = &canceller;
  const Deadline deadline = Deadline::After(Now(), Limits::kConnectTime);
  connect_canceller_ = &canceller;
  if (closed_) canceller.Cancel();
  auto stream = co_await TlsStream::Connect(loop_, std::move(options), deadline);
  connect_canceller_ = nullptr;
  connecting_since_.reset();
  const SteadyTime connected_at = Now();
  if (!stream.ok()) {
    ConnectFailed(stream.status(), connected_at);
    co_return;
  }

  ReportConnected(**stream);
  UpstreamConnection connection(loop_, *std::move(stream), options_.name, ids_, counters_);
  current_ = &connection;
  if (closed_) connection.Close(ConnectionEnd::kClosedHere, "it is being closed");
  PlaceAll(std::exchange(waiting_, {}), connected_at);
  co_await connection.Run();
  ConnectionEnded(connection, connected_at);
}

void StreamUpstream::ConnectFailed(const absl::Status& status, SteadyTime now) {
  if (closed_) return;
  counters_.connect_failures.Add();
  back_off_.Failed(BackOff::Failure::kConnect, now, ids_.Next());
  // The stream's own text begins with the address.
  last_error_ = absl::UnavailableError(StrCat(*options_.name, " ", MessageOf(status)));
  ReportTrouble("cannot connect to upstream", now);
  PlaceAll(std::exchange(waiting_, {}), now);  // which fails them all: the back-off has begun
}

void StreamUpstream::ConnectionEnded(UpstreamConnection& connection, SteadyTime connected_at) {
  const SteadyTime now = Now();
  (&connection == current_ ? current_ : retired_) = nullptr;
  if (TlsSessionTicket ticket = connection.TakeSessionTicket(); !ticket.empty()) ticket_ = std::move(ticket);
  AttemptList unanswered = connection.TakeUnanswered();
  const absl::Status reason = connection.end() == ConnectionEnd::kBroken
                                  ? absl::UnavailableError(StrCat(*options_.name, " ", connection.end_text()))
                                  : Error(connection.end_text());
  JudgeEnd(connection, unanswered.empty() ? Waiting::kNothing : Waiting::kQueries, reason, now - connected_at, now);

  AttemptList again;
  while (!unanswered.empty()) {
    Attempt& attempt = unanswered.PopFront();
    if (attempt.sends < Limits::kSendsPerAttemptMax) {
      again.PushBack(attempt);
    } else {
      Fail(attempt, reason);
    }
  }
  PlaceAll(std::move(again), now);
  // What came while it was ending has waited for this moment.
  if (current_ == nullptr) PlaceAll(std::exchange(waiting_, {}), now);
}

void StreamUpstream::JudgeEnd(const UpstreamConnection& connection, Waiting waiting, const absl::Status& reason, Duration lived,
                           SteadyTime now) {
  const bool served = connection.responses() != 0;
  const bool stable = lived >= Limits::kStableConnection;
  switch (connection.end()) {
    case ConnectionEnd::kOpen:
    case ConnectionEnd::kClosedHere:
      return;
    case ConnectionEnd::kPeerClosed:
    case ConnectionEnd::kBroken:
      if (waiting == Waiting::kQueries) counters_.connections_lost.Add();
      // A server may close when it likes; only one that does so before it was of any use has failed.
      if (served || (stable && waiting == Waiting::kNothing)) {
        back_off_.Succeeded();
        Log(LogLevel::kDebug, "upstream connection ended",
            {{"upstream", *options_.name}, {"address", options_.endpoint.ToString()}, {"why", connection.end_text()}});
        return;
      }
      break;
    case ConnectionEnd::kSilent:
    case ConnectionEnd::kViolation:
      if (waiting == Waiting::kQueries) counters_.connections_lost.Add();
      if (served && stable) back_off_.Succeeded();
      break;
  }
  back_off_.Failed(BackOff::Failure::kConnection, now, ids_.Next());
  last_error_ = reason;
  ReportTrouble("upstream connection failed", now);
}

void StreamUpstream::ReportTrouble(std::string_view event, SteadyTime now) {
  const std::string_view text = MessageOf(last_error_);
  const bool known = text == reported_text_;
  const auto quiet = known ? Duration(Limits::kUpstreamLogInterval) : Duration(std::chrono::seconds(1));
  if (!reported_text_.empty() && now - reported_at_ < quiet) return;
  reported_text_ = text;
  reported_at_ = now;
  Log(LogLevel::kWarning, event,
      {{"upstream", *options_.name}, {"address", options_.endpoint.ToString()}, {"error", text}});
}

void StreamUpstream::ReportConnected(const TlsStream& stream) {
  counters_.connections.Add();
  (stream.resumed() ? counters_.handshakes_resumed : counters_.handshakes_full).Add();
  // A server that closes idle connections makes this routine: only the first one, and one after trouble, is news.
  const bool news = !std::exchange(ever_connected_, true) || !reported_text_.empty();
  reported_text_.clear();
  Log(news ? LogLevel::kInfo : LogLevel::kDebug, "connected to upstream",
      {{"upstream", *options_.name},
       {"address", options_.endpoint.ToString()},
       {"tls", stream.protocol_version()},
       {"resumed", stream.resumed() ? "yes" : "no"}});
}

void StreamUpstream::Close() {
  if (std::exchange(closed_, true)) return;
  if (connect_canceller_ != nullptr) connect_canceller_->Cancel();
  PlaceAll(std::exchange(waiting_, {}), Now());  // which fails them all
  for (UpstreamConnection* connection : {current_, retired_}) {
    if (connection != nullptr) connection->Close(ConnectionEnd::kClosedHere, "it is being closed");
  }
}

UpstreamSnapshot StreamUpstream::Snapshot() const {
  UpstreamSnapshot snapshot;
  snapshot.name = *options_.name;
  snapshot.endpoint = options_.endpoint;
  snapshot.in_flight = waiting_.size();
  for (const UpstreamConnection* connection : {current_, retired_}) {
    if (connection == nullptr || !connection->open()) continue;
    ++snapshot.connections_open;
    snapshot.in_flight += connection->in_flight();
    snapshot.tls_version = connection->stream().protocol_version();
  }
  if (snapshot.connections_open != 0) {
    snapshot.state = UpstreamState::kConnected;
  } else if (back_off_.failures() != 0) {
    snapshot.state = UpstreamState::kFailing;
  } else if (connecting_since_) {
    snapshot.state = UpstreamState::kConnecting;
  }
  snapshot.last_error = MessageOf(last_error_);
  snapshot.queries = counters_.queries.value();
  snapshot.retried = counters_.retried.value();
  snapshot.responses = counters_.responses.value();
  snapshot.nxdomain = counters_.nxdomain.value();
  snapshot.servfail = counters_.servfail.value();
  snapshot.failed = counters_.failed.value();
  snapshot.timeouts = counters_.timeouts.value();
  snapshot.malformed = counters_.malformed.value();
  snapshot.mismatched = counters_.mismatched.value();
  snapshot.late = counters_.late.value();
  snapshot.connections = counters_.connections.value();
  snapshot.connect_failures = counters_.connect_failures.value();
  snapshot.connections_lost = counters_.connections_lost.value();
  snapshot.handshakes_full = counters_.handshakes_full.value();
  snapshot.handshakes_resumed = counters_.handshakes_resumed.value();
  if (snapshot.responses != 0) {
    snapshot.average_latency_microseconds = counters_.latency_microseconds.value() / snapshot.responses;
  }
  return snapshot;
}

}  // namespace dotward
