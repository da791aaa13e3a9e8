#include "dnssec/work_estimate.h"

#include <absl/container/inlined_vector.h>
#include <ldns/ldns.h>

#include <algorithm>

#include "dns/wire.h"
#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/record_reader.h"
#include "dnssec/rrset.h"

namespace dotward {
namespace {

constexpr unsigned kHashMicroseconds = 3;  // one NSEC3 hash, without iterations
constexpr unsigned kIterationsPerMicrosecond = 4;
constexpr unsigned kNsec3FixedOctets = 5;
constexpr size_t kSha1FixedOctets = 20 + 8;
constexpr size_t kSha1BlockOctets = 64;
constexpr size_t kDnskeyFixedOctets = 4;

// A judgement ends where the budget of its response does, but for what it began last.
unsigned Bounded(size_t microseconds) {
  return static_cast<unsigned>(std::min<size_t>(microseconds, 2 * DnssecLimits::kCheckMicrosecondsPerResponse));
}

// What a signature can be checked with.
struct KeyCost {
  uint16_t tag;
  uint8_t algorithm;
  unsigned microseconds;
};
using KeyCosts = absl::InlinedVector<KeyCost, 8>;

KeyCosts CostsOf(const ZoneKeys& keys) {
  KeyCosts costs;
  for (const ZoneKeys::KeyPtr& key : keys.keys()) {
    if (key->use == ZoneKeys::Use::kSigns) costs.push_back({key->tag, key->algorithm, key->check_microseconds});
  }
  return costs;
}

// Of a signature of so many octets, with each key that may have made it.
size_t SignatureMicroseconds(const SignatureFields& fields, const KeyCosts& keys, size_t octets) {
  size_t cost = 0;
  unsigned collisions = 0;
  for (const KeyCost& key : keys) {
    if (key.tag != fields.key_tag || key.algorithm != fields.algorithm) continue;
    if (++collisions > DnssecLimits::kKeyTagCollisionsMax) break;
    cost += key.microseconds + WritingMicroseconds(octets);
  }
  return cost;
}

size_t RrsetMicroseconds(const ScannedMessage& response, const Rrset& rrset, const KeyCosts& keys) {
  // More than that is refused as it is.
  if (rrset.records.size() > DnssecLimits::kRecordsPerRrsetMax) return ReadingMicroseconds(0);
  size_t cost = ReadingMicroseconds(rrset.records.size());
  const size_t octets = SignedSize(response, rrset);
  const size_t signatures = std::min(rrset.signatures.size(), DnssecLimits::kSignaturesPerRrsetMax);
  for (size_t i = 0; i < signatures; ++i) {
    const auto fields = ReadSignature(response, response.records[rrset.signatures[i]]);
    if (fields) cost += SignatureMicroseconds(*fields, keys, octets);
  }
  return cost;
}

// Of the hashes that have to be made of a name and of those between it and the zone; 0 where the record is no NSEC3.
size_t HashesMicroseconds(const ScannedMessage& response, const RecordEdges& record, const Name& name,
                          const Name& zone) {
  const OctetView rdata = RdataOf(response, record);
  if (record.type != rr_type::kNsec3 || rdata.size() < kNsec3FixedOctets) return 0;
  const unsigned iterations = std::min(ReadU16(&rdata[2]), DnssecLimits::kNsec3IterationsMax);
  const size_t labels = name.label_count() - std::min(name.label_count(), zone.label_count());
  // SHA-1 works on blocks of 64 octets: digest, salt, and what it puts behind.
  const size_t blocks = (kSha1FixedOctets + rdata[4]) / kSha1BlockOctets + 1;
  return (labels + 2) * blocks * (kHashMicroseconds + iterations / kIterationsPerMicrosecond);
}

}  // namespace

unsigned EstimateMicroseconds(const ScannedMessage& response, const ResponseParts& dissected) {
  size_t cost = 0;
  size_t hashes = 0;
  for (const ResponsePart& part : dissected.parts) {
    if (part.zone == nullptr || part.zone->keys == nullptr) continue;
    cost += RrsetMicroseconds(response, part.rrset, CostsOf(*part.zone->keys));
    hashes = std::max(hashes, HashesMicroseconds(response, response.records[part.rrset.records.front()],
                                                 dissected.last_name, part.zone->zone));
  }
  return Bounded(cost + hashes);
}

unsigned EstimateLinkMicroseconds(const ScannedMessage& response, const Name& name, const ZoneKeys& keys) {
  const KeyCosts costs = CostsOf(keys);
  // As if all of it were one set, which is more than it can be.
  size_t cost = ReadingMicroseconds(response.records.size());
  size_t hashes = 0;
  for (const RecordEdges& record : response.records) {
    hashes = std::max(hashes, HashesMicroseconds(response, record, name, keys.zone()));
    const auto fields = ReadSignature(response, record);
    if (fields) cost += ReadingMicroseconds(0) + SignatureMicroseconds(*fields, costs, response.octets.size());
  }
  return Bounded(cost + hashes);
}

unsigned EstimateDnskeysMicroseconds(const ScannedMessage& response, const Name& zone) {
  const auto rrset = FindRrset(response, Section::kAnswer, zone, rr_type::kDnskey);
  if (!rrset || rrset->records.size() > DnssecLimits::kDnskeysMax) return 0;
  KeyCosts keys;
  for (const uint16_t place : rrset->records) {
    const OctetView rdata = RdataOf(response, response.records[place]);
    if (ZoneKeys::UseOf(rdata) != ZoneKeys::Use::kSigns) continue;
    keys.push_back({ldns_calc_keytag_raw(rdata.data(), rdata.size()), rdata[3],
                    CheckMicroseconds(rdata[3], rdata.subspan(kDnskeyFixedOctets))});
  }
  return Bounded(RrsetMicroseconds(response, *rrset, keys));
}

}  // namespace dotward
