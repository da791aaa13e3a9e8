#include "dnssec/check_thread.h"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <future>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "dns/name.h"
#include "dnssec/dnssec_limits.h"
#include "testing/manual_clock.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

class CheckThreadTest : public ::testing::Test {
 protected:
  // `who` is one letter, of the asker and of the name.
  CheckThread::Order For(const std::string& who, unsigned microseconds, Deadline deadline = Deadline(SteadyTime::max()),
                         Cancellation* cancellation = nullptr) {
    names_.push_back(*Name::Parse(who + ".example."));
    return {.asker = static_cast<uint16_t>(who[0]),
            .name = names_.back().wire(),
            .microseconds = microseconds,
            .deadline = deadline,
            .cancellation = cancellation};
  }
  std::list<Name> names_;
  asio::io_context loop_;
  ManualClock clock_;
  CheckThread checks_{loop_, clock_, "checks", 1};
  TaskGroup tasks_{loop_};
};

TEST_F(CheckThreadTest, AChecksRunsOnAnotherThreadAndIsWaitedFor) {
  std::thread::id ran_on;
  EXPECT_TRUE(RunTask(loop_, checks_.Run(For("a", 1000), [&] { ran_on = std::this_thread::get_id(); })).ok());
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

// With the thread busy until Free is called. What waits notes who asked when it is run.
class BusyCheckThreadTest : public CheckThreadTest {
 protected:
  BusyCheckThreadTest() {
    busy_.From(tasks_, checks_.Run(For("busy", 1000), [this] {
      started_.set_value();
      go_on_.get_future().wait();
    }));
    loop_.poll();
    started_.get_future().wait();
  }
  ~BusyCheckThreadTest() override {
    Free();
    for (auto& outcome : waiting_) outcome->Wait(loop_);
  }
  void Free() {
    if (std::exchange(free_, true)) return;
    go_on_.set_value();
    EXPECT_TRUE(busy_.Wait(loop_).ok());
  }
  Outcome<absl::Status>& Start(CheckThread::Order order) {
    waiting_.push_back(std::make_unique<Outcome<absl::Status>>());
    std::function<void()> check = [this, who = static_cast<char>(order.asker)] { ran_ += who; };
    waiting_.back()->From(tasks_, checks_.Run(std::move(order), std::move(check)));
    loop_.restart();
    loop_.poll();
    return *waiting_.back();
  }
  // What has run, in order, once everything has.
  std::string Ran() {
    Free();
    for (auto& outcome : waiting_) outcome->Wait(loop_);
    return ran_;
  }

  std::promise<void> started_, go_on_;
  Outcome<absl::Status> busy_;
  bool free_ = false;
  std::vector<std::unique_ptr<Outcome<absl::Status>>> waiting_;
  std::string ran_;
};

TEST_F(BusyCheckThreadTest, WhatWaitsIsBoundedByItsCostAndTheLoopGoesOn) {
  constexpr unsigned kCost = 10'000;
  constexpr size_t kRoom = DnssecLimits::kChecksQueuedMicrosecondsMax / kCost;
  for (size_t i = 0; i < kRoom; ++i) EXPECT_FALSE(Start(For("a", kCost)).ready()) << i;
  Outcome<absl::Status>& refused = Start(For("a", kCost));
  ASSERT_TRUE(refused.ready());
  EXPECT_EQ(refused->code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Ran(), std::string(kRoom, 'a'));
}

TEST_F(BusyCheckThreadTest, WhoHasMuchWaitingGivesUpItsLastForOthers) {
  constexpr unsigned kCost = 10'000;
  constexpr size_t kRoom = DnssecLimits::kChecksQueuedMicrosecondsMax / kCost;
  for (size_t i = 0; i < kRoom; ++i) Start(For("a", kCost));
  EXPECT_FALSE(Start(For("b", kCost)).ready());
  ASSERT_TRUE(waiting_[kRoom - 1]->ready());
  EXPECT_EQ((*waiting_[kRoom - 1])->code(), absl::StatusCode::kAborted);
  EXPECT_LE(Ran().find('b'), 1U);
}

TEST_F(BusyCheckThreadTest, WhatNobodyNeedsAnyMoreIsTakenBack) {
  Cancellation cancellation;
  Outcome<absl::Status>& cancelled = Start(For("a", 1000, Deadline(SteadyTime::max()), &cancellation));
  Outcome<absl::Status>& late = Start(For("b", 1000, Deadline::After(clock_.Now(), std::chrono::milliseconds(500))));
  Start(For("c", 1000));
  cancellation.Cancel();
  clock_.Advance(std::chrono::milliseconds(500));
  EXPECT_EQ(cancelled.Wait(loop_).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(late.Wait(loop_).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Ran(), "c");
  Outcome<absl::Status>& too_late = Start(For("d", 1000, Deadline(SteadyTime::max()), &cancellation));
  EXPECT_EQ(too_late.Wait(loop_).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ran_, "c");
}

// The check touches what belongs to who waits for it.
TEST_F(BusyCheckThreadTest, WhatHasBegunIsWaitedForWhateverBecomesOfIt) {
  Cancellation cancellation;
  std::promise<void> begun, go_on;
  bool ended = false;
  Outcome<absl::Status> outcome;
  outcome.From(tasks_, checks_.Run(For("a", 1000, Deadline(SteadyTime::max()), &cancellation), [&] {
    begun.set_value();
    go_on.get_future().wait();
    ended = true;
  }));
  Free();
  begun.get_future().wait();
  cancellation.Cancel();
  loop_.restart();
  loop_.poll();
  EXPECT_FALSE(outcome.ready());
  go_on.set_value();
  EXPECT_TRUE(outcome.Wait(loop_).ok());
  EXPECT_TRUE(ended);
}

TEST_F(BusyCheckThreadTest, ClosingEndsWhatWaitsAndWaitsForWhatHasBegun) {
  // What it holds is let go of once it has been ended, and before the thread is waited for.
  std::promise<void> ended;
  const auto tells = [&ended](const int* held) {
    delete held;
    ended.set_value();
  };
  Outcome<absl::Status> waiting;
  waiting.From(tasks_,
               checks_.Run(For("a", 1000), [this, held = std::shared_ptr<const int>(new int, tells)] { ran_ += 'a'; }));
  loop_.restart();
  loop_.poll();
  free_ = true;
  std::thread frees([&] {
    ended.get_future().wait();
    go_on_.set_value();
  });
  checks_.Close();
  frees.join();
  EXPECT_TRUE(busy_.Wait(loop_).ok());
  EXPECT_EQ(waiting.Wait(loop_).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ran_, "");
  EXPECT_EQ(Start(For("b", 1000)).Wait(loop_).code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace dotward
