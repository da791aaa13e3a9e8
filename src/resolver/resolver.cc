#include "resolver/resolver.h"

#include <algorithm>
#include <utility>

#include "base/limit_log.h"
#include "dns/wire.h"

namespace dotward {
namespace {

ReplyChannel ChannelOf(Transport transport) {
  return transport == Transport::kUdp ? ReplyChannel::kDatagram : ReplyChannel::kStream;
}

CacheKey KeyOf(const ScannedMessage& query) {
  return {query.qname, query.qtype, query.qclass, query.has_edns && query.edns.dnssec_ok, query.checking_disabled()};
}

Rcode RcodeFor(QueryOutcome outcome) {
  switch (outcome) {
    case QueryOutcome::kNotImp:
      return Rcode::kNotImp;
    case QueryOutcome::kBadVers:
      return Rcode::kBadVers;
    default:
      return Rcode::kFormErr;
  }
}

}  // namespace

// As small as can be: thousands may wait.
struct Resolver::WaitingQuery final : public ResolutionWaiter {
  // `octets` are those of the question, which `key` and `arrival` borrow from the query.
  WaitingQuery(CompletionInbox& home, std::unique_ptr<uint8_t[]> octets, const CacheKey& key, const Arrival& arrival,
               Deadline ends, std::unique_ptr<ReplySink> sink_in)
      : ResolutionWaiter(
            home,
            {OctetView(octets.get(), key.qname.size()), key.qtype, key.qclass, key.dnssec_ok, key.checking_disabled},
            arrival.client.endpoint.address, ends),
        question_octets(std::move(octets)),
        context(arrival.context),
        received_at(arrival.at),
        sink(std::move(sink_in)),
        port(arrival.client.endpoint.port),
        transport(arrival.client.transport) {
    context.question = OctetView(question_octets.get(), context.question.size());
  }

