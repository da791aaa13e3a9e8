#ifndef DOTWARD_BASE_DURATION_HISTOGRAM_H_
#define DOTWARD_BASE_DURATION_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"
#include "dotward/clock.h"

namespace dotward {

// How many durations lay up to each of these bounds, and their sum: from a hit that took microseconds to the deadline
// of a query. With Counter it has one writer and any number of readers, who may see an addition by half; with uint64_t
// it is a sum that somebody has read.
template <typename Count>
struct DurationHistogramOf {
  static constexpr auto kBounds = std::to_array<Duration>({
      std::chrono::microseconds(25),
      std::chrono::microseconds(100),
      std::chrono::microseconds(250),
      std::chrono::milliseconds(1),
      std::chrono::microseconds(2500),
      std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),
      std::chrono::milliseconds(25),
      std::chrono::milliseconds(50),
      std::chrono::milliseconds(100),
      std::chrono::milliseconds(250),
      std::chrono::milliseconds(500),
      std::chrono::milliseconds(1000),
      std::chrono::milliseconds(2500),
      std::chrono::milliseconds(5000),
  });

  std::array<Count, kBounds.size() + 1> counts{};  // not cumulative; the last is of those above every bound
  Count sum_nanoseconds{};

  // Of those that were added; exact, since it is made of the counts.
  uint64_t count() const requires std::same_as<Count, uint64_t> {
    uint64_t sum = 0;
    for (const uint64_t of_bound : counts) sum += of_bound;
    return sum;
  }
  uint64_t count_up_to(size_t bound) const requires std::same_as<Count, uint64_t> {
    uint64_t sum = 0;
    for (size_t i = 0; i <= bound; ++i) sum += counts[i];
    return sum;
  }

  void Add(Duration duration) requires std::same_as<Count, Counter> {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), duration);
    counts[static_cast<size_t>(bound - kBounds.begin())].Add();
    sum_nanoseconds.Add(static_cast<uint64_t>(std::max<int64_t>(0, duration.count())));
  }
};

using DurationHistogram = DurationHistogramOf<Counter>;
using DurationTotals = DurationHistogramOf<uint64_t>;

inline void AddTo(DurationTotals& total, const DurationHistogram& part) {
  for (size_t i = 0; i < part.counts.size(); ++i) total.counts[i] += part.counts[i].value();
  total.sum_nanoseconds += part.sum_nanoseconds.value();
}

inline void AddTo(DurationTotals& total, const DurationTotals& part) {
  for (size_t i = 0; i < part.counts.size(); ++i) total.counts[i] += part.counts[i];
  total.sum_nanoseconds += part.sum_nanoseconds;
}

}  // namespace dotward

#endif  // DOTWARD_BASE_DURATION_HISTOGRAM_H_
