#ifndef DOTWARD_TESTING_RUN_TASK_H_
#define DOTWARD_TESTING_RUN_TASK_H_

#include <asio/io_context.hpp>
#include <optional>
#include <utility>

#include "dotward/task.h"

namespace dotward {

// Keeps a task's result for the test to look at while other tasks go on.
template <typename T>
class Outcome {
 public:
  // Starts `task` on the group's loop. The outcome must outlive it.
  void From(TaskGroup& group, Task<T> task) { group.Spawn(Store(std::move(task), &value_)); }
  bool ready() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  // Runs the loop until the task has ended.
  T& Wait(asio::io_context& loop) {
    loop.restart();
    while (!value_ && loop.run_one() != 0) {
    }
    return value_.value();
  }

 private:
  static Task<> Store(Task<T> task, std::optional<T>* target) {
    T value = co_await std::move(task);
    target->emplace(std::move(value));
  }
  std::optional<T> value_;
};

// Runs `loop` until `task` has ended, other tasks of the loop included meanwhile.
template <typename T>
T RunTask(asio::io_context& loop, Task<T> task) {
  TaskGroup group(loop);
  Outcome<T> outcome;
  outcome.From(group, std::move(task));
  return std::move(outcome.Wait(loop));
}

}  // namespace dotward

#endif  // DOTWARD_TESTING_RUN_TASK_H_
