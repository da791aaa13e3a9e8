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
  EXPECT_TRUE(RunTask(loop, checks.Run([&] { ran_on = std::this_thread::get_id(); })));
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(CheckThreadTest, TheLoopGoesOnMeanwhileAndTheQueueIsBounded) {
  asio::io_context loop;
  CheckThread checks(loop);
  std::promise<void> started, go_on;
  TaskGroup tasks(loop);
  Outcome<bool> first;
  first.From(tasks, checks.Run([&] {
    started.set_value();
    go_on.get_future().wait();
  }));
  loop.poll();
  started.get_future().wait();
  std::vector<Outcome<bool>> waiting(DnssecLimits::kChecksQueuedMax + 1);
  for (auto& outcome : waiting) outcome.From(tasks, checks.Run([] {}));
  loop.poll();
  ASSERT_TRUE(waiting.back().ready());
  EXPECT_FALSE(*waiting.back());
  EXPECT_FALSE(waiting[0].ready());
  go_on.set_value();
  EXPECT_TRUE(first.Wait(loop));
  for (auto& outcome : waiting) outcome.Wait(loop);
  EXPECT_TRUE(*waiting[DnssecLimits::kChecksQueuedMax - 1]);
}

TEST(CheckThreadTest, WhatWasHandedOverEndsBeforeItIsClosed) {
  asio::io_context loop;
  CheckThread checks(loop);
  TaskGroup tasks(loop);
  std::vector<Outcome<bool>> outcomes(10);
  int ran = 0;
  for (auto& outcome : outcomes) outcome.From(tasks, checks.Run([&] { ++ran; }));
  loop.poll();
  checks.Close();
  EXPECT_EQ(ran, 10);
  for (auto& outcome : outcomes) EXPECT_TRUE(outcome.Wait(loop));
  EXPECT_FALSE(RunTask(loop, checks.Run([] {})));
}

}  // namespace
}  // namespace dotward
