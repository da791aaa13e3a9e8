#include "dotward/task.h"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <stdexcept>
#include <vector>

#include "base/await.h"
#include "base/inbox.h"

namespace dotward {
namespace {

Task<> TakeInto(OneShot<int>& source, int& target) { target = co_await source.Wait(); }

Task<> JoinThenMark(TaskGroup& group, bool& joined) {
  co_await group.Join();
  joined = true;
}

TEST(OneShotTest, GivesAValueSetBeforeOrAfterTheWait) {
  asio::io_context loop;
  TaskGroup group(loop);
  OneShot<int> early(loop.get_executor());
  OneShot<int> late(loop.get_executor());
  int a = 0;
  int b = 0;
  early.Set(1);
  group.Spawn(TakeInto(early, a));
  group.Spawn(TakeInto(late, b));
  loop.run_one();
  loop.poll();
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, 0);
  late.Set(2);
  EXPECT_EQ(b, 0) << "the waiter runs on the loop's next turn, not inside Set";
  loop.restart();
  loop.poll();
  EXPECT_EQ(b, 2);
  EXPECT_EQ(group.running(), 0U);
}

Task<> CountWakes(Wakeup& wakeup, int& wakes) {
  while (true) {
    co_await wakeup.Wait();
    ++wakes;
  }
}

TEST(WakeupTest, WhatIsNotifiedBeforeTheWaitIsNotLostAndCountsOnce) {
  asio::io_context loop;
  TaskGroup group(loop);
  Wakeup wakeup(loop.get_executor());
  int wakes = 0;
  wakeup.Notify();
  wakeup.Notify();
  group.Spawn(CountWakes(wakeup, wakes));
  loop.poll();
  EXPECT_EQ(wakes, 1);
  wakeup.Notify();
  EXPECT_EQ(wakes, 1) << "the waiter runs on the loop's next turn, not inside Notify";
  loop.restart();
  loop.poll();
  EXPECT_EQ(wakes, 2);
}

Task<> Fail(Wakeup* wakeup) {
  if (wakeup != nullptr) co_await wakeup->Wait();
  throw std::runtime_error("left the task");
}

TEST(TaskGroupTest, AnExceptionThatLeavesATaskLeavesTheLoop) {
  asio::io_context loop;
  TaskGroup group(loop);
  group.Spawn(Fail(nullptr));
  EXPECT_THROW(loop.run(), std::runtime_error);
  EXPECT_EQ(group.running(), 0U);

  Wakeup wakeup(loop.get_executor());
  group.Spawn(Fail(&wakeup));
  loop.restart();
  loop.poll();
  EXPECT_EQ(group.running(), 1U);
  wakeup.Notify();
  EXPECT_THROW(loop.run(), std::runtime_error);
  EXPECT_EQ(group.running(), 0U);
}

TEST(TaskGroupTest, ATaskKeepsItsLoopRunning) {
  asio::io_context loop;
  TaskGroup group(loop);
  OneShot<int> gate(loop.get_executor());
  int value = 0;
  group.Spawn(TakeInto(gate, value));
  loop.poll();
  EXPECT_FALSE(loop.stopped());
  gate.Set(3);
  loop.run();
  EXPECT_EQ(value, 3);
  EXPECT_TRUE(loop.stopped());
}

TEST(TaskGroupTest, JoinEndsWithTheLastTask) {
  asio::io_context loop;
  TaskGroup group(loop);
  TaskGroup joiners(loop);
  OneShot<int> gate(loop.get_executor());
  int value = 0;
  bool joined = false;
  group.Spawn(TakeInto(gate, value));
  joiners.Spawn(JoinThenMark(group, joined));
  loop.poll();
  EXPECT_FALSE(joined);
  gate.Set(7);
  loop.restart();
  loop.poll();
  EXPECT_TRUE(joined);
  EXPECT_EQ(value, 7);
}

TEST(TaskGroupTest, TasksThatNeverEndAreDestroyedWithTheLoop) {
  int value = 0;
  asio::io_context outer;
  OneShot<int> never(outer.get_executor());
  {
    TaskGroup group(outer);
    group.Spawn(TakeInto(never, value));
    outer.poll();
    EXPECT_EQ(group.running(), 1U);
  }
  EXPECT_EQ(value, 0);  // the address sanitizer has the rest of the claim
}

TEST(InboxTest, DeliversABatchAtOnce) {
  asio::io_context loop;
  std::vector<size_t> batches;
  Inbox<int> inbox(loop, [&](std::vector<int>& batch) { batches.push_back(batch.size()); });
  inbox.Push(1);
  inbox.Push(2);
  inbox.Push(3);
  loop.poll();
  loop.restart();
  inbox.Push(4);
  loop.poll();
  EXPECT_EQ(batches, (std::vector<size_t>{3, 1}));
}

}  // namespace
}  // namespace dotward
