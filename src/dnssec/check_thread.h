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
#include "dnssec/dnssec_statistics.h"
#include "dnssec/fair_queue.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

// Runs checks for an event loop: where they are cheap, and as long as they are few, on the loop itself, else on a
// thread beside it, which starts with the first of them and gives way to the loop. That one's time is shared out among
// those who ask (FairQueue). Everything but the checks runs on the loop's thread.
class CheckThread {
 public:
  struct Order {
    uint16_t asker = 0;         // UpstreamQuery::asker
    OctetView name;             // that is asked about, in wire form; it stays until Run has ended
    unsigned microseconds = 0;  // what it will cost, roughly
    Deadline deadline{SteadyTime::max()};
    Cancellation* cancellation = nullptr;  // may be null
  };

  // All must outlive it.
  CheckThread(asio::io_context& loop, const Clock& clock, DnssecStatistics& statistics)
      : loop_(loop), clock_(clock), statistics_(statistics) {}
  ~CheckThread() { Close(); }
  CheckThread(const CheckThread&) = delete;
  CheckThread& operator=(const CheckThread&) = delete;

  // Runs `check`, and ends when it has run. Or with a status, without having run it:
  // kResourceExhausted where those that wait cost more than DnssecLimits::kChecksQueuedMicrosecondsMax and it is this
  // one's turn to leave, kDeadlineExceeded or kCancelled where it is not needed any more before its turn comes, and
  // kCancelled after Close. What `check` touches must live until then.
  Task<absl::Status> Run(Order order, std::function<void()> check);

  // Ends what waits, lets the thread end what it has begun, and takes no more for it. Returns when the thread has
  // ended.
  void Close();

 private:
  struct Handover;
  struct Waiting {
    std::shared_ptr<Handover> handover;
    std::function<void()> check;
    uint16_t asker;
    Duration expected;
  };
  using Queue = FairQueue<Waiting>;

  // Whether the loop may do it by itself.
  bool TakeTimeOfLoop(unsigned microseconds);
  void Loop();
  absl::Status Enqueue(const Order& order, std::shared_ptr<Handover> handover, std::function<void()> check);
  // False where it has begun.
  bool TakeBack(Handover& handover);

  asio::io_context& loop_;
  const Clock& clock_;
  DnssecStatistics& statistics_;
  Duration loop_time_{0};  // that it has for checks, as of loop_time_at_
  SteadyTime loop_time_at_{SteadyTime::min()};
  std::thread thread_;
  std::condition_variable wake_;
  std::mutex mutex_;  // guards everything below
  Queue queue_{DnssecLimits::kChecksQueuedMicrosecondsMax};
  bool closed_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHECK_THREAD_H_
