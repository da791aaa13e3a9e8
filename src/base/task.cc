#include "dotward/task.h"

#include <asio/awaitable.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/post.hpp>
#include <asio/require.hpp>
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

using EntryPoint = asio::awaitable<asio::detail::awaitable_thread_entry_point, Executor>;
using WorkingExecutor = decltype(asio::require(std::declval<Executor>(), asio::execution::outstanding_work.tracked));

// The bottom of a task's stack. Asio's co_spawn has a coroutine more here, and a round through the executor at both
// ends, for completion handlers that nobody needs: an exception that leaves a task leaves the loop by itself. The
// executor keeps the loop running while the task lasts.
template <typename State>
EntryPoint RunCounted(Task<> task, Running<State> running, WorkingExecutor) {
  const Running<State> counted = std::move(running);
  co_await std::move(task);
}

class NewTask final : public asio::detail::awaitable_thread<Executor> {
 public:
  NewTask(EntryPoint entry, const Executor& executor)
      : awaitable_thread(std::move(entry), executor, asio::cancellation_slot(), asio::cancellation_state()) {}
  void operator()() { launch(); }
};

}  // namespace

TaskGroup::TaskGroup(asio::io_context& loop) : state_(new State(loop)) {}

TaskGroup::~TaskGroup() { state_->Release(); }

void TaskGroup::Spawn(Task<> task) {
  const Executor executor = state_->loop.get_executor();
  NewTask starting(RunCounted<State>(std::move(task), Running<State>(state_),
                                     asio::require(executor, asio::execution::outstanding_work.tracked)),
                   executor);
  if (executor.running_in_this_thread()) {
    starting();
  } else {
    asio::post(executor, std::move(starting));
  }
}

Task<> TaskGroup::Join() {
  state_->joining = true;
  while (state_->running != 0) co_await state_->idle.Wait();
  state_->joining = false;
}

size_t TaskGroup::running() const { return state_->running; }

}  // namespace dotward
