#include "dnssec/check_thread.h"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <iterator>
#include <utility>

#include "base/await.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {

// What the thread and the loop share of one check.
struct CheckThread::Handover {
  explicit Handover(asio::io_context& loop) : wakeup(loop.get_executor()), busy(loop.get_executor()) {}
  // On the loop's thread.
  void End(bool has_run) {
    done = true;
    ran = has_run;
    wakeup.Notify();
    busy.reset();
  }
  Wakeup wakeup;  // the loop's thread only, as all of it
  bool done = false;
  bool ran = false;
  asio::executor_work_guard<Executor> busy;  // the loop must not end before the check has
};

Task<bool> CheckThread::Run(unsigned microseconds, std::function<void()> check) {
  const auto handover = std::make_shared<Handover>(loop_);
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || !MakeRoomFor(microseconds)) co_return false;
    queued_microseconds_ += microseconds;
    checks_.emplace(microseconds, Waiting{handover, std::move(check)});
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  }
  wake_.notify_one();
  while (!handover->done) co_await handover->wakeup.Wait();
  co_return handover->ran;
}

bool CheckThread::MakeRoomFor(unsigned microseconds) {
  while (!checks_.empty() && queued_microseconds_ + microseconds > DnssecLimits::kChecksQueuedMicrosecondsMax) {
    const auto dearest = std::prev(checks_.end());
    if (dearest->first <= microseconds) return false;
    queued_microseconds_ -= dearest->first;
    dearest->second.handover->End(false);
    checks_.erase(dearest);
  }
  return true;
}

void CheckThread::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closed_ || !checks_.empty(); });
    if (checks_.empty()) return;
    const auto cheapest = checks_.begin();
    queued_microseconds_ -= cheapest->first;
    const Waiting next = std::move(cheapest->second);
    checks_.erase(cheapest);
    lock.unlock();
    next.check();
    asio::post(loop_, [handover = next.handover] { handover->End(true); });
    lock.lock();
  }
}

void CheckThread::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dotward
