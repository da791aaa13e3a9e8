#ifndef DOTWARD_UPSTREAM_TIMEOUTS_H_
#define DOTWARD_UPSTREAM_TIMEOUTS_H_

#include <absl/container/btree_set.h>

#include <asio/io_context.hpp>
#include <utility>

#include "base/await.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

class Timeout;

// All the moments at which somebody on one event loop gives up waiting, behind a single timer: a query that is
// answered in time sets no timer and cancels none. Uses the steady clock itself, because that is what timers run on.
class Timeouts {
 public:
  // Runs nothing before the first use: one that was never used needs no Close and no Join.
  explicit Timeouts(asio::io_context& loop);
  ~Timeouts();
  Timeouts(const Timeouts&) = delete;
  Timeouts& operator=(const Timeouts&) = delete;

  size_t size() const { return waiting_.size(); }
  // Nobody is woken any more; then Join ends soon.
  void Close();
  Task<> Join() { return tasks_.Join(); }

 private:
  friend class Timeout;
  void Add(Timeout& timeout);
  void Remove(Timeout& timeout);
  Task<> Run();

  SteadyTimer timer_;
  Wakeup first_added_;
  // Ordered by time. Deadlines are mostly made in order, so that a new one goes to the end.
  absl::btree_set<std::pair<SteadyTime, Timeout*>> waiting_;
  // When the timer fires; max() while it is not set. It is never later than the first of waiting_, and often earlier:
  // what it was set for has been answered by then.
  SteadyTime armed_for_ = SteadyTime::max();
  bool started_ = false;
  bool closed_ = false;
  TaskGroup tasks_;
};

// Wakes one coroutine when a moment has passed. Lives in the coroutine's frame.
class Timeout {
 public:
  Timeout(Timeouts& timeouts, Wakeup& sleeper) : timeouts_(timeouts), sleeper_(sleeper) {}
  ~Timeout() { Cancel(); }
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  // Replaces the moment that was set before.
  void Set(SteadyTime at);
  void Cancel();
  // The moment that was set last has passed.
  bool expired() const { return expired_; }

 private:
  friend class Timeouts;
  Timeouts& timeouts_;
  Wakeup& sleeper_;
  SteadyTime at_{};
  bool waiting_ = false;
  bool expired_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_TIMEOUTS_H_
