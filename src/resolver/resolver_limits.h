#ifndef DOTWARD_RESOLVER_RESOLVER_LIMITS_H_
#define DOTWARD_RESOLVER_RESOLVER_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dotward {

// What bounds the forwarding loop's memory and work, besides what base/limits.h says of its exchanges and waits.
struct ResolverLimits {
  // Questions whose failure is remembered: typically half a KiB each. The one that failed longest ago goes first.
  static constexpr size_t kFailuresMax = 8'192;
  // RFC 9520 §3.2: failures in a row are remembered longer and longer, and never longer than this.
  static constexpr std::chrono::minutes kFailureTtlMax{5};
  // So long after it may be asked again a question's failures are forgotten: the next one is the first of a row.
  static constexpr std::chrono::minutes kFailureRowEnds{5};
  // Failures whose row has ended that are cleared away whenever another is remembered.
  static constexpr size_t kFailuresClearedAtOnce = 2;

  // What is found out waits so long for more, for a worker that it is given to together.
  static constexpr std::chrono::microseconds kCompletionWait{1'000};

  // RFC 8767 §5: a question that failed and has a stale answer is not asked again before.
  static constexpr std::chrono::seconds kStaleRecheck{30};

  // Answers that are fetched anew before they expire, at a time; and the exchanges under way from which on none is: an
  // eighth of what there may be, so that it is never at the cost of a client's question.
  static constexpr size_t kRefreshesMax = 64;
  static constexpr size_t kRefreshExchangesMax = 2'000;

  // What a client may have of large answers beyond the usual (ExchangeTrace), in octets, at once and in a second; and
  // the time between looks at whose turn has come. A message of 64 KiB can keep the loop for half a millisecond.
  static constexpr int64_t kLargeAnswersAtOnce = 512 * 1024;
  static constexpr int64_t kLargeAnswersPerSecond = 4 * 1024 * 1024;
  static constexpr std::chrono::milliseconds kLargeAnswerTurn{2};

  // Names above the one asked for that are looked up, for one of them may be denied. Names in use have half as many
  // labels; one of 127 must not cost 126 look-ups.
  static constexpr size_t kCutAncestorsMax = 16;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLVER_LIMITS_H_
