#include "upstream/pipeline_limit.h"

#include <algorithm>

#include "base/limits.h"

namespace dotward {

void PipelineLimit::Cut(size_t answered, SteadyTime now) {
  if (answered > Limits::kFewAnswers) return Served(answered);
  ++few_in_a_row_;
  if (answered != 0) fewest_ = std::min(fewest_, answered);
  if (few_in_a_row_ < 2 || fewest_ == kAny) return;
  queries_ = fewest_;
  until_ = now + Limits::kPipelineLimitMemory;
}

void PipelineLimit::Served(size_t answered) {
  if (answered <= Limits::kFewAnswers) return;
  few_in_a_row_ = 0;
  fewest_ = kAny;
}

}  // namespace dotward
