#include "dnssec/rrset_verifier.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/ldns_types.h"
#include "dnssec/record_reader.h"
#include "dnssec/work_estimate.h"

namespace dotward {
namespace {

constexpr size_t kRrsigFields = 9;

// RFC 4034 §3.1.5, RFC 1982: times are compared as serial numbers, so that 2106 is a year like others.
bool IsBefore(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

uint32_t SecondsOf(WallTime now) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

// "2026-11-01 12:00:00Z". `time` is the one of that serial number that is nearest to `now`.
std::string TimeToString(uint32_t time, WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const auto moment = static_cast<time_t>(seconds + static_cast<int32_t>(time - SecondsOf(now)));
  std::tm parts{};
  std::array<char, 32> text{};
  gmtime_r(&moment, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts)};
}

bool IsWildcard(const Name& name) { return name.wire().size() > 2 && name.wire()[0] == 1 && name.wire()[1] == '*'; }

class Verifier {
 public:
  Verifier(const ScannedMessage& message, const Rrset& rrset, const ZoneKeys& keys, WallTime now, WorkBudget& budget)
      : message_(message), rrset_(rrset), keys_(keys), now_(now), seconds_(SecondsOf(now)), budget_(budget) {}

  RrsetFinding Run() {
    if (rrset_.records.size() > DnssecLimits::kRecordsPerRrsetMax) {
      budget_.Exhaust("too many records in one set");
      return OverBudget();
    }
    if (const std::string why = WhyNotOfThisZone(); !why.empty()) {
      Note(kRule, dnssec_error::kBogus, why);
      return std::move(finding_);
    }
    size_t looked_at = 0;
    for (const uint16_t place : rrset_.signatures) {
      if (++looked_at > DnssecLimits::kSignaturesPerRrsetMax) break;
      const RecordEdges& record = message_.records[place];
      const auto fields = ReadSignature(message_, record);
      if (!fields || !(fields->signer == keys_.zone()) || !MayUse(*fields)) continue;
      if (TryKeys(record, *fields)) return Accept(*fields);
      if (budget_.exhausted()) return OverBudget();
    }
    Note(kNone, dnssec_error::kRrsigsMissing, rrset_.signatures.empty() ? "it has no signature" : "none by this zone");
    return std::move(finding_);
  }

 private:
  // How far the best signature came; the farther, the more its failure tells.
  enum Progress { kUnset, kNone, kRule, kAlgorithm, kTime, kKey, kSignature };

  void Note(Progress progress, EdeCode code, std::string_view what) {
    if (progress <= progress_) return;
    progress_ = progress;
    finding_.verdict = Verdict::Bogus(code, StrCat(keys_.zone().ToString(), ": ", rrset_.ToString(), ": ", what));
  }
  RrsetFinding OverBudget() {
    finding_.verdict =
        Verdict::OverBudget(StrCat(keys_.zone().ToString(), ": ", rrset_.ToString()), budget_.exceeded());
    return std::move(finding_);
  }
  static std::string KeyOf(const SignatureFields& fields) {
    return StrCat("key ", int{fields.key_tag}, " (", AlgorithmToString(fields.algorithm), ")");
  }

  // RFC 4035 §5.3.1, and what must hold for the types that carry the chain.
  std::string WhyNotOfThisZone() const {
    const Name& zone = keys_.zone();
    if (!rrset_.owner.IsAtOrBelow(zone)) return "it is not in the zone that signed it";
    if (rrset_.type == rr_type::kDs && rrset_.owner == zone) return "the zone vouches for itself";
    if ((rrset_.type == rr_type::kDnskey || rrset_.type == rr_type::kSoa) && !(rrset_.owner == zone)) {
      return "it is not at the apex of the zone that signed it";
    }
    return {};
  }

  bool MayUse(const SignatureFields& fields) {
    const size_t owner_labels = rrset_.owner.label_count();
    const size_t signed_labels = owner_labels - (IsWildcard(rrset_.owner) ? 1 : 0);
    const bool expanded = fields.labels < signed_labels;
    if (fields.labels > signed_labels || fields.labels < keys_.zone().label_count() ||
        (fields.labels == 0 && owner_labels != 0) || (expanded && !MayComeFromWildcard(rrset_.type))) {
      Note(kRule, dnssec_error::kBogus, StrCat("a signature for ", int{fields.labels}, " labels by ", KeyOf(fields)));
      return false;
    }
    if (!IsSupportedAlgorithm(fields.algorithm)) {
      Note(kAlgorithm, dnssec_error::kBogus, StrCat("signed by ", KeyOf(fields), ", which is not supported"));
      return false;
    }
    return IsTimely(fields);
  }