  const std::unique_ptr<uint8_t[]> question_octets;
  ReplyContext context;
  const SteadyTime received_at;
  const std::unique_ptr<ReplySink> sink;
  const uint16_t port;
  const Transport transport;
};

Resolver::Resolver(asio::io_context& loop, std::shared_ptr<const ServingState> state, ResponseCache& cache,
                   QueryCoalescer& coalescer, const Clock& clock, QueryObserver* observer)
    : state_(std::move(state)),
      cache_(cache),
      coalescer_(coalescer),
      clock_(clock),
      batch_clock_(clock),
      observer_(observer),
      later_reply_(kMessageOctetsMax),
      completions_(loop, [this](std::vector<CompletedWait>& batch) { Finish(batch); }) {}

Resolver::~Resolver() {
  while (ResolutionWaiter* const waiter = waiting_.front()) {
    waiting_.Remove(*waiter);
    delete static_cast<WaitingQuery*>(waiter);
  }
}

// The order is the meaning. Who asks comes before what is asked, so that a stranger learns nothing, not even whether
// his query was well-formed. What is answered here comes before the cache, which can then hold nothing that shadows it.
// The cache comes before RD, since a cached answer needs no recursion.
ImmediateReply Resolver::AnswerNow(OctetView octets, const Client& client, SteadyTime now, std::span<uint8_t> buffer) {
  const ParsedQuery parsed = ParseQuery(octets);
  const ScannedMessage& query = parsed.message.scan();
  CountQuery(statistics_, client.transport, query.qtype);
  if (parsed.outcome == QueryOutcome::kDrop) return Dropped();

  const ReplyContext context = ContextOf(query, client.transport);
  const Arrival arrival{client, now, context};
  if (parsed.outcome != QueryOutcome::kAccepted) {
    const PolicyDecision admission = state_->policy.EvaluateClient(client.endpoint);
    if (admission.verdict != PolicyVerdict::kProceed) return Decided(admission, arrival, buffer);
    statistics_.of(QueryEnd::kMalformed).Add();
    return SendError(RcodeFor(parsed.outcome), {}, AnswerSource::kMalformed, arrival, buffer);
  }
  const PolicyDecision decision = state_->policy.Evaluate(query, client.endpoint, now);
  if (decision.verdict != PolicyVerdict::kProceed) return Decided(decision, arrival, buffer);

  if (const auto cached = cache_.Lookup(KeyOf(query), now)) {
    statistics_.of(QueryEnd::kHits).Add();
    if (cached->refresh_due && state_->config->cache.prefetch) coalescer_.Refresh(KeyOf(query));
    return SendImage(*cached->image, cached->age_seconds, AnswerSource::kCache, arrival, buffer);
  }
  if (!query.recursion_desired()) {
    statistics_.of(QueryEnd::kRefused).Add();
    const ExtendedError not_recursive{EdeCode::kNotAuthoritative, "not in the cache, and recursion was not desired"};
    return SendError(Rcode::kRefused, {&not_recursive, 1}, AnswerSource::kRefused, arrival, buffer);
  }
  statistics_.waiting.Add();
  return {Disposition::kLater, 0};
}

void Resolver::AnswerNever() {
  statistics_.waiting.Subtract();
  statistics_.of(QueryEnd::kDropped).Add();
}

void Resolver::AnswerLater(OctetView octets, const Client& client, SteadyTime now, std::unique_ptr<ReplySink> sink) {
  // AnswerNow has accepted these octets: the scan is repeated for the places it finds. The question is kept of them.
  ScannedMessage query;
  ScanMessage(octets, MessageSide::kQuery, query);
  const ReplyContext context = ContextOf(query, client.transport);
  auto question = std::make_unique_for_overwrite<uint8_t[]>(context.question.size());
  std::copy(context.question.begin(), context.question.end(), question.get());
  auto waiting =
      std::make_unique<WaitingQuery>(completions_, std::move(question), KeyOf(query), Arrival{client, now, context},
                                     Deadline::After(now, state_->config->query.deadline), std::move(sink));
  waiting_.PushBack(*waiting);
  coalescer_.Submit(*waiting.release());
}

void Resolver::Finish(std::vector<CompletedWait>& batch) {
  const SteadyTime now = clock_.Now();
  for (CompletedWait& wait : batch) {
    waiting_.Remove(*wait.waiter);
    const std::unique_ptr<WaitingQuery> query(static_cast<WaitingQuery*>(wait.waiter));
    const Client client{{query->client, query->port}, query->transport};
    const Resolution& resolution = *wait.resolution;
    const Arrival arrival{client, query->received_at, query->context, &resolution.trace};
    const size_t octets = SendResolution(resolution, arrival, now);
    query->sink->Send(OctetView(later_reply_).first(octets));
    // One batch may have answers of some size in the hands of nobody else.
    wait.resolution.reset();
  }
}

ReplyContext Resolver::ContextOf(const ScannedMessage& query, Transport transport) const {
  return MakeReplyContext(query, ChannelOf(transport), state_->config->query.udp_payload_size);
}

// What is left of a policy decision to do: the reply, where one is owed.
ImmediateReply Resolver::Decided(const PolicyDecision& decision, const Arrival& arrival, std::span<uint8_t> buffer) {
  if (decision.by_access_list) {
    const auto& prefix = state_->config->limits.client_prefix;
    LogLimited(LimitReason::kAccess, ClientPrefix(arrival.client.endpoint.address, prefix.ipv4, prefix.ipv6),
               arrival.at);
  }
  switch (decision.verdict) {
    case PolicyVerdict::kAnswer:
      statistics_.of(QueryEnd::kLocal).Add();
      return SendImage(*decision.image, 0, AnswerSource::kLocal, arrival, buffer);
    case PolicyVerdict::kRefuse:
      statistics_.of(QueryEnd::kRefused).Add();
      return SendError(decision.rcode, decision.errors, AnswerSource::kRefused, arrival, buffer);
    default:
      return Dropped();
  }
}

ImmediateReply Resolver::Dropped() {
  statistics_.of(QueryEnd::kDropped).Add();
  return {Disposition::kDropped, 0};
}

size_t Resolver::SendResolution(const Resolution& resolution, const Arrival& arrival, SteadyTime now) {
  statistics_.waiting.Subtract();
  statistics_.of(resolution.stale ? QueryEnd::kStale : QueryEnd::kForwarded).Add();
  if (!resolution.image) {
    return SendError(resolution.rcode, resolution.errors, AnswerSource::kUpstream, arrival, later_reply_).octets;
  }
  const ResponseImage& image = *resolution.image;
  if (!resolution.stale) {
    return SendImage(image, image.AgeSeconds(now), AnswerSource::kUpstream, arrival, later_reply_).octets;
  }
  const Duration answer_ttl = state_->config->cache.stale.answer_ttl;
  const auto ttl_seconds = std::chrono::duration_cast<std::chrono::seconds>(answer_ttl).count();
  const size_t octets =
      RenderStaleReply(image, arrival.context, static_cast<uint32_t>(ttl_seconds), resolution.errors, later_reply_);
  Observe(arrival, AnswerSource::kStale, image.rcode(), OctetView(later_reply_).first(octets), resolution.errors,
          &image);
  return octets;
}

ImmediateReply Resolver::SendImage(const ResponseImage& image, uint32_t age_seconds, AnswerSource source,
                                   const Arrival& arrival, std::span<uint8_t> buffer) {
  const size_t octets = RenderReply(image, arrival.context, age_seconds, {}, buffer);
  Observe(arrival, source, image.rcode(), buffer.first(octets), {}, &image);
  return {Disposition::kAnswered, octets};
}

ImmediateReply Resolver::SendError(Rcode rcode, std::span<const ExtendedError> errors, AnswerSource source,
                                   const Arrival& arrival, std::span<uint8_t> buffer) {
  const size_t octets = RenderError(rcode, errors, arrival.context, buffer);
  Observe(arrival, source, rcode, buffer.first(octets), errors, nullptr);
  return {Disposition::kAnswered, octets};
}

void Resolver::Observe(const Arrival& arrival, AnswerSource source, Rcode rcode, OctetView reply,
                       std::span<const ExtendedError> errors, const ResponseImage* image) {
  // Those that waited come back one by one, whatever was read with them.
  const bool waited = source == AnswerSource::kUpstream || source == AnswerSource::kStale;
  const SteadyTime now = waited ? clock_.Now() : batch_clock_.Now(arrival.at);
  const Duration duration = now - arrival.at;
  CountReply(statistics_, source, rcode, duration);
  if ((ReadU16(&reply[header::kFlags]) & header::kTc) != 0) statistics_.replies_truncated.Add();
  if (observer_ == nullptr) return;
  observer_->Answered(
      {arrival.client, arrival.context, source, rcode, reply, errors, image, arrival.at, duration, arrival.trace});
}

}  // namespace dotward
