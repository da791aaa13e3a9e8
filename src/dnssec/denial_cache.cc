#include "dnssec/denial_cache.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dns/uncompressed_rdata.h"
#include "dns/wire.h"
#include "dnssec/denial_proof.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"
#include "dnssec/rrset_verifier.h"

namespace dotward {
namespace {

// What an entry costs beside its octets: itself, its nodes in a map and in the list, its records' own allocations.
constexpr size_t kEntryOverheadOctets = 320;
constexpr size_t kRecordOverheadOctets = 64;
// In iterations of SHA-1: what a hash costs before the first, and what one question may cost.
constexpr size_t kHashCost = 12;
constexpr size_t kHashCostMax = 400;

std::string WildcardKey(uint16_t type, const Name& owner) {
  std::string key = {static_cast<char>(type >> 8U), static_cast<char>(type & 0xffU)};
  return key + CanonicalKey(owner);
}

// Of an NSEC RRset.
Name NextOf(const ScannedMessage& message, const Rrset& rrset) {
  // The scan has walked the name, which is not compressed.
  std::array<uint8_t, kNameOctetsMax> next;
  return Name::FromWire({next.data(), ExpandName(message.octets, message.records[rrset.records[0]].rdata, next)});
}

// NSEC3's fixed part, RFC 5155 §3.2.
struct HashRange {
  uint16_t iterations = 0;
  OctetView salt;
};
// nullopt where the range is of no use here.
std::optional<HashRange> HashRangeOf(OctetView rdata, const Name& owner, const Name& zone) {
  if (rdata.size() < 5 || rdata[0] != kNsec3Sha1 || rdata[1] != 0) return std::nullopt;
  const HashRange range{ReadU16(&rdata[2]), rdata.subspan(5, std::min<size_t>(rdata[4], rdata.size() - 5))};
  const bool usable = range.iterations <= DnssecLimits::kNsec3IterationsMax && range.salt.size() == rdata[4] &&
                      owner.wire()[0] == kNsec3HashCharacters && owner.Parent() == zone;
  return usable ? std::optional(range) : std::nullopt;
}

}  // namespace

void DenialCache::AddDenial(const Name& zone, const ScannedMessage& message, const Rrset& rrset, uint32_t ttl,
                            SteadyTime now) {
  if (rrset.type != rr_type::kNsec && rrset.type != rr_type::kNsec3 && rrset.type != rr_type::kSoa) return;
  if (ttl == 0 || !rrset.owner.IsAtOrBelow(zone)) return;
  Entry entry;
  entry.owner = rrset.owner;
  CopyRecords(message, rrset.records, entry);
  CopyRecords(message, rrset.signatures, entry);
  // Each of these stands alone at its name.
  if (rrset.records.size() != 1) return;
  if (rrset.type == rr_type::kSoa) {
    if (!(rrset.owner == zone)) return;
    Zone& home = ZoneFor(zone);
    return Put(home, home.soa, {}, std::move(entry), ttl, now);
  }
  if (rrset.type == rr_type::kNsec) {
    entry.next = NextOf(message, rrset);
    Zone& home = ZoneFor(zone);
    return Put(home, home.nsecs, CanonicalKey(rrset.owner), std::move(entry), ttl, now);
  }
  const auto range = HashRangeOf(entry.records[0].rdata, rrset.owner, zone);
  if (!range) return;
  const Octets salt(range->salt.begin(), range->salt.end());
  Zone& home = ZoneFor(zone);
  if (home.iterations != range->iterations || home.salt != salt) {
    // The zone was hashed anew: what is known of it is over.
    while (!home.nsec3s.empty()) Remove(*home.nsec3s.begin()->second);
    home.iterations = range->iterations;
    home.salt = salt;
  }
  Put(home, home.nsec3s, LowerOf(rrset.owner.wire().subspan(1, kNsec3HashCharacters)), std::move(entry), ttl, now);
}

void DenialCache::AddWildcard(const Name& zone, const ScannedMessage& message, const Rrset& rrset, size_t labels,
                              uint32_t ttl, SteadyTime now) {
  if (ttl == 0 || rrset.type == rr_type::kCname || !MayComeFromWildcard(rrset.type)) return;
  if (!rrset.owner.IsAtOrBelow(zone) || rrset.owner.label_count() <= labels) return;
  Entry entry;
  entry.owner = WildcardOf(Suffix(rrset.owner, labels));
  CopyRecords(message, rrset.records, entry);
  CopyRecords(message, rrset.signatures, entry);
  Zone& home = ZoneFor(zone);
  std::string key = WildcardKey(rrset.type, entry.owner);
  Put(home, home.wildcards, std::move(key), std::move(entry), ttl, now);
}

std::optional<Octets> DenialCache::Answer(const Name& name, uint16_t type, size_t zone_octets_min, SteadyTime now,
                                          WorkBudget& budget) {
  // A DS record is the business of the zone above.
  Name zone = type == rr_type::kDs ? name.Parent() : name;
  while (zone.wire().size() >= zone_octets_min) {
    const auto found = zones_.find(CanonicalKey(zone));
    if (found != zones_.end()) {
      if (auto answer = AnswerFrom(found->second, name, type, now, budget)) return answer;
      // Where a zone above begins, it says nothing about names in this one.
      return std::nullopt;
    }
    if (zone.is_root()) break;
    zone = zone.Parent();
  }
  return std::nullopt;
}

void DenialCache::Clear() {
  zones_.clear();
  by_use_.clear();
  octets_ = 0;
}

void DenialCache::CopyRecords(const ScannedMessage& message, std::span<const uint16_t> places, Entry& entry) {
  for (const uint16_t place : places) {
    const RecordEdges& record = message.records[place];
    entry.records.push_back({.type = record.type, .rdata = UncompressedRdata(message, record)});
  }
}

DenialCache::Zone& DenialCache::ZoneFor(const Name& name) {
  Zone& zone = zones_[CanonicalKey(name)];
  zone.name = name;
  return zone;
}

void DenialCache::Put(Zone& zone, Entries& place, std::string key, Entry entry, uint32_t ttl, SteadyTime now) {
  if (const auto known = place.find(key); known != place.end()) Remove(*known->second);
  entry.zone = &zone;
  entry.place = &place;
  entry.expires_at = now + std::chrono::seconds(ttl);
  entry.octets = kEntryOverheadOctets + 2 * key.size() + entry.owner.wire().size() + entry.next.wire().size();
  for (const Record& record : entry.records) entry.octets += kRecordOverheadOctets + record.rdata.size();
  entry.key = std::move(key);
  octets_ += entry.octets;
  by_use_.push_front(std::make_unique<Entry>(std::move(entry)));
  Entry& stored = *by_use_.front();
  stored.by_use = by_use_.begin();
  place.emplace(stored.key, &stored);
  while (octets_ > octets_max_ && !by_use_.empty()) Evict();
}

void DenialCache::Remove(Entry& entry) {
  octets_ -= entry.octets;
  entry.place->erase(entry.key);
  by_use_.erase(entry.by_use);
}

// The zone goes with its last entry.
void DenialCache::Evict() {
  Zone& zone = *by_use_.back()->zone;
  Remove(*by_use_.back());
  if (zone.soa.empty() && zone.nsecs.empty() && zone.nsec3s.empty() && zone.wildcards.empty()) {
    zones_.erase(CanonicalKey(zone.name));
  }
}

const DenialCache::Entry* DenialCache::Find(const Entries& entries, const std::string& key, bool covering,
                                            SteadyTime now) {
  auto found = entries.find(key);
  if (found == entries.end()) {
    if (!covering || entries.empty()) return nullptr;
    // The last range leads back to the first name.
    found = entries.upper_bound(key);
    found = found == entries.begin() ? std::prev(entries.end()) : std::prev(found);
  }
  Entry& entry = *found->second;
  if (now >= entry.expires_at) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, entry.by_use);
  return &entry;
}