  bool IsTimely(const SignatureFields& fields) {
    if (IsBefore(fields.expiration, fields.inception)) {
      Note(kRule, dnssec_error::kBogus, StrCat("a signature that ends before it begins, by ", KeyOf(fields)));
      return false;
    }
    if (IsBefore(seconds_, fields.inception)) {
      Note(kTime, dnssec_error::kSignatureNotYetValid,
           StrCat("the signature by ", KeyOf(fields), " begins ", TimeToString(fields.inception, now_),
                  "; if this is past, the clock is wrong: here it is ", TimeToString(seconds_, now_)));
      return false;
    }
    if (IsBefore(fields.expiration, seconds_)) {
      Note(kTime, dnssec_error::kSignatureExpired,
           StrCat("the signature by ", KeyOf(fields), " expired ", TimeToString(fields.expiration, now_)));
      return false;
    }
    return true;
  }

  // True where one of the keys that the signature names made it.
  bool TryKeys(const RecordEdges& record, const SignatureFields& fields) {
    unsigned collisions = 0;
    for (const ZoneKeys::KeyPtr& key : keys_.keys()) {
      if (key->tag != fields.key_tag || key->algorithm != fields.algorithm) continue;
      if (key->use != ZoneKeys::Use::kSigns) {
        NoteUse(key->use, fields);
        continue;
      }
      if (++collisions > DnssecLimits::kKeyTagCollisionsMax) {
        budget_.Exhaust("too many keys with one tag");
        return false;
      }
      if (!rdata_ && !budget_.TakeTime(ReadingMicroseconds(rrset_.records.size()))) return false;
      const unsigned writing = WritingMicroseconds(SignedSize(message_, rrset_));
      if (!budget_.TakeSignatureCheck(key->check_microseconds + writing)) return false;
      if (Check(record, fields, *key)) return true;
      Note(kSignature, dnssec_error::kBogus, StrCat("the signature by ", KeyOf(fields), " is not good"));
    }
    Note(kKey, dnssec_error::kDnskeyMissing, StrCat("the zone has no ", KeyOf(fields), ", which signed it"));
    return false;
  }

  void NoteUse(ZoneKeys::Use use, const SignatureFields& fields) {
    if (use == ZoneKeys::Use::kNoZoneKey) {
      Note(kKey, dnssec_error::kNoZoneKeyBit, StrCat("signed by ", KeyOf(fields), ", which is no zone key"));
    } else if (use == ZoneKeys::Use::kRevoked) {
      Note(kKey, dnssec_error::kBogus, StrCat("signed by ", KeyOf(fields), ", which was revoked"));
    } else {
      Note(kKey, dnssec_error::kBogus, StrCat("signed by ", KeyOf(fields), ", which is no key of that algorithm"));
    }
  }

  bool Check(const RecordEdges& record, const SignatureFields& fields, const ZoneKeys::Key& key) {
    if (!rdata_) rdata_ = ReadCanonicalRdata(message_, rrset_);
    const LdnsRr signature = ReadRecord(message_, record);
    // ldns reads an RRSIG that ends with the signer's name, as one of a field less.
    if (!rdata_ || signature == nullptr || ldns_rr_rd_count(signature.get()) != kRrsigFields) return false;
    ldns_rr2canonical(signature.get());
    const LdnsBuffer data = SignedOctets(*signature, fields, rrset_, record.klass, *rdata_);
    return data != nullptr && key.checks->Made(*ldns_rr_rrsig_sig(signature.get()), *data);
  }

  RrsetFinding Accept(const SignatureFields& fields) {
    finding_.verdict = Verdict::Secure();
    finding_.ttl_max = std::min(fields.original_ttl, fields.expiration - seconds_);
    finding_.key_tag = fields.key_tag;
    finding_.algorithm = fields.algorithm;
    finding_.inception = fields.inception;
    finding_.expiration = fields.expiration;
    if (fields.labels < rrset_.owner.label_count() - (IsWildcard(rrset_.owner) ? 1 : 0)) {
      finding_.wildcard_labels = fields.labels;
    }
    return std::move(finding_);
  }

