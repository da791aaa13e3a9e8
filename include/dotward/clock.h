#ifndef DOTWARD_CLOCK_H_
#define DOTWARD_CLOCK_H_

#include <chrono>

namespace dotward {

// Monotonic time: every deadline, age and expiry. A wall clock that is set back must not revive or kill an answer.
using SteadyTime = std::chrono::steady_clock::time_point;
// Civil time: logs and certificate checks only.
using WallTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

// Where time comes from. Functions take `now` as an argument; a Clock is read once a batch, at the edges.
// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  SteadyTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
};

}  // namespace dotward

#endif  // DOTWARD_CLOCK_H_
