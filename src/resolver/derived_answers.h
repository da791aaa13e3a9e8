#ifndef DOTWARD_RESOLVER_DERIVED_ANSWERS_H_
#define DOTWARD_RESOLVER_DERIVED_ANSWERS_H_

#include "dns/response_image.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"

namespace dotward {

// What the cache can answer of a question that it has no entry for. Both look into the cache without counting a hit or
// a miss; null where there is nothing. Thread-safe.

// What was fetched with DO, without signatures and proofs, for a question without DO (RFC 4035 §3.2.1). Stored under
// the question as well, with the times that it has.
ImagePtr WithoutDnssec(ResponseCache& cache, const CacheKey& question, SteadyTime now);

// The denial of a name that the question's is below: where that does not exist, neither does this (RFC 8020 §2). Only a
// denial that was validated denies more than its own name, and none does for who wants no validation. Looks at no more
// than ResolverLimits::kCutAncestorsMax names, those at or below the zone that the question's route is for, whose name
// has `zone_octets` octets: what another route answers says nothing here.
ImagePtr DeniedByCut(ResponseCache& cache, const CacheKey& question, size_t zone_octets, SteadyTime now);

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_DERIVED_ANSWERS_H_
