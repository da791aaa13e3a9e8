#ifndef DOTWARD_RESOLVER_RESOLVER_LIMITS_H_
#define DOTWARD_RESOLVER_RESOLVER_LIMITS_H_

#include <chrono>
#include <cstddef>

namespace dotward {

// What bounds the memory of the forwarding loop, besides what base/limits.h says of its exchanges and waits.
struct ResolverLimits {
  // Questions whose failure is remembered: typically half a KiB each. The one that failed longest ago goes first.
  static constexpr size_t kFailuresMax = 8'192;
  // RFC 9520 §3.2: failures in a row are remembered longer and longer, and never longer than this.
  static constexpr std::chrono::minutes kFailureTtlMax{5};
  // So long after it may be asked again a question's failures are forgotten: the next one is the first of a row.
  static constexpr std::chrono::minutes kFailureRowEnds{5};
  // Failures whose row has ended that are cleared away whenever another is remembered.
  static constexpr size_t kFailuresClearedAtOnce = 2;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLVER_LIMITS_H_
