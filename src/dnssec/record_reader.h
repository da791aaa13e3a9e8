#ifndef DOTWARD_DNSSEC_RECORD_READER_H_
#define DOTWARD_DNSSEC_RECORD_READER_H_

#include <span>

#include "dns/scan.h"
#include "dnssec/ldns_types.h"
#include "dnssec/rrset.h"

namespace dotward {

// For the sources of this folder alone.

// ldns's model of one record; null where it reads other octets than the scan did.
LdnsRr ReadRecord(const ScannedMessage& message, const RecordEdges& record);
// The records of an RRset in canonical form and order, each once (RFC 4034 §6.2, §6.3); null where one cannot be read.
LdnsRrList ReadRrset(const ScannedMessage& message, std::span<const uint16_t> places);
// What a signature was made of (RFC 4034 §3.1.8.1): the RRSIG's RDATA but for the signature, and the RRset, of which
// owner and TTL are changed to what was signed. `signature` in canonical form. Null where ldns cannot write it.
LdnsBuffer SignedOctets(const ldns_rr& signature, const SignatureFields& fields, const Name& owner,
                        ldns_rr_list& rrset);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RECORD_READER_H_
