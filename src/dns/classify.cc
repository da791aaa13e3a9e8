#include "dns/classify.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/limits.h"
#include "dns/name.h"
#include "dns/shared_owner.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr uint32_t kTtlHighBit = 0x80000000U;
constexpr size_t kRrsigFixedOctets = 18;

// An uncompressed, lower-cased name with its hash, for many cheap comparisons.
class PlainName {
 public:
  PlainName() = default;
  PlainName(OctetView message, size_t offset) {
    std::array<uint8_t, kNameOctetsMax> expanded;
    Assign({expanded.data(), ExpandName(message, offset, expanded)});
  }
  explicit PlainName(OctetView wire) { Assign(wire); }

  OctetView wire() const { return {octets_.data(), octets_.size()}; }
  uint64_t hash() const { return hash_; }
  friend bool operator==(const PlainName& a, const PlainName& b) {
    return a.hash_ == b.hash_ && a.octets_ == b.octets_;
  }
  bool IsBelow(const PlainName& zone) const {
    return octets_.size() > zone.octets_.size() && IsAtOrBelow(wire(), zone.wire());
  }
  bool IsAtOrBelowZone(const PlainName& zone) const { return IsAtOrBelow(wire(), zone.wire()); }

 private:
  void Assign(OctetView wire) {
    octets_.assign(wire.begin(), wire.end());
    for (uint8_t& octet : octets_) octet = LowerOctet(octet);
    hash_ = absl::HashOf(octets_);
  }

  absl::InlinedVector<uint8_t, 64> octets_;
  uint64_t hash_ = 0;
};

bool IsDnssecRecord(uint16_t type) {
  return type == rr_type::kRrsig || type == rr_type::kNsec || type == rr_type::kNsec3;
}

class Classifier {
 public:
  Classifier(const Message& response, const TtlPolicy& policy, DnssecRecords dnssec)
      : scan_(response.scan()), policy_(policy), dnssec_(dnssec) {}

  Classification Run() {
    result_.rcode = scan_.rcode();
    result_.authentic_data = scan_.authentic_data();
    result_.records.resize(scan_.records.size());
    if (scan_.truncated()) return Unusable(ResponseKind::kTruncated, "it is truncated");
    if (result_.rcode != Rcode::kNoError && result_.rcode != Rcode::kNxDomain) {
      return Unusable(ResponseKind::kFailure, "its RCODE is a failure");
    }
    ReadOwners();
    if (!FollowAliases()) return Unusable(ResponseKind::kFailure, "its chain of aliases is too long");
    const bool has_data = KeepData();
    if (has_data && result_.rcode == Rcode::kNxDomain) {
      return Unusable(ResponseKind::kFailure, "it denies the name and has data for it");
    }
    if (has_data) {
      result_.kind = ResponseKind::kPositive;
      KeepProofs();
    } else if (result_.rcode == Rcode::kNoError && AnswersSomethingElse()) {
      return Unusable(ResponseKind::kFailure, "its answer is about other names");
    } else if (!Deny()) {
      return Unusable(ResponseKind::kReferral, "it is a referral, not an answer");
    }
    LeaveOutDnssec();
    SetTtls();
    return std::move(result_);
  }

 private:
  Classification Unusable(ResponseKind kind, std::string_view why) {
    result_.kind = kind;
    result_.not_cacheable_because = why;
    for (auto& record : result_.records) record.keep = false;
    return std::move(result_);
  }

  void ReadOwners() {
    owners_.reserve(scan_.records.size());
    const RecordEdges* last = nullptr;
    for (const RecordEdges& record : scan_.records) {
      // Additional records are never part of an answer, so that their names need no reading.
      if (record.section == Section::kAdditional) {
        owners_.emplace_back();
      } else if (last != nullptr && SharesOwner(scan_, *last, record)) {
        owners_.push_back(PlainName(owners_.back()));
      } else {
        owners_.emplace_back(scan_.octets, record.owner);
      }
      last = record.section == Section::kAdditional ? nullptr : &record;
    }
  }

