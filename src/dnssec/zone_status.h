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
};
using ZonePtr = std::shared_ptr<const ZoneStatus>;

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ZONE_STATUS_H_
