#include "upstream/upstream_server.h"

#include <utility>

#include "base/await.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

std::string_view NameOf(QueryTransport transport) {
  switch (transport) {
    case QueryTransport::kTls:
      return "tls";
    case QueryTransport::kTcp:
      return "tcp";
    case QueryTransport::kUdp:
      return "udp";
  }
  return "unknown";
}

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

UpstreamServer::UpstreamServer(asio::io_context& loop, Timeouts& timeouts, std::shared_ptr<const std::string> name,
                               const Endpoint& endpoint, QueryTransport transport)
    : loop_(loop),
      timeouts_(timeouts),
      record_(std::move(name), endpoint),
      transport_(transport),
      state_since_(Now()) {}

Task<absl::StatusOr<UpstreamResponse>> UpstreamServer::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const SteadyTime started = Now();
  Wakeup wakeup(loop_.get_executor());
  Attempt attempt(WireQuery(query, transport_), wakeup);
  Timeout timeout(timeouts_, wakeup);
  if (query.cancellation != nullptr) query.cancellation->Wakes(&wakeup);
  const auto cancelled = [&query] { return query.cancellation != nullptr && query.cancellation->cancelled(); };
  if (!deadline.ExpiredAt(started) && !cancelled()) {
    Tend(started, Urgency::kNobodyElse);
    Start(attempt, started);
    timeout.Set(deadline.at());
    while (!attempt.done() && !timeout.expired() && !cancelled()) co_await wakeup.Wait();
  }
  if (query.cancellation != nullptr) query.cancellation->Wakes(nullptr);
  if (attempt.done()) co_return std::move(attempt.result());
  if (cancelled()) co_return absl::CancelledError(StrCat(label(), ": nobody waits for the answer any more"));
  GiveUp(attempt, Now());
  co_return absl::DeadlineExceededError(
      StrCat(label(), ": no answer within ", FormatDuration(deadline.RemainingAt(started))));
}

void UpstreamServer::GiveUp(Attempt& attempt, SteadyTime now) {
  if (!attempt.own) {
    record_.counters.timeouts.Add();
    record_.counters.failed.Add();
  }
  attempt.Withdraw();
  Tend(now, Urgency::kOthersServe);
}

Duration UpstreamServer::Score(SteadyTime now) const {
  return std::chrono::duration_cast<Duration>(record_.latency.smoothed() * (1.0 + record_.TroubleAt(now)));
}

void UpstreamServer::Banish(SteadyTime until, absl::Status why) {
  banished_until_ = until;
  last_error_ = std::move(why);
}

void UpstreamServer::Fail(Attempt& attempt, const absl::Status& status) {
  if (!attempt.own) record_.counters.failed.Add();
  attempt.Complete(status);
}

absl::Status UpstreamServer::Error(std::string_view text) const {
  return absl::UnavailableError(StrCat(label(), ": ", text));
}

void UpstreamServer::SetState(UpstreamState state, SteadyTime now) {
  if (state == state_) return;
  if (state_ == UpstreamState::kFailing) CountReturn();
  state_ = state;
  state_since_ = now;
}

void UpstreamServer::ReportTrouble(std::string_view event, absl::Status error, SteadyTime now) {
  last_error_ = std::move(error);
  record_.AddTrouble(now);
  const std::string_view text = MessageOf(last_error_);
  if (!IsNewsOfTrouble(text, now)) return;
  Log(LogLevel::kWarning, event,
      {{"upstream", *record_.name}, {"address", record_.endpoint.ToString()}, {"error", text}});
}

// Trouble often shows in two or three ways in turn: each of them is said once in a while.
bool UpstreamServer::IsNewsOfTrouble(std::string_view text, SteadyTime now) {
  std::erase_if(reported_, [now](const Reported& report) { return now - report.at >= Limits::kUpstreamLogInterval; });
  std::string gist(text);
  std::erase_if(gist, [](char c) { return c >= '0' && c <= '9'; });  // durations and ports of one and the same event
  for (const Reported& report : reported_) {
    if (report.gist == gist) return false;
  }
  if (reported_.size() >= Limits::kUpstreamLogKinds) return false;
  reported_.push_back({std::move(gist), now});
  return true;
}

bool UpstreamServer::TakeNews() {
  const bool news = !std::exchange(ever_reported_well_, true) || !reported_.empty();
  reported_.clear();
  return news;
}

void AddCounts(UpstreamSnapshot& total, const UpstreamSnapshot& part) {
  using S = UpstreamSnapshot;
  for (uint64_t S::*const count :
       {&S::queries, &S::retried, &S::hedges, &S::hedges_won, &S::responses, &S::nxdomain, &S::servfail, &S::failed,
        &S::timeouts, &S::malformed, &S::mismatched, &S::late, &S::probes, &S::connections, &S::connect_failures,
        &S::connections_lost, &S::connections_suspected, &S::handshakes_full, &S::handshakes_resumed}) {
    total.*count += part.*count;
  }
  AddTo(total.durations, part.durations);
}

UpstreamSnapshot UpstreamServer::Snapshot() const {
  const SteadyTime now = Now();
  const UpstreamCounters& counters = record_.counters;
  UpstreamSnapshot snapshot;
  snapshot.name = *record_.name;
  snapshot.endpoint = record_.endpoint;
  snapshot.protocol = NameOf(transport_);
  snapshot.state = state_;
  snapshot.in_state_for = now - state_since_;
  snapshot.last_error = MessageOf(last_error_);
  snapshot.queries = counters.queries.value();
  snapshot.retried = counters.retried.value();
  snapshot.hedges = counters.hedges.value();
  snapshot.hedges_won = counters.hedges_won.value();
  snapshot.responses = counters.responses.value();
  snapshot.nxdomain = counters.nxdomain.value();
  snapshot.servfail = counters.servfail.value();
  snapshot.failed = counters.failed.value();
  snapshot.timeouts = counters.timeouts.value();
  snapshot.malformed = counters.malformed.value();
  snapshot.mismatched = counters.mismatched.value();
  snapshot.late = counters.late.value();
  snapshot.probes = counters.probes.value();
  snapshot.connections = counters.connections.value();
  snapshot.connect_failures = counters.connect_failures.value();
  snapshot.connections_lost = counters.connections_lost.value();
  snapshot.connections_suspected = counters.connections_suspected.value();
  snapshot.handshakes_full = counters.handshakes_full.value();
  snapshot.handshakes_resumed = counters.handshakes_resumed.value();
  if (snapshot.responses != 0) {
    snapshot.average_latency_microseconds = counters.latency_microseconds.value() / snapshot.responses;
  }
  AddTo(snapshot.durations, counters.durations);
  snapshot.latency_median = record_.latency.Quantile(0.5);
  snapshot.latency_p95 = record_.latency.Quantile(0.95);
  snapshot.idle_limit = record_.idle_limit.learned(now);
  AddToSnapshot(snapshot);
  return snapshot;
}

}  // namespace dotward
