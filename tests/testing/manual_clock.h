#ifndef DOTWARD_TESTING_MANUAL_CLOCK_H_
#define DOTWARD_TESTING_MANUAL_CLOCK_H_

#include "dotward/clock.h"

namespace dotward {

// Time that passes only when a test says so.
class ManualClock final : public Clock {
 public:
  SteadyTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_; }
  void Advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

 private:
  SteadyTime now_{std::chrono::hours(24)};
  WallTime wall_{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_MANUAL_CLOCK_H_
