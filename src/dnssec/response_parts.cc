#include "dnssec/response_parts.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/limits.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"

namespace dotward {
namespace {

// The one name that a CNAME or DNAME points to.
Name TargetOf(const ScannedMessage& scan, const Rrset& alias) {
  std::array<uint8_t, kNameOctetsMax> name;
  const size_t octets = ExpandName(scan.octets, scan.records[alias.records.front()].rdata, name);
  return Name::FromWire({name.data(), octets});
}

// RFC 6672 §2.2: the owner with the DNAME's target in place of the DNAME's owner.
bool FollowsFrom(const ScannedMessage& scan, const Rrset& cname, const Rrset& dname) {
  if (!IsBelow(cname.owner, dname.owner)) return false;
  const OctetView owner = cname.owner.wire();
  const Name target = TargetOf(scan, dname);
  const size_t prefix = owner.size() - dname.owner.wire().size();
  if (prefix + target.wire().size() > kNameOctetsMax) return false;
  Octets expected(owner.begin(), owner.begin() + static_cast<std::ptrdiff_t>(prefix));
  expected.insert(expected.end(), target.wire().begin(), target.wire().end());
  return EqualIgnoringCase(expected, TargetOf(scan, cname).wire());
}

void ReadSigners(const ScannedMessage& scan, ResponsePart& part) {
  for (const uint16_t place : part.rrset.signatures) {
    if (part.signers.size() == DnssecLimits::kSignersPerRrsetMax) return;
    const auto fields = ReadSignature(scan, scan.records[place]);
    if (!fields || !part.zone_name().IsAtOrBelow(fields->signer)) continue;
    if (std::ranges::find(part.signers, fields->signer) == part.signers.end()) part.signers.push_back(fields->signer);
  }
}

const ResponsePart* FindAlias(const std::vector<ResponsePart>& parts, const Name& name) {
  const auto found = std::ranges::find_if(parts, [&](const ResponsePart& part) {
    return part.rrset.type == rr_type::kCname && part.rrset.section == Section::kAnswer && part.rrset.owner == name;
  });
  return found == parts.end() ? nullptr : &*found;
}

Name LastName(const ScannedMessage& scan, const std::vector<ResponsePart>& parts) {
  Name name = Name::FromWire(scan.qname);
  if (scan.qtype == rr_type::kCname || scan.qtype == rr_type::kAny) return name;
  for (size_t links = 0; links <= Limits::kAliasLinksMax; ++links) {
    const ResponsePart* alias = FindAlias(parts, name);
    if (alias == nullptr) break;
    name = TargetOf(scan, alias->rrset);
  }
  return name;
}

}  // namespace

Name ResponsePart::zone_name() const { return rrset.type == rr_type::kDs ? rrset.owner.Parent() : rrset.owner; }

ResponseParts DissectResponse(const Message& response) {
  const ScannedMessage& scan = response.scan();
  ResponseParts dissected;
  dissected.classification = ClassifyResponse(response, {.max_ttl = UINT32_MAX, .max_negative_ttl = UINT32_MAX});
  if (!dissected.classification.usable()) return dissected;
  auto rrsets = GroupRrsets(scan, [&](size_t i) { return dissected.classification.records[i].keep; });
  if (!rrsets) {
    dissected.too_many = true;
    return dissected;
  }
  for (Rrset& rrset : *rrsets) {
    ResponsePart& part = dissected.parts.emplace_back();
    part.rrset = std::move(rrset);
    ReadSigners(scan, part);
  }
  for (ResponsePart& part : dissected.parts) {
    if (part.rrset.type != rr_type::kCname || !part.rrset.signatures.empty() || part.rrset.records.size() != 1)
      continue;
    const auto dname = std::ranges::find_if(dissected.parts, [&](const ResponsePart& other) {
      return other.rrset.type == rr_type::kDname && other.rrset.section == Section::kAnswer &&
             FollowsFrom(scan, part.rrset, other.rrset);
    });
    if (dname != dissected.parts.end()) part.follows_from = static_cast<size_t>(dname - dissected.parts.begin());
  }
  dissected.last_name = LastName(scan, dissected.parts);
  return dissected;
}

}  // namespace dotward
