#include "dnssec/denial_proof.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dns/wire.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"

namespace dotward {
namespace {

constexpr uint16_t kNxname = 128;  // RFC 9824 §2

}  // namespace

bool DenialProof::Types::Has(uint16_t type) const {
  OctetView left = bitmap_;
  while (left.size() >= 2) {
    const size_t octets = left[1];
    if (left.size() < 2 + octets) return false;
    if (left[0] == type >> 8U) {
      const size_t place = (type & 0xffU) / 8;
      return place < octets && (left[2 + place] & (0x80U >> (type & 7U))) != 0;
    }
    left = left.subspan(2 + octets);
  }
  return false;
}

bool DenialProof::Types::has_data() const {
  OctetView left = bitmap_;
  while (left.size() >= 2 && left.size() >= size_t{2} + left[1]) {
    for (size_t place = 0; place < left[1]; ++place) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        const auto type = static_cast<uint16_t>(left[0] * 256U + place * 8 + bit);
        const bool proof = type == rr_type::kRrsig || type == rr_type::kNsec || type == kNxname;
        if ((left[2 + place] & (0x80U >> bit)) != 0 && !proof) return true;
      }
    }
    left = left.subspan(size_t{2} + left[1]);
  }
  return false;
}

bool DenialProof::Types::is_delegation() const { return Has(rr_type::kNs) && !Has(rr_type::kSoa); }

void DenialProof::Add(const ScannedMessage& message, const Rrset& rrset) {
  for (const uint16_t place : rrset.records) {
    if (++looked_at_ > DnssecLimits::kDenialRecordsMax) return budget_.Exhaust("too many NSEC records");
    const RecordEdges& record = message.records[place];
    if (rrset.type == rr_type::kNsec) AddNsec(message, rrset, record);
    if (rrset.type == rr_type::kNsec3) AddNsec3(message, rrset, record);
  }
}

void DenialProof::AddNsec(const ScannedMessage& message, const Rrset& rrset, const RecordEdges& record) {
  // The scan has walked the name, which is not compressed.
  std::array<uint8_t, kNameOctetsMax> next;
  const size_t octets = ExpandName(message.octets, record.rdata, next);
  Nsec nsec{rrset.owner, Name::FromWire({next.data(), octets}), Types(RdataOf(message, record).subspan(octets))};
  nsec.owner_key = CanonicalKey(nsec.owner);
  nsec.next_key = CanonicalKey(nsec.next);
  if (!nsec.owner.IsAtOrBelow(zone_) || !nsec.next.IsAtOrBelow(zone_)) return;
  // Only the last one leads back, and to the apex.
  if (nsec.next_key <= nsec.owner_key && !(nsec.next == zone_)) return;
  nsecs_.push_back(std::move(nsec));
}

void DenialProof::AddNsec3(const ScannedMessage& message, const Rrset& rrset, const RecordEdges& record) {
  const OctetView rdata = RdataOf(message, record);
  if (rdata.size() < 5 || rdata[0] != kNsec3Sha1 || (rdata[1] & ~uint32_t{kNsec3OptOut}) != 0) return;
  const size_t salt = rdata[4];
  if (rdata.size() < 6 + salt + kNsec3HashOctets || rdata[5 + salt] != kNsec3HashOctets) return;
  const OctetView owner = rrset.owner.wire();
  if (owner[0] != kNsec3HashCharacters || !(rrset.owner.Parent() == zone_)) return;
  HashParameters parameters{ReadU16(&rdata[2]), Octets(&rdata[5], &rdata[5] + salt)};
  if (!parameters_)
    parameters_ = std::move(parameters);
  else if (!(parameters == *parameters_))
    return;
  const OctetView rest = rdata.subspan(6 + salt);
  nsec3s_.push_back({LowerOf(owner.subspan(1, kNsec3HashCharacters)), Base32Hex(rest.first(kNsec3HashOctets)),
                     (rdata[1] & kNsec3OptOut) != 0, Types(rest.subspan(kNsec3HashOctets))});
}

DenialProof::Result DenialProof::NameError(const Name& name) {
  if (!name.IsAtOrBelow(zone_)) return Result::kNotProven;
  const Result result = NameErrorByNsec(name);
  return result == Result::kNotProven ? NameErrorByNsec3(name) : result;
}

DenialProof::Result DenialProof::NoData(const Name& name, uint16_t type) {
  if (!name.IsAtOrBelow(zone_)) return Result::kNotProven;
  const Result result = NoDataByNsec(name, type);
  return result == Result::kNotProven ? NoDataByNsec3(name, type) : result;
}

DenialProof::Result DenialProof::WildcardAnswer(const Name& name, size_t labels) {
  if (!name.IsAtOrBelow(zone_) || name.label_count() <= labels) return Result::kNotProven;
  const Result result = WildcardAnswerByNsec(name, labels);
  return result == Result::kNotProven ? WildcardAnswerByNsec3(name, labels) : result;
}

