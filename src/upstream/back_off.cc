#include "upstream/back_off.h"

#include <algorithm>

#include "base/limits.h"

namespace dotward {
namespace {

Duration Jittered(Duration longest, uint16_t random) { return longest / 2 + (longest / 2) * random / 65'536; }

}  // namespace

void BackOff::Failed(Failure failure, SteadyTime started, SteadyTime now, uint16_t random) {
  if (failures_ < 1'000'000) ++failures_;
  failed_at_ = now;
  const unsigned doublings = std::min(failures_ - 1, 16U);
  const Duration grown = Limits::kBackOffMin * (1U << doublings);
  urgent_interval_ = Jittered(std::min<Duration>(grown, Limits::kBackOffUrgentMax), random);
  if (failure == Failure::kConnection && failures_ == 1) {
    retry_at_ = urgent_at_ = now;
    return;
  }
  retry_at_ = std::max(now, started + Jittered(std::min<Duration>(grown, Limits::kBackOffMax), random));
  urgent_at_ = std::max(now, started + urgent_interval_);
}

}  // namespace dotward