std::optional<Octets> DenialCache::AnswerFrom(Zone& zone, const Name& name, uint16_t type, SteadyTime now,
                                              WorkBudget& budget) {
  const Entry* const soa = Find(zone.soa, {}, false, now);
  Parts parts = PartsByNsec(zone, name, type, now);
  if (parts.authority.empty()) parts = PartsByNsec3(zone, name, type, now, budget);
  if (parts.authority.empty() || budget.exhausted()) return std::nullopt;
  // What a wildcard answers has no SOA beside it.
  if (parts.answer == nullptr) {
    if (soa == nullptr) return std::nullopt;
    parts.authority.insert(parts.authority.begin(), soa);
  }

  const auto proves = [&](const Octets& response, Rcode rcode) {
    ScannedMessage message;
    if (ScanMessage(response, MessageSide::kResponse, message) != ScanFault::kNone) return false;
    const auto rrsets =
        GroupRrsets(message, [&](size_t i) { return message.records[i].section == Section::kAuthority; });
    if (!rrsets) return false;
    DenialProof proof(zone.name, budget);
    for (const Rrset& rrset : *rrsets) proof.Add(message, rrset);
    const DenialProof::Result result = parts.wildcard_labels       ? proof.WildcardAnswer(name, *parts.wildcard_labels)
                                       : rcode == Rcode::kNxDomain ? proof.NameError(name)
                                                                   : proof.NoData(name, type);
    return result == DenialProof::Result::kProven;
  };
  std::optional<Octets> response = Write(name, type, Rcode::kNoError, parts, now);
  if (response && proves(*response, Rcode::kNoError)) return response;
  if (parts.wildcard_labels) return std::nullopt;
  response = Write(name, type, Rcode::kNxDomain, parts, now);
  if (response && proves(*response, Rcode::kNxDomain)) return response;
  return std::nullopt;
}

