#include "dnssec/chain_link.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/denial_proof.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"
#include "dnssec/rrset.h"
#include "dnssec/rrset_verifier.h"

namespace dotward {
namespace {

class LinkJudge {
 public:
  LinkJudge(const ScannedMessage& message, const Name& name, const ZoneKeys& keys, WallTime now, WorkBudget& budget)
      : message_(message), name_(name), keys_(keys), now_(now), budget_(budget) {}

  LinkFinding Run() {
    if (const auto ds = FindRrset(message_, Section::kAnswer, name_, rr_type::kDs)) return JudgeDs(*ds);
    // An alias stands alone at its name: no zone begins there.
    if (const auto alias = FindRrset(message_, Section::kAnswer, name_, rr_type::kCname)) {
      const std::optional<Rrset> dname = alias->signatures.empty() ? FindDname() : std::nullopt;
      finding_.kind = LinkFinding::Kind::kNone;
      if (Verify(dname ? *dname : *alias) && wildcard_labels_) JudgeExpansion();
      return std::move(finding_);
    }
    return JudgeDenial();
  }

 private:
  // Takes the RRset's verdict and TTL; true where it is secure. A wildcard may stand in for an alias alone.
  bool Verify(const Rrset& rrset) {
    RrsetFinding checked = VerifyRrset(message_, rrset, keys_, now_, budget_);
    if (checked.verdict.secure() && checked.wildcard_labels && rrset.type != rr_type::kCname) {
      checked.verdict = Verdict::Bogus(dnssec_error::kBogus, Where("made from a wildcard"));
    }
    if (checked.wildcard_labels) wildcard_labels_ = *checked.wildcard_labels;
    finding_.verdict = std::move(checked.verdict);
    uint32_t ttl = checked.ttl_max;
    for (const uint16_t place : rrset.records) ttl = std::min(ttl, message_.records[place].ttl);
    finding_.ttl = any_ ? std::min(finding_.ttl, ttl) : ttl;
    any_ = true;
    return finding_.verdict.secure();
  }
  std::string Where(std::string_view what) const {
    return StrCat(keys_.zone().ToString(), ": DS ", name_.ToString(), ": ", what);
  }

  std::optional<Rrset> FindDname() const {
    for (const RecordEdges& record : message_.records) {
      if (record.section != Section::kAnswer || record.type != rr_type::kDname) continue;
      const Name owner = OwnerOf(message_, record);
      if (IsBelow(name_, owner)) return FindRrset(message_, Section::kAnswer, owner, rr_type::kDname);
    }
    return std::nullopt;
  }

  LinkFinding JudgeDs(const Rrset& rrset) {
    if (rrset.records.size() > DnssecLimits::kDsRecordsMax) {
      finding_.verdict = Verdict::OverBudget(Where("DS"), "too many records");
      return std::move(finding_);
    }
    if (!Verify(rrset)) return std::move(finding_);
    finding_.kind = LinkFinding::Kind::kSigned;
    for (const uint16_t place : rrset.records) {
      const OctetView rdata = RdataOf(message_, message_.records[place]);
      if (rdata.size() < 5) continue;
      finding_.signers.push_back({ReadU16(&rdata[0]), rdata[2], rdata[3], Octets(rdata.begin() + 4, rdata.end())});
    }
    return std::move(finding_);
  }

  LinkFinding JudgeDenial() {
    DenialProof proof(keys_.zone(), budget_);
    if (AddDenials(proof, [](const Rrset&) { return true; })) Conclude(proof.NoDs(name_));
    return std::move(finding_);
  }

  // RFC 4035 §5.3.4: else a wildcard would hide what is delegated.
  void JudgeExpansion() {
    DenialProof proof(keys_.zone(), budget_);
    // Behind an alias there are those of its target as well.
    const auto is_of_zone = [this](const Rrset& rrset) {
      return std::ranges::any_of(rrset.signatures, [this](uint16_t place) {
        const auto fields = ReadSignature(message_, message_.records[place]);
        return fields && fields->signer == keys_.zone();
      });
    };
    if (!AddDenials(proof, is_of_zone)) return;
    switch (proof.WildcardAnswer(name_, *wildcard_labels_)) {
      case DenialProof::Result::kProven:
        return;
      case DenialProof::Result::kOptOut:
        return Conclude(DenialProof::Cut::kUnsignedDelegation);
      case DenialProof::Result::kTooManyIterations:
        return Conclude(DenialProof::Cut::kTooManyIterations);
      case DenialProof::Result::kNotProven:
        return Conclude(DenialProof::Cut::kNotProven);
      case DenialProof::Result::kOverBudget:
        return Conclude(DenialProof::Cut::kOverBudget);
    }
  }

