#include "resolver/query_coalescer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/limit_log.h"
#include "base/limits.h"
#include "base/strings.h"
#include "dns/extended_errors.h"
#include "resolver/error_reply.h"

namespace dotward {
namespace {

ResolutionPtr FailureFor(const absl::Status& status, const ExchangeTrace& trace) {
  ErrorReply reply = ErrorReplyFor(status);
  Resolution failure;
  failure.trace = trace;
  failure.rcode = reply.rcode;
  failure.errors.push_back(std::move(reply.error));
  return std::make_shared<const Resolution>(std::move(failure));
}

// For a wait that ends before its question does (RFC 8914: no upstream has answered it).
ResolutionPtr GivenUp(std::string_view why) {
  Resolution given_up;
  given_up.errors.push_back({EdeCode::kNoReachableAuthority, std::string(why)});
  return std::make_shared<const Resolution>(std::move(given_up));
}

// An upstream's failure is passed on with its reasons, but for FORMERR: that is about our message, not the client's.
ResolutionPtr FailureFrom(const UpstreamResponse& response, const Classification& classification,
                          const ExchangeTrace& trace) {
  Resolution failure;
  failure.trace = trace;
  const bool about_the_question = classification.kind == ResponseKind::kFailure &&
                                  classification.rcode != Rcode::kNoError && classification.rcode != Rcode::kNxDomain &&
                                  classification.rcode != Rcode::kFormErr && classification.rcode < Rcode::kBadVers;
  failure.rcode = about_the_question ? classification.rcode : Rcode::kServFail;
  failure.errors = ExtendedErrorsOf(response.message->scan(), *response.upstream);
  if (failure.errors.empty()) {
    failure.errors.push_back({failure.rcode == Rcode::kServFail ? EdeCode::kNoReachableAuthority : EdeCode::kOther,
                              StrCat(*response.upstream, ": answered ", RcodeToString(response.message->scan().rcode()),
                                     "; ", classification.not_cacheable_because)});
  }
  return std::make_shared<const Resolution>(std::move(failure));
}

// For who is told of a failure that is remembered (RFC 8914 §4.14): with the errors that it had.
ResolutionPtr Remembered(const RememberedFailure& failure, SteadyTime now) {
  Resolution told;
  told.rcode = failure.told->rcode;
  told.errors = failure.told->errors;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(failure.until - now).count();
  told.errors.push_back(
      {EdeCode::kCachedError, StrCat("this failure is remembered; the question is asked again in ", seconds, " s")});
  return std::make_shared<const Resolution>(std::move(told));
}

// What says something about the question, and may be different in a while. That nobody could be reached says nothing
// about it: the servers' own back-off is the memory of that, and it needs queries to notice their return.
bool IsWorthRemembering(const absl::Status& status) {
  return status.ok() || absl::IsDeadlineExceeded(status) || absl::IsDataLoss(status);
}

// Borrows the name.
CacheKey QuestionOf(const UpstreamQuery& query) {
  return {query.name.wire(), query.type, query.klass, query.dnssec_ok, query.checking_disabled};
}

UpstreamQuery QueryOf(const CacheKey& question) {
  UpstreamQuery query;
  query.name = Name::FromWire(question.qname);
  query.type = question.qtype;
  query.klass = question.qclass;
  query.dnssec_ok = question.dnssec_ok;
  query.checking_disabled = question.checking_disabled;
  return query;
}

LimitReason ReasonOf(PendingQuestions::Limit limit) {
  switch (limit) {
    case PendingQuestions::Limit::kClient:
      return LimitReason::kWaitingOfClient;
    case PendingQuestions::Limit::kSuffix:
      return LimitReason::kWaitingOfDomain;
    case PendingQuestions::Limit::kProcess:
      break;
  }
  return LimitReason::kWaitingOfAll;
}

}  // namespace

QueryCoalescer::QueryCoalescer(asio::io_context& loop, Upstream& upstream, ResponseCache& cache, const Clock& clock,
                               const Options& options)
    : upstream_(upstream),
      cache_(cache),
      clock_(clock),
      options_(options),
      over_client_(GivenUp("given up: this client has too many unanswered questions, and this was its oldest")),
      over_suffix_(GivenUp("given up: too many questions of this domain are unanswered, and this was the oldest")),
      over_process_(GivenUp("given up: too many questions are unanswered, and this was the oldest")),
      pending_(options.pending),
      failures_(options.failure_ttl, options.pending.hash_seed),
      exchanges_running_(loop),
      inbox_(loop, [this](std::vector<ResolutionWaiter*>& batch) {
        const SteadyTime now = clock_.Now();
        for (ResolutionWaiter* waiter : batch) Admit(*waiter, now);
      }) {}

void QueryCoalescer::Adopt(const Options& options) {
  options_ = options;
  pending_.SetOptions(options.pending);
  failures_.SetTtl(options.failure_ttl);
  failures_.Clear();
}

std::optional<QueryCoalescer::FailureReport> QueryCoalescer::FailureOf(const UpstreamQuery& query,
                                                                       SteadyTime now) const {
  const RememberedFailure* const failure = LastFailure(QuestionOf(query));
  if (failure == nullptr) return std::nullopt;
  return FailureReport{.in_a_row = failure->in_a_row,
                       .asked_again_in = Deadline(failure->until).RemainingAt(now),
                       .rcode = failure->told->rcode,
                       .errors = failure->told->errors};
}

void QueryCoalescer::Admit(ResolutionWaiter& waiter, SteadyTime now) {
  std::unique_ptr<PendingExchange> started;
  PendingExchange* exchange = pending_.Find(waiter.question);
  if (exchange != nullptr) {
    statistics_.joined.Add();
  } else {
    if (ResolutionPtr known = WithoutAsking(waiter.question, now)) return waiter.Complete(std::move(known));
    started = std::make_unique<PendingExchange>(waiter.question, waiter.deadline);
    exchange = started.get();
    pending_.Start(*exchange);
  }
  pending_.Wait(waiter, *exchange);
  while (const auto surplus = pending_.FindSurplus(waiter)) GiveUp(*surplus, now);
  // Last: it may run to its end inside this call.
  if (started != nullptr) exchanges_running_.Spawn(Run(std::move(started)));
}

ResolutionPtr QueryCoalescer::WithoutAsking(const CacheKey& question, SteadyTime now) {
  // The exchange that answered this question may have ended while it was on its way here.
  if (auto cached = cache_.Lookup(question, now, LookupPurpose::kRecheck)) {
    statistics_.answered_late.Add();
    Resolution answer;
    answer.image = std::move(cached->image);
    return std::make_shared<const Resolution>(std::move(answer));
  }
  const RememberedFailure* const failure = LastFailure(question);
  if (failure == nullptr || now >= failure->until) return nullptr;
  statistics_.failures_remembered.Add();
  return Remembered(*failure, now);
}

// It counts no longer where its route answers again after trouble, and where the route is in trouble now: that fails by
// itself, and at once.
const RememberedFailure* QueryCoalescer::LastFailure(const CacheKey& question) const {
  const RememberedFailure* const failure = failures_.Find(question);
  if (failure == nullptr) return nullptr;
  const RouteCondition route = upstream_.ConditionOf(QueryOf(question));
  return route.serving && route.returns == failure->returns ? failure : nullptr;
}

void QueryCoalescer::GiveUp(const PendingQuestions::Surplus& surplus, SteadyTime now) {
  statistics_.over_limit.Add();
  LogLimited(ReasonOf(surplus.limit),
             ClientPrefix(surplus.waiter->client, options_.pending.ipv4_prefix, options_.pending.ipv6_prefix), now);
  PendingExchange& exchange = *surplus.waiter->exchange;
  switch (surplus.limit) {
    case PendingQuestions::Limit::kClient:
      statistics_.given_up_client.Add();
      Complete(*surplus.waiter, over_client_);
      break;
    case PendingQuestions::Limit::kSuffix:
      statistics_.given_up_suffix.Add();
      Complete(*surplus.waiter, over_suffix_);
      break;
    case PendingQuestions::Limit::kProcess:
      Complete(*surplus.waiter, over_process_);
      break;
  }
  if (!exchange.waiting.empty()) return;
  // From here on the same question starts anew; what was asked ends on the loop's next turn.
  statistics_.taken_back.Add();
  pending_.End(exchange);
  exchange.cancellation.Cancel();
}

Task<> QueryCoalescer::Run(std::unique_ptr<PendingExchange> exchange) {
  statistics_.in_flight.Add();
  statistics_.exchanges.Add();
  ExchangeTrace trace;
  exchange->query.trace = &trace;
  while (true) {
    const uint64_t returns = upstream_.ConditionOf(exchange->query).returns;
    const absl::StatusOr<UpstreamResponse> response = co_await upstream_.Exchange(exchange->query, exchange->deadline);
    const bool taken_back = exchange->cancellation.cancelled();
    // Nobody waits for it, but an answer is an answer.
    if (taken_back && !response.ok()) break;
    const ResolutionPtr resolution = Conclude(*exchange, response, trace);
    if (taken_back) {
      Learn(*exchange, response.status(), resolution, returns);
      break;
    }
    const SteadyTime now = clock_.Now();
    const bool out_of_time = absl::IsDeadlineExceeded(response.status()) && exchange->deadline.ExpiredAt(now);
    if (CompleteWaiting(*exchange, resolution, out_of_time, now)) {
      Learn(*exchange, response.status(), resolution, returns);
      pending_.End(*exchange);
      break;
    }
    statistics_.asked_again.Add();
  }
  statistics_.in_flight.Subtract();
}

// Those who joined late have time left when the first one's is over: for them it is asked again, by the deadline of the
// first among them. Who has hardly any left is answered now, so that there are few such rounds.
bool QueryCoalescer::CompleteWaiting(PendingExchange& exchange, const ResolutionPtr& resolution, bool out_of_time,
                                     SteadyTime now) {
  Deadline soonest(SteadyTime::max());
  for (PendingWaiter* waiter = exchange.waiting.front(); waiter != nullptr;) {
    PendingWaiter* const next = exchange.waiting.Next(*waiter);
    if (out_of_time && waiter->deadline.RemainingAt(now) >= Limits::kWorthAskingAgain) {
      soonest = std::min(soonest, waiter->deadline);
    } else {
      Complete(*waiter, resolution);
    }
    waiter = next;
  }
  exchange.deadline = soonest;
  return exchange.waiting.empty();
}

ResolutionPtr QueryCoalescer::Conclude(const PendingExchange& exchange,
                                       const absl::StatusOr<UpstreamResponse>& response, const ExchangeTrace& trace) {
  if (!response.ok()) {
    statistics_.failures.Add();
    return FailureFor(response.status(), trace);
  }
  Classification classification = ClassifyResponse(
      *response->message, options_.ttl, exchange.query.dnssec_ok ? DnssecRecords::kKeep : DnssecRecords::kLeaveOut);
  if (!classification.usable()) {
    statistics_.failures.Add();
    return FailureFrom(*response, classification, trace);
  }
  classification.authentic_data &= options_.trust_upstream_ad && response->authenticated;
  absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(*response->message, classification, response->origin, response->received_at);
  if (!image.ok()) {
    statistics_.failures.Add();
    return FailureFor(image.status(), trace);
  }
  cache_.Insert(exchange.question(), *image, clock_.Now());
  Resolution answer;
  answer.image = *std::move(image);
  answer.trace = trace;
  return std::make_shared<const Resolution>(std::move(answer));
}

void QueryCoalescer::Learn(const PendingExchange& exchange, const absl::Status& status, const ResolutionPtr& resolution,
                           uint64_t returns) {
  if (resolution->image) {
    failures_.Forget(exchange.question());
  } else if (IsWorthRemembering(status)) {
    failures_.Remember(exchange.question(), resolution, returns, clock_.Now());
  }
}

void QueryCoalescer::Complete(PendingWaiter& waiter, ResolutionPtr resolution) {
  pending_.Leave(waiter);
  static_cast<ResolutionWaiter&>(waiter).Complete(std::move(resolution));
}

}  // namespace dotward
