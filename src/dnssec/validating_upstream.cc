#include "dnssec/validating_upstream.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/rendition.h"
#include "dnssec/work_estimate.h"

namespace dotward {
namespace {

// Whether some signed record can prove the denial, so that nobody needs to ask what zone the name is in.
bool HasSignedProof(const ResponseParts& dissected, uint16_t qtype) {
  const Name name = dissected.denied_in(qtype);
  return std::ranges::any_of(dissected.parts, [&](const ResponsePart& part) {
    return IsDenialRecord(part.rrset.type) && part.zone != nullptr && part.zone->verdict.secure() &&
           part.zone->zone.wire().size() >= dissected.denier_octets_min && name.IsAtOrBelow(part.zone->zone);
  });
}

// Signatures sign nothing but what stands beside them: one that was asked for by type, or that covers nothing in the
// answer, is nobody's word.
bool HasStraySignature(const ScannedMessage& message, const ResponseParts& dissected) {
  size_t signatures = 0;
  for (size_t i = 0; i < message.records.size(); ++i) {
    const bool kept = dissected.classification.records[i].keep;
    if (kept && message.records[i].type == rr_type::kRrsig) ++signatures;
  }
  size_t judged = 0;
  for (const ResponsePart& part : dissected.parts) judged += part.rrset.signatures.size();
  return signatures > judged;
}

// Of an RRset that a wildcard was made into, the labels behind the wildcard's "*"; nullopt where it was not, or where
// its signatures do not agree on it.
std::optional<size_t> WildcardLabels(const ScannedMessage& message, const Rrset& rrset) {
  std::optional<size_t> labels;
  for (const uint16_t place : rrset.signatures) {
    const auto fields = ReadSignature(message, message.records[place]);
    if (!fields || (labels && *labels != fields->labels)) return std::nullopt;
    labels = fields->labels;
  }
  return labels && *labels < rrset.owner.label_count() ? labels : std::nullopt;
}

bool MayBeWrongHereAlone(const Judgement& judgement) {
  return judgement.verdict.bogus() && judgement.by_response && judgement.verdict.code != EdeCode::kOther;
}

}  // namespace

ValidatingUpstream::ValidatingUpstream(asio::io_context& loop, Upstream& upstream, const Clock& clock)
    : clock_(clock),
      upstream_(upstream),
      checks_(loop, clock, statistics_),
      walker_(loop, upstream, clock, checks_, statistics_) {}

void ValidatingUpstream::Close() {
  walker_.Close();
  checks_.Close();
}

void ValidatingUpstream::Adopt(Options options) {
  if (options.anchors != options_.anchors) {
    walker_.Adopt(options.anchors != nullptr ? options.anchors : std::make_shared<const TrustAnchors>());
    denials_.Clear();
  }
  options_ = std::move(options);
}

RouteCondition ValidatingUpstream::ConditionOf(const UpstreamQuery& query) const {
  RouteCondition condition = upstream_.ConditionOf(query);
  if (options_.anchors == nullptr) return condition;
  const Name& name = query.name;
  const auto raise = [&](const Name& zone) {
    // A DS is the business of the zone above.
    if (query.type == rr_type::kDs && zone == name) return;
    condition.zone_octets = std::max(condition.zone_octets, zone.wire().size());
  };
  if (const TrustAnchors::Anchor* anchor = options_.anchors->ClosestTo(name)) raise(anchor->zone);
  if (const auto* negative = options_.anchors->NegativeFor(name, clock_.WallNow())) raise(negative->zone);
  return condition;
}

void ValidatingUpstream::Forget() {
  denials_.Clear();
  walker_.Forget();
}

Task<absl::StatusOr<UpstreamResponse>> ValidatingUpstream::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const bool judged = options_.anchors != nullptr && !query.checking_disabled && query.klass == rr_class::kIn;
  if (!judged) return upstream_.Exchange(query, deadline);
  return Validate(query, deadline);
}

