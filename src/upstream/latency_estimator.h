#ifndef DOTWARD_UPSTREAM_LATENCY_ESTIMATOR_H_
#define DOTWARD_UPSTREAM_LATENCY_ESTIMATOR_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "dotward/clock.h"

namespace dotward {

// How long one server takes to answer: a smoothed mean, and quantiles over about the last thousand answers. Bounded
// memory, constant time. Not thread-safe.
class LatencyEstimator {
 public:
  void Add(Duration latency);

  // The exponentially weighted mean with a weight of one eighth (as RFC 6298 §2 has it); zero before the first answer.
  Duration smoothed() const { return smoothed_; }
  // An upper bound of the quantile, at most a quarter above it between 64 µs and 16 s; zero before the first answer.
  // `share` is within 0 and 1.
  Duration Quantile(double share) const;
  // Quantile(0.95), at most a few dozen answers old: for every query's use. Zero until there are kSamplesMin answers,
  // since the slowest of a handful says nothing.
  Duration usual_slowest() const { return usual_slowest_; }

  static constexpr size_t kSamplesMin = 16;

 private:
  // Four buckets an octave from kFirstBucket on: 64 µs to 17 s.
  static constexpr size_t kBuckets = 72;
  static constexpr Duration kFirstBucket = std::chrono::microseconds(64);
  // When so many are counted, every bucket is halved: what is old loses its weight.
  static constexpr uint32_t kSamplesMax = 1024;
  static constexpr uint32_t kSamplesPerUpdate = 32;

  static size_t BucketOf(Duration latency);
  static Duration UpperEdge(size_t bucket);
  void Halve();

  Duration smoothed_{0};
  Duration usual_slowest_{0};
  std::array<uint16_t, kBuckets> buckets_{};
  uint32_t samples_ = 0;
  uint32_t since_update_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_LATENCY_ESTIMATOR_H_