DenialProof::Cut DenialProof::NoDs(const Name& name) {
  if (!IsBelow(name, zone_)) return Cut::kNotProven;
  const Cut cut = NoDsByNsec(name);
  return cut == Cut::kNotProven ? NoDsByNsec3(name) : cut;
}

// Whether an NSEC or NSEC3 that matches a name proves that the name has no such type. RFC 6840 §4.1: the parent's side
// of a zone cut speaks of DS alone; RFC 4035 §5.2: the child's side does not speak of DS.
bool DenialProof::Lacks(const Types& types, uint16_t type, const Name& name) {
  if (type == rr_type::kDs ? types.Has(rr_type::kSoa) && !name.is_root() : types.is_delegation()) return false;
  if (type == rr_type::kAny) return !types.has_data();  // which would have been an answer
  // RFC 6840 §4.3: where there is an alias, it is the answer to every type.
  return !types.Has(type) && (type == rr_type::kCname || !types.Has(rr_type::kCname));
}

// --- NSEC ---

const DenialProof::Nsec* DenialProof::Match(const Name& name) const {
  const auto match = std::ranges::find_if(nsecs_, [&](const Nsec& nsec) { return nsec.owner == name; });
  return match == nsecs_.end() ? nullptr : &*match;
}

const DenialProof::Nsec* DenialProof::Cover(const Name& name) const {
  const std::string key = CanonicalKey(name);
  const auto cover = std::ranges::find_if(nsecs_, [&](const Nsec& nsec) { return Covers(nsec, name, key); });
  return cover == nsecs_.end() ? nullptr : &*cover;
}

bool DenialProof::Covers(const Nsec& nsec, const Name& name, std::string_view key) const {
  // RFC 6840 §4.1: what is below a zone cut or a DNAME is not this record's business.
  if (IsBelow(name, nsec.owner) && (nsec.types.is_delegation() || nsec.types.Has(rr_type::kDname))) return false;
  return nsec.owner_key < key && (nsec.next == zone_ || key < nsec.next_key);
}

DenialProof::Result DenialProof::NameErrorByNsec(const Name& name) const {
  if (const Nsec* match = Match(name)) {
    // RFC 9824 §3.1: the name is there only to say that it is not.
    return match->types.Has(kNxname) ? Result::kProven : Result::kNotProven;
  }
  const Nsec* cover = Cover(name);
  if (cover == nullptr || IsBelow(cover->next, name)) return Result::kNotProven;
  const Name wildcard =
      WildcardOf(Suffix(name, std::max(CommonLabels(name, cover->owner), CommonLabels(name, cover->next))));
  const Nsec* no_wildcard = Cover(wildcard);
  const bool proven = no_wildcard != nullptr && !IsBelow(no_wildcard->next, wildcard);
  return proven ? Result::kProven : Result::kNotProven;
}

DenialProof::Result DenialProof::NoDataByNsec(const Name& name, uint16_t type) const {
  if (const Nsec* match = Match(name)) {
    return Lacks(match->types, type, name) ? Result::kProven : Result::kNotProven;
  }
  const Nsec* cover = Cover(name);
  if (cover == nullptr) return Result::kNotProven;
  if (IsBelow(cover->next, name)) return Result::kProven;  // an empty non-terminal
  const Nsec* wildcard =
      Match(WildcardOf(Suffix(name, std::max(CommonLabels(name, cover->owner), CommonLabels(name, cover->next)))));
  const bool proven = wildcard != nullptr && !wildcard->types.is_delegation() && Lacks(wildcard->types, type, name);
  return proven ? Result::kProven : Result::kNotProven;
}

DenialProof::Result DenialProof::WildcardAnswerByNsec(const Name& name, size_t labels) const {
  const Nsec* cover = Cover(name);
  // What shares more labels with the name than the wildcard does shows that something closer exists.
  const bool proven =
      cover != nullptr && CommonLabels(name, cover->owner) <= labels && CommonLabels(name, cover->next) <= labels;
  return proven ? Result::kProven : Result::kNotProven;
}

DenialProof::Cut DenialProof::NoDsByNsec(const Name& name) const {
  if (const Nsec* match = Match(name)) {
    if (match->types.Has(kNxname)) return Cut::kNothingBelow;
    if (match->types.Has(rr_type::kSoa) || match->types.Has(rr_type::kDs)) return Cut::kNotProven;
    return match->types.Has(rr_type::kNs) ? Cut::kUnsignedDelegation : Cut::kNone;
  }
  const Nsec* cover = Cover(name);
  if (cover == nullptr) return Cut::kNotProven;
  return IsBelow(cover->next, name) ? Cut::kNone : Cut::kNothingBelow;
}

// --- NSEC3 ---

bool DenialProof::too_many_iterations() const {
  return parameters_ && parameters_->iterations > DnssecLimits::kNsec3IterationsMax;
}

