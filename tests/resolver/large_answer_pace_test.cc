#include "resolver/large_answer_pace.h"

#include <gtest/gtest.h>

#include <array>
#include <asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resolver/resolver_limits.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kFull = ResolverLimits::kLargeAnswersAtOnce;
constexpr uint32_t kLarge = 32 * 1024;  // beyond the usual
constexpr size_t kAtOnce = kFull / kLarge;

class LargeAnswerPaceTest : public ::testing::Test {
 protected:
  struct Waiter {
    explicit Waiter(uint16_t asker) : turn(asker) {}
    LargeAnswerPace::Turn turn;
    Cancellation cancellation;
    std::optional<absl::Status> ended;
  };
  ~LargeAnswerPaceTest() override {
    for (const auto& waiter : waiters_) waiter->cancellation.Cancel();
    loop_.restart();
    loop_.run();
  }

  // Asks, and gets an answer that is so much larger than usual.
  void Ask(uint16_t asker, uint32_t octets) {
    const std::optional<uint32_t> taken = pace_.Take(asker);
    ASSERT_TRUE(taken.has_value());
    pace_.Settle(asker, *taken, octets, true);
  }
  // As often as it may at once.
  size_t AskWhileItMay(uint16_t asker, uint32_t octets) {
    size_t asked = 0;
    while (const std::optional<uint32_t> taken = pace_.Take(asker)) {
      pace_.Settle(asker, *taken, octets, true);
      ++asked;
    }
    return asked;
  }
  Waiter& Wait(uint16_t asker, Deadline deadline = Deadline(SteadyTime::max())) {
    waiters_.push_back(std::make_unique<Waiter>(asker));
    tasks_.Spawn(RunWait(waiters_.back().get(), deadline));
    Turn();
    return *waiters_.back();
  }
  Task<> RunWait(Waiter* waiter, Deadline deadline) {
    waiter->ended = co_await pace_.Wait(&waiter->turn, deadline, &waiter->cancellation);
  }
  void Turn() {
    loop_.restart();
    loop_.poll();
  }
  // Lets time pass, and whoever's turn it is then go on.
  void Pass(Duration time) {
    clock_.Advance(time);
    loop_.restart();
    for (int i = 0; i < 20 && loop_.run_one() != 0; ++i) {
    }
  }
  std::string Ended() const {
    std::string ended;
    for (const auto& waiter : waiters_) ended += !waiter->ended ? '.' : waiter->ended->ok() ? 'o' : 'x';
    return ended;
  }

  asio::io_context loop_;
  ManualClock clock_;
  LargeAnswerPace pace_{loop_, clock_};
  TaskGroup tasks_{loop_};
  std::vector<std::unique_ptr<Waiter>> waiters_;
};

TEST_F(LargeAnswerPaceTest, OrdinaryAnswersAreFreeHoweverMany) {
  for (int i = 0; i < 100'000; ++i) Ask(1, 0);
  EXPECT_EQ(pace_.Take(1), 0U);
}

TEST_F(LargeAnswerPaceTest, X7_LargeAnswersAreGivenAsFastAsTheAllowanceFills) {
  EXPECT_NEAR(static_cast<double>(AskWhileItMay(1, kLarge)), kAtOnce, 1);
  size_t asked = 0;
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(milliseconds(10));
    asked += AskWhileItMay(1, kLarge);
  }
  EXPECT_NEAR(static_cast<double>(asked), ResolverLimits::kLargeAnswersPerSecond / static_cast<double>(kLarge), 2);
}

TEST_F(LargeAnswerPaceTest, X7_OthersDoNotFeelIt) {
  Ask(2, kLarge);
  for (int i = 0; i < 1000; ++i) pace_.Settle(1, 0, kLarge, true);
  for (int i = 0; i < 10; ++i) Wait(1);
  EXPECT_NEAR(static_cast<double>(AskWhileItMay(2, kLarge)), kAtOnce - 1, 1);
  EXPECT_EQ(Ended(), "..........");
}

// As many as it has open at once, since nothing told how large their answers would be.
TEST_F(LargeAnswerPaceTest, WhatCameUnexpectedIsPaidForAfterwards) {
  std::vector<uint32_t> taken;
  for (int i = 0; i < 200; ++i) taken.push_back(*pace_.Take(1));
  for (const uint32_t octets : taken) pace_.Settle(1, octets, kLarge, true);
  EXPECT_EQ(pace_.Take(1), std::nullopt);
  const auto debt = static_cast<int64_t>(200 * kLarge) - kFull;
  const int64_t until_next = (debt + static_cast<int64_t>(kLarge)) * 1000 / ResolverLimits::kLargeAnswersPerSecond;
  clock_.Advance(milliseconds(until_next - 5));
  EXPECT_EQ(pace_.Take(1), std::nullopt);
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(pace_.Take(1), kLarge);
}

