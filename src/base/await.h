#ifndef DOTWARD_BASE_AWAIT_H_
#define DOTWARD_BASE_AWAIT_H_

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

// One coroutine's seat: it parks here until somebody on the same loop resumes it. Resume() schedules it for the loop's
// next turn and never runs it inside the call, so that the caller's state cannot change under it.
class ParkingSpot {
 public:
  explicit ParkingSpot(Executor executor) : executor_(executor) {}
  ParkingSpot(const ParkingSpot&) = delete;
  ParkingSpot& operator=(const ParkingSpot&) = delete;

  Task<> Park() {
    asio::use_awaitable_t<Executor> token;
    co_await asio::async_initiate<asio::use_awaitable_t<Executor>, void()>(Suspend{this}, token);
  }
  // False where nobody is parked.
  bool Resume() {
    if (!parked_) return false;
    asio::post(executor_, Continue{std::exchange(parked_, std::nullopt)});
    return true;
  }

 private:
  using Handler = typename asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;
  struct Suspend {
    ParkingSpot* spot;
    void operator()(Handler handler) { spot->parked_.emplace(std::move(handler)); }
  };
  struct Continue {
    std::optional<Handler> handler;
    void operator()() { (*std::exchange(handler, std::nullopt))(); }
  };

  Executor executor_;
  std::optional<Handler> parked_;
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
  Task<> Wait() {
    if (!std::exchange(notified_, false)) co_await spot_.Park();
  }

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
