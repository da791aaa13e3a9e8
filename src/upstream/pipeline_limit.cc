#include "upstream/pipeline_limit.h"

#include <algorithm>

#include "base/limits.h"

namespace dotward {

void PipelineLimit::Cut(size_t answered, SteadyTime now) {
  if (answered > Limits::kFewAnswers) return Served(answered);
  if (last_cut_ != SteadyTime::min() && now - last_cut_ > kCutsTogether) {
    few_in_a_row_ = 0;
    fewest_ = kAny;
  }
  last_cut_ = now;
  ++few_in_a_row_;
  if (answered != 0) fewest_ = std::min(fewest_, answered);
  if (few_in_a_row_ < 2 || fewest_ == kAny) return;
  const bool believed = now < until_;
  queries_ = fewest_;
  until_ = now + std::chrono::duration_cast<SteadyTime::duration>(memory_);
  if (!believed) memory_ = std::min<Duration>(2 * memory_, Limits::kPipelineLimitMemory);
}

void PipelineLimit::Served(size_t answered) {
  if (answered <= Limits::kFewAnswers) return;
  few_in_a_row_ = 0;
  fewest_ = kAny;
  memory_ = kFirstMemory;
}

}  // namespace dotward
