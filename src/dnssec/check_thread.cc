#include "dnssec/check_thread.h"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <memory>
#include <utility>

#include "base/await.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

// What the thread and the loop share of one check.
struct Handover {
  explicit Handover(asio::io_context& loop) : wakeup(loop.get_executor()), busy(loop.get_executor()) {}
  Wakeup wakeup;  // the loop's thread only
  bool done = false;
  asio::executor_work_guard<Executor> busy;  // the loop must not end before the check has
};

}  // namespace

Task<bool> CheckThread::Run(std::function<void()> check) {
  const auto handover = std::make_shared<Handover>(loop_);
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || checks_.size() >= DnssecLimits::kChecksQueuedMax) co_return false;
    checks_.push_back([&loop = loop_, handover, run = std::move(check)] {
      run();
      asio::post(loop, [handover] {
        handover->done = true;
        handover->wakeup.Notify();
        handover->busy.reset();
      });
    });
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  }
  wake_.notify_one();
  while (!handover->done) co_await handover->wakeup.Wait();
  co_return true;
}

void CheckThread::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closed_ || !checks_.empty(); });
    if (checks_.empty()) return;
    const std::function<void()> check = std::move(checks_.front());
    checks_.pop_front();
    lock.unlock();
    check();
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
