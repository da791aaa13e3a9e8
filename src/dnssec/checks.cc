#include "dnssec/checks.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

constexpr int kCheapNiceness = 2;
constexpr int kDearNiceness = 7;

}  // namespace

Checks::Checks(asio::io_context& loop, const Clock& clock, DnssecStatistics& statistics)
    : clock_(clock),
      statistics_(statistics),
      cheap_(loop, clock, "checks", kCheapNiceness),
      dear_(loop, clock, "dear checks", kDearNiceness) {}

Task<absl::Status> Checks::Run(Order order, std::function<void()> check) {
  if (order.microseconds <= DnssecLimits::kCheckInlineMicrosecondsMax && TakeTimeOfLoop(order.microseconds)) {
    loop_time_ -= CheckThread::RunAndMeasure(check, std::chrono::microseconds(order.microseconds));
    co_return absl::OkStatus();
  }
  statistics_.beside_loop.Add();
  CheckThread& thread = order.microseconds <= DnssecLimits::kCheckCheapMicrosecondsMax ? cheap_ : dear_;
  const absl::Status run = co_await thread.Run(order, std::move(check));
  co_return run;
}

bool Checks::TakeTimeOfLoop(unsigned microseconds) {
  const SteadyTime now = clock_.Now();
  const Duration most = DnssecLimits::kCheckInlineTimeMax;
  // The first time there is all of it. More than it takes to have all of it again need not be counted.
  const Duration full = 2 * most;
  const Duration since = loop_time_at_ == SteadyTime::min() ? full : std::min<Duration>(full, now - loop_time_at_);
  loop_time_ = std::min(most, loop_time_ + since * DnssecLimits::kCheckInlinePercentMax / 100);
  loop_time_at_ = now;
  const Duration wanted = std::chrono::microseconds(microseconds);
  if (loop_time_ < wanted) return false;
  loop_time_ -= wanted;
  return true;
}

void Checks::Close() {
  cheap_.Close();
  dear_.Close();
}

}  // namespace dotward
