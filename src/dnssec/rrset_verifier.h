#ifndef DOTWARD_DNSSEC_RRSET_VERIFIER_H_
#define DOTWARD_DNSSEC_RRSET_VERIFIER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "dnssec/rrset.h"
#include "dnssec/verdict.h"
#include "dnssec/work_budget.h"
#include "dnssec/zone_keys.h"
#include "dotward/clock.h"
#include "dotward/message.h"

namespace dotward {

// What was found about one RRset.
struct RrsetFinding {
  Verdict verdict;
  // Of a secure one: seconds that it may be used for at the most, by the original TTL and the end of the signature.
  uint32_t ttl_max = 0;
  // Labels of the name that was signed, where that is a wildcard from which the owner was made: whoever uses the RRset
  // needs a proof that nothing closer to the owner exists (RFC 4035 §5.3.4).
  std::optional<uint8_t> wildcard_labels;
  uint16_t key_tag = 0;
  uint8_t algorithm = 0;
  uint32_t inception = 0;   // of the signature, as it says
  uint32_t expiration = 0;  // the same
};

// False for types of which there is one at a zone's or a name's own place: expanded from a wildcard they say nothing.
// What a DNAME would be is left open (RFC 4592 §4.4).
bool MayComeFromWildcard(uint16_t type);

// Verifies an RRset by RFC 4035 §5.3 with the keys of one zone; signatures of other zones count for nothing. `keys` are
// those that the caller believes. Never kInsecure.
RrsetFinding VerifyRrset(const ScannedMessage& message, const Rrset& rrset, const ZoneKeys& keys, WallTime now,
                         WorkBudget& budget);

// What was found about a zone's keys.
struct KeysFinding {
  Verdict verdict;
  std::shared_ptr<const ZoneKeys> keys;  // of a secure zone
  uint32_t ttl_max = 0;
  uint16_t key_tag = 0;  // of the key that vouches for the others
  uint8_t algorithm = 0;
  uint32_t inception = 0;   // of its signature, as it says
  uint32_t expiration = 0;  // the same
};

// Judges the answer to a DNSKEY query by the DS records (or trust anchors) of the zone, which the caller believes
// (RFC 4035 §5.2). Insecure where none of them can be used.
KeysFinding JudgeDnskeys(const ScannedMessage& message, const Name& zone, const DelegationSigners& signers,
                         WallTime now, WorkBudget& budget);
// kInsecure where none of the DS records has a digest and an algorithm that are supported (RFC 4035 §5.2, RFC 6840
// §5.2), else kSecure.
Verdict JudgeSigners(const Name& zone, const DelegationSigners& signers);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RRSET_VERIFIER_H_
