#ifndef DOTWARD_DNSSEC_DELEGATION_H_
#define DOTWARD_DNSSEC_DELEGATION_H_

#include <cstdint>
#include <vector>

#include "dns/types.h"

namespace dotward {

// What a DS record says of a zone's key (RFC 4034 §5). Trust anchors are kept in this form too.
struct DelegationSigner {
  uint16_t key_tag = 0;
  uint8_t algorithm = 0;
  uint8_t digest_type = 0;
  Octets digest;

  friend bool operator==(const DelegationSigner&, const DelegationSigner&) = default;
};
using DelegationSigners = std::vector<DelegationSigner>;

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_DELEGATION_H_
