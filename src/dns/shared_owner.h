#ifndef DOTWARD_DNS_SHARED_OWNER_H_
#define DOTWARD_DNS_SHARED_OWNER_H_

#include "dns/scan.h"
#include "dns/wire.h"

namespace dotward {

// Whether the owners of two records are the same compression pointer (RFC 1035 §4.1.4), as those of one RRset mostly
// are: the names are the same then, and need not be read. Where not, the names may be the same all the same.
inline bool SharesOwner(const ScannedMessage& message, const RecordEdges& a, const RecordEdges& b) {
  constexpr uint8_t kPointer = 0xC0;
  return message.octets[a.owner] >= kPointer && ReadU16(&message.octets[a.owner]) == ReadU16(&message.octets[b.owner]);
}

}  // namespace dotward

#endif  // DOTWARD_DNS_SHARED_OWNER_H_
