#include "resolver/stale_waits.h"

#include <utility>

namespace dotward {

StaleWaits::StaleWaits(asio::io_context& loop, const Clock& clock, Duration client_timeout, WhenDue when_due)
    : clock_(clock),
      client_timeout_(client_timeout),
      when_due_(std::move(when_due)),
      timer_(loop.get_executor()),
      timer_running_(loop) {}

void StaleWaits::SetClientTimeout(Duration client_timeout) {
  client_timeout_ = client_timeout;
  timer_.cancel();  // it looks anew at how long it has to wait
}

void StaleWaits::Add(StaleAnswer& answer) {
  waiting_.PushBack(answer);
  if (timer_running_.running() == 0) timer_running_.Spawn(RunTimer());
}

void StaleWaits::Remove(StaleAnswer& answer) {
  if (answer.due) return;
  waiting_.Remove(answer);
  if (waiting_.empty()) timer_.cancel();
}

void StaleWaits::Tell(SteadyTime now) {
  while (StaleAnswer* const first = waiting_.front()) {
    if (now < DueAt(*first)) return;
    waiting_.Remove(*first);
    first->due = true;
    when_due_(*first);
  }
  timer_.cancel();
}

SteadyTime StaleWaits::DueAt(const StaleAnswer& answer) const {
  return answer.since + std::chrono::duration_cast<SteadyTime::duration>(client_timeout_);
}

Task<> StaleWaits::RunTimer() {
  while (StaleAnswer* const first = waiting_.front()) {
    timer_.expires_after(DueAt(*first) - clock_.Now());
    co_await timer_.async_wait(kAwait);
    Tell(clock_.Now());
  }
}

}  // namespace dotward
