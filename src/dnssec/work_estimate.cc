#include "dnssec/work_estimate.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <vector>

#include "dns/wire.h"
#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/rrset.h"

namespace dotward {
namespace {

constexpr unsigned kHashMicroseconds = 3;  // one NSEC3 hash, without iterations
constexpr unsigned kIterationsPerMicrosecond = 4;
constexpr unsigned kNsec3FixedOctets = 5;
constexpr size_t kDnskeyFixedOctets = 4;

// No judgement goes on for longer than that, but for what it began last.
unsigned Bounded(size_t microseconds) {
  return static_cast<unsigned>(std::min<size_t>(microseconds, 2 * DnssecLimits::kCheckMicrosecondsPerResponse));
}

struct KeyCost {
  uint16_t tag;
  uint8_t algorithm;
  unsigned microseconds;
};

// Of a signature of so many records, with each key that may have made it.
template <typename Keys, typename CostOf>
size_t SignatureMicroseconds(const SignatureFields& fields, const Keys& keys, size_t records, CostOf cost_of) {
  size_t cost = 0;
  unsigned collisions = 0;
  for (const auto& each : keys) {
    const KeyCost key = cost_of(each);
    if (key.tag != fields.key_tag || key.algorithm != fields.algorithm) continue;
    if (++collisions > DnssecLimits::kKeyTagCollisionsMax) break;
    cost += key.microseconds + WritingMicroseconds(records);
  }
  return cost;
}

KeyCost CostOfKey(const ZoneKeys::KeyPtr& key) { return {key->tag, key->algorithm, key->check_microseconds}; }

size_t RrsetMicroseconds(const ScannedMessage& response, const Rrset& rrset, const ZoneKeys& keys) {
  const size_t records = rrset.records.size();
  size_t cost = ReadingMicroseconds(records);
  const size_t signatures = std::min(rrset.signatures.size(), DnssecLimits::kSignaturesPerRrsetMax);
  for (size_t i = 0; i < signatures; ++i) {
    const auto fields = ReadSignature(response, response.records[rrset.signatures[i]]);
    if (fields) cost += SignatureMicroseconds(*fields, keys.keys(), records, CostOfKey);
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
  return (labels + 2) * (kHashMicroseconds + iterations / kIterationsPerMicrosecond);
}

}  // namespace

unsigned EstimateMicroseconds(const ScannedMessage& response, const ResponseParts& dissected) {
  size_t cost = 0;
  size_t hashes = 0;
  for (const ResponsePart& part : dissected.parts) {
    if (part.zone == nullptr || part.zone->keys == nullptr) continue;
    cost += RrsetMicroseconds(response, part.rrset, *part.zone->keys);
    hashes = std::max(hashes, HashesMicroseconds(response, response.records[part.rrset.records.front()],
                                                 dissected.last_name, part.zone->zone));
  }
  return Bounded(cost + hashes);
}

unsigned EstimateLinkMicroseconds(const ScannedMessage& response, const Name& name, const ZoneKeys& keys) {
  const size_t records = response.records.size();
  size_t cost = ReadingMicroseconds(records);
  size_t hashes = 0;
  for (const RecordEdges& record : response.records) {
    hashes = std::max(hashes, HashesMicroseconds(response, record, name, keys.zone()));
    const auto fields = ReadSignature(response, record);
    if (fields) cost += ReadingMicroseconds(0) + SignatureMicroseconds(*fields, keys.keys(), 0, CostOfKey);
  }
  return Bounded(cost + hashes);
}

unsigned EstimateDnskeysMicroseconds(const ScannedMessage& response) {
  std::vector<KeyCost> keys;
  size_t signatures = 0;
  size_t cost = ReadingMicroseconds(response.records.size());
  for (const RecordEdges& record : response.records) {
    const OctetView rdata = RdataOf(response, record);
    if (record.type != rr_type::kDnskey || rdata.size() < kDnskeyFixedOctets) continue;
    if (keys.size() == DnssecLimits::kDnskeysMax) break;
    keys.push_back({ldns_calc_keytag_raw(rdata.data(), rdata.size()), rdata[3],
                    CheckMicroseconds(rdata[3], rdata.subspan(kDnskeyFixedOctets))});
  }
  for (const RecordEdges& record : response.records) {
    const auto fields = ReadSignature(response, record);
    if (!fields || fields->covered != rr_type::kDnskey) continue;
    if (++signatures > DnssecLimits::kSignaturesPerRrsetMax) break;
    cost += SignatureMicroseconds(*fields, keys, keys.size(), [](const KeyCost& key) { return key; });
  }
  return Bounded(cost);
}

}  // namespace dotward