const std::string& DenialProof::HashOf(const Name& name) {
  static const std::string kNone;
  const auto [known, is_new] = hashes_.try_emplace(LowerOf(name.wire()));
  if (!is_new) return known->second;
  if (!budget_.TakeHash()) return kNone;
  known->second = Nsec3HashOf(name, parameters_->iterations, parameters_->salt);
  return known->second;
}

const DenialProof::Nsec3* DenialProof::MatchHash(const Name& name) {
  if (nsec3s_.empty()) return nullptr;
  const std::string& hash = HashOf(name);
  const auto match = std::ranges::find_if(nsec3s_, [&](const Nsec3& nsec3) { return nsec3.hash == hash; });
  return match == nsec3s_.end() ? nullptr : &*match;
}

const DenialProof::Nsec3* DenialProof::CoverHash(const Name& name) {
  if (nsec3s_.empty()) return nullptr;
  const std::string& hash = HashOf(name);
  if (hash.empty()) return nullptr;
  const auto cover = std::ranges::find_if(nsec3s_, [&](const Nsec3& nsec3) {
    // The last one leads back to the first.
    return nsec3.hash < nsec3.next ? nsec3.hash < hash && hash < nsec3.next : nsec3.hash < hash || hash < nsec3.next;
  });
  return cover == nsec3s_.end() ? nullptr : &*cover;
}

// RFC 5155 §8.3. The name itself is looked for first, then its ancestors from the zone on: the one that encloses it is
// rarely deep, while the name may have a hundred labels. An ancestor that exists, with the next name towards ours that
// does not, is the closest encloser, wherever the search began.
std::optional<DenialProof::Encloser> DenialProof::FindEncloser(const Name& name) {
  Encloser found;
  found.closest = name;
  found.match = MatchHash(name);
  found.exact = found.match != nullptr;
  if (found.exact) return found;
  const size_t labels_of_name = name.label_count();
  for (size_t labels = zone_.label_count(); labels < labels_of_name && !budget_.exhausted(); ++labels) {
    found.closest = Suffix(name, labels);
    found.match = MatchHash(found.closest);
    if (found.match == nullptr) continue;
    found.next_closer = Suffix(name, labels + 1);
    found.cover = CoverHash(found.next_closer);
    if (found.cover == nullptr) continue;
    if (found.match->types.is_delegation() || found.match->types.Has(rr_type::kDname)) return std::nullopt;
    return found;
  }
  return std::nullopt;
}

DenialProof::Result DenialProof::NameErrorByNsec3(const Name& name) {
  if (nsec3s_.empty()) return Result::kNotProven;
  if (too_many_iterations()) return Result::kTooManyIterations;
  const auto encloser = FindEncloser(name);
  if (!encloser || encloser->exact) return NotProven();
  if (CoverHash(WildcardOf(encloser->closest)) == nullptr) return NotProven();
  return encloser->cover->opt_out ? Result::kOptOut : Result::kProven;
}

DenialProof::Result DenialProof::NoDataByNsec3(const Name& name, uint16_t type) {
  if (nsec3s_.empty()) return Result::kNotProven;
  if (too_many_iterations()) return Result::kTooManyIterations;
  const auto encloser = FindEncloser(name);
  if (!encloser) return NotProven();
  if (encloser->exact) {
    return Lacks(encloser->match->types, type, name) ? Result::kProven : Result::kNotProven;
  }
  if (const Nsec3* wildcard = MatchHash(WildcardOf(encloser->closest))) {
    if (wildcard->types.is_delegation() || !Lacks(wildcard->types, type, name)) return Result::kNotProven;
    return encloser->cover->opt_out ? Result::kOptOut : Result::kProven;
  }
  if (budget_.exhausted()) return Result::kOverBudget;
  // RFC 5155 §8.6: an unsigned delegation may be there, or an empty non-terminal above one.
  return encloser->cover->opt_out ? Result::kOptOut : Result::kNotProven;
}

DenialProof::Result DenialProof::WildcardAnswerByNsec3(const Name& name, size_t labels) {
  if (nsec3s_.empty()) return Result::kNotProven;
  if (too_many_iterations()) return Result::kTooManyIterations;
  const Nsec3* cover = CoverHash(Suffix(name, labels + 1));
  if (cover == nullptr) return NotProven();
  return cover->opt_out ? Result::kOptOut : Result::kProven;
}

DenialProof::Cut DenialProof::NoDsByNsec3(const Name& name) {
  if (nsec3s_.empty()) return Cut::kNotProven;
  if (too_many_iterations()) return Cut::kTooManyIterations;
  const auto encloser = FindEncloser(name);
  if (!encloser) return NoCutProven();
  if (!encloser->exact) return encloser->cover->opt_out ? Cut::kUnsignedDelegation : Cut::kNothingBelow;
  const Types& types = encloser->match->types;
  if (types.Has(rr_type::kSoa) || types.Has(rr_type::kDs)) return Cut::kNotProven;
  return types.Has(rr_type::kNs) ? Cut::kUnsignedDelegation : Cut::kNone;
}

}  // namespace dotward
