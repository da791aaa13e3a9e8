#ifndef DOTWARD_DNSSEC_CHECKS_H_
#define DOTWARD_DNSSEC_CHECKS_H_

#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <functional>

#include "dnssec/check_thread.h"
#include "dnssec/dnssec_statistics.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

// Where checks are made for an event loop: those that cost less than handing them over on the loop itself, as long as
// they are few, and the others on a thread beside it. There are two of these, so that what an ordinary answer needs
// never stands behind what keeps a core for milliseconds. On the loop's thread only.
class Checks {
 public:
  using Order = CheckThread::Order;

  // All must outlive it.
  Checks(asio::io_context& loop, const Clock& clock, DnssecStatistics& statistics);

  // As CheckThread::Run; what the loop makes by itself is always made.
  Task<absl::Status> Run(Order order, std::function<void()> check);

  // Work that would not be worth a thread, such as what a denial in the cache says about another name: false, without
  // having run it, where the loop has no time left for checks.
  bool RunHere(const std::function<void()>& work);

  // As CheckThread::Close.
  void Close();

 private:
  bool TakeTimeOfLoop(unsigned microseconds);

  const Clock& clock_;
  DnssecStatistics& statistics_;
  Duration loop_time_{0};  // that the loop has for checks, as of loop_time_at_; below zero where one took longer
  SteadyTime loop_time_at_{SteadyTime::min()};
  CheckThread cheap_;
  CheckThread dear_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHECKS_H_
