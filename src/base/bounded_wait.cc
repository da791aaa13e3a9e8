#include "base/bounded_wait.h"

#include <chrono>

namespace dotward {

BoundedWait::BoundedWait(Executor executor, const Clock& clock, Deadline deadline, Cancellation* cancellation)
    : clock_(clock),
      deadline_(deadline),
      cancellation_(cancellation),
      wakeup_(std::make_shared<Wakeup>(executor)),
      timer_(executor) {
  if (cancellation_ != nullptr) cancellation_->Wakes(wakeup_.get());
  if (deadline_.at() == SteadyTime::max()) return;
  timer_.expires_after(std::chrono::duration_cast<SteadyTime::duration>(deadline_.RemainingAt(clock_.Now())));
  timer_.async_wait([wakeup = wakeup_](const asio::error_code& error) {
    if (!error) wakeup->Notify();
  });
}

BoundedWait::~BoundedWait() {
  if (cancellation_ != nullptr) cancellation_->Wakes(nullptr);
  timer_.cancel();
}

absl::Status BoundedWait::Over() const {
  if (cancellation_ != nullptr && cancellation_->cancelled()) {
    return absl::CancelledError("nobody waits for the answer any more");
  }
  if (deadline_.ExpiredAt(clock_.Now())) return absl::DeadlineExceededError("no time is left");
  return absl::OkStatus();
}

}  // namespace dotward
