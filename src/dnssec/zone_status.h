#ifndef DOTWARD_DNSSEC_ZONE_STATUS_H_
#define DOTWARD_DNSSEC_ZONE_STATUS_H_

#include <memory>

#include "dns/name.h"
#include "dnssec/verdict.h"
#include "dnssec/zone_keys.h"

namespace dotward {

// What a chain of trust has come to: a zone with its keys, or where and why the chain ends. Immutable.
struct ZoneStatus {
  Name zone;  // its apex; of what is not secure, the name from which on it is so
  Verdict verdict;
  std::shared_ptr<const ZoneKeys> keys;  // of a secure zone
  // Of a secure zone: the key that vouches for the others, and the time in which its signature is good.
  uint16_t key_tag = 0;
  uint8_t algorithm = 0;
  uint32_t inception = 0;   // seconds since 1970, modulo 2^32 (RFC 4034 §3.1.5)
  uint32_t expiration = 0;  // the same
};
using ZonePtr = std::shared_ptr<const ZoneStatus>;

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ZONE_STATUS_H_
