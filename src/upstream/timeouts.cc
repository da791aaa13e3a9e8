#include "upstream/timeouts.h"

#include <chrono>
#include <utility>

namespace dotward {

Timeouts::Timeouts(asio::io_context& loop)
    : timer_(loop.get_executor()), first_added_(loop.get_executor()), tasks_(loop) {}

Timeouts::~Timeouts() {
  // Frames that the loop destroys after us must not reach for us.
  for (const auto& [at, timeout] : waiting_) timeout->waiting_ = false;
}

void Timeouts::Close() {
  closed_ = true;
  timer_.cancel();
  first_added_.Notify();
}

void Timeouts::Add(Timeout& timeout) {
  waiting_.emplace(timeout.at_, &timeout);
  if (!std::exchange(started_, true)) return tasks_.Spawn(Run());
  if (timeout.at_ >= armed_for_) return;
  if (armed_for_ == SteadyTime::max()) {
    first_added_.Notify();
  } else {
    timer_.cancel();
  }
}

void Timeouts::Remove(Timeout& timeout) { waiting_.erase({timeout.at_, &timeout}); }

Task<> Timeouts::Run() {
  while (!closed_) {
    if (waiting_.empty()) {
      co_await first_added_.Wait();
      continue;
    }
    armed_for_ = waiting_.begin()->first;
    timer_.expires_at(armed_for_);
    co_await timer_.async_wait(kAwait);
    armed_for_ = SteadyTime::max();
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      Timeout& timeout = *waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      timeout.waiting_ = false;
      timeout.expired_ = true;
      timeout.sleeper_.Notify();
    }
  }
}

void Timeout::Set(SteadyTime at) {
  Cancel();
  at_ = at;
  expired_ = false;
  waiting_ = true;
  timeouts_.Add(*this);
}

void Timeout::Cancel() {
  if (!std::exchange(waiting_, false)) return;
  timeouts_.Remove(*this);
}

}  // namespace dotward