Task<absl::StatusOr<UpstreamResponse>> ValidatingUpstream::Validate(UpstreamQuery query, Deadline deadline) {
  if (std::optional<UpstreamResponse> known = FromDenials(query)) co_return *std::move(known);
  query.dnssec_ok = true;
  query.checking_disabled = true;
  absl::StatusOr<UpstreamResponse> answered = co_await upstream_.Exchange(query, deadline);
  if (!answered.ok()) co_return answered;
  WalkAllowance allowance{
      .deadline = deadline, .cancellation = query.cancellation, .asker = query.asker, .trace = query.trace};
  Candidate first{.response = *std::move(answered)};
  const absl::Status judged = co_await Judge(&first, &allowance);
  if (!judged.ok()) co_return judged;
  if (first.judged && MayBeWrongHereAlone(first.judgement)) {
    query.not_from = first.response.upstream.get();
    statistics_.second_opinions.Add();
    absl::StatusOr<UpstreamResponse> other = co_await upstream_.Exchange(query, deadline);
    if (other.ok()) {
      Candidate second{.response = *std::move(other)};
      const absl::Status judged_again = co_await Judge(&second, &allowance);
      // Which of them is right was not found out.
      if (absl::IsAborted(judged_again)) co_return judged_again;
      if (judged_again.ok() && second.judged && !second.judgement.verdict.bogus()) co_return Deliver(std::move(second));
    }
    const absl::Status judged_now = co_await Judge(&first, &allowance);
    if (!judged_now.ok()) co_return judged_now;
  }
  co_return Deliver(std::move(first));
}

