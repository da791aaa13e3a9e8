#ifndef DOTWARD_DNSSEC_RECORD_READER_H_
#define DOTWARD_DNSSEC_RECORD_READER_H_

#include <span>

#include "dns/scan.h"
#include "dnssec/ldns_types.h"

namespace dotward {

// For the sources of this folder alone.

// ldns's model of one record; null where it reads other octets than the scan did.
LdnsRr ReadRecord(const ScannedMessage& message, const RecordEdges& record);
// The records of an RRset in canonical form and order, each once (RFC 4034 §6.2, §6.3); null where one cannot be read.
LdnsRrList ReadRrset(const ScannedMessage& message, std::span<const uint16_t> places);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RECORD_READER_H_
