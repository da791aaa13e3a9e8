#ifndef DOTWARD_UPSTREAM_PIPELINE_LIMIT_H_
#define DOTWARD_UPSTREAM_PIPELINE_LIMIT_H_

#include <chrono>
#include <cstddef>
#include <limits>

#include "dotward/clock.h"

namespace dotward {

// How many queries one server takes on a connection. Most take any number (RFC 7766 §6.2.1.1). One that closes after
// the first answer or after a few, whatever else it was sent, throws away what it has not read, and the reset that
// follows may overtake the answer: it is given no more than it takes.
class PipelineLimit {
 public:
  static constexpr size_t kAny = std::numeric_limits<size_t>::max();
  static constexpr std::chrono::seconds kFirstMemory{2};
  static constexpr std::chrono::seconds kCutsTogether{5};

  // Of a connection that is made at `now`.
  size_t QueriesPerConnection(SteadyTime now) const { return now < until_ ? queries_ : kAny; }

  // A connection ended, by the server, while queries waited, after it had answered so many. Believed when two shortly
  // one after the other had few answers, and one of them any: for kFirstMemory, then tried anew; each time that this
  // shows the same for twice as long, up to Limits::kPipelineLimitMemory. So a server that was restarted at a bad
  // moment is soon what it was.
  void Cut(size_t answered, SteadyTime now);
  // A connection has answered so many and was not cut.
  void Served(size_t answered);

 private:
  unsigned few_in_a_row_ = 0;
  size_t fewest_ = kAny;  // of these, without those that had none
  SteadyTime last_cut_ = SteadyTime::min();
  Duration memory_ = kFirstMemory;
  size_t queries_ = kAny;
  SteadyTime until_ = SteadyTime::min();
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_PIPELINE_LIMIT_H_
