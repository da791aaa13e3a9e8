#ifndef DOTWARD_CACHE_NAME_HASH_H_
#define DOTWARD_CACHE_NAME_HASH_H_

#include <cstdint>

#include "dns/types.h"

namespace dotward {

// A hash of domain names that does not see the case of ASCII letters (RFC 4343) and that nobody can aim without the
// key: SipHash-1-3, since clients choose the names, and whoever could fill one bucket at will could slow every lookup.
class NameHasher {
 public:
  // Spreads `seed` over the two halves of the key. The seed must be random, per process.
  explicit NameHasher(uint64_t seed);
  NameHasher(uint64_t key_low, uint64_t key_high) : key_low_(key_low), key_high_(key_high) {}

  // `name` is in wire form, of any length. Lowers eight octets at a time, so there is no lowered copy of it.
  uint64_t operator()(OctetView name) const;

 private:
  uint64_t key_low_;
  uint64_t key_high_;
};

}  // namespace dotward

#endif  // DOTWARD_CACHE_NAME_HASH_H_
