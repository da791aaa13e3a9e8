#include "upstream/back_off.h"

#include <algorithm>

#include "base/limits.h"

namespace dotward {

void BackOff::Failed(Failure failure, SteadyTime now, uint16_t random) {
  if (failures_ < 1'000'000) ++failures_;
  if (failure == Failure::kConnection && failures_ == 1) {
    retry_at_ = now;
    return;
  }
  const unsigned doublings = std::min(failures_ - 1, 10U);
  const Duration longest = std::min<Duration>(Limits::kBackOffMin * (1U << doublings), Limits::kBackOffMax);
  retry_at_ = now + longest / 2 + (longest / 2) * random / 65'536;
}

}  // namespace dotward
