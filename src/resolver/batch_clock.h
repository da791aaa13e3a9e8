#ifndef DOTWARD_RESOLVER_BATCH_CLOCK_H_
#define DOTWARD_RESOLVER_BATCH_CLOCK_H_

#include "dotward/clock.h"

namespace dotward {

// What time it is when one of many replies is made at once. Reading the clock costs a fiftieth of a hit, so the replies
// to one batch of queries share a reading, eight of them each: that is off by less than ten microseconds, as a rule.
class BatchClock {
 public:
  static constexpr unsigned kRepliesPerReading = 8;

  // The clock outlives it.
  explicit BatchClock(const Clock& clock) : clock_(clock) {}

  // The time of a reply to a query of the batch that was read at `received_at`; never before that.
  SteadyTime Now(SteadyTime received_at) {
    if (received_at != batch_ || ++replies_ == kRepliesPerReading) {
      now_ = clock_.Now();
      batch_ = received_at;
      replies_ = 0;
    }
    return now_;
  }

 private:
  const Clock& clock_;
  SteadyTime batch_ = SteadyTime::min();
  SteadyTime now_{};
  unsigned replies_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_BATCH_CLOCK_H_
