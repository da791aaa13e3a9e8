#include "dnssec/response_judge.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/denial_proof.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"
#include "dnssec/rrset_verifier.h"

namespace dotward {
namespace {

class Judge {
 public:
  Judge(const ScannedMessage& response, const ResponseParts& dissected, WallTime now, WorkBudget& budget)
      : response_(response), dissected_(dissected), now_(now), budget_(budget) {}

  Judgement Run() {
    for (const ResponsePart& part : dissected_.parts) {
      if (!part.follows_from) JudgePart(part);
      if (result_.verdict.bogus()) return std::move(result_);
    }
    for (const ResponsePart& part : dissected_.parts) {
      if (part.follows_from) CapSynthesized(part);
    }
    for (const Expansion& expansion : expansions_) {
      JudgeExpansion(expansion);
      if (result_.verdict.bogus()) return std::move(result_);
    }
    if (dissected_.is_denial()) JudgeDenial();
    return std::move(result_);
  }

 private:
  // An RRset that a wildcard has answered with.
  struct Expansion {
    const ResponsePart* part;
    uint8_t labels;
  };

  void Weaken(Verdict verdict, bool by_response) {
    if (verdict.bogus() && !result_.verdict.bogus()) result_.by_response = by_response;
    result_.verdict.Weaken(std::move(verdict));
  }

  void JudgePart(const ResponsePart& part) {
    if (!part.zone->verdict.secure()) return Weaken(part.zone->verdict, false);
    RrsetFinding finding = VerifyRrset(response_, part.rrset, *part.zone->keys, now_, budget_);
    if (!finding.verdict.secure()) return Weaken(std::move(finding.verdict), !budget_.exhausted());
    for (const uint16_t place : part.rrset.records) CapTtl(place, finding.ttl_max);
    for (const uint16_t place : part.rrset.signatures) CapTtl(place, finding.ttl_max);
    if (IsDenialRecord(part.rrset.type)) ProofOf(*part.zone).Add(response_, part.rrset);
    if (finding.wildcard_labels) expansions_.push_back({&part, *finding.wildcard_labels});
  }

  // RFC 6672 §3.1: what follows from a DNAME is kept no longer than it.
  void CapSynthesized(const ResponsePart& part) {
    const uint16_t dname = dissected_.parts[*part.follows_from].rrset.records.front();
    uint32_t ttl_max = response_.records[dname].ttl;
    for (const Judgement::TtlMax& capped : result_.ttls) {
      if (capped.record == dname) ttl_max = std::min(ttl_max, capped.ttl);
    }
    for (const uint16_t place : part.rrset.records) CapTtl(place, ttl_max);
  }

  void CapTtl(uint16_t place, uint32_t ttl_max) {
    if (response_.records[place].ttl > ttl_max) result_.ttls.push_back({place, ttl_max});
  }

  DenialProof& ProofOf(const ZoneStatus& zone) {
    for (const auto& proof : proofs_) {
      if (proof->zone() == zone.zone) return *proof;
    }
    return *proofs_.emplace_back(std::make_unique<DenialProof>(zone.zone, budget_));
  }

  // RFC 4035 §5.3.4, RFC 5155 §8.8.
  void JudgeExpansion(const Expansion& expansion) {
    const Name& owner = expansion.part->rrset.owner;
    const Name& zone = expansion.part->zone->zone;
    Conclude(ProofOf(*expansion.part->zone).WildcardAnswer(owner, expansion.labels), zone,
             StrCat(expansion.part->rrset.ToString(), ": made from a wildcard without a proof that it may be"));
  }

  void JudgeDenial() {
    if (dissected_.denial_passes) return Weaken(Verdict::Insecure(), false);
    const bool name_error = dissected_.classification.kind == ResponseKind::kNxDomain;
    const Name& name = dissected_.last_name;
    const Name denied_in = dissected_.denied_in(response_.qtype);
    DenialProof* deepest = nullptr;
    for (const auto& proof : proofs_) {
      const bool speaks =
          denied_in.IsAtOrBelow(proof->zone()) && proof->zone().wire().size() >= dissected_.denier_octets_min;
      if (!speaks || proof->empty()) continue;
      if (deepest == nullptr || proof->zone().IsAtOrBelow(deepest->zone())) deepest = proof.get();
    }
    const std::string what = StrCat(TypeToString(response_.qtype), " ", name.ToString(),
                                    name_error ? ": not proven not to exist" : ": not proven not to be there");
    // Insecure, which the SOA's judgement has said.
    if (deepest != nullptr && IsDeniedBelow(*deepest, denied_in)) return;
    if (deepest != nullptr) {
      return Conclude(name_error ? deepest->NameError(name) : deepest->NoData(name, response_.qtype), deepest->zone(),
                      what);
    }
    // Where a secure zone's SOA says no, its proof is what is missing, whatever the way down to the name lacks as well.
    const auto soa = std::ranges::find_if(dissected_.parts,
                                          [](const ResponsePart& part) { return part.rrset.type == rr_type::kSoa; });
    const bool zone_speaks = soa != dissected_.parts.end() && result_.verdict.secure();
    const ZoneStatus* const below = dissected_.denial_zone.get();
    if (below != nullptr && !below->verdict.secure() && !(below->verdict.bogus() && zone_speaks)) {
      return Weaken(below->verdict, false);
    }
    const Name& speaker = zone_speaks ? soa->zone->zone : below != nullptr ? below->zone : name;
    Conclude(budget_.exhausted() ? DenialProof::Result::kOverBudget : DenialProof::Result::kNotProven, speaker, what);
  }

  // Whether the denial is the word of an unsigned zone below the one that has proofs: behind an alias, these may prove
  // no more than that the alias is the wildcard's.
  bool IsDeniedBelow(const DenialProof& proof, const Name& denied_in) const {
    return std::ranges::any_of(dissected_.parts, [&](const ResponsePart& part) {
      return part.rrset.type == rr_type::kSoa && part.rrset.section == Section::kAuthority && part.zone != nullptr &&
             part.zone->verdict.state == ValidationState::kInsecure && IsBelow(part.rrset.owner, proof.zone()) &&
             denied_in.IsAtOrBelow(part.rrset.owner);
    });
  }

  void Conclude(DenialProof::Result proof, const Name& zone, std::string_view what) {
    switch (proof) {
      case DenialProof::Result::kProven:
        return;
      case DenialProof::Result::kOptOut:
        return Weaken(Verdict::Insecure(), true);
      case DenialProof::Result::kTooManyIterations:
        return Weaken(
            Verdict::Insecure(dnssec_error::kNsec3Iterations, StrCat(zone.ToString(), ": NSEC3 with more than ",
                                                                     DnssecLimits::kNsec3IterationsMax, " iterations")),
            true);
      case DenialProof::Result::kNotProven:
        return Weaken(Verdict::Bogus(dnssec_error::kNsecMissing, StrCat(zone.ToString(), ": ", what)), true);
      case DenialProof::Result::kOverBudget:
        return Weaken(Verdict::OverBudget(zone.ToString(), budget_.exceeded()), false);
    }
  }

  const ScannedMessage& response_;
  const ResponseParts& dissected_;
  const WallTime now_;
  WorkBudget& budget_;
  std::vector<std::unique_ptr<DenialProof>> proofs_;  // one a zone
  std::vector<Expansion> expansions_;
  Judgement result_;
};

}  // namespace

Judgement JudgeResponse(const ScannedMessage& response, const ResponseParts& dissected, WallTime now,
                        WorkBudget& budget) {
  return Judge(response, dissected, now, budget).Run();
}

}  // namespace dotward
