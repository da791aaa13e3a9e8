#ifndef DOTWARD_UPSTREAM_BACK_OFF_H_
#define DOTWARD_UPSTREAM_BACK_OFF_H_

#include <cstdint>

#include "dotward/clock.h"

namespace dotward {

// When a server that failed may be tried again: after Limits::kBackOffMin, doubling to kBackOffMax with each failure
// in a row, less up to a half at random so that many clients of one server do not return together.
class BackOff {
 public:
  enum class Failure : uint8_t {
    kConnect,     // no connection came about
    kConnection,  // one did, and was no use: the first in a row may be replaced at once
  };

  // `random` is any 16-bit number; it decides the jitter.
  void Failed(Failure failure, SteadyTime now, uint16_t random);
  void Succeeded() { *this = BackOff(); }

  unsigned failures() const { return failures_; }  // in a row
  bool MayTryAt(SteadyTime now) const { return now >= retry_at_; }
  SteadyTime retry_at() const { return retry_at_; }

 private:
  unsigned failures_ = 0;
  SteadyTime retry_at_ = SteadyTime::min();
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_BACK_OFF_H_
