#include "dnssec/check_thread.h"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <future>
#include <thread>
#include <vector>

#include "dnssec/dnssec_limits.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

TEST(CheckThreadTest, AChecksRunsOnAnotherThreadAndIsWaitedFor) {
  asio::io_context loop;
  CheckThread checks(loop);
  std::thread::id ran_on;
  EXPECT_TRUE(RunTask(loop, checks.Run(1000, [&] { ran_on = std::this_thread::get_id(); })));
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

// With the thread busy until Free is called.
class BusyCheckThreadTest : public ::testing::Test {
 protected:
  BusyCheckThreadTest() {
    busy_.From(tasks_, checks_.Run(1000, [this] {
      started_.set_value();
      go_on_.get_future().wait();
    }));
    loop_.poll();
    started_.get_future().wait();
  }
  void Free() {
    go_on_.set_value();
    EXPECT_TRUE(busy_.Wait(loop_));
  }

  asio::io_context loop_;
  CheckThread checks_{loop_};
  std::promise<void> started_, go_on_;
  TaskGroup tasks_{loop_};
  Outcome<bool> busy_;
};

TEST_F(BusyCheckThreadTest, WhatWaitsIsBoundedByItsCostAndTheLoopGoesOn) {
  constexpr unsigned kCost = 1000;
  std::vector<Outcome<bool>> waiting(DnssecLimits::kChecksQueuedMicrosecondsMax / kCost + 1);
  for (auto& outcome : waiting) outcome.From(tasks_, checks_.Run(kCost, [] {}));
  loop_.poll();
  ASSERT_TRUE(waiting.back().ready());
  EXPECT_FALSE(*waiting.back());
  EXPECT_FALSE(waiting[0].ready());
  Free();
  waiting.pop_back();
  for (auto& outcome : waiting) EXPECT_TRUE(outcome.Wait(loop_));
}

TEST_F(BusyCheckThreadTest, TheDearestIsGivenUpForWhatIsCheaper) {
  Outcome<bool> dear, cheap;
  dear.From(tasks_, checks_.Run(DnssecLimits::kChecksQueuedMicrosecondsMax, [] {}));
  cheap.From(tasks_, checks_.Run(1000, [] {}));
  EXPECT_FALSE(dear.Wait(loop_));
  Free();
  EXPECT_TRUE(cheap.Wait(loop_));
}

TEST_F(BusyCheckThreadTest, TheCheapestComesFirst) {
  std::vector<unsigned> order;
  std::vector<Outcome<bool>> waiting(3);
  size_t next = 0;
  for (const unsigned cost : {3000U, 1000U, 2000U}) {
    waiting[next++].From(tasks_, checks_.Run(cost, [&order, cost] { order.push_back(cost); }));
  }
  Free();
  for (auto& outcome : waiting) EXPECT_TRUE(outcome.Wait(loop_));
  EXPECT_EQ(order, (std::vector<unsigned>{1000, 2000, 3000}));
}

TEST(CheckThreadTest, WhatWasHandedOverEndsBeforeItIsClosed) {
  asio::io_context loop;
  CheckThread checks(loop);
  TaskGroup tasks(loop);
  std::vector<Outcome<bool>> outcomes(10);
  int ran = 0;
  for (auto& outcome : outcomes) outcome.From(tasks, checks.Run(1000, [&] { ++ran; }));
  loop.poll();
  checks.Close();
  EXPECT_EQ(ran, 10);
  for (auto& outcome : outcomes) EXPECT_TRUE(outcome.Wait(loop));
  EXPECT_FALSE(RunTask(loop, checks.Run(1000, [] {})));
}

}  // namespace
}  // namespace dotward
