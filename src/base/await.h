#ifndef DOTWARD_BASE_AWAIT_H_
#define DOTWARD_BASE_AWAIT_H_

#include <asio/awaitable.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "dotward/task.h"

namespace dotward {

using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

// co_await x.async_y(..., kAwait) gives a tuple that begins with the error code; nothing throws.
using AwaitToken = asio::experimental::as_tuple_t<asio::use_awaitable_t<Executor>>;
inline constexpr AwaitToken kAwait{};

// A coroutine that was suspended, with all that wait for its end, off any loop. Asio's own handlers end a coroutine of
// their own when they are called, which would cost a frame on the heap for each wait; this one goes on where it was.
class SuspendedCoroutine final : private asio::detail::awaitable_handler_base<Executor, void> {
 public:
  using Frame = asio::detail::awaitable_frame_base<Executor>;
  using Thread = asio::detail::awaitable_thread<Executor>;

  explicit SuspendedCoroutine(Frame* frame) : awaitable_handler_base(frame->detach_thread()) {}
  // Runs the coroutine inside the call, on its loop's thread. Once.
  void Resume() {
    frame()->attach_thread(this);
    pump();
  }
};

// One coroutine's seat: it parks here until somebody on the same loop resumes it. Resume() schedules it for the loop's
// next turn and never runs it inside the call, so that the caller's state cannot change under it.
class ParkingSpot {
 public:
  explicit ParkingSpot(Executor executor) : executor_(executor) {}
  ParkingSpot(const ParkingSpot&) = delete;
  ParkingSpot& operator=(const ParkingSpot&) = delete;

  // For `co_await spot.Park()` in a Task.
  auto Park() {
    return [this](SuspendedCoroutine::Frame* frame) -> SuspendedCoroutine::Thread* {
      Seat(frame);
      return nullptr;
    };
  }
  // Takes a coroutine that is suspended at this very moment.
  void Seat(SuspendedCoroutine::Frame* frame) { parked_.emplace(frame); }
  // False where nobody is parked.
  bool Resume() {
    if (!parked_) return false;
    asio::post(executor_, Continue{std::exchange(parked_, std::nullopt)});
    return true;
  }

 private:
  struct Continue {
    std::optional<SuspendedCoroutine> coroutine;
    void operator()() { std::exchange(coroutine, std::nullopt)->Resume(); }
  };

  Executor executor_;
  std::optional<SuspendedCoroutine> parked_;
};

// A value that one coroutine waits for and somebody on the same loop sets, once.
template <typename T>
class OneShot {
 public:
  explicit OneShot(Executor executor) : spot_(executor) {}

  void Set(T value) {
    value_.emplace(std::move(value));
    spot_.Resume();
  }
  bool is_set() const { return value_.has_value(); }

  Task<T> Wait() {
    if (!value_) co_await spot_.Park();
    co_return *std::move(value_);
  }

 private:
  ParkingSpot spot_;
  std::optional<T> value_;
};

// A flag that wakes at most one waiting coroutine on the same loop: Notify() before Wait() is not lost, and several
// Notify() are one. For a writer that sleeps until there is something to write.
class Wakeup {
 public:
  explicit Wakeup(Executor executor) : spot_(executor) {}

  void Notify() {
    if (!spot_.Resume()) notified_ = true;
  }
  // For `co_await wakeup.Wait()` in a Task.
  class Waiting {
   public:
    explicit Waiting(Wakeup& wakeup) : wakeup_(wakeup) {}
    SuspendedCoroutine::Thread* operator()(SuspendedCoroutine::Frame* frame) const {
      wakeup_.spot_.Seat(frame);
      if (std::exchange(wakeup_.notified_, false)) wakeup_.spot_.Resume();
      return nullptr;
    }
    // For a function that passes the wait on as a Task.
    operator Task<>() const { return AsTask(*this); }  // NOLINT(google-explicit-constructor)

   private:
    static Task<> AsTask(Waiting waiting) { co_await waiting; }
    Wakeup& wakeup_;
  };
  Waiting Wait() { return Waiting(*this); }

 private:
  ParkingSpot spot_;
  bool notified_ = false;
};

// Lets somebody on the same loop take back what they asked for: whoever works on it names the Wakeup that it sleeps on,
// and looks at cancelled() when it wakes. Must outlive the work.
class Cancellation {
 public:
  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  void Cancel() {
    cancelled_ = true;
    if (sleeper_ != nullptr) sleeper_->Notify();
  }
  bool cancelled() const { return cancelled_; }
  // Null when the work is over.
  void Wakes(Wakeup* sleeper) { sleeper_ = sleeper; }

 private:
  bool cancelled_ = false;
  Wakeup* sleeper_ = nullptr;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_AWAIT_H_
