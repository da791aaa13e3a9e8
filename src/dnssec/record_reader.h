#ifndef DOTWARD_DNSSEC_RECORD_READER_H_
#define DOTWARD_DNSSEC_RECORD_READER_H_

#include <optional>
#include <vector>

#include "dns/scan.h"
#include "dnssec/ldns_types.h"
#include "dnssec/rrset.h"

namespace dotward {

// For the sources of this folder alone.

// ldns's model of one record; null where it reads other octets than the scan did.
LdnsRr ReadRecord(const ScannedMessage& message, const RecordEdges& record);
// The RDATA of an RRset's records in canonical form and order, each once (RFC 4034 §6.2, §6.3); nullopt where one
// cannot be read.
using CanonicalRdata = std::vector<Octets>;
std::optional<CanonicalRdata> ReadCanonicalRdata(const ScannedMessage& message, const Rrset& rrset);

// What a signature was made of (RFC 4034 §3.1.8.1): the RRSIG's RDATA but for the signature, and the RRset with the
// owner and the TTL that were signed. `signature` is in canonical form, and its labels are no more than the owner's.
// Null where ldns cannot write it.
LdnsBuffer SignedOctets(const ldns_rr& signature, const SignatureFields& fields, const Rrset& rrset, uint16_t klass,
                        const CanonicalRdata& rdata);
// About how many octets that is.
size_t SignedSize(const ScannedMessage& message, const Rrset& rrset);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RECORD_READER_H_
