#include "upstream/race.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/classify.h"
#include "dns/wire.h"

namespace dotward {
namespace {

using Urgency = UpstreamServer::Urgency;

// What an upstream's failure says about the question itself, so that another upstream is no way around it (RFC 8914):
// DNSSEC failures (5 to 12, 27), and what somebody decided not to answer (15 to 18).
bool IsFinal(uint16_t code) { return (code >= 5 && code <= 12) || code == 27 || (code >= 15 && code <= 18); }

enum class Explanation : uint8_t { kNone, kSome, kFinal };

Explanation ExplanationIn(const ScannedMessage& scan) {
  Explanation found = Explanation::kNone;
  ForEachOption(scan.edns.options, [&found](uint16_t code, OctetView value) {
    if (code != kOptionExtendedError) return;
    const bool final = value.size() >= 2 && IsFinal(ReadU16(value.data()));
    found = std::max(found, final ? Explanation::kFinal : Explanation::kSome);
  });
  return found;
}

// Whether the answer section is nothing but the data that was asked for, which is what most are and what needs no
// closer look to be good.
bool IsPlainAnswer(const ScannedMessage& scan) {
  if (scan.truncated() || scan.rcode() != Rcode::kNoError) return false;
  bool has_data = false;
  for (const RecordEdges& record : scan.records) {
    if (record.section != Section::kAnswer || record.type == rr_type::kRrsig) continue;
    const bool is_data = record.type == scan.qtype && record.klass == scan.qclass &&
                         ReadU16(&scan.octets[record.owner]) == kPointerToQuestion;
    if (!is_data) return false;
    has_data = true;
  }
  return has_data;
}

}  // namespace

Race::Grade Race::GradeOf(const Message& message) {
  const Rcode rcode = message.scan().rcode();
  if (rcode != Rcode::kNoError && rcode != Rcode::kNxDomain) {
    switch (ExplanationIn(message.scan())) {
      case Explanation::kNone:
        return Grade::kFailure;
      case Explanation::kSome:
        return Grade::kExplained;
      case Explanation::kFinal:
        return Grade::kFinal;
    }
  }
  if (IsPlainAnswer(message.scan())) return Grade::kGood;
  return ClassifyResponse(message, TtlPolicy()).usable() ? Grade::kGood : Grade::kUnusable;
}

Race::Race(asio::io_context& loop, Timeouts& timeouts, std::shared_ptr<const Route> route, const UpstreamQuery& query,
           Deadline deadline, SteadyTime now, Purpose purpose)
    : route_(std::move(route)),
      query_(query),
      deadline_(deadline),
      started_(now),
      wakeup_(loop.get_executor()),
      timeout_(timeouts, wakeup_),
      choice_(*route_, query.name.wire(),
              purpose == Purpose::kOwn ? ServerChoice::Banished::kAsk : ServerChoice::Banished::kLeaveOut),
      tried_(route_->size(), false),
      purpose_(purpose) {
  if (query_.cancellation != nullptr) query_.cancellation->Wakes(&wakeup_);
  for (size_t i = 0; query_.not_from != nullptr && i < tried_.size(); ++i) {
    tried_[i] = *route_->server(i).record().name == *query_.not_from;
  }
  unsigned& budget = route_->state().hedge_budget;
  budget = std::min(budget + 1, Limits::kHedgeBudgetMax);
}

Race::~Race() {
  if (query_.cancellation != nullptr) query_.cancellation->Wakes(nullptr);
}

bool Race::Advance(SteadyTime now) {
  if (cancelled()) return true;
  for (Entrant& entrant : entrants_) JudgeIfDone(entrant);
  if (grade_ >= Grade::kFinal) return true;
  if (deadline_.ExpiredAt(now)) {
    GiveUp(now);
    return true;
  }
  for (Entrant& entrant : entrants_) {
    if (!entrant.judged && entrant.attempt.TakeDoubt()) patience_ends_ = now;
  }
  if (NewestFailed()) patience_ends_ = now;
  while (running_ == 0 || now >= patience_ends_) {
    if (!AskOneMore(now) || grade_ >= Grade::kFinal) return true;
  }
  timeout_.Set(next_turn_);
  return false;
}

bool Race::AskOneMore(SteadyTime now) {
  if (running_ != 0 && std::exchange(hedge_due_, false)) {
    const Entrant& first = entrants_.front();
    // Others may have used the budget up since the query was sent.
    unsigned& budget = route_->state().hedge_budget;
    std::optional<size_t> beside;
    if (budget >= Limits::kHedgeCost) beside = choice_.NextBeside(first.server, tried_, now);
    if (beside) {
      budget -= Limits::kHedgeCost;
      Enter(*beside, Role::kHedge, now);
    } else {
      WaitFor(route_->server(first.server), Role::kNext, now);
    }
    return true;
  }
  std::optional<size_t> next = ChooseNext(now);
  if (next) {
    next = ConnectedOr(*next, now);
    Enter(*next, entrants_.empty() ? Role::kFirst : Role::kNext, now);
    return true;
  }
  // Everybody has been asked. What was lost on the way, or by the server, is asked once more.
  if (running_ != 0 && !asked_again_ && entrants_.size() < Limits::kAttemptsPerQueryMax) {
    const SteadyTime again_at = started_ + Limits::kAskAgainAfter;
    if (now < again_at) {
      WaitUntil(again_at);
      return true;
    }
    asked_again_ = true;
    if (const std::optional<size_t> silent = FirstSilent()) {
      Enter(*silent, Role::kAgain, now);
      return true;
    }
  }
  WaitUntil(deadline_.at());
  return running_ != 0;
}

// The first that was asked and has not answered, if its server is all right.
std::optional<size_t> Race::FirstSilent() const {
  for (const Entrant& entrant : entrants_) {
    if (!entrant.judged && entrant.attempt.sends != 0 && route_->server(entrant.server).Connected()) {
      return entrant.server;
    }
  }
  return std::nullopt;
}

// No query waits for a handshake that another connection can spare it: the server that was chosen connects for those
// that follow.
size_t Race::ConnectedOr(size_t chosen, SteadyTime now) {
  UpstreamServer& server = route_->server(chosen);
  if (server.Connected()) return chosen;
  const std::optional<size_t> stand_in = choice_.StandIn(chosen, tried_, now);
  if (!stand_in) return chosen;
  server.Prepare(now);
  return *stand_in;
}

// The one that was asked last, in place of another, is no help: its turn is over, even if an earlier one still may
// answer. What was asked beside another costs that one no patience.
bool Race::NewestFailed() const {
  return running_ != 0 && entrants_.back().judged && entrants_.back().role == Role::kNext;
}

// Who sent something unreadable is asked once more where nobody else is left: a forged or broken message must not
// decide while there is time (RFC 5452 §9.1).
std::optional<size_t> Race::ChooseNext(SteadyTime now) {
  if (entrants_.size() >= Limits::kAttemptsPerQueryMax) return std::nullopt;
  std::optional<size_t> next = choice_.Next(tried_, now, Urgency::kOthersServe);
  if (next || running_ != 0) return next;
  next = choice_.Next(tried_, now, Urgency::kNobodyElse);
  if (next) return next;
  return std::exchange(once_more_, std::nullopt);
}

void Race::Enter(size_t server, Role role, SteadyTime now) {
  UpstreamServer& chosen = route_->server(server);
  const bool unknown = role == Role::kFirst && !chosen.Connected() && chosen.record().connect_time == Duration::zero();
  tried_[server] = true;
  ++running_;
  Entrant& entrant = entrants_.emplace_back(WireQuery(query_, chosen.transport()), wakeup_, server, role);
  entrant.attempt.own = purpose_ == Purpose::kOwn;
  WaitFor(chosen, role, now);
  chosen.Start(entrant.attempt, now);
  JudgeIfDone(entrant);
  // What came to an end before anything was sent is no attempt that was made.
  if (entrant.judged && entrant.attempt.sends == 0 && best_ != &entrant) {
    entrants_.pop_back();
    if (role == Role::kNext) patience_ends_ = now;
  } else if (role == Role::kHedge) {
    chosen.counters().hedges.Add();
  }
  if (unknown && running_ != 0) EnterSibling(server, now);
}

// RFC 8305's idea: two addresses of one upstream are tried side by side as long as nobody knows which works, so that a
// dead address family costs nobody time.
void Race::EnterSibling(size_t first, SteadyTime now) {
  const std::optional<size_t> sibling = choice_.Sibling(first, tried_, now);
  if (sibling) Enter(*sibling, Role::kSibling, now);
}

void Race::WaitFor(const UpstreamServer& server, Role role, SteadyTime now) {
  const auto left = std::count(tried_.begin(), tried_.end(), false) + 1;
  hedge_due_ = false;
  if (left == 1) return WaitUntil(asked_again_ ? deadline_.at() : std::max(now, started_ + Limits::kAskAgainAfter));
  // Until this one answers or fails, others get no more than their share of the time that is left.
  Duration share =
      std::clamp<Duration>(deadline_.RemainingAt(now) / left, Limits::kAttemptPatienceMin, Limits::kAttemptPatienceMax);
  if (!server.Connected()) {
    share = std::min<Duration>(share, server.failing() ? Limits::kFailingPatience : Limits::kConnectDoubtful);
  }
  const Duration hedge_delay = std::max<Duration>(server.record().latency.usual_slowest(), Limits::kHedgeDelayMin);
  hedge_due_ = role == Role::kFirst && hedge_delay < share && MayHedge(server);
  WaitUntil(deadline_.Within(now, hedge_due_ ? hedge_delay : share).at());
}

bool Race::MayHedge(const UpstreamServer& server) const {
  return route_->hedge() && server.Connected() && server.record().latency.usual_slowest() != Duration::zero() &&
         route_->state().hedge_budget >= Limits::kHedgeCost;
}

void Race::WaitUntil(SteadyTime at) {
  // At the deadline itself it is not the next server's turn but the end.
  patience_ends_ = at < deadline_.at() ? at : SteadyTime::max();
  next_turn_ = std::min(at, deadline_.at());
}

void Race::JudgeIfDone(Entrant& entrant) {
  if (entrant.judged || !entrant.attempt.done()) return;
  entrant.judged = true;
  --running_;
  const absl::StatusOr<UpstreamResponse>& result = entrant.attempt.result();
  if (!result.ok()) {
    if (absl::IsDataLoss(result.status())) {
      if (!std::exchange(any_malformed_, true)) once_more_ = entrant.server;
    }
    if (errors_.size() < Limits::kErrorsPerQueryMax) errors_.emplace_back(MessageOf(result.status()));
    return;
  }
  const Grade grade = GradeOf(*result->message);
  if (grade > grade_) {
    grade_ = grade;
    best_ = &entrant;
  }
  if (grade == Grade::kGood) {
    if (entrant.role == Role::kHedge && best_ == &entrant) route_->server(entrant.server).counters().hedges_won.Add();
    return;
  }
  // The other addresses of an upstream are the same service and would say the same.
  const Route::Group& group = route_->groups()[route_->group_of(entrant.server)];
  for (size_t i = group.begin; i < group.end; ++i) tried_[i] = true;
}

void Race::GiveUp(SteadyTime now) {
  timed_out_ = true;
  for (Entrant& entrant : entrants_) {
    if (!entrant.judged) route_->server(entrant.server).GiveUp(entrant.attempt, now);
  }
}

Race::End Race::end() const {
  if (best_ != nullptr) return grade_ == Grade::kGood ? End::kAnswered : End::kFailed;
  if (cancelled()) return End::kCancelled;
  return timed_out_ ? End::kOutOfTime : End::kFailed;
}

ExchangeTrace Race::Trace(SteadyTime now) {
  const auto microseconds = [](Duration duration) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    return static_cast<uint32_t>(std::clamp<int64_t>(count, 0, UINT32_MAX));
  };
  ExchangeTrace trace;
  trace.total_us = microseconds(now - started_);
  trace.attempts = static_cast<uint8_t>(entrants_.size());
  trace.answered = best_ != nullptr;
  for (Entrant& entrant : entrants_) {
    if (entrant.role == Role::kHedge) ++trace.hedges;
    const unsigned again = entrant.attempt.sends > 1 ? entrant.attempt.sends - 1U : 0U;
    trace.sent_again = static_cast<uint8_t>(std::min(trace.sent_again + again, 255U));
    if (!entrant.judged || !entrant.attempt.result().ok()) continue;
    trace.CountResponse(entrant.attempt.result()->octets.size());
  }
  if (entrants_.empty()) return trace;
  Entrant& decided = best_ != nullptr ? *best_ : entrants_.back();
  const Attempt& attempt = decided.attempt;
  const SteadyTime ended = best_ != nullptr ? decided.attempt.result()->received_at : now;
  const bool sent = attempt.sends != 0;
  trace.waited_us = sent ? attempt.waited_us : microseconds(ended - attempt.started_at);
  if (sent) trace.answer_us = microseconds(ended - attempt.started_at - std::chrono::microseconds(attempt.waited_us));
  return trace;
}

absl::StatusOr<UpstreamResponse> Race::Result() {
  if (best_ != nullptr) return std::move(best_->attempt.result());
  if (cancelled()) return absl::CancelledError("nobody waits for the answer any more");
  const std::string why = WhyNothing();
  if (timed_out_) return absl::DeadlineExceededError(why);
  return any_malformed_ ? absl::DataLossError(why) : absl::UnavailableError(why);
}

std::string Race::WhyNothing() const {
  std::string why;
  const auto add = [&why](std::string_view text) { StrAppend(&why, why.empty() ? "" : "; ", text); };
  for (const Entrant& entrant : entrants_) {
    if (entrant.judged) continue;
    add(StrCat(route_->server(entrant.server).label(), ": no answer within ",
               FormatDuration(deadline_.RemainingAt(started_))));
  }
  for (const std::string& error : errors_) add(error);
  size_t named = errors_.size();
  for (size_t i = 0; i < route_->size() && named < Limits::kErrorsPerQueryMax; ++i) {
    if (tried_[i] || route_->server(i).last_error().ok()) continue;
    add(MessageOf(route_->server(i).last_error()));
    ++named;
  }
  return why.empty() ? "no upstream could be asked in time" : why;
}

}  // namespace dotward
