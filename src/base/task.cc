#include "dotward/task.h"

#include <asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "base/await.h"

namespace dotward {

// The state is counted by hand: tasks that the loop destroys unfinished, at shutdown, must not touch a group that is
// gone, and one plain count is all that needs.
struct TaskGroup::State {
  explicit State(asio::io_context& context) : loop(context), idle(context.get_executor()) {}
  asio::io_context& loop;
  Wakeup idle;
  size_t running = 0;
  size_t references = 1;
  bool joining = false;

  void Release() {
    if (--references == 0) delete this;
  }
};

namespace {

// Counts a task as running for as long as its coroutine frame lives.
template <typename State>
class Running {
 public:
  explicit Running(State* state) : state_(state) {
    ++state_->running;
    ++state_->references;
  }
  Running(Running&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Running& operator=(Running&&) = delete;
  ~Running() {
    if (state_ == nullptr) return;
    if (--state_->running == 0 && state_->joining) state_->idle.Notify();
    state_->Release();
  }

 private:
  State* state_;
};

// Nobody waits for the result, but a task that ended by an exception must not end in silence.
struct LeaveLoopOnException {
  void operator()(const std::exception_ptr& exception) const {
    if (exception) std::rethrow_exception(exception);
  }
};

template <typename State>
Task<> RunCounted(Task<> task, Running<State> running) {
  const Running<State> counted = std::move(running);
  co_await std::move(task);
}

}  // namespace

TaskGroup::TaskGroup(asio::io_context& loop) : state_(new State(loop)) {}

TaskGroup::~TaskGroup() { state_->Release(); }

void TaskGroup::Spawn(Task<> task) {
  asio::co_spawn(state_->loop, RunCounted<State>(std::move(task), Running<State>(state_)), LeaveLoopOnException());
}

Task<> TaskGroup::Join() {
  state_->joining = true;
  while (state_->running != 0) co_await state_->idle.Wait();
  state_->joining = false;
}

size_t TaskGroup::running() const { return state_->running; }

}  // namespace dotward
