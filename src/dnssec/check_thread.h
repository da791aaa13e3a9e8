#ifndef DOTWARD_DNSSEC_CHECK_THREAD_H_
#define DOTWARD_DNSSEC_CHECK_THREAD_H_

#include <asio/io_context.hpp>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "dotward/task.h"

namespace dotward {

// A thread beside an event loop, for checks that would keep the loop from its other work. It starts with the first of
// them. The cheapest comes first: whoever has dear answers made waits behind those who have not, and where too much
// waits the dearest is given up. Everything but the checks runs on the loop's thread.
class CheckThread {
 public:
  explicit CheckThread(asio::io_context& loop) : loop_(loop) {}
  ~CheckThread() { Close(); }
  CheckThread(const CheckThread&) = delete;
  CheckThread& operator=(const CheckThread&) = delete;

  // Runs `check`, which will cost about so many microseconds, on the thread, and ends when it has run: true. Or false,
  // without having run it, where those that wait cost more than DnssecLimits::kChecksQueuedMicrosecondsMax and none of
  // them is dearer, or after Close. What `check` touches must live until then.
  Task<bool> Run(unsigned microseconds, std::function<void()> check);

  // Runs what was handed over to its end and takes no more. Returns when the thread has ended.
  void Close();

 private:
  struct Handover;
  struct Waiting {
    std::shared_ptr<Handover> handover;
    std::function<void()> check;
  };

  void Loop();
  // Whether there is room for a check of that cost, once dearer ones are given up for it.
  bool MakeRoomFor(unsigned microseconds);

  asio::io_context& loop_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<unsigned, Waiting> checks_;  // guarded by mutex_; by cost
  unsigned queued_microseconds_ = 0;         // guarded by mutex_
  bool closed_ = false;                      // guarded by mutex_
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHECK_THREAD_H_