// Anchors may change while they are used: what those say that are no more is nobody's verdict.
Task<absl::Status> ValidatingUpstream::Judge(Candidate* candidate, WalkAllowance* allowance) {
  while (candidate->judged_by != options_.anchors) {
    candidate->judged_by = options_.anchors;
    candidate->judged = false;
    candidate->judgement = Judgement();
    if (options_.anchors == nullptr) break;
    const absl::Status judged = co_await TryJudge(candidate, allowance);
    if (!judged.ok()) co_return judged;
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ValidatingUpstream::TryJudge(Candidate* candidate, WalkAllowance* allowance) {
  const Message& message = *candidate->response.message;
  candidate->dissected = DissectResponse(message);
  if (!candidate->dissected.classification.usable()) co_return absl::OkStatus();
  candidate->judged = true;
  Judgement& judgement = candidate->judgement;
  if (candidate->dissected.too_many) {
    judgement.verdict = Verdict::OverBudget(NameToString(message.scan().qname), "too many sets of records");
    co_return absl::OkStatus();
  }
  if (candidate->dissected.parts.empty() && candidate->dissected.classification.kind == ResponseKind::kPositive) {
    judgement.verdict.state = ValidationState::kIndeterminate;
    co_return absl::OkStatus();
  }
  const absl::Status found = co_await FindZones(candidate, allowance);
  if (!found.ok()) co_return found;
  WorkBudget budget(allowance->signature_checks);
  const WallTime now = clock_.WallNow();
  const ScannedMessage& scan = message.scan();
  std::function<void()> check = [&] { judgement = JudgeResponse(scan, candidate->dissected, now, budget); };
  Checks::Order order{.asker = allowance->asker,
                      .name = scan.qname,
                      .microseconds = EstimateMicroseconds(scan, candidate->dissected),
                      .deadline = allowance->deadline,
                      .cancellation = allowance->cancellation};
  const absl::Status checked = co_await checks_.Run(std::move(order), std::move(check));
  if (!checked.ok()) co_return checked;
  allowance->signature_checks -= budget.signature_checks();
  statistics_.signature_checks.Add(budget.signature_checks());
  if (HasStraySignature(scan, candidate->dissected)) {
    judgement.verdict.Weaken({.state = ValidationState::kIndeterminate});
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ValidatingUpstream::FindZones(Candidate* candidate, WalkAllowance* allowance) {
  ResponseParts& dissected = candidate->dissected;
  const Name denied_in = dissected.denied_in(candidate->response.message->scan().qtype);
  // Below a negative anchor all that is said of a name is as it is, whoever signed it.
  dissected.denial_passes = IsBelowNegative(denied_in);
  for (ResponsePart& part : dissected.parts) {
    if (dissected.denial_passes && part.rrset.section == Section::kAuthority && !ProvesWildcard(dissected, part)) {
      absl::StatusOr<ZonePtr> zone = co_await walker_.Walk(denied_in, ChainWalker::Expect::kAnything, allowance);
      if (!zone.ok()) co_return zone.status();
      part.zone = *std::move(zone);
      continue;
    }
    if (part.follows_from) {
      // What is said above a trust anchor says nothing about names below it: there the alias needs a signature.
      const TrustAnchors::Anchor* const anchor = candidate->judged_by->ClosestTo(part.rrset.owner);
      const Name& dname = dissected.parts[*part.follows_from].rrset.owner;
      if (anchor == nullptr || dname.IsAtOrBelow(anchor->zone)) continue;
      part.follows_from.reset();
    }
    const absl::Status found = co_await FindZone(&part, *candidate->judged_by, allowance);
    if (!found.ok()) co_return found;
  }
  if (!dissected.is_denial() || dissected.denial_passes) co_return absl::OkStatus();
  if (const TrustAnchors::Anchor* const anchor = candidate->judged_by->ClosestTo(denied_in)) {
    dissected.denier_octets_min = anchor->zone.wire().size();
  }
  if (HasSignedProof(dissected, candidate->response.message->scan().qtype)) co_return absl::OkStatus();
  absl::StatusOr<ZonePtr> zone = co_await walker_.Walk(denied_in, ChainWalker::Expect::kAnything, allowance);
  if (!zone.ok()) co_return zone.status();
  dissected.denial_zone = *std::move(zone);
  co_return absl::OkStatus();
}

bool ValidatingUpstream::IsBelowNegative(const Name& name) const {
  return options_.anchors != nullptr && options_.anchors->NegativeFor(name, clock_.WallNow()) != nullptr;
}

// Whether a proof may be needed for an alias above the negative anchor, that a wildcard has made.
bool ValidatingUpstream::ProvesWildcard(const ResponseParts& dissected, const ResponsePart& proof) const {
  return IsDenialRecord(proof.rrset.type) && std::ranges::any_of(dissected.parts, [&](const ResponsePart& part) {
           return part.rrset.section == Section::kAnswer && !IsBelowNegative(part.zone_name()) &&
                  std::ranges::find_first_of(part.signers, proof.signers) != part.signers.end();
         });
}

Task<absl::Status> ValidatingUpstream::FindZone(ResponsePart* part, const TrustAnchors& anchors,
                                                WalkAllowance* allowance) {
  const Name name = part->zone_name();
  // A zone does not speak for what it has delegated, nor for what is below a trust anchor of its own; its NSEC at the
  // cut alone is its own.
  const bool may_stand_at_cut = part->rrset.type == rr_type::kNsec && !name.is_root();
  const Name inside = may_stand_at_cut ? name.Parent() : name;
  const TrustAnchors::Anchor* const anchor = anchors.ClosestTo(inside);
  const size_t signer_octets_min = anchor == nullptr ? 1 : anchor->zone.wire().size();
  // Proofs are the zone's, whatever name they stand at; anything else below a negative anchor is not judged.
  const bool passes = !IsDenialRecord(part->rrset.type) && IsBelowNegative(name);
  for (const Name& signer : part->signers) {
    if (passes || signer.wire().size() < signer_octets_min || walker_.KnowsCutBelow(signer, inside)) continue;
    absl::StatusOr<ZonePtr> zone = co_await walker_.Walk(signer, ChainWalker::Expect::kApex, allowance);
    if (!zone.ok()) co_return zone.status();
    if ((*zone)->verdict.secure() && (*zone)->zone == signer) {
      part->zone = *std::move(zone);
      co_return absl::OkStatus();
    }
  }
  absl::StatusOr<ZonePtr> zone = co_await walker_.Walk(name, ChainWalker::Expect::kAnything, allowance);
  if (!zone.ok()) co_return zone.status();
  part->zone = *std::move(zone);
  co_return absl::OkStatus();
}

absl::StatusOr<UpstreamResponse> ValidatingUpstream::Deliver(Candidate candidate) {
  UpstreamResponse& response = candidate.response;
  const ScannedMessage& scan = response.message->scan();
  Judgement& judgement = candidate.judgement;
  if (candidate.judged) {
    statistics_.Count(judgement.verdict);
  } else {
    judgement.verdict.state = ValidationState::kIndeterminate;
  }
  bool changed = true;
  if (judgement.verdict.bogus()) {
    log_.Add(judgement.verdict, *response.upstream, clock_.Now());
    response.octets = FailureInPlaceOf(scan, judgement.verdict);
    response.error_author = ErrorAuthor::kOurs;
  } else {
    changed = WriteJudgement(scan, judgement, response.octets);
    if (judgement.verdict.has_error && AddExtendedError(scan, judgement.verdict, response.octets)) {
      changed = true;
      response.error_author = ErrorAuthor::kLastIsOurs;
    }
  }
  if (changed) {
    absl::StatusOr<Message> rewritten = ParseResponse(response.octets);
    if (!rewritten.ok()) return absl::InternalError(StrCat("validation: ", MessageOf(rewritten.status())));
    response.message = std::make_unique<const Message>(*std::move(rewritten));
  }
  response.judged = true;
  if (candidate.judged && judgement.verdict.secure()) LearnDenials(candidate);
  return std::move(response);
}

// What is below a negative trust anchor was never judged, and types that are about the proofs themselves, or about all
// types, are not what a type bitmap speaks of.
std::optional<UpstreamResponse> ValidatingUpstream::FromDenials(const UpstreamQuery& query) {
  if (!options_.aggressive_nsec || denials_.size() == 0) return std::nullopt;
  constexpr auto kNotInBitmaps = std::to_array<uint16_t>(
      {rr_type::kAny, rr_type::kRrsig, rr_type::kNsec, rr_type::kNsec3, rr_type::kSig, rr_type::kNxt});
  if (std::ranges::find(kNotInBitmaps, query.type) != kNotInBitmaps.end()) return std::nullopt;
  if (options_.anchors->NegativeFor(query.name, clock_.WallNow()) != nullptr) return std::nullopt;
  WorkBudget budget;
  std::optional<Octets> octets;
  const std::function<void()> answer = [&] {
    octets = denials_.Answer(query.name, query.type, ConditionOf(query).zone_octets, clock_.Now(), budget);
  };
  // Hashes of NSEC3 may be many; where the loop has no time for them the question is asked.
  if (!checks_.RunHere(answer)) return std::nullopt;
  if (!octets) return std::nullopt;
  static const auto name = std::make_shared<const std::string>("aggressive-nsec");
  static const AnswerOrigin origin(*name);
  UpstreamResponse response;
  response.octets = *std::move(octets);
  absl::StatusOr<Message> message = ParseResponse(response.octets);
  if (!message.ok()) return std::nullopt;
  response.message = std::make_unique<const Message>(*std::move(message));
  response.upstream = name;
  response.origin = origin;
  response.received_at = clock_.Now();
  response.authenticated = true;
  response.judged = true;
  statistics_.from_denials.Add();
  return response;
}

// RFC 8198 §5.4, RFC 9077 §3: none of it lives longer than the others, nor than the SOA says of what does not exist.
void ValidatingUpstream::LearnDenials(const Candidate& candidate) {
  if (!options_.aggressive_nsec) return;
  const ScannedMessage& scan = candidate.response.message->scan();
  const auto is_denial = [](const ResponsePart& part) {
    return part.rrset.section == Section::kAuthority &&
           (part.rrset.type == rr_type::kSoa || IsDenialRecord(part.rrset.type));
  };
  auto ttl = static_cast<uint32_t>(options_.denial_ttl_max.count());
  for (const ResponsePart& part : candidate.dissected.parts) {
    if (!is_denial(part)) continue;
    for (const uint16_t place : part.rrset.records) {
      const RecordEdges& record = scan.records[place];
      ttl = std::min(ttl, record.ttl);
      if (record.type == rr_type::kSoa) ttl = std::min(ttl, ReadU32(&scan.octets[record.end - sizeof(uint32_t)]));
    }
  }
  const SteadyTime now = clock_.Now();
  for (const ResponsePart& part : candidate.dissected.parts) {
    if (part.zone == nullptr || !part.zone->verdict.secure()) continue;
    if (is_denial(part)) {
      denials_.AddDenial(part.zone->zone, scan, part.rrset, ttl, now);
    } else if (const std::optional<size_t> labels = WildcardLabels(scan, part.rrset)) {
      denials_.AddWildcard(part.zone->zone, scan, part.rrset, *labels,
                           std::min(ttl, scan.records[part.rrset.records[0]].ttl), now);
    }
  }
}

}  // namespace dotward
