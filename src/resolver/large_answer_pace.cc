#include "resolver/large_answer_pace.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/bounded_wait.h"
#include "resolver/resolver_limits.h"

namespace dotward {
namespace {

constexpr int64_t kFull = ResolverLimits::kLargeAnswersAtOnce;
constexpr int64_t kPerSecond = ResolverLimits::kLargeAnswersPerSecond;
// One answer fits, so that everybody's turn comes.
static_assert(kFull >= UINT16_MAX);

}  // namespace

LargeAnswerPace::LargeAnswerPace(asio::io_context& loop, const Clock& clock)
    : loop_(loop), clock_(clock), timer_(loop.get_executor()), timer_running_(loop) {}

std::optional<uint32_t> LargeAnswerPace::Take(uint16_t asker) {
  if (asker == 0) return 0;
  Allowance& allowance = Of(asker);
  if (!allowance.waiting.empty()) return std::nullopt;
  // Nearly everybody, always: without a look at the clock.
  if (allowance.expected == 0 && allowance.octets >= 0) return 0;
  Fill(allowance, clock_.Now());
  return TakeFrom(allowance);
}

void LargeAnswerPace::Fill(Allowance& allowance, SteadyTime now) const {
  constexpr auto kFills = std::chrono::seconds((kFull + UINT32_MAX) / kPerSecond);  // whatever the debt
  if (allowance.at == SteadyTime::min() || now - allowance.at > kFills) {
    allowance.octets = kFull;
  } else {
    const Duration passed = now - allowance.at;
    const int64_t filled =
        std::chrono::duration_cast<std::chrono::microseconds>(passed).count() * kPerSecond / 1'000'000;
    allowance.octets = std::min(kFull, allowance.octets + filled);
  }
  allowance.at = now;
}

std::optional<uint32_t> LargeAnswerPace::TakeFrom(Allowance& allowance) {
  if (allowance.octets < allowance.expected) return std::nullopt;
  allowance.octets -= allowance.expected;
  return allowance.expected;
}

Task<absl::Status> LargeAnswerPace::Wait(Turn* turn, Deadline deadline, Cancellation* cancellation) {
  BoundedWait wait(loop_.get_executor(), clock_, deadline, cancellation);
  turn->wait_ = &wait;
  Enter(*turn);
  absl::Status over = wait.Over();
  while (!turn->taken_ && over.ok() && !closed_) {
    co_await wait.Wait();
    over = wait.Over();
  }
  if (turn->taken_) co_return absl::OkStatus();
  Leave(*turn);
  if (absl::IsCancelled(over)) co_return over;
  if (closed_) co_return absl::AbortedError("stopping");
  co_return absl::AbortedError("given up: too many large answers are asked for, and its turn did not come in time");
}

void LargeAnswerPace::Enter(Turn& turn) {
  Allowance& allowance = Of(turn.asker_);
  const bool first = allowance.waiting.empty();
  allowance.waiting.PushBack(turn);
  if (!first) return;
  waited_for_.PushBack(allowance);
  timer_.cancel();  // its turn may come before that of all others
  if (timer_running_.running() == 0) timer_running_.Spawn(RunTimer());
}

void LargeAnswerPace::Leave(Turn& turn) {
  Allowance& allowance = Of(turn.asker_);
  allowance.waiting.Remove(turn);
  if (!allowance.waiting.empty()) return;
  waited_for_.Remove(allowance);
  if (waited_for_.empty()) timer_.cancel();
}

void LargeAnswerPace::Begin(Turn& turn, uint32_t taken) {
  Leave(turn);
  turn.taken_ = taken;
  turn.wait_->Notify();
}

void LargeAnswerPace::BeginDue(Allowance& allowance) {
  while (Turn* const first = allowance.waiting.front()) {
    const std::optional<uint32_t> taken = TakeFrom(allowance);
    if (!taken) return;
    Begin(*first, *taken);
  }
}

void LargeAnswerPace::Offer(Turn& turn, uint16_t asker) {
  if (turn.taken_) return;
  const std::optional<uint32_t> taken = Take(asker);
  if (!taken) return;
  Begin(turn, *taken);
  turn.asker_ = asker;
}

// Up at once, and down slowly: who has asked for large ones will ask for more of them.
void LargeAnswerPace::Settle(uint16_t asker, uint32_t taken, uint32_t came, bool answered) {
  Allowance& allowance = Of(asker);
  if (asker == 0 || (taken == 0 && came == 0 && allowance.expected == 0)) return;
  Fill(allowance, clock_.Now());
  allowance.octets += int64_t{taken} - int64_t{came};
  if (answered || came != 0) {
    const uint32_t less = (allowance.expected - std::min(allowance.expected, came) + 15) / 16;
    // More than one may have come; what is expected has to fit the allowance.
    allowance.expected = std::max(std::min(came, uint32_t{UINT16_MAX}), allowance.expected - less);
  }
  BeginDue(allowance);
  if (!allowance.waiting.empty()) timer_.cancel();  // its turn comes at another time now
}

void LargeAnswerPace::Close() {
  closed_ = true;
  for (Allowance* allowance = waited_for_.front(); allowance != nullptr; allowance = waited_for_.Next(*allowance)) {
    for (Turn* turn = allowance->waiting.front(); turn != nullptr; turn = allowance->waiting.Next(*turn)) {
      turn->wait_->Notify();
    }
  }
}

Duration LargeAnswerPace::FilledIn(const Allowance& allowance) {
  const int64_t lacking = std::max(int64_t{0}, allowance.expected - allowance.octets);
  return std::chrono::microseconds(lacking * 1'000'000 / kPerSecond);
}

Task<> LargeAnswerPace::RunTimer() {
  while (!waited_for_.empty()) {
    const SteadyTime now = clock_.Now();
    Duration first = Duration::max();
    for (Allowance* allowance = waited_for_.front(); allowance != nullptr;) {
      Allowance* const next = waited_for_.Next(*allowance);
      Fill(*allowance, now);
      BeginDue(*allowance);
      if (!allowance->waiting.empty()) first = std::min(first, FilledIn(*allowance));
      allowance = next;
    }
    if (waited_for_.empty()) break;
    timer_.expires_after(std::max<Duration>(first, ResolverLimits::kLargeAnswerTurn));
    co_await timer_.async_wait(kAwait);
  }
}

}  // namespace dotward