DenialCache::Parts DenialCache::PartsByNsec(Zone& zone, const Name& name, uint16_t type, SteadyTime now) {
  Parts parts;
  const Entry* const range = Find(zone.nsecs, CanonicalKey(name), true, now);
  if (range == nullptr) return parts;
  parts.authority.push_back(range);
  if (range->owner == name) return parts;
  const Name closest = Suffix(name, std::max(CommonLabels(name, range->owner), CommonLabels(name, range->next)));
  if (closest == name || !closest.IsAtOrBelow(zone.name)) return parts;  // an empty non-terminal
  AddWildcardTo(parts, zone, closest, type, now);
  if (parts.answer != nullptr) return parts;
  const Entry* const wildcard = Find(zone.nsecs, CanonicalKey(WildcardOf(closest)), true, now);
  if (wildcard != nullptr && wildcard != range) parts.authority.push_back(wildcard);
  return parts;
}

DenialCache::Parts DenialCache::PartsByNsec3(Zone& zone, const Name& name, uint16_t type, SteadyTime now,
                                             WorkBudget& budget) {
  Parts parts;
  if (zone.nsec3s.empty()) return parts;
  // Deep names in zones that are dear to hash are cheaper to ask about.
  const size_t names = name.label_count() - zone.name.label_count() + 2;
  if (names * (kHashCost + zone.iterations) > kHashCostMax) return parts;
  const auto hash_of = [&](const Name& hashed) {
    return budget.TakeHash() ? Nsec3HashOf(hashed, zone.iterations, zone.salt) : std::string();
  };
  const auto add = [&](const Entry* entry) {
    if (entry != nullptr && std::ranges::find(parts.authority, entry) == parts.authority.end()) {
      parts.authority.push_back(entry);
    }
  };
  // RFC 5155 §8.3: from the name up to the first that exists.
  Name closest = name;
  Name next_closer = name;
  const Entry* match = nullptr;
  while (match == nullptr && !budget.exhausted()) {
    match = Find(zone.nsec3s, hash_of(closest), false, now);
    if (match != nullptr || closest == zone.name) break;
    next_closer = closest;
    closest = closest.Parent();
  }
  if (match == nullptr) return parts;
  add(match);
  if (closest == name) return parts;
  add(Find(zone.nsec3s, hash_of(next_closer), true, now));
  AddWildcardTo(parts, zone, closest, type, now);
  if (parts.answer == nullptr) add(Find(zone.nsec3s, hash_of(WildcardOf(closest)), true, now));
  return parts;
}

void DenialCache::AddWildcardTo(Parts& parts, Zone& zone, const Name& closest, uint16_t type, SteadyTime now) {
  parts.answer = Find(zone.wildcards, WildcardKey(type, WildcardOf(closest)), false, now);
  if (parts.answer != nullptr) parts.wildcard_labels = closest.label_count();
}

std::optional<Octets> DenialCache::Write(const Name& name, uint16_t type, Rcode rcode, const Parts& parts,
                                         SteadyTime now) {
  Octets response(kMessageOctetsMax);
  WireWriter writer(response);
  uint16_t authority = 0;
  for (const Entry* entry : parts.authority) authority = static_cast<uint16_t>(authority + entry->records.size());
  writer.U16(0);
  writer.U16(static_cast<uint16_t>(header::kQr | header::kRa | header::kAd | static_cast<unsigned>(rcode)));
  writer.U16(1);
  writer.U16(parts.answer == nullptr ? uint16_t{0} : static_cast<uint16_t>(parts.answer->records.size()));
  writer.U16(authority);
  writer.U16(0);
  writer.Copy(name.wire());
  writer.U16(type);
  writer.U16(rr_class::kIn);
  const auto write = [&](const Entry& entry, const Name& owner) {
    const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(entry.expires_at - now).count();
    for (const Record& record : entry.records) {
      writer.Copy(owner.wire());
      writer.U16(record.type);
      writer.U16(rr_class::kIn);
      writer.U32(static_cast<uint32_t>(ttl));
      writer.U16(static_cast<uint16_t>(record.rdata.size()));
      writer.Copy(record.rdata);
    }
  };
  if (parts.answer != nullptr) write(*parts.answer, name);
  for (const Entry* entry : parts.authority) write(*entry, entry->owner);
  if (!writer.ok()) return std::nullopt;
  response.resize(writer.size());
  return response;
}

}  // namespace dotward
