#ifndef DOTWARD_BASE_DEADLINE_H_
#define DOTWARD_BASE_DEADLINE_H_

#include <algorithm>
#include <compare>

#include "dotward/clock.h"

namespace dotward {

// The moment after which nobody waits for an answer any more. Made once, at the edge, and passed down: a hop may give
// up earlier, never later.
class Deadline {
 public:
  constexpr explicit Deadline(SteadyTime at) : at_(at) {}
  static constexpr Deadline After(SteadyTime now, Duration patience) {
    return Deadline(now + std::chrono::duration_cast<SteadyTime::duration>(patience));
  }

  constexpr SteadyTime at() const { return at_; }
  constexpr bool ExpiredAt(SteadyTime now) const { return now >= at_; }
  // What is left at `now`, never negative.
  constexpr Duration RemainingAt(SteadyTime now) const { return std::max(Duration::zero(), Duration(at_ - now)); }

  // This deadline, or `now + patience` where that is sooner.
  constexpr Deadline Within(SteadyTime now, Duration patience) const {
    return Deadline(std::min(at_, After(now, patience).at_));
  }

  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  SteadyTime at_;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_DEADLINE_H_
