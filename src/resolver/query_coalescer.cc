#include "resolver/query_coalescer.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <utility>

#include "base/limit_log.h"
#include "base/limits.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/name.h"
#include "resolver/derived_answers.h"
#include "resolver/resolutions.h"
#include "resolver/resolver_limits.h"

namespace dotward {
namespace {

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

// What says something about the question, and may be different in a while. That nobody could be reached says nothing
// about it: the servers' own back-off is the memory of that, and it needs queries to notice their return.
bool IsWorthRemembering(const absl::Status& status) {
  return status.ok() || absl::IsDeadlineExceeded(status) || absl::IsDataLoss(status);
}

// With something to give meanwhile, whoever could not answer is left alone for longer (RFC 8767 §5).
SteadyTime AskedAgainAt(const RememberedFailure& failure, bool has_stale) {
  return has_stale ? std::max(failure.until, failure.failed_at + ResolverLimits::kStaleRecheck) : failure.until;
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
      stale_waits_(loop, clock, options.stale_client_timeout, [this](StaleAnswer& stale) { TellStale(stale); }),
      pace_(loop, clock),
      completions_(loop, clock),
      exchanges_running_(loop),
      inbox_(loop,
             [this](std::vector<ResolutionWaiter*>& batch) {
               const SteadyTime now = clock_.Now();
               stale_waits_.Tell(now);
               for (ResolutionWaiter* waiter : batch) Admit(*waiter, now);
             }),
      refresh_inbox_(loop, [this](std::vector<UpstreamQuery>& batch) {
        const SteadyTime now = clock_.Now();
        for (const UpstreamQuery& query : batch) StartRefresh(query, now);
      }) {}

void QueryCoalescer::Adopt(const Options& options) {
  options_ = options;
  pending_.SetOptions(options.pending);
  failures_.SetTtl(options.failure_ttl);
  failures_.Clear();
  stale_waits_.SetClientTimeout(options.stale_client_timeout);
}

Task<> QueryCoalescer::Join() {
  pace_.Close();
  co_await exchanges_running_.Join();
  co_await stale_waits_.Join();
  co_await pace_.Join();
}

QueryCoalescer::Outlook QueryCoalescer::OutlookOf(const UpstreamQuery& query, SteadyTime now) const {
  const CacheKey question = QuestionOf(query);
  const RouteCondition route = upstream_.ConditionOf(query);
  Outlook outlook;
  outlook.serving = route.serving;
  outlook.stale = cache_.LookupStale(question, now).has_value();
  outlook.stale_after = options_.stale_client_timeout;
  if (const RememberedFailure* const failure = LastFailure(AskedAs(question), route)) {
    outlook.failure = {.in_a_row = failure->in_a_row,
                       .asked_again_in = Deadline(AskedAgainAt(*failure, outlook.stale)).RemainingAt(now),
                       .rcode = failure->told->rcode,
                       .bogus = failure->told->bogus,
                       .errors = failure->told->errors};
  }
  return outlook;
}

// --- questions that come ---

void QueryCoalescer::Admit(ResolutionWaiter& waiter, SteadyTime now) {
  const CacheKey asked = AskedAs(waiter.question);
  if (PendingExchange* const under_way = pending_.Find(asked)) {
    // What is fetched before it is needed is still there, in this form or in another.
    if (under_way->refresh) {
      const RouteCondition route = upstream_.ConditionOf(QueryOf(asked));
      if (ResolutionPtr known = FromCache(waiter.question, route, now))
        return completions_.Complete(waiter, std::move(known));
    }
    statistics_.joined.Add();
    return Join(*under_way, waiter, now);
  }
  const RouteCondition route = upstream_.ConditionOf(QueryOf(asked));
  if (ResolutionPtr known = WithoutAsking(waiter.question, route, now))
    return completions_.Complete(waiter, std::move(known));
  auto started = std::make_unique<PendingExchange>(asked, waiter.deadline);
  started->returns = route.returns;
  started->query.asker = AskerOf(waiter.client);
  pending_.Start(*started);
  Join(*started, waiter, now);
  if (started->waiting.empty() && pending_.exchanges() > ResolverLimits::kRefreshExchangesMax) {
    // Who asked has a stale answer already, and there is no room for what nobody waits for.
    if (started->stale != nullptr) stale_waits_.Remove(*started->stale);
    return pending_.End(*started);
  }
  // Last: it may run to its end inside this call.
  exchanges_running_.Spawn(Run(std::move(started)));
}

CacheKey QueryCoalescer::AskedAs(const CacheKey& question) const {
  CacheKey asked = question;
  asked.dnssec_ok |= options_.ask_with_dnssec;
  return asked;
}

IpPrefix QueryCoalescer::PrefixOf(const IpAddress& client) const {
  return ClientPrefix(client, options_.pending.ipv4_prefix, options_.pending.ipv6_prefix);
}

uint16_t QueryCoalescer::AskerOf(const IpAddress& client) const {
  return static_cast<uint16_t>(1 + absl::HashOf(PrefixOf(client).address) % UINT16_MAX);
}

// In the order in which it is good: the answer itself, then what follows from another.
ResolutionPtr QueryCoalescer::FromCache(const CacheKey& question, const RouteCondition& route, SteadyTime now) {
  // The exchange that answered this question may have ended while it was on its way here.
  if (auto cached = cache_.Lookup(question, now, LookupPurpose::kRecheck)) {
    statistics_.answered_late.Add();
    return Answered(std::move(cached->image));
  }
  if (ImagePtr image = WithoutDnssec(cache_, question, now)) {
    statistics_.without_dnssec.Add();
    return Answered(std::move(image));
  }
  if (ImagePtr image = DeniedByCut(cache_, question, route.zone_octets, now)) {
    statistics_.denied_by_cut.Add();
    return Answered(std::move(image));
  }
  return nullptr;
}

// Behind that, why there is no answer.
ResolutionPtr QueryCoalescer::WithoutAsking(const CacheKey& question, const RouteCondition& route, SteadyTime now) {
  if (ResolutionPtr known = FromCache(question, route, now)) return known;
  const RememberedFailure* const failure = LastFailure(AskedAs(question), route);
  if (failure == nullptr) return nullptr;
  auto stale = failure->told->bogus ? std::nullopt : cache_.LookupStale(question, now);
  const SteadyTime asked_again_at = AskedAgainAt(*failure, stale.has_value());
  if (now >= asked_again_at) return nullptr;
  statistics_.failures_remembered.Add();
  if (!stale) return Remembered(*failure, now);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(asked_again_at - now).count();
  return Stale(std::move(stale->image), StrCat("the question failed, and is asked again in ", seconds, " s"),
               failure->told.get());
}

// It counts no longer where its route answers again after trouble, and where the route is in trouble now: that fails by
// itself, and at once.
const RememberedFailure* QueryCoalescer::LastFailure(const CacheKey& question, const RouteCondition& route) const {
  const RememberedFailure* const failure = failures_.Find(question);
  return failure != nullptr && route.serving && route.returns == failure->returns ? failure : nullptr;
}

void QueryCoalescer::Refresh(const CacheKey& question) { refresh_inbox_.Push(QueryOf(question)); }

void QueryCoalescer::StartRefresh(const UpstreamQuery& query, SteadyTime now) {
  const CacheKey asked = AskedAs(QuestionOf(query));
  if (pending_.Find(asked) != nullptr) return;
  if (refreshes_ >= ResolverLimits::kRefreshesMax || pending_.exchanges() >= ResolverLimits::kRefreshExchangesMax) {
    statistics_.prefetches_refused.Add();
    return;
  }
  statistics_.prefetches.Add();
  auto started = std::make_unique<PendingExchange>(asked, Deadline::After(now, options_.query_deadline));
  started->returns = upstream_.ConditionOf(query).returns;
  started->refresh = true;
  started->wanted[query.dnssec_ok] = true;
  ++refreshes_;
  pending_.Start(*started);
  exchanges_running_.Spawn(Run(std::move(started)));
}

// --- those who wait ---

void QueryCoalescer::Join(PendingExchange& exchange, ResolutionWaiter& waiter, SteadyTime now) {
  if (std::exchange(exchange.refresh, false)) --refreshes_;
  const bool dnssec_ok = waiter.question.dnssec_ok;
  exchange.wanted[dnssec_ok] = true;
  SeekStale(exchange, waiter.question, now);
  if (exchange.stale != nullptr && exchange.stale->due && exchange.stale->images[dnssec_ok]) {
    return completions_.Complete(waiter, StaleFor(*exchange.stale, dnssec_ok));
  }
  pending_.Wait(waiter, exchange);
  if (exchange.turn != nullptr) pace_.Offer(*exchange.turn, AskerOf(waiter.client));
  while (const auto surplus = pending_.FindSurplus(waiter)) GiveUp(*surplus, now);
}

void QueryCoalescer::SeekStale(PendingExchange& exchange, const CacheKey& question, SteadyTime now) {
  if (std::exchange(exchange.stale_sought[question.dnssec_ok], true)) return;
  auto found = cache_.LookupStale(question, now);
  if (!found) return;
  const bool first = exchange.stale == nullptr;
  if (first) exchange.stale = std::make_unique<StaleAnswer>(exchange, now);
  exchange.stale->images[question.dnssec_ok] = std::move(found->image);
  if (!first) return;
  stale_waits_.Add(*exchange.stale);
  // Where nobody is to wait, it is due already.
  stale_waits_.Tell(now);
}

ResolutionPtr QueryCoalescer::StaleFor(const StaleAnswer& stale, bool dnssec_ok) const {
  return Stale(stale.images[dnssec_ok],
               StrCat("no fresh answer within ", FormatDuration(options_.stale_client_timeout)), nullptr);
}

// The exchange goes on: what comes is for the cache.
void QueryCoalescer::TellStale(const StaleAnswer& stale) {
  std::array<ResolutionPtr, 2> told;
  for (const bool dnssec_ok : {false, true}) {
    if (stale.images[dnssec_ok]) told[dnssec_ok] = StaleFor(stale, dnssec_ok);
  }
  for (PendingWaiter* waiter = stale.exchange.waiting.front(); waiter != nullptr;) {
    PendingWaiter* const next = stale.exchange.waiting.Next(*waiter);
    if (const ResolutionPtr& resolution = told[waiter->question.dnssec_ok]) Complete(*waiter, resolution);
    waiter = next;
  }
}

void QueryCoalescer::GiveUp(const PendingQuestions::Surplus& surplus, SteadyTime now) {
  if (surplus.waiter != nullptr) {
    statistics_.over_limit.Add();
    LogLimited(ReasonOf(surplus.limit), PrefixOf(surplus.waiter->client), now);
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
  }
  if (!surplus.exchange->waiting.empty()) return;
  // From here on the same question starts anew; what was asked ends on the loop's next turn.
  statistics_.taken_back.Add();
  pending_.End(*surplus.exchange);
  surplus.exchange->cancellation.Cancel();
}

void QueryCoalescer::Complete(PendingWaiter& waiter, ResolutionPtr resolution) {
  pending_.Leave(waiter);
  completions_.Complete(static_cast<ResolutionWaiter&>(waiter), std::move(resolution));
}

// --- exchanges ---

Task<> QueryCoalescer::Run(std::unique_ptr<PendingExchange> exchange) {
  statistics_.in_flight.Add();
  statistics_.exchanges.Add();
  ExchangeTrace trace;
  exchange->query.trace = &trace;
  while (true) {
    const absl::StatusOr<UpstreamResponse> response = co_await Ask(*exchange);
    const bool taken_back = exchange->cancellation.cancelled();
    // What is taken back comes all the same, and what was taken for it is not given back.
    const uint32_t taken = std::exchange(exchange->paced_octets, 0);
    const uint32_t came = std::exchange(trace.beyond_usual, 0);
    if (!taken_back || came != 0) pace_.Settle(exchange->query.asker, taken, came, response.ok());
    // Nobody waits for it, but an answer is an answer.
    if (taken_back && !response.ok()) break;
    const Outcome outcome = Conclude(*exchange, response, trace);
    const bool over = taken_back || CompleteWaiting(*exchange, outcome, response.status(), clock_.Now());
    if (over) {
      Learn(*exchange, response.status(), outcome);
      if (!taken_back) pending_.End(*exchange);
      break;
    }
    statistics_.asked_again.Add();
    exchange->returns = upstream_.ConditionOf(exchange->query).returns;
  }
  if (exchange->stale != nullptr) stale_waits_.Remove(*exchange->stale);
  if (exchange->refresh) --refreshes_;
  statistics_.in_flight.Subtract();
}

Task<absl::StatusOr<UpstreamResponse>> QueryCoalescer::Ask(PendingExchange& exchange) {
  const std::optional<uint32_t> taken = pace_.Take(exchange.query.asker);
  if (!taken) return AskInTurn(&exchange);
  exchange.paced_octets = *taken;
  return upstream_.Exchange(exchange.query, exchange.deadline);
}

Task<absl::StatusOr<UpstreamResponse>> QueryCoalescer::AskInTurn(PendingExchange* exchange) {
  statistics_.paced.Add();
  if (const PendingWaiter* const first = exchange->waiting.front()) {
    LogLimited(LimitReason::kLargeAnswers, PrefixOf(first->client), clock_.Now());
  }
  LargeAnswerPace::Turn turn(exchange->query.asker);
  exchange->turn = &turn;
  // With hardly any time left nobody is asked: that they do not answer then says nothing about them.
  const Deadline worth_asking(exchange->deadline.at() - Limits::kWorthAskingAgain);
  const absl::Status waited = co_await pace_.Wait(&turn, worth_asking, &exchange->cancellation);
  exchange->turn = nullptr;
  if (!waited.ok()) co_return waited;
  exchange->query.asker = turn.asker();
  if (exchange->cancellation.cancelled()) {
    pace_.Settle(turn.asker(), turn.taken(), 0, false);
    co_return absl::CancelledError("nobody waits for the answer any more");
  }
  exchange->paced_octets = turn.taken();
  exchange->returns = upstream_.ConditionOf(exchange->query).returns;
  absl::StatusOr<UpstreamResponse> response = co_await upstream_.Exchange(exchange->query, exchange->deadline);
  // Nor about the question.
  if (absl::IsDeadlineExceeded(response.status())) co_return absl::AbortedError(response.status().message());
  co_return response;
}

// Those who joined late have time left when the first one's is over, and those who joined from elsewhere have a share
// left: for them it is asked again, in the name of the first among them and by the soonest deadline. Who has hardly any
// time left is answered now, so that there are few such rounds; and so is everybody where there is something stale,
// since the question has failed.
bool QueryCoalescer::CompleteWaiting(PendingExchange& exchange, const Outcome& outcome, const absl::Status& status,
                                     SteadyTime now) {
  const bool out_of_share = absl::IsAborted(status);
  const bool out_of_time = (absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status) || out_of_share) &&
                           exchange.deadline.ExpiredAt(now);
  const auto has_more = [&](const PendingWaiter& waiter) {
    const bool has_time = waiter.deadline.RemainingAt(now) >= Limits::kWorthAskingAgain;
    return has_time && (out_of_time || (out_of_share && AskerOf(waiter.client) != exchange.query.asker));
  };
  Deadline soonest(SteadyTime::max());
  for (PendingWaiter* waiter = exchange.waiting.front(); waiter != nullptr;) {
    PendingWaiter* const next = exchange.waiting.Next(*waiter);
    if (exchange.stale == nullptr && has_more(*waiter)) {
      soonest = std::min(soonest, waiter->deadline);
    } else {
      Complete(*waiter, outcome.told[waiter->question.dnssec_ok]);
    }
    waiter = next;
  }
  exchange.deadline = soonest;
  if (const PendingWaiter* const first = exchange.waiting.front()) exchange.query.asker = AskerOf(first->client);
  return exchange.waiting.empty();
}

QueryCoalescer::Outcome QueryCoalescer::Conclude(const PendingExchange& exchange,
                                                 const absl::StatusOr<UpstreamResponse>& response,
                                                 const ExchangeTrace& trace) {
  Outcome outcome;
  for (const bool dnssec_ok : {false, true}) {
    if (!exchange.wanted[dnssec_ok]) continue;
    ResolutionPtr& told = outcome.told[dnssec_ok];
    told = ConcludeFor(dnssec_ok, exchange, response, trace);
    if (told->image) continue;
    outcome.failure = told;
    // That an answer is forged is not to be hidden by what was there before.
    if (exchange.stale == nullptr || !exchange.stale->images[dnssec_ok] || told->bogus) continue;
    told = Stale(exchange.stale->images[dnssec_ok], "no fresh answer could be had", outcome.failure.get());
  }
  if (outcome.failure != nullptr) statistics_.failures.Add();
  return outcome;
}

ResolutionPtr QueryCoalescer::ConcludeFor(bool dnssec_ok, const PendingExchange& exchange,
                                          const absl::StatusOr<UpstreamResponse>& response,
                                          const ExchangeTrace& trace) {
  if (!response.ok()) return FailureFor(response.status(), trace);
  Classification classification =
      ClassifyResponse(*response->message, options_.ttl, dnssec_ok ? DnssecRecords::kKeep : DnssecRecords::kLeaveOut);
  if (!classification.usable()) return FailureFrom(*response, classification, trace);
  classification.authentic_data &= IsTrustedWithAd(exchange.query, *response);
  absl::StatusOr<ImagePtr> image = ResponseImage::Build(*response->message, classification, response->origin,
                                                        response->received_at, response->error_author);
  if (!image.ok()) return FailureFor(image.status(), trace);
  CacheKey key = exchange.question();
  key.dnssec_ok = dnssec_ok;
  if (IsJudgedAsWanted(exchange.query, *response)) cache_.Insert(key, *image, clock_.Now());
  return Answered(*std::move(image), trace);
}

// What was asked before answers were to be judged may come behind that.
bool QueryCoalescer::IsJudgedAsWanted(const UpstreamQuery& query, const UpstreamResponse& response) const {
  return !options_.validated || response.judged || query.checking_disabled || query.klass != rr_class::kIn;
}

bool QueryCoalescer::IsTrustedWithAd(const UpstreamQuery& query, const UpstreamResponse& response) const {
  if (options_.validated) return response.judged && !query.checking_disabled;
  return options_.trust_upstream_ad && response.authenticated;
}

void QueryCoalescer::Learn(const PendingExchange& exchange, const absl::Status& status, const Outcome& outcome) {
  if (outcome.failure == nullptr) return failures_.Forget(exchange.question());
  // What is fetched before it is needed is not missed where it does not come.
  if (exchange.refresh || !IsWorthRemembering(status)) return;
  failures_.Remember(exchange.question(), outcome.failure, exchange.returns, clock_.Now());
}

}  // namespace dotward
