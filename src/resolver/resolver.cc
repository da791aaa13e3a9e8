#include "resolver/resolver.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kErrorOptionsOctetsMax = Limits::kExtendedErrorsMax * (6 + 2 * Limits::kExtendedErrorTextMax);

ReplyChannel ChannelOf(Transport transport) {
  return transport == Transport::kUdp ? ReplyChannel::kDatagram : ReplyChannel::kStream;
}

CacheKey KeyOf(const ScannedMessage& query) {
  return {query.qname, query.qtype, query.qclass, query.has_edns && query.edns.dnssec_ok, query.checking_disabled()};
}

// Room for any reply to this client: the answer with an OPT that carries all its errors, or an error with its own.
size_t ReplyOctetsMax(const Resolution& resolution, const ReplyContext& context) {
  const size_t image_octets =
      resolution.image ? resolution.image->octets().size() + resolution.image->error_options().size() : 0;
  const size_t wanted = std::max(image_octets, kHeaderOctets + context.question.size() + kErrorOptionsOctetsMax);
  return std::min(context.octets_max, std::max(kUdpPayloadMin, wanted + kOptFixedOctets));
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

Resolver::Resolver(asio::io_context& loop, std::shared_ptr<const Config> config, const Policy& policy,
                   ResponseCache& cache, QueryCoalescer& coalescer, const Clock& clock)
    : loop_(loop),
      config_(std::move(config)),
      policy_(policy),
      cache_(cache),
      coalescer_(coalescer),
      clock_(clock),
      completions_(loop, &ResolutionWaiter::Deliver) {}

// The order is the meaning. Who asks comes before what is asked, so that a stranger learns nothing, not even whether
// his query was well-formed. What is answered here comes before the cache, which can then hold nothing that shadows it.
// The cache comes before RD, since a cached answer needs no recursion.
ImmediateReply Resolver::AnswerNow(OctetView octets, const Client& client, SteadyTime now, std::span<uint8_t> buffer) {
  CountQuery(client.transport);
  const ParsedQuery parsed = ParseQuery(octets);
  const ScannedMessage& query = parsed.message.scan();
  if (parsed.outcome == QueryOutcome::kDrop) return Dropped();

  const ReplyContext context = ContextOf(query, client);
  if (parsed.outcome != QueryOutcome::kAccepted) {
    const PolicyDecision admission = policy_.EvaluateClient(client.endpoint);
    if (admission.verdict != PolicyVerdict::kProceed) return Decided(admission, context, buffer);
    statistics_.malformed.Add();
    const Rcode rcode = RcodeFor(parsed.outcome);
    return Sent(buffer, RenderError(rcode, {}, context, buffer), rcode);
  }
  const PolicyDecision decision = policy_.Evaluate(query, client.endpoint, now);
  if (decision.verdict != PolicyVerdict::kProceed) return Decided(decision, context, buffer);

  if (const auto cached = cache_.Lookup(KeyOf(query), now)) {
    statistics_.hits.Add();
    return Sent(buffer, RenderReply(*cached->image, context, cached->age_seconds, {}, buffer), cached->image->rcode());
  }
  if (!query.recursion_desired()) {
    statistics_.refused.Add();
    const ExtendedError not_recursive{EdeCode::kNotAuthoritative, "not in the cache, and recursion was not desired"};
    return Sent(buffer, RenderError(Rcode::kRefused, {&not_recursive, 1}, context, buffer), Rcode::kRefused);
  }
  statistics_.forwarded.Add();
  return {Disposition::kLater, 0};
}

Task<Octets> Resolver::Answer(Octets octets, Client client, SteadyTime now) {
  const Question question = Reread(octets, client);
  ResolutionWaiter waiter(loop_.get_executor(), completions_, question.key, client.endpoint.address,
                          Deadline::After(now, config_->query.deadline));
  coalescer_.Submit(waiter);
  co_await waiter.Completed();
  co_return ReplyWith(waiter.resolution(), question.context);
}

Octets Resolver::ReplyWith(const Resolution& resolution, const ReplyContext& context) {
  Octets reply(ReplyOctetsMax(resolution, context));
  const SteadyTime sent_at = clock_.Now();
  const size_t size = resolution.image
                          ? RenderReply(*resolution.image, context, resolution.image->AgeSeconds(sent_at), {}, reply)
                          : RenderError(resolution.rcode, resolution.errors, context, reply);
  reply.resize(size);
  CountReply(reply, resolution.image ? resolution.image->rcode() : resolution.rcode);
  return reply;
}

// What is needed of the query while it waits and behind it: a third of what the scan finds, and there may be thousands.
Resolver::Question Resolver::Reread(OctetView octets, const Client& client) const {
  // AnswerNow has accepted these octets: the scan is repeated for the places it finds.
  ScannedMessage query;
  ScanMessage(octets, MessageSide::kQuery, query);
  return {KeyOf(query), ContextOf(query, client)};
}

ReplyContext Resolver::ContextOf(const ScannedMessage& query, const Client& client) const {
  return MakeReplyContext(query, ChannelOf(client.transport), config_->query.udp_payload_size);
}

// What is left of a policy decision to do: the reply, where one is owed.
ImmediateReply Resolver::Decided(const PolicyDecision& decision, const ReplyContext& context,
                                 std::span<uint8_t> buffer) {
  switch (decision.verdict) {
    case PolicyVerdict::kAnswer:
      statistics_.local.Add();
      return Sent(buffer, RenderReply(*decision.image, context, 0, {}, buffer), decision.image->rcode());
    case PolicyVerdict::kRefuse:
      statistics_.refused.Add();
      return Sent(buffer, RenderError(decision.rcode, decision.errors, context, buffer), decision.rcode);
    default:
      return Dropped();
  }
}

ImmediateReply Resolver::Dropped() {
  statistics_.dropped.Add();
  return {Disposition::kDropped, 0};
}

ImmediateReply Resolver::Sent(std::span<const uint8_t> buffer, size_t octets, Rcode rcode) {
  CountReply(buffer.first(octets), rcode);
  return {Disposition::kAnswered, octets};
}

void Resolver::CountQuery(Transport transport) {
  switch (transport) {
    case Transport::kUdp:
      return statistics_.queries_udp.Add();
    case Transport::kTcp:
      return statistics_.queries_tcp.Add();
    case Transport::kTls:
      return statistics_.queries_tls.Add();
  }
}

void Resolver::CountReply(OctetView reply, Rcode rcode) {
  const uint16_t flags = ReadU16(&reply[header::kFlags]);
  if ((flags & header::kTc) != 0) statistics_.replies_truncated.Add();
  switch (rcode) {
    case Rcode::kNoError:
      return statistics_.replies_noerror.Add();
    case Rcode::kNxDomain:
      return statistics_.replies_nxdomain.Add();
    case Rcode::kServFail:
      return statistics_.replies_servfail.Add();
    default:
      return statistics_.replies_other.Add();
  }
}

}  // namespace dotward
