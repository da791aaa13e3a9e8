#include "upstream/idle_limit.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace dotward {

void IdleLimit::Observed(Duration silence, SteadyTime now) {
  const std::optional<Duration> before = std::exchange(last_close_, silence);
  if (!before || std::max(*before, silence) > 2 * std::min(*before, silence)) return;
  observed_ = std::min(*before, silence);
  observed_at_ = now;
}

void IdleLimit::QuerySent(SteadyTime now) {
  if (last_query_ != SteadyTime::min()) {
    const Duration gap = std::min<Duration>(now - last_query_, Limits::kIdleConnectionMax);
    mean_gap_ = mean_gap_ == Duration::zero() ? gap : mean_gap_ + (gap - mean_gap_) / 8;
  }
  last_query_ = now;
}

std::optional<Duration> IdleLimit::learned(SteadyTime now) const {
  const bool remembered = observed_ && now - observed_at_ < Limits::kIdleLimitMemory;
  if (!remembered) return told_;
  return told_ ? std::min(*told_, *observed_) : *observed_;
}

Duration IdleLimit::Keep(SteadyTime now) const {
  const std::optional<Duration> limit = learned(now);
  if (!limit) return Limits::kIdleConnectionMax;
  if (*limit == Duration::zero()) return *limit;
  return std::clamp<Duration>(*limit * 3 / 4, Limits::kIdleConnectionMin, Limits::kIdleConnectionMax);
}

bool IdleLimit::WorthKeepingWarm(SteadyTime now) const {
  const std::optional<Duration> limit = learned(now);
  if (!limit || *limit < Limits::kIdleLimitWorthWarming || mean_gap_ == Duration::zero()) return false;
  return mean_gap_ <= *limit * Limits::kWarmQuestionsMax && now - last_query_ <= *limit * Limits::kWarmQuestionsMax;
}

}  // namespace dotward
