#include "admin/answer_trust.h"

#include <algorithm>
#include <utility>

#include "dnssec/response_parts.h"
#include "dotward/message.h"

namespace dotward {
namespace {

using Failure = AnswerInquiry::Failure;

bool IsDenial(const ResponseImage& image) { return image.kind() != ResponseKind::kPositive; }

AnswerTrust BogusBy(const Failure& failure, std::vector<RrsetTrust> rrsets, bool has_signatures) {
  AnswerTrust trust{.verdict = KnownVerdict::kBogus, .rrsets = std::move(rrsets), .has_signatures = has_signatures};
  // A validator's own error is the only one of such a failure.
  if (!failure.errors.empty()) trust.reason = failure.errors.front();
  return trust;
}

}  // namespace

std::string_view KnownVerdictToString(KnownVerdict verdict) {
  switch (verdict) {
    case KnownVerdict::kSecure:
      return "secure";
    case KnownVerdict::kInsecure:
      return "insecure";
    case KnownVerdict::kIndeterminate:
      return "indeterminate";
    case KnownVerdict::kBogus:
      return "bogus";
    case KnownVerdict::kUnjudged:
      return "unjudged";
    case KnownVerdict::kUnknown:
      break;
  }
  return "unknown";
}

AnswerInquiry::AnswerInquiry(const CacheEntry& entry)
    : authentic_(entry.image->authentic_data()),
      checking_disabled_(entry.checking_disabled),
      denial_(IsDenial(*entry.image)) {
  answer_.has_signatures = entry.dnssec_ok;
  const Octets octets = entry.image->ToMessage();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  if (!message.ok()) return;
  const ScannedMessage& scan = message->scan();
  const ResponseParts dissected = DissectResponse(*message);
  for (const ResponsePart& part : dissected.parts) {
    const ResponsePart& speaker = part.follows_from ? dissected.parts[*part.follows_from] : part;
    Source source{.name = speaker.zone_name(), .signers = {speaker.signers.begin(), speaker.signers.end()}};
    // At a zone's beginning there is an NSEC of the zone above as well: it is in the zone that has signed it.
    if (speaker.rrset.type == rr_type::kNsec && !source.signers.empty()) source.name = source.signers.front();
    RrsetTrust& rrset = answer_.rrsets.emplace_back();
    rrset.owner = part.rrset.owner;
    rrset.type = part.rrset.type;
    rrset.section = part.rrset.section;
    for (const uint16_t place : part.rrset.signatures) {
      std::optional<SignatureFields> fields = ReadSignature(scan, scan.records[place]);
      if (!fields) continue;
      rrset.signatures.push_back(*std::move(fields));
    }
    sources_.push_back(std::move(source));
  }
}

std::vector<Name> AnswerInquiry::names() const {
  std::vector<Name> names;
  for (const Source& source : sources_) names.push_back(source.name);
  return names;
}

AnswerTrust AnswerInquiry::AllOf(KnownVerdict verdict) const {
  AnswerTrust trust = answer_;
  trust.verdict = verdict;
  for (RrsetTrust& rrset : trust.rrsets) rrset.verdict = verdict;
  return trust;
}

// What is stored was not bogus: of a zone that is secure, it was found secure.
KnownVerdict AnswerInquiry::VerdictOf(const Source& source, const TrustChain& chain) {
  if (chain.negative_anchor) return KnownVerdict::kInsecure;
  if (!chain.anchor) return KnownVerdict::kIndeterminate;
  if (chain.zones.empty()) return KnownVerdict::kUnknown;
  const ZoneStatus& zone = *chain.zones.back();
  if (zone.verdict.state == ValidationState::kInsecure) return KnownVerdict::kInsecure;
  // Between the zone that is known and the name there may be another.
  const bool in_zone = source.name == zone.zone || std::ranges::find(source.signers, zone.zone) != source.signers.end();
  return zone.verdict.secure() && in_zone ? KnownVerdict::kSecure : KnownVerdict::kUnknown;
}

AnswerTrust AnswerInquiry::JudgedBy(const std::vector<TrustChain>& chains,
                                    const std::optional<Failure>& failure) const {
  if (checking_disabled_) {
    AnswerTrust trust = AllOf(KnownVerdict::kUnjudged);
    if (!failure || !failure->bogus) return trust;
    return BogusBy(*failure, std::move(trust.rrsets), trust.has_signatures);
  }
  if (authentic_) return AllOf(KnownVerdict::kSecure);
  AnswerTrust trust = AllOf(KnownVerdict::kUnknown);
  if (chains.size() != sources_.size()) return trust;
  for (size_t i = 0; i < sources_.size(); ++i) trust.rrsets[i].verdict = VerdictOf(sources_[i], chains[i]);
  const bool indeterminate = std::ranges::any_of(
      trust.rrsets, [](const RrsetTrust& rrset) { return rrset.verdict == KnownVerdict::kIndeterminate; });
  // No anchor; or it is signatures alone, which nothing signs. All else that was judged, and is neither secure nor
  // bogus, is insecure, whatever is known of its zones by now.
  const bool signatures_alone = sources_.empty() && !denial_;
  trust.verdict = indeterminate || signatures_alone ? KnownVerdict::kIndeterminate : KnownVerdict::kInsecure;
  return trust;
}

std::optional<AnswerTrust> TrustOfAnswer(const std::vector<JudgedEntry>& entries, const std::optional<Failure>& failure,
                                         SteadyTime now) {
  const auto find = [&](bool checking_disabled) {
    const JudgedEntry* best = nullptr;
    const auto rank = [&](const JudgedEntry& it) {
      return std::pair(!it.entry.image->Expired(now), it.entry.dnssec_ok);
    };
    for (const JudgedEntry& it : entries) {
      if (it.entry.checking_disabled != checking_disabled) continue;
      if (best == nullptr || rank(it) > rank(*best)) best = &it;
    }
    return best;
  };
  const JudgedEntry* const judged = find(false);
  const JudgedEntry* const unjudged = find(true);
  const bool bogus = failure && failure->bogus;
  if (judged != nullptr && !(bogus && judged->entry.image->Expired(now))) return judged->trust;
  if (unjudged != nullptr) return unjudged->trust;
  if (bogus) return BogusBy(*failure, {}, false);
  return std::nullopt;
}

}  // namespace dotward