TEST_F(LargeAnswerPaceTest, WhatDoesNotComeIsGivenBack) {
  Ask(1, kLarge);
  for (int i = 0; i < 1000; ++i) {
    clock_.Advance(milliseconds(10));
    pace_.Settle(1, pace_.Take(1).value(), 0, false);
  }
  EXPECT_EQ(pace_.Take(1), kLarge) << "an answer that did not come says nothing of the next one's size";
}

TEST_F(LargeAnswerPaceTest, SmallAnswersMakeItForgetTheLargeOne) {
  Ask(1, UINT16_MAX);
  for (int i = 0; i < 200; ++i) Ask(1, 0);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(pace_.Take(1), 0U);
}

TEST_F(LargeAnswerPaceTest, TurnsComeInTheirOrder) {
  AskWhileItMay(1, kLarge);
  for (int i = 0; i < 4; ++i) Wait(1);
  EXPECT_EQ(pace_.Take(1), std::nullopt) << "who comes later is no earlier";
  EXPECT_EQ(Ended(), "....");
  Pass(milliseconds(2 * static_cast<int64_t>(kLarge) * 1000 / ResolverLimits::kLargeAnswersPerSecond + 1));
  EXPECT_EQ(Ended(), "oo..");
  EXPECT_EQ(waiters_[0]->turn.taken(), kLarge);
  pace_.Settle(1, waiters_[0]->turn.taken(), 0, false);
  Turn();
  EXPECT_EQ(Ended(), "ooo.") << "what was given back is the next one's";
  Pass(std::chrono::minutes(1));
  EXPECT_EQ(Ended(), "oooo");
}

// Not enough for a turn now, but for an earlier one.
TEST_F(LargeAnswerPaceTest, WhatIsGivenBackBringsATurnForward) {
  AskWhileItMay(1, kLarge);
  constexpr uint32_t kMuch = 900 * ResolverLimits::kLargeAnswersPerSecond;
  pace_.Settle(1, 0, kMuch, true);
  Wait(1);
  pace_.Settle(1, kMuch - 2 * kLarge, 0, false);
  clock_.Advance(std::chrono::seconds(1));
  Turn();
  EXPECT_EQ(Ended(), "o") << "after a quarter of an hour otherwise";
}

TEST_F(LargeAnswerPaceTest, NobodyWaitsLongerThanTheyWantTo) {
  AskWhileItMay(1, kLarge);
  Waiter& cancelled = Wait(1);
  cancelled.cancellation.Cancel();
  Turn();
  ASSERT_TRUE(cancelled.ended);
  EXPECT_EQ(cancelled.ended->code(), absl::StatusCode::kCancelled);
  const Waiter& late = Wait(1, Deadline(clock_.Now()));
  ASSERT_TRUE(late.ended);
  EXPECT_EQ(late.ended->code(), absl::StatusCode::kAborted);
}

TEST_F(LargeAnswerPaceTest, NobodyWaitsForAnEnd) {
  AskWhileItMay(1, kLarge);
  AskWhileItMay(2, kLarge);
  for (const uint16_t asker : std::to_array<uint16_t>({1, 1, 2})) Wait(asker);
  EXPECT_EQ(Ended(), "...");
  pace_.Close();
  Turn();
  EXPECT_EQ(Ended(), "xxx");
  Wait(1);
  EXPECT_EQ(Ended(), "xxxx");
}

// So that whatever an exchange has brought, somebody's turn comes.
TEST_F(LargeAnswerPaceTest, WhatIsExpectedFitsTheAllowance) {
  pace_.Settle(1, 0, 10 * UINT16_MAX, true);
  EXPECT_EQ(pace_.Take(1), std::nullopt);
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_EQ(pace_.Take(1), UINT16_MAX);
}

TEST_F(LargeAnswerPaceTest, WhatNobodyAsksForIsFree) {
  for (int i = 0; i < 100; ++i) Ask(0, UINT16_MAX);
  EXPECT_EQ(pace_.Take(0), 0U);
}

TEST_F(LargeAnswerPaceTest, SomebodyElseWhoHasTheirAllowanceNeedNotWaitWithThem) {
  AskWhileItMay(1, kLarge);
  AskWhileItMay(2, kLarge);
  Waiter& waiter = Wait(1);
  pace_.Offer(waiter.turn, 2);
  Turn();
  EXPECT_FALSE(waiter.ended);
  EXPECT_EQ(waiter.turn.asker(), 1);
  pace_.Offer(waiter.turn, 3);
  Turn();
  ASSERT_TRUE(waiter.ended);
  EXPECT_TRUE(waiter.ended->ok());
  EXPECT_EQ(waiter.turn.asker(), 3);
  EXPECT_EQ(waiter.turn.taken(), 0U);
}

}  // namespace
}  // namespace dotward