  // False where they are not to be believed, as the finding says then.
  bool AddDenials(DenialProof& proof, const std::function<bool(const Rrset&)>& wanted) {
    const auto rrsets = GroupRrsets(message_, [&](size_t i) {
      const RecordEdges& record = message_.records[i];
      return record.section == Section::kAuthority && record.klass == message_.qclass;
    });
    if (!rrsets) {
      finding_.verdict = Verdict::OverBudget(Where("denial"), "too many sets of records");
      return false;
    }
    for (const Rrset& rrset : *rrsets) {
      if (rrset.type != rr_type::kNsec && rrset.type != rr_type::kNsec3) continue;
      if (!wanted(rrset)) continue;
      if (!Verify(rrset)) return false;
      proof.Add(message_, rrset);
    }
    return true;
  }

  void Conclude(DenialProof::Cut cut) {
    switch (cut) {
      case DenialProof::Cut::kUnsignedDelegation:
        finding_.kind = LinkFinding::Kind::kUnsigned;
        finding_.verdict = Verdict::Insecure();
        return;
      case DenialProof::Cut::kTooManyIterations:
        finding_.kind = LinkFinding::Kind::kUnsigned;
        finding_.verdict =
            Verdict::Insecure(dnssec_error::kNsec3Iterations, StrCat(keys_.zone().ToString(), ": NSEC3 with more than ",
                                                                     DnssecLimits::kNsec3IterationsMax, " iterations"));
        return;
      case DenialProof::Cut::kNone:
        finding_.kind = LinkFinding::Kind::kNone;
        return;
      case DenialProof::Cut::kNothingBelow:
        finding_.kind = LinkFinding::Kind::kNothingBelow;
        return;
      case DenialProof::Cut::kNotProven:
        finding_.verdict = Verdict::Bogus(dnssec_error::kNsecMissing, Where("neither there nor denied"));
        return;
      case DenialProof::Cut::kOverBudget:
        finding_.verdict = Verdict::OverBudget(Where("denial"), budget_.exceeded());
        return;
    }
  }

  const ScannedMessage& message_;
  const Name& name_;
  const ZoneKeys& keys_;
  const WallTime now_;
  WorkBudget& budget_;
  bool any_ = false;                        // something was verified
  std::optional<uint8_t> wildcard_labels_;  // of the wildcard that an alias was made from
  LinkFinding finding_;
};

// How well a signature tells who answered, in the order in which LinkJudge looks; 0 where it does not.
unsigned Rank(const ScannedMessage& message, const RecordEdges& record, const SignatureFields& fields,
              const Name& name) {
  const bool answers = record.section == Section::kAnswer;
  switch (fields.covered) {
    case rr_type::kDs:
      return answers && OwnerOf(message, record) == name ? 4 : 0;
    case rr_type::kCname:
      return answers && OwnerOf(message, record) == name ? 3 : 0;
    case rr_type::kDname:
      return answers && IsBelow(name, OwnerOf(message, record)) ? 2 : 0;
    case rr_type::kNsec:
    case rr_type::kNsec3:
      return record.section == Section::kAuthority ? 1 : 0;
    default:
      return 0;
  }
}

}  // namespace

std::optional<Name> LinkSigner(const ScannedMessage& message, const Name& name) {
  std::optional<Name> best;
  unsigned best_rank = 0;
  for (const RecordEdges& record : message.records) {
    const auto fields = ReadSignature(message, record);
    if (!fields || !IsBelow(name, fields->signer)) continue;
    const unsigned rank = Rank(message, record, *fields, name);
    if (rank <= best_rank) continue;
    best_rank = rank;
    best = fields->signer;
  }
  return best;
}

LinkFinding JudgeLink(const ScannedMessage& message, const Name& name, const ZoneKeys& keys, WallTime now,
                      WorkBudget& budget) {
  return LinkJudge(message, name, keys, now, budget).Run();
}

}  // namespace dotward
