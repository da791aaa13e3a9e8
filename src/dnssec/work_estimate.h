#ifndef DOTWARD_DNSSEC_WORK_ESTIMATE_H_
#define DOTWARD_DNSSEC_WORK_ESTIMATE_H_

#include "dns/name.h"
#include "dnssec/response_parts.h"
#include "dnssec/zone_keys.h"

namespace dotward {

// What judging something will cost, roughly, in microseconds: whoever holds up a loop has to know beforehand. Each
// takes time linear in the records, and little of it.

// To read and sort an RRset, before its first signature is checked; and to write and hash it as it was signed, for
// each.
inline unsigned ReadingMicroseconds(size_t records) { return 15 + static_cast<unsigned>(records) * 3; }
inline unsigned WritingMicroseconds(size_t octets) { return static_cast<unsigned>(octets / 250); }

// An answer whose parts have their zones (JudgeResponse).
unsigned EstimateMicroseconds(const ScannedMessage& response, const ResponseParts& dissected);
// The answer to a DS query about `name`, with the keys of a zone above it (JudgeLink).
unsigned EstimateLinkMicroseconds(const ScannedMessage& response, const Name& name, const ZoneKeys& keys);
// The answer to a DNSKEY query about `zone` (JudgeDnskeys).
unsigned EstimateDnskeysMicroseconds(const ScannedMessage& response, const Name& zone);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_WORK_ESTIMATE_H_
