#include "dnssec/checks.h"

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
  const bool cheap = order.microseconds <= DnssecLimits::kCheckInlineMicrosecondsMax;
  if (order.microseconds == 0 || (cheap && TakeTimeOfLoop(order.microseconds))) {
    loop_time_ -= CheckThread::RunAndMeasure(check, std::chrono::microseconds(order.microseconds));
    co_return absl::OkStatus();
  }
  statistics_.beside_loop.Add();
  CheckThread& thread = order.microseconds <= DnssecLimits::kCheckCheapMicrosecondsMax ? cheap_ : dear_;
  const absl::Status run = co_await thread.Run(order, std::move(check));
  co_return run;
}

bool Checks::RunHere(const std::function<void()>& work) {
  if (!TakeTimeOfLoop(1)) return false;
  loop_time_ -= CheckThread::RunAndMeasure(work, std::chrono::microseconds(1));
  return true;
}

bool Checks::TakeTimeOfLoop(unsigned microseconds) {
  const SteadyTime now = clock_.Now();
  const Duration most = DnssecLimits::kCheckInlineTimeMax;
  // The first time there is all of it, and so there is after the time that gives back what is lacking.
  const Duration full = (most - loop_time_) * 100 / DnssecLimits::kCheckInlinePercentMax;
  if (loop_time_at_ == SteadyTime::min() || now - loop_time_at_ >= full) {
    loop_time_ = most;
  } else {
    loop_time_ += Duration(now - loop_time_at_) * DnssecLimits::kCheckInlinePercentMax / 100;
  }
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