  const ScannedMessage& message_;
  const Rrset& rrset_;
  const ZoneKeys& keys_;
  const WallTime now_;
  const uint32_t seconds_;
  WorkBudget& budget_;
  Progress progress_ = kUnset;
  std::optional<CanonicalRdata> rdata_;
  RrsetFinding finding_;
};

bool IsUsable(const DelegationSigner& signer) {
  return IsSupportedAlgorithm(signer.algorithm) && IsSupportedDigest(signer.digest_type);
}

// The keys that one of the DS records names. With the first that names a key which must not be used, and why.
ZoneKeys VouchedFor(const ZoneKeys& all, const DelegationSigners& signers, WorkBudget& budget, ZoneKeys::Use& refused) {
  return all.Subset([&](const ZoneKeys::Key& key) {
    for (const DelegationSigner& signer : signers) {
      if (signer.key_tag != key.tag || signer.algorithm != key.algorithm || !IsUsable(signer)) continue;
      if (!budget.TakeDigest()) return false;
      if (!DigestMatches(key, signer)) continue;
      if (key.use == ZoneKeys::Use::kSigns) return true;
      refused = key.use;
    }
    return false;
  });
}

std::string TagsOf(const DelegationSigners& signers) {
  std::string tags;
  size_t count = 0;
  for (const DelegationSigner& signer : signers) {
    if (!IsUsable(signer) || ++count > 3) continue;
    StrAppend(&tags, tags.empty() ? "" : ", ", int{signer.key_tag});
  }
  return tags;
}

Verdict NobodyVouchedFor(const Name& zone, const DelegationSigners& signers, ZoneKeys::Use refused) {
  const std::string tags = TagsOf(signers);
  switch (refused) {
    case ZoneKeys::Use::kNoZoneKey:
      return Verdict::Bogus(dnssec_error::kNoZoneKeyBit,
                            StrCat(zone.ToString(), ": DNSKEY: the key that DS names (", tags, ") is no zone key"));
    case ZoneKeys::Use::kRevoked:
      return Verdict::Bogus(dnssec_error::kDnskeyMissing,
                            StrCat(zone.ToString(), ": DNSKEY: the key that DS names (", tags, ") was revoked"));
    default:
      return Verdict::Bogus(dnssec_error::kDnskeyMissing,
                            StrCat(zone.ToString(), ": DNSKEY: no key is the one that DS names (", tags, ")"));
  }
}

}  // namespace

bool MayComeFromWildcard(uint16_t type) {
  switch (type) {
    case rr_type::kNsec:
    case rr_type::kNsec3:
    case rr_type::kDnskey:
    case rr_type::kDs:
    case rr_type::kSoa:
    case rr_type::kDname:
      return false;
    default:
      return true;
  }
}

RrsetFinding VerifyRrset(const ScannedMessage& message, const Rrset& rrset, const ZoneKeys& keys, WallTime now,
                         WorkBudget& budget) {
  return Verifier(message, rrset, keys, now, budget).Run();
}

Verdict JudgeSigners(const Name& zone, const DelegationSigners& signers) {
  if (std::ranges::any_of(signers, IsUsable)) return Verdict::Secure();
  const bool digest = std::ranges::any_of(
      signers, [](const DelegationSigner& signer) { return IsSupportedAlgorithm(signer.algorithm); });
  return digest ? Verdict::Insecure(dnssec_error::kUnsupportedDigest,
                                    StrCat(zone.ToString(), ": DS: no digest that is supported"))
                : Verdict::Insecure(dnssec_error::kUnsupportedAlgorithm,
                                    StrCat(zone.ToString(), ": DS: no algorithm that is supported"));
}

KeysFinding JudgeDnskeys(const ScannedMessage& message, const Name& zone, const DelegationSigners& signers,
                         WallTime now, WorkBudget& budget) {
  KeysFinding finding;
  finding.verdict = JudgeSigners(zone, signers);
  if (!finding.verdict.secure()) return finding;
  const std::optional<Rrset> rrset = FindRrset(message, Section::kAnswer, zone, rr_type::kDnskey);
  if (!rrset) {
    finding.verdict = Verdict::Bogus(dnssec_error::kDnskeyMissing, StrCat(zone.ToString(), ": it has no DNSKEY"));
    return finding;
  }
  if (rrset->records.size() > DnssecLimits::kDnskeysMax) {
    finding.verdict = Verdict::OverBudget(StrCat(zone.ToString(), ": DNSKEY"), "too many keys");
    return finding;
  }
  ZoneKeys keys = ZoneKeys::Read(message, *rrset);
  ZoneKeys::Use refused = ZoneKeys::Use::kSigns;
  const ZoneKeys entry = VouchedFor(keys, signers, budget, refused);
  if (budget.exhausted()) {
    finding.verdict = Verdict::OverBudget(StrCat(zone.ToString(), ": DNSKEY"), budget.exceeded());
    return finding;
  }
  if (entry.keys().empty()) {
    finding.verdict = NobodyVouchedFor(zone, signers, refused);
    return finding;
  }
  RrsetFinding checked = VerifyRrset(message, *rrset, entry, now, budget);
  finding.verdict = std::move(checked.verdict);
  if (!finding.verdict.secure()) return finding;
  finding.ttl_max = checked.ttl_max;
  for (const uint16_t place : rrset->records) finding.ttl_max = std::min(finding.ttl_max, message.records[place].ttl);
  finding.key_tag = checked.key_tag;
  finding.algorithm = checked.algorithm;
  finding.inception = checked.inception;
  finding.expiration = checked.expiration;
  finding.keys = std::make_shared<const ZoneKeys>(std::move(keys));
  return finding;
}

}  // namespace dotward
