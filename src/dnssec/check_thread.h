#ifndef DOTWARD_DNSSEC_CHECK_THREAD_H_
#define DOTWARD_DNSSEC_CHECK_THREAD_H_

#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/await.h"
#include "base/deadline.h"
#include "dns/types.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/fair_queue.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

// A thread beside an event loop, for checks that would keep the loop from its other work. It starts with the first of
// them. Its time is shared out among those who ask (FairQueue). Everything but the checks runs on the loop's thread.
class CheckThread {
 public:
  struct Order {
    uint16_t asker = 0;         // UpstreamQuery::asker
    OctetView name;             // that is asked about, in wire form; it stays until Run has ended
    unsigned microseconds = 0;  // what it will cost, roughly
    Deadline deadline{SteadyTime::max()};
    Cancellation* cancellation = nullptr;  // may be null
  };

  // Both must outlive it. The thread has `name`, at most 15 octets, and is so much nicer than the process: a check
  // holds a core for as long as it takes, and where the loop wants it, that comes first.
  CheckThread(asio::io_context& loop, const Clock& clock, const char* name, int niceness)
      : loop_(loop), clock_(clock), name_(name), niceness_(niceness) {}
  ~CheckThread() { Close(); }
  CheckThread(const CheckThread&) = delete;
  CheckThread& operator=(const CheckThread&) = delete;

  // Runs `check` on the thread, and ends when it has run. Or with a status, without having run it: kAborted where those
  // that wait cost more than DnssecLimits::kChecksQueuedMicrosecondsMax and it is this one's turn to leave, or where
  // its turn has not come by the deadline; kCancelled where it is not needed any more, and after Close;
  // kResourceExhausted where the system gives no thread. What `check` touches must live until then.
  Task<absl::Status> Run(Order order, std::function<void()> check);

  // Ends what waits, lets the thread end what it has begun, and takes no more for it. Returns when the thread has
  // ended.
  void Close();

  // Returns how much more of the processor `check` took than it was expected to: whoever finds out what costs more than
  // we think must not get it for less.
  static Duration RunAndMeasure(const std::function<void()>& check, Duration expected);

 private:
  struct Handover;
  struct Waiting {
    std::shared_ptr<Handover> handover;
    std::function<void()> check;
    uint16_t asker;
    Duration expected;
  };
  using Queue = FairQueue<Waiting>;

  void Loop();
  absl::Status Enqueue(const Order& order, std::shared_ptr<Handover> handover, std::function<void()> check);
  bool EnsureThread();
  // False where it has begun.
  bool TakeBack(Handover& handover);

  asio::io_context& loop_;
  const Clock& clock_;
  const char* const name_;
  const int niceness_;
  std::thread thread_;
  std::condition_variable wake_;
  std::mutex mutex_;  // guards everything below
  Queue queue_{DnssecLimits::kChecksQueuedMicrosecondsMax};
  bool closed_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHECK_THREAD_H_
