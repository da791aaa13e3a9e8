#include "resolver/query_coalescer.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/extended_errors.h"
#include "resolver/error_reply.h"

namespace dotward {
namespace {

ResolutionPtr FailureFor(const absl::Status& status) {
  ErrorReply reply = ErrorReplyFor(status);
  Resolution failure;
  failure.rcode = reply.rcode;
  failure.errors.push_back(std::move(reply.error));
  return std::make_shared<const Resolution>(std::move(failure));
}

// An upstream's failure is passed on with its reasons, but for FORMERR: that is about our message, not the client's.
ResolutionPtr FailureFrom(const UpstreamResponse& response, const Classification& classification) {
  Resolution failure;
  const bool about_the_question = classification.kind == ResponseKind::kFailure &&
                                  classification.rcode != Rcode::kNoError && classification.rcode != Rcode::kNxDomain &&
                                  classification.rcode != Rcode::kFormErr && classification.rcode < Rcode::kBadVers;
  failure.rcode = about_the_question ? classification.rcode : Rcode::kServFail;
  failure.errors = ExtendedErrorsOf(response.message.scan(), *response.upstream);
  if (failure.errors.empty()) {
    failure.errors.push_back({failure.rcode == Rcode::kServFail ? EdeCode::kNoReachableAuthority : EdeCode::kOther,
                              StrCat(*response.upstream, ": answered ", RcodeToString(response.message.scan().rcode()),
                                     "; ", classification.not_cacheable_because)});
  }
  return std::make_shared<const Resolution>(std::move(failure));
}

}  // namespace

QueryCoalescer::QueryCoalescer(asio::io_context& loop, Upstream& upstream, ResponseCache& cache, const Clock& clock,
                               const Options& options)
    : upstream_(upstream),
      cache_(cache),
      clock_(clock),
      options_(options),
      exchanges_running_(loop),
      inbox_(loop, [this](std::vector<Request>& batch) {
        const SteadyTime now = clock_.Now();
        for (Request& request : batch) Admit(request, now);
      }) {}

void QueryCoalescer::Admit(Request& request, SteadyTime now) {
  const Waiting waiting{request.client, request.deadline, request.waiter};
  size_t& waiting_of_client = waiting_per_client_[request.client];
  ++waiting_of_client;
  if (waiting_of_client > options_.waiting_per_client) {
    statistics_.over_limit.Add();
    Resolution dropped;
    dropped.dropped = true;
    return Complete(waiting, std::make_shared<const Resolution>(std::move(dropped)));
  }

  const UpstreamQuery& query = request.query;
  Question question{query.name, query.type, query.klass, query.dnssec_ok, query.checking_disabled};
  if (const auto under_way = exchanges_.find(question); under_way != exchanges_.end()) {
    if (under_way->second->waiting.size() >= Limits::kWaitersPerExchangeMax) {
      statistics_.over_limit.Add();
      return Complete(waiting, FailureFor(absl::ResourceExhaustedError("too many clients wait for this question")));
    }
    statistics_.joined.Add();
    under_way->second->waiting.push_back(waiting);
    return;
  }
  // The exchange that answered this question may have ended while the request was on its way here.
  const CacheKey key{query.name.wire(), query.type, query.klass, query.dnssec_ok, query.checking_disabled};
  if (auto cached = cache_.Lookup(key, now, LookupPurpose::kRecheck)) {
    statistics_.answered_late.Add();
    Resolution answer;
    answer.image = std::move(cached->image);
    return Complete(waiting, std::make_shared<const Resolution>(std::move(answer)));
  }
  if (exchanges_.size() >= Limits::kExchangesMax) {
    statistics_.over_limit.Add();
    return Complete(waiting, FailureFor(absl::ResourceExhaustedError("too many questions are under way")));
  }
  auto exchange = std::make_unique<Exchange>(Exchange{std::move(request.query), request.deadline, {waiting}});
  Exchange* started = exchange.get();
  exchanges_.emplace(question, std::move(exchange));
  exchanges_running_.Spawn(Run(std::move(question), started));
}

Task<> QueryCoalescer::Run(Question question, Exchange* exchange) {
  statistics_.in_flight.Add();
  statistics_.exchanges.Add();
  while (true) {
    const absl::StatusOr<UpstreamResponse> response = co_await upstream_.Exchange(exchange->query, exchange->deadline);
    const ResolutionPtr resolution = Conclude(exchange->query, response);
    // Those who joined late have time left when the first one's is over: for them it is asked again, by the deadline of
    // the first among them. Who has hardly any left is answered now, so that there are few such rounds.
    const SteadyTime now = clock_.Now();
    const bool out_of_time = absl::IsDeadlineExceeded(response.status()) && exchange->deadline.ExpiredAt(now);
    std::vector<Waiting> patient;
    for (const Waiting& waiting : exchange->waiting) {
      if (out_of_time && waiting.deadline.RemainingAt(now) >= Limits::kWorthAskingAgain) {
        patient.push_back(waiting);
      } else {
        Complete(waiting, resolution);
      }
    }
    if (patient.empty()) break;
    exchange->waiting = std::move(patient);
    exchange->deadline =
        std::min_element(exchange->waiting.begin(), exchange->waiting.end(), &SoonerDeadline)->deadline;
    statistics_.asked_again.Add();
  }
  statistics_.in_flight.Subtract();
  exchanges_.erase(question);
}

ResolutionPtr QueryCoalescer::Conclude(const UpstreamQuery& query, const absl::StatusOr<UpstreamResponse>& response) {
  if (!response.ok()) {
    statistics_.failures.Add();
    return FailureFor(response.status());
  }
  Classification classification = ClassifyResponse(response->message, options_.ttl,
                                                   query.dnssec_ok ? DnssecRecords::kKeep : DnssecRecords::kLeaveOut);
  if (!classification.usable()) {
    statistics_.failures.Add();
    return FailureFrom(*response, classification);
  }
  classification.authentic_data &= options_.trust_upstream_ad && response->authenticated;
  absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(response->message, classification, *response->upstream, response->received_at);
  if (!image.ok()) {
    statistics_.failures.Add();
    return FailureFor(image.status());
  }
  const CacheKey key{query.name.wire(), query.type, query.klass, query.dnssec_ok, query.checking_disabled};
  cache_.Insert(key, *image, clock_.Now());
  Resolution answer;
  answer.image = *std::move(image);
  return std::make_shared<const Resolution>(std::move(answer));
}

void QueryCoalescer::Complete(const Waiting& waiting, ResolutionPtr resolution) {
  const auto of_client = waiting_per_client_.find(waiting.client);
  if (--of_client->second == 0) waiting_per_client_.erase(of_client);
  waiting.waiter->Complete(std::move(resolution));
}

}  // namespace dotward
