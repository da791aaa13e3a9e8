#ifndef DOTWARD_DNSSEC_CHECK_THREAD_H_
#define DOTWARD_DNSSEC_CHECK_THREAD_H_

#include <asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "dotward/task.h"

namespace dotward {

// A thread beside an event loop, for checks that would keep the loop from its other work. It starts with the first of
// them. Everything but the checks runs on the loop's thread.
class CheckThread {
 public:
  explicit CheckThread(asio::io_context& loop) : loop_(loop) {}
  ~CheckThread() { Close(); }
  CheckThread(const CheckThread&) = delete;
  CheckThread& operator=(const CheckThread&) = delete;

  // Runs `check` on the thread, behind those that wait, and ends when it has run. False, at once, where
  // DnssecLimits::kChecksQueuedMax wait, or after Close. What `check` touches must live until then.
  Task<bool> Run(std::function<void()> check);

  // Runs what was handed over to its end and takes no more. Returns when the thread has ended.
  void Close();

 private:
  void Loop();

  asio::io_context& loop_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> checks_;  // guarded by mutex_
  bool closed_ = false;                       // guarded by mutex_
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHECK_THREAD_H_
