#ifndef DOTWARD_TASK_H_
#define DOTWARD_TASK_H_

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <cstddef>

namespace dotward {

using Executor = asio::io_context::executor_type;

// A coroutine that runs on one event loop. It starts when it is awaited or spawned, and its parameters must be values
// or must outlive it. No exception leaves a Task: expected failure is a value.
template <typename T = void>
using Task = asio::awaitable<T, Executor>;

// Owns the coroutines that an object has started, so that none outlives what it uses. Single-threaded: everything is
// called on the loop's thread. The owner closes what its tasks wait for, then joins or, once the loop has stopped for
// good, lets the loop destroy them.
class TaskGroup {
 public:
  explicit TaskGroup(asio::io_context& loop);
  ~TaskGroup();  // every task has ended, or the loop runs no more
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task`: on the loop's own thread at once, up to where it first waits, and on the loop's next turn otherwise.
  // An exception that leaves a task leaves the loop: there is no state in which it would be safe to go on.
  void Spawn(Task<> task);

  // Ends when no task is left. At most one joiner at a time.
  Task<> Join();

  size_t running() const;

 private:
  struct State;
  State* state_;  // shared with the running tasks, freed by the last of us
};

}  // namespace dotward

#endif  // DOTWARD_TASK_H_
