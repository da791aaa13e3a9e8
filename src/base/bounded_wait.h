#ifndef DOTWARD_BASE_BOUNDED_WAIT_H_
#define DOTWARD_BASE_BOUNDED_WAIT_H_

#include <absl/status/status.h>

#include <memory>

#include "base/await.h"
#include "base/deadline.h"
#include "dotward/clock.h"

namespace dotward {

// A coroutine's wait for what others do, which a query's deadline bounds and its cancellation cuts short. For `co_await
// wait.Wait()` in a loop that looks, each time, at what is waited for and at Over(). One event loop.
class BoundedWait {
 public:
  // `clock` must outlive it, and so must `cancellation`, which may be null.
  BoundedWait(Executor executor, const Clock& clock, Deadline deadline, Cancellation* cancellation);
  ~BoundedWait();
  BoundedWait(const BoundedWait&) = delete;
  BoundedWait& operator=(const BoundedWait&) = delete;

  // Something has changed.
  void Notify() { wakeup_->Notify(); }
  Wakeup::Waiting Wait() { return wakeup_->Wait(); }
  // kCancelled or kDeadlineExceeded once there is no use in waiting on.
  absl::Status Over() const;

 private:
  const Clock& clock_;
  const Deadline deadline_;
  Cancellation* const cancellation_;
  const std::shared_ptr<Wakeup> wakeup_;  // a timer that has run out may still call it
  SteadyTimer timer_;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_BOUNDED_WAIT_H_
