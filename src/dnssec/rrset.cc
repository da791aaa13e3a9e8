#include "dnssec/rrset.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "dns/shared_owner.h"
#include "dns/wire.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

constexpr size_t kSignatureFixedOctets = 18;

// What the records of one RRset have in common: owner in lower case, type, section.
std::string KeyOf(const ScannedMessage& message, const RecordEdges& record, uint16_t type) {
  std::array<uint8_t, kNameOctetsMax> name;
  const size_t octets = ExpandName(message.octets, record.owner, name);
  std::string key(octets + 3, '\0');
  for (size_t i = 0; i < octets; ++i) key[i] = static_cast<char>(LowerOctet(name[i]));
  key[octets] = static_cast<char>(type >> 8U);
  key[octets + 1] = static_cast<char>(type & 0xffU);
  key[octets + 2] = static_cast<char>(record.section);
  return key;
}

// Of an RRSIG, the type that it covers; 0 where it is too short.
uint16_t CoveredType(const ScannedMessage& message, const RecordEdges& record) {
  const OctetView rdata = RdataOf(message, record);
  return rdata.size() > kSignatureFixedOctets ? ReadU16(rdata.data()) : uint16_t{0};
}

}  // namespace

std::string Rrset::ToString() const { return StrCat(TypeToString(type), " ", owner.ToString()); }

Name OwnerOf(const ScannedMessage& message, const RecordEdges& record) {
  std::array<uint8_t, kNameOctetsMax> name;
  return Name::FromWire({name.data(), ExpandName(message.octets, record.owner, name)});
}

std::optional<SignatureFields> ReadSignature(const ScannedMessage& message, const RecordEdges& record) {
  const OctetView rdata = RdataOf(message, record);
  if (record.type != rr_type::kRrsig || rdata.size() <= kSignatureFixedOctets) return std::nullopt;
  SignatureFields fields;
  fields.covered = ReadU16(&rdata[0]);
  fields.algorithm = rdata[2];
  fields.labels = rdata[3];
  fields.original_ttl = ReadU32(&rdata[4]);
  fields.expiration = ReadU32(&rdata[8]);
  fields.inception = ReadU32(&rdata[12]);
  fields.key_tag = ReadU16(&rdata[16]);
  // The scan has walked this name, which is never compressed (RFC 4034 §3.1.7).
  std::array<uint8_t, kNameOctetsMax> name;
  const size_t octets = ExpandName(message.octets, static_cast<size_t>(record.rdata) + kSignatureFixedOctets, name);
  if (rdata.size() <= kSignatureFixedOctets + octets) return std::nullopt;
  fields.signer = Name::FromWire({name.data(), octets});
  return fields;
}

std::optional<std::vector<Rrset>> GroupRrsets(const ScannedMessage& message,
                                              const std::function<bool(size_t)>& chosen) {
  std::vector<Rrset> rrsets;
  absl::flat_hash_map<std::string, size_t> places;
  const RecordEdges* last = nullptr;
  size_t last_place = 0;
  for (size_t i = 0; i < message.records.size(); ++i) {
    const RecordEdges& record = message.records[i];
    if (record.type == rr_type::kRrsig || !chosen(i)) continue;
    const bool as_last = last != nullptr && last->type == record.type && last->section == record.section &&
                         SharesOwner(message, *last, record);
    if (!as_last) {
      const auto [place, is_new] = places.try_emplace(KeyOf(message, record, record.type), rrsets.size());
      if (is_new) {
        if (rrsets.size() == DnssecLimits::kRrsetsPerResponseMax) return std::nullopt;
        rrsets.push_back({.owner = OwnerOf(message, record), .type = record.type, .section = record.section});
      }
      last_place = place->second;
    }
    last = &record;
    rrsets[last_place].records.push_back(static_cast<uint16_t>(i));
  }
  for (size_t i = 0; i < message.records.size(); ++i) {
    const RecordEdges& record = message.records[i];
    if (record.type != rr_type::kRrsig || !chosen(i)) continue;
    const auto place = places.find(KeyOf(message, record, CoveredType(message, record)));
    if (place != places.end()) rrsets[place->second].signatures.push_back(static_cast<uint16_t>(i));
  }
  return rrsets;
}

std::optional<Rrset> FindRrset(const ScannedMessage& message, Section section, const Name& owner, uint16_t type) {
  auto rrsets = GroupRrsets(message, [&](size_t i) {
    const RecordEdges& record = message.records[i];
    if (record.section != section || record.klass != message.qclass) return false;
    return (record.type == type || CoveredType(message, record) == type) && OwnerOf(message, record) == owner;
  });
  // One name and one type are one RRset at the most; RRSIG as a type is none.
  if (!rrsets || rrsets->empty()) return std::nullopt;
  return std::move(rrsets->front());
}

}  // namespace dotward
