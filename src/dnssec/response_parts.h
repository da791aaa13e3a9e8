#ifndef DOTWARD_DNSSEC_RESPONSE_PARTS_H_
#define DOTWARD_DNSSEC_RESPONSE_PARTS_H_

#include <absl/container/inlined_vector.h>

#include <optional>
#include <vector>

#include "dns/classify.h"
#include "dns/name.h"
#include "dnssec/rrset.h"
#include "dnssec/zone_status.h"
#include "dotward/message.h"

namespace dotward {

// NSEC or NSEC3.
inline bool IsDenialRecord(uint16_t type) { return type == rr_type::kNsec || type == rr_type::kNsec3; }

// One RRset that belongs to an answer, and whose word it is.
struct ResponsePart {
  Rrset rrset;
  // Zones that, by its signatures' word, may have signed it; each once, at most DnssecLimits::kSignersPerRrsetMax.
  absl::InlinedVector<Name, 1> signers;
  // Of a CNAME that follows from a DNAME of the answer (RFC 6672 §5.3.1), that one's place among the parts: it is what
  // the DNAME is.
  std::optional<size_t> follows_from;
  // Filled by whoever walks the chains: the zone whose keys must have signed it or, where that is not secure, why it
  // need not be signed.
  ZonePtr zone;

  // The name whose zone it belongs to where no signature tells: a DS belongs to the zone above its owner.
  Name zone_name() const;
};

// What of a response belongs to its answer, and so must be judged (RFC 4035 §3.2.3): everything that a reply to a
// client would be made of.
struct ResponseParts {
  Classification classification;
  std::vector<ResponsePart> parts;
  bool too_many = false;  // RRsets; there are no parts then
  Name last_name;         // behind all aliases: the name that the outcome is about
  // Filled like ResponsePart::zone: where the denied name is, if no part of the denial is signed.
  ZonePtr denial_zone;
  // And how long the name of a zone has to be, in octets, for its proofs to count: above a trust anchor's nobody speaks
  // about names below it.
  size_t denier_octets_min = 1;
  // Or nobody at all has to: it is below a negative trust anchor.
  bool denial_passes = false;

  // The name whose zone denies: a DS is denied by the zone above.
  Name denied_in(uint16_t qtype) const { return qtype == rr_type::kDs ? last_name.Parent() : last_name; }

  bool is_denial() const {
    return classification.kind == ResponseKind::kNxDomain || classification.kind == ResponseKind::kNoData;
  }
};

// Linear in the records. The parts borrow nothing.
ResponseParts DissectResponse(const Message& response);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RESPONSE_PARTS_H_
