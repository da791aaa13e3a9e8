#include "upstream/latency_estimator.h"

#include <algorithm>
#include <bit>

namespace dotward {

void LatencyEstimator::Add(Duration latency) {
  latency = std::max(latency, Duration(1));
  smoothed_ = smoothed_ == Duration::zero() ? latency : smoothed_ + (latency - smoothed_) / 8;
  ++buckets_[BucketOf(latency)];
  if (++samples_ >= kSamplesMax) Halve();
  if (++since_update_ < kSamplesPerUpdate && (samples_ != kSamplesMin || usual_slowest_ != Duration::zero())) return;
  since_update_ = 0;
  if (samples_ >= kSamplesMin) usual_slowest_ = Quantile(0.95);
}

Duration LatencyEstimator::Quantile(double share) const {
  if (samples_ == 0) return Duration::zero();
  const auto wanted = std::max<uint32_t>(1, static_cast<uint32_t>(share * samples_ + 0.999));
  uint32_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return UpperEdge(bucket);
  }
  return UpperEdge(kBuckets - 1);
}

// The octave is the position of the highest bit, the quarter the two bits below it.
size_t LatencyEstimator::BucketOf(Duration latency) {
  const auto units = static_cast<uint64_t>(latency * 4 / kFirstBucket);  // quarters of the first bucket
  if (units < 4) return 0;
  const auto octave = static_cast<size_t>(std::bit_width(units)) - 3;
  const auto quarter = static_cast<size_t>(units >> octave) & 3U;
  return std::min(octave * 4 + quarter, kBuckets - 1);
}

Duration LatencyEstimator::UpperEdge(size_t bucket) {
  const auto quarters = static_cast<int64_t>(bucket % 4) + 5;
  return kFirstBucket * (quarters << (bucket / 4)) / 4;
}

void LatencyEstimator::Halve() {
  samples_ = 0;
  for (uint16_t& bucket : buckets_) {
    bucket /= 2;
    samples_ += bucket;
  }
}

}  // namespace dotward
