#ifndef DOTWARD_DNSSEC_CHAIN_LINK_H_
#define DOTWARD_DNSSEC_CHAIN_LINK_H_

#include <cstdint>
#include <optional>

#include "dnssec/delegation.h"
#include "dnssec/verdict.h"
#include "dnssec/work_budget.h"
#include "dnssec/zone_keys.h"
#include "dotward/clock.h"

namespace dotward {

// What the zone above says about a name: whether another zone begins there, and with which keys.
struct LinkFinding {
  enum class Kind : uint8_t {
    kSigned,        // a zone with DS
    kUnsigned,      // a zone without, or so it may be
    kNone,          // no zone begins there
    kNothingBelow,  // nor below: the name does not exist
  };
  Verdict verdict;  // bogus: nothing else counts. Of kUnsigned, insecure
  Kind kind = Kind::kNone;
  DelegationSigners signers;
  uint32_t ttl = 0;
};

// The zone, strictly above `name`, that signed what answers a DS query about it; by its word alone. nullopt where
// nothing of that kind is signed.
std::optional<Name> LinkSigner(const ScannedMessage& message, const Name& name);

// Judges the answer to a DS query about `name` with the keys of a zone above it (RFC 4035 §5.2, RFC 6840 §4.4).
LinkFinding JudgeLink(const ScannedMessage& message, const Name& name, const ZoneKeys& keys, WallTime now,
                      WorkBudget& budget);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHAIN_LINK_H_
