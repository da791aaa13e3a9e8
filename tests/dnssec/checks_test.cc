#include "dnssec/checks.h"

#include <gtest/gtest.h>

#include <array>
#include <asio/io_context.hpp>
#include <ctime>
#include <future>
#include <thread>

#include "dns/name.h"
#include "dnssec/dnssec_limits.h"
#include "testing/manual_clock.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

class ChecksTest : public ::testing::Test {
 protected:
  Checks::Order Of(unsigned microseconds) const { return {.name = name_.wire(), .microseconds = microseconds}; }

  const Name name_ = *Name::Parse("www.example.");
  asio::io_context loop_;
  ManualClock clock_;
  DnssecStatistics statistics_;
  Checks checks_{loop_, clock_, statistics_};
};

TEST_F(ChecksTest, TheLoopMakesCheapChecksAsLongAsTheyAreFew) {
  const auto runs_here = [this](unsigned microseconds) {
    std::thread::id ran_on;
    EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(microseconds), [&] { ran_on = std::this_thread::get_id(); })).ok());
    return ran_on == std::this_thread::get_id();
  };
  constexpr unsigned kCheap = DnssecLimits::kCheckInlineMicrosecondsMax;
  constexpr auto kTime = DnssecLimits::kCheckInlineTimeMax;
  EXPECT_FALSE(runs_here(kCheap + 1));
  for (auto spent = Duration(0); spent + std::chrono::microseconds(kCheap) <= kTime;
       spent += std::chrono::microseconds(kCheap)) {
    EXPECT_TRUE(runs_here(kCheap));
  }
  EXPECT_FALSE(runs_here(kCheap));
  clock_.Advance(std::chrono::microseconds(kCheap) * 100 / DnssecLimits::kCheckInlinePercentMax +
                 std::chrono::microseconds(1));
  EXPECT_TRUE(runs_here(kCheap));
  EXPECT_FALSE(runs_here(kCheap));
  EXPECT_EQ(statistics_.beside_loop.value(), 3U);
}

TEST_F(ChecksTest, ChecksThatTakeLongerThanTheyShouldAreNoCheaperForTheLoop) {
  std::thread::id ran_on;
  const auto until = [](Duration time) {
    timespec now{};
    const auto thread_time = [&now] {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
      return Duration(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
    };
    const Duration end = thread_time() + time;
    while (thread_time() < end) {
    }
  };
  EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(1), [&] { until(2 * DnssecLimits::kCheckInlineTimeMax); })).ok());
  EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(1), [&] { ran_on = std::this_thread::get_id(); })).ok());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(ChecksTest, TheLoopPaysBackWhatTookLongerByTheTimeThatPasses) {
  std::thread::id ran_on;
  const auto runs_here = [&] {
    EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(1), [&] { ran_on = std::this_thread::get_id(); })).ok());
    return ran_on == std::this_thread::get_id();
  };
  const auto busy = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    const long end = now.tv_sec * 1'000'000'000 + now.tv_nsec + 20'000'000;
    while (now.tv_sec * 1'000'000'000 + now.tv_nsec < end) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  };
  EXPECT_TRUE(checks_.RunHere(busy));
  EXPECT_FALSE(runs_here());
  EXPECT_FALSE(checks_.RunHere([] {}));
  clock_.Advance(std::chrono::milliseconds(10));
  EXPECT_FALSE(runs_here());
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_TRUE(runs_here());
}

TEST_F(ChecksTest, WhatCostsNothingIsAlwaysDoneHere) {
  EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(1), [] {})).ok());
  while (checks_.RunHere([] {})) {
  }
  std::thread::id ran_on;
  EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(0), [&] { ran_on = std::this_thread::get_id(); })).ok());
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(ChecksTest, PromiseX9WhatAnOrdinaryAnswerNeedsDoesNotWaitForADearOne) {
  std::promise<void> started, go_on;
  TaskGroup tasks(loop_);
  Outcome<absl::Status> dear;
  dear.From(tasks, checks_.Run(Of(DnssecLimits::kCheckCheapMicrosecondsMax + 1), [&] {
    started.set_value();
    go_on.get_future().wait();
  }));
  loop_.poll();
  started.get_future().wait();
  EXPECT_TRUE(RunTask(loop_, checks_.Run(Of(DnssecLimits::kCheckCheapMicrosecondsMax), [] {})).ok());
  EXPECT_FALSE(dear.ready());
  go_on.set_value();
  EXPECT_TRUE(dear.Wait(loop_).ok());
}

}  // namespace
}  // namespace dotward
