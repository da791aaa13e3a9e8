#ifndef DOTWARD_UPSTREAM_BACK_OFF_H_
#define DOTWARD_UPSTREAM_BACK_OFF_H_

#include <cstdint>

#include "dotward/clock.h"

namespace dotward {

// When a server that failed may be tried again. The time between the starts of two tries doubles from
// Limits::kBackOffMin with each failure in a row, less up to a half at random so that many clients of one server do not
// return together: up to kBackOffMax while other servers answer the clients, and up to kBackOffUrgentMax, short of a
// second, while nobody does.
class BackOff {
 public:
  enum class Failure : uint8_t {
    kConnect,     // no connection came about
    kConnection,  // one did, and was no use: the first in a row may be replaced at once
  };

  // Of a try that was begun at `started`. `random` is any 16-bit number; it decides the jitter.
  void Failed(Failure failure, SteadyTime started, SteadyTime now, uint16_t random);
  void Succeeded() { *this = BackOff(); }

  unsigned failures() const { return failures_; }  // in a row
  SteadyTime failed_at() const { return failed_at_; }
  // With others that serve, and with nobody else.
  bool MayTryAt(SteadyTime now) const { return now >= retry_at_; }
  bool MayTryUrgentlyAt(SteadyTime now) const { return now >= urgent_at_; }
  SteadyTime retry_at() const { return retry_at_; }
  SteadyTime urgent_at() const { return urgent_at_; }
  // The longest that the next try may take to get a first sign from the server, so that a try which began just before
  // its return does not delay the next.
  Duration urgent_interval() const { return urgent_interval_; }

 private:
  unsigned failures_ = 0;
  SteadyTime failed_at_ = SteadyTime::min();
  SteadyTime retry_at_ = SteadyTime::min();
  SteadyTime urgent_at_ = SteadyTime::min();
  Duration urgent_interval_{0};
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_BACK_OFF_H_
