#ifndef DOTWARD_DNSSEC_RRSET_H_
#define DOTWARD_DNSSEC_RRSET_H_

#include <absl/container/inlined_vector.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dns/name.h"
#include "dns/scan.h"
#include "dns/types.h"

namespace dotward {

// The records of a message that are signed as one (RFC 2181 §5), by their places in the scan.
struct Rrset {
  Name owner;
  uint16_t type = 0;
  Section section = Section::kAnswer;
  absl::InlinedVector<uint16_t, 4> records;     // never empty
  absl::InlinedVector<uint16_t, 2> signatures;  // RRSIG records that cover them

  std::string ToString() const;  // "A www.example."
};

// What an RRSIG says (RFC 4034 §3.1). Times are seconds since 1970, modulo 2^32.
struct SignatureFields {
  uint16_t covered = 0;
  uint8_t algorithm = 0;
  uint8_t labels = 0;
  uint32_t original_ttl = 0;
  uint32_t expiration = 0;
  uint32_t inception = 0;
  uint16_t key_tag = 0;
  Name signer;
};
// nullopt where the RDATA is too short to be one, or ends without a signature.
std::optional<SignatureFields> ReadSignature(const ScannedMessage& message, const RecordEdges& record);

inline OctetView RdataOf(const ScannedMessage& message, const RecordEdges& record) {
  return message.octets.subspan(record.rdata, static_cast<size_t>(record.end - record.rdata));
}
Name OwnerOf(const ScannedMessage& message, const RecordEdges& record);

// The RRsets of the records that `chosen` names by place; signatures that cover none of them are left out. nullopt
// where they are more than DnssecLimits::kRrsetsPerResponseMax. Linear in the records.
std::optional<std::vector<Rrset>> GroupRrsets(const ScannedMessage& message, const std::function<bool(size_t)>& chosen);
// The RRset of that name and type in a section; nullopt where there is none.
std::optional<Rrset> FindRrset(const ScannedMessage& message, Section section, const Name& owner, uint16_t type);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RRSET_H_
