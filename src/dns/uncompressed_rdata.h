#ifndef DOTWARD_DNS_UNCOMPRESSED_RDATA_H_
#define DOTWARD_DNS_UNCOMPRESSED_RDATA_H_

#include "dns/scan.h"
#include "dns/types.h"
#include "dns/wire.h"

namespace dotward {

// A record's RDATA with its names in full, so that it means the same in another message (RFC 3597 §4). Of a message
// that the scan has found right.
void WriteUncompressedRdata(const ScannedMessage& message, const RecordEdges& record, WireWriter& writer);
Octets UncompressedRdata(const ScannedMessage& message, const RecordEdges& record);

}  // namespace dotward

#endif  // DOTWARD_DNS_UNCOMPRESSED_RDATA_H_
