#include "dnssec/check_thread.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/bounded_wait.h"
#include "dns/registrable_domain.h"
#include "dnssec/name_tools.h"

namespace dotward {
namespace {

Duration TimeOfThread() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

// What the thread and the loop share of one check.
struct CheckThread::Handover {
  Handover(asio::io_context& loop, BoundedWait& wait_in) : wait(wait_in), busy(loop.get_executor()) {}
  // On the loop's thread.
  void End(absl::Status status) {
    result = std::move(status);
    wait.Notify();
    busy.reset();
  }
  // The loop's thread only.
  BoundedWait& wait;  // on the stack of who waits, who stays until there is a result
  std::optional<absl::Status> result;
  asio::executor_work_guard<Executor> busy;  // the loop must not end before the check has
  // Guarded by the thread's mutex; none once it has begun or was given up.
  std::optional<Queue::Place> place;
};

Task<absl::Status> CheckThread::Run(Order order, std::function<void()> check) {
  BoundedWait wait(loop_.get_executor(), clock_, order.deadline, order.cancellation);
  absl::Status over = wait.Over();
  if (!over.ok()) co_return over;
  const auto handover = std::make_shared<Handover>(loop_, wait);
  const absl::Status queued = Enqueue(order, handover, std::move(check));
  if (!queued.ok()) co_return queued;
  wake_.notify_one();
  while (!handover->result) {
    co_await wait.Wait();
    over = wait.Over();
    if (handover->result || over.ok() || !TakeBack(*handover)) continue;
    // That others were before it says nothing about the name, of which a deadline would.
    if (absl::IsDeadlineExceeded(over)) co_return absl::AbortedError("validation: too many checks came before");
    co_return over;
  }
  co_return *handover->result;
}

absl::Status CheckThread::Enqueue(const Order& order, std::shared_ptr<Handover> handover, std::function<void()> check) {
  const absl::Status refused = absl::AbortedError("validation: too many checks wait");
  std::string domain = LowerOf(RegistrableDomain(order.name));
  const std::lock_guard lock(mutex_);
  if (closed_) return absl::CancelledError("validation: stopping");
  if (!EnsureThread()) return absl::ResourceExhaustedError("validation: the system gives no thread to check with");
  std::vector<Waiting> given_up;
  Waiting waiting{handover, std::move(check), order.asker, std::chrono::microseconds(order.microseconds)};
  const auto place = queue_.Push({order.asker, std::move(domain), order.microseconds}, std::move(waiting), given_up);
  for (const Waiting& last : given_up) {
    last.handover->place.reset();
    last.handover->End(refused);
  }
  if (!place) return refused;
  handover->place = place;
  return absl::OkStatus();
}

bool CheckThread::EnsureThread() {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error&) {
    return false;
  }
  pthread_setname_np(thread_.native_handle(), name_);
  return true;
}

bool CheckThread::TakeBack(Handover& handover) {
  const std::lock_guard lock(mutex_);
  if (!handover.place) return false;
  queue_.Remove(*std::exchange(handover.place, std::nullopt));
  return true;
}

void CheckThread::Loop() {
  // Of this thread alone, as Linux has it, and beside what the process was started with.
  static_cast<void>(!nice(niceness_));
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Waiting next = queue_.Pop();
    next.handover->place.reset();
    lock.unlock();
    const Duration more = RunAndMeasure(next.check, next.expected);
    next.check = nullptr;  // before whoever it belongs to goes on
    asio::post(loop_, [handover = std::move(next.handover)] { handover->End(absl::OkStatus()); });
    lock.lock();
    queue_.Charge(next.asker, static_cast<uint64_t>(more / std::chrono::microseconds(1)));
  }
}

Duration CheckThread::RunAndMeasure(const std::function<void()>& check, Duration expected) {
  const Duration before = TimeOfThread();
  check();
  return std::max(Duration(0), TimeOfThread() - before - expected);
}

void CheckThread::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    while (!queue_.empty()) {
      const Waiting waiting = queue_.Pop();
      waiting.handover->place.reset();
      waiting.handover->End(absl::CancelledError("validation: stopping"));
    }
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dotward