  bool InAnswer(size_t i) const {
    return scan_.records[i].section == Section::kAnswer && scan_.records[i].klass == scan_.qclass;
  }
  bool InAuthority(size_t i) const {
    return scan_.records[i].section == Section::kAuthority && scan_.records[i].klass == scan_.qclass;
  }
  uint16_t CoveredType(const RecordEdges& record) const {
    return record.end - record.rdata >= int{kRrsigFixedOctets} ? ReadU16(&scan_.octets[record.rdata]) : uint16_t{0};
  }
  bool Covers(size_t i, uint16_t type) const {
    return scan_.records[i].type == rr_type::kRrsig && CoveredType(scan_.records[i]) == type;
  }
  // Keeps the answer records of `type` at `owner` and their signatures. False where there is no such record.
  bool KeepRrset(const PlainName& owner, uint16_t type) {
    bool found = false;
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (!InAnswer(i) || !(owners_[i] == owner)) continue;
      const bool is_data = scan_.records[i].type == type;
      if (is_data || Covers(i, type)) result_.records[i].keep = true;
      found |= is_data;
    }
    return found;
  }

  // Walks from QNAME along CNAMEs to the name that the outcome is about. False where there are too many links.
  bool FollowAliases() {
    last_name_ = PlainName(scan_.qname);
    if (scan_.qtype == rr_type::kCname || scan_.qtype == rr_type::kAny) {
      // The CNAME is what was asked for and the chain's end, but what it was made from still proves it.
      KeepDnameAbove();
      return true;
    }
    for (size_t links = 0; links <= Limits::kAliasLinksMax; ++links) {
      const size_t alias = FindAlias();
      if (alias == owners_.size()) return true;
      KeepDnameAbove();
      KeepRrset(last_name_, rr_type::kCname);
      last_name_ = PlainName(scan_.octets, scan_.records[alias].rdata);
      result_.behind_alias = true;
    }
    return false;
  }

  // The CNAME at last_name_, or owners_.size() where there is none.
  size_t FindAlias() const {
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAnswer(i) && scan_.records[i].type == rr_type::kCname && owners_[i] == last_name_) return i;
    }
    return owners_.size();
  }

  // A CNAME may have been made from a DNAME at an ancestor (RFC 6672 §3.1), which then belongs to the chain. Each owner
  // is looked at once: a response full of DNAMEs costs no more than any other.
  void KeepDnameAbove() {
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAnswer(i) && !result_.records[i].keep && scan_.records[i].type == rr_type::kDname &&
          last_name_.IsBelow(owners_[i])) {
        KeepRrset(PlainName(owners_[i]), rr_type::kDname);
      }
    }
  }

  // Keeps what was asked for at the end of the chain. False where there is none.
  bool KeepData() {
    if (scan_.qtype != rr_type::kAny) return KeepRrset(last_name_, scan_.qtype);
    bool found = false;
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (!InAnswer(i) || !(owners_[i] == last_name_)) continue;
      result_.records[i].keep = true;
      found = true;
    }
    return found;
  }

  // NSEC and NSEC3 of the authority section, signed: the proof of a denial, or of a wildcard's right to answer.
  void KeepProofs() {
    for (size_t i = 0; i < owners_.size(); ++i) {
      const uint16_t type = scan_.records[i].type;
      const bool proof =
          type == rr_type::kNsec || type == rr_type::kNsec3 || Covers(i, rr_type::kNsec) || Covers(i, rr_type::kNsec3);
      if (InAuthority(i) && proof) result_.records[i].keep = true;
    }
  }

  // No data: NXDOMAIN, NODATA (RFC 2308 §2) or, where the authority section has NS without SOA, a referral.
  bool Deny() {
    const size_t soa = FindSoa();
    const bool has_soa = soa != owners_.size();
    if (!has_soa && result_.rcode == Rcode::kNoError && HasDelegation()) return false;
    result_.kind = result_.rcode == Rcode::kNxDomain ? ResponseKind::kNxDomain : ResponseKind::kNoData;
    KeepProofs();
    if (!has_soa) {
      result_.not_cacheable_because = "it has no SOA record to say for how long";  // RFC 2308 §5
      return true;
    }
    soa_ = soa;
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAuthority(i) && owners_[i] == owners_[soa] && (i == soa || Covers(i, rr_type::kSoa))) {
        result_.records[i].keep = true;
      }
    }
    return true;
  }

  // The SOA of a zone that the denied name can be in; that of any other zone says nothing about it.
  size_t FindSoa() const {
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAuthority(i) && scan_.records[i].type == rr_type::kSoa && last_name_.IsAtOrBelowZone(owners_[i])) return i;
    }
    return owners_.size();
  }

  // Data, but for names that were not asked about: a mistake or a forgery, and no denial.
  bool AnswersSomethingElse() const {
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAnswer(i) && !result_.records[i].keep && !(owners_[i] == last_name_)) return true;
    }
    return false;
  }

  bool HasDelegation() const {
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (InAuthority(i) && scan_.records[i].type == rr_type::kNs && last_name_.IsAtOrBelowZone(owners_[i]))
        return true;
    }
    return false;
  }

  void LeaveOutDnssec() {
    if (dnssec_ == DnssecRecords::kKeep || scan_.qtype == rr_type::kAny) return;
    for (size_t i = 0; i < owners_.size(); ++i) {
      const uint16_t type = scan_.records[i].type;
      const bool asked_for = type == scan_.qtype && InAnswer(i);
      if (IsDnssecRecord(type) && !asked_for) result_.records[i].keep = false;
    }
  }

  // RFC 8767 §4: a TTL with the high bit set is a large positive one, and every TTL has a cap.
  uint32_t Bounded(uint32_t ttl) const {
    if (ttl == 0) return 0;
    if ((ttl & kTtlHighBit) != 0) return policy_.max_ttl;
    return std::min(std::max(ttl, policy_.min_ttl), policy_.max_ttl);
  }

  void SetTtls() {
    struct Member {
      std::tuple<uint64_t, uint16_t, uint16_t, Section> rrset;
      size_t index;
    };
    absl::InlinedVector<Member, 8> members;
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (!result_.records[i].keep) continue;
      const RecordEdges& record = scan_.records[i];
      const uint16_t covered = record.type == rr_type::kRrsig ? CoveredType(record) : uint16_t{0};
      members.push_back({{owners_[i].hash(), record.type, covered, record.section}, i});
      result_.records[i].ttl = i == soa_ ? NegativeTtl(record) : Bounded(record.ttl);
    }
    const auto before = [](const Member& a, const Member& b) { return a.rrset < b.rrset; };
    // Mostly there is one set, or two, in a row.
    if (!std::is_sorted(members.begin(), members.end(), before)) std::sort(members.begin(), members.end(), before);
    uint32_t lowest_of_all = policy_.max_ttl;
    for (size_t first = 0; first < members.size();) {
      size_t last = first;
      uint32_t lowest = result_.records[members[first].index].ttl;
      size_t first_record = members[first].index;
      while (++last < members.size() && members[last].rrset == members[first].rrset) {
        lowest = std::min(lowest, result_.records[members[last].index].ttl);
        first_record = std::min(first_record, members[last].index);
      }
      for (; first < last; ++first) {
        result_.records[members[first].index].ttl = lowest;
        result_.records[members[first].index].rrset = static_cast<uint16_t>(first_record);
      }
      lowest_of_all = std::min(lowest_of_all, lowest);
    }
    if (!result_.not_cacheable_because.empty() || members.empty()) return;
    result_.ttl = lowest_of_all;
    if (result_.ttl == 0) result_.not_cacheable_because = "one of its TTLs is 0";
  }

  // RFC 2308 §5: the lower of the SOA's own TTL and its MINIMUM, capped.
  uint32_t NegativeTtl(const RecordEdges& soa) const {
    const uint32_t minimum = ReadU32(&scan_.octets[soa.end - sizeof(uint32_t)]);
    return std::min({Bounded(soa.ttl), Bounded(minimum), policy_.max_negative_ttl});
  }

  const ScannedMessage& scan_;
  const TtlPolicy& policy_;
  const DnssecRecords dnssec_;
  Classification result_;
  absl::InlinedVector<PlainName, 8> owners_;  // one a record
  PlainName last_name_;
  size_t soa_ = SIZE_MAX;
};

}  // namespace

Classification ClassifyResponse(const Message& response, const TtlPolicy& policy, DnssecRecords dnssec) {
  return Classifier(response, policy, dnssec).Run();
}

std::string_view ResponseKindToString(ResponseKind kind) {
  switch (kind) {
    case ResponseKind::kPositive:
      return "positive";
    case ResponseKind::kNxDomain:
      return "NXDOMAIN";
    case ResponseKind::kNoData:
      return "NODATA";
    case ResponseKind::kReferral:
      return "referral";
    case ResponseKind::kTruncated:
      return "truncated";
    case ResponseKind::kFailure:
      return "failure";
  }
  return "unknown";
}

}  // namespace dotward
