#include "dnssec/fair_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dotward {
namespace {

constexpr uint64_t kCostMax = 100'000;

// Each thing that waits is one letter.
class FairQueueTest : public ::testing::Test {
 protected:
  using Queue = FairQueue<char>;
  // False where it was refused. Whoever is given up is in given_up_.
  bool Push(uint16_t asker, std::string domain, unsigned cost, char letter) {
    std::vector<char> given_up;
    const auto place = queue_.Push({asker, std::move(domain), cost}, letter, given_up);
    given_up_.append(given_up.begin(), given_up.end());
    return place.has_value();
  }
  std::string PopAll() {
    std::string popped;
    while (!queue_.empty()) popped += queue_.Pop();
    return popped;
  }
  Queue queue_{kCostMax};
  std::string given_up_;
};

TEST_F(FairQueueTest, OfOneAskerTheCheapestComesFirst) {
  Push(1, "c.", 3000, 'c');
  Push(1, "a.", 1000, 'a');
  Push(1, "b.", 2000, 'b');
  EXPECT_EQ(PopAll(), "abc");
}

TEST_F(FairQueueTest, ManyCheapOnesOfOneDomainDoNotKeepBackADearOneOfAnother) {
  for (int i = 0; i < 100; ++i) Push(1, "a.", 300, 'a');
  Push(1, "b.", 9000, 'b');
  EXPECT_EQ(PopAll().find('b'), 30U) << "once the other has had as much time";
}

TEST_F(FairQueueTest, WhoWaitsIsNotOvertakenForEver) {
  Push(1, "b.", 9000, 'b');
  for (int i = 0; i < 100; ++i) Push(1, "a.", 300, 'a');
  EXPECT_EQ(PopAll().find('b'), 29U);
}

TEST_F(FairQueueTest, PromiseX9AskersTakeTurnsWhateverTheyAskAbout) {
  for (int i = 0; i < 10; ++i) Push(1, std::to_string(i), 1000, 'a');
  for (int i = 0; i < 3; ++i) Push(2, "b.", 1000, 'b');
  EXPECT_EQ(PopAll(), "abababaaaaaaa");
}

TEST_F(FairQueueTest, WhoHasDearWorkGetsFewerTurns) {
  for (int i = 0; i < 4; ++i) Push(1, "a.", 8000, 'a');
  for (int i = 0; i < 16; ++i) Push(2, "b.", 1000, 'b');
  EXPECT_EQ(PopAll(), "abbbbbbbbabbbbbbbbaa");
}

TEST_F(FairQueueTest, WhoWasGivenMuchIsBehindWhoComesNow) {
  for (int i = 0; i < 4; ++i) Push(1, "a.", 8000, 'a');
  EXPECT_EQ(queue_.Pop(), 'a');
  Push(2, "b.", 8000, 'b');
  EXPECT_EQ(PopAll(), "baaa");
}

TEST_F(FairQueueTest, WhatCostMoreThanWasSaidIsPaidFor) {
  for (int i = 0; i < 3; ++i) Push(1, "a.", 1000, 'a');
  EXPECT_EQ(queue_.Pop(), 'a');
  queue_.Charge(1, 3000);
  for (int i = 0; i < 5; ++i) Push(2, "b.", 1000, 'b');
  EXPECT_EQ(PopAll(), "bbbbaba");
}

TEST_F(FairQueueTest, TimeWithoutWorkIsNotSavedUp) {
  Push(2, "b.", 1000, 'b');
  EXPECT_EQ(queue_.Pop(), 'b');
  for (int i = 0; i < 10; ++i) {
    Push(1, "a.", 8000, 'a');
    EXPECT_EQ(queue_.Pop(), 'a');
  }
  for (int i = 0; i < 20; ++i) Push(2, "b.", 1000, 'b');
  Push(1, "a.", 8000, 'a');
  EXPECT_EQ(PopAll().find('a'), 8U);
}

TEST_F(FairQueueTest, WhoHasMostWaitingMakesRoom) {
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(Push(1, "a.", 1000, 'a'));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(Push(2, "b.", 1000, 'b'));
  EXPECT_EQ(given_up_, "");
  EXPECT_TRUE(Push(3, "c.", 2000, 'c'));
  EXPECT_EQ(given_up_, "aa");
  EXPECT_FALSE(Push(1, "a.", 1000, 'a')) << "its own would come last";
  EXPECT_TRUE(Push(1, "d.", 1000, 'd')) << "of its own this one comes earlier";
  EXPECT_EQ(given_up_, "aaa");
  EXPECT_TRUE(Push(2, "b.", 1000, 'b'));
  EXPECT_EQ(given_up_, "aaaa");
}

TEST_F(FairQueueTest, NobodyLeavesForWhatIsRefused) {
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Push(1, "a.", 1000, 'a'));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Push(2, "b.", 1000, 'b'));
  EXPECT_FALSE(Push(3, "c.", 60'000, 'c')) << "it has most waiting, with this one";
  EXPECT_FALSE(Push(1, "a.", 20'000, 'a'));
  EXPECT_EQ(given_up_, "");
  EXPECT_TRUE(Push(3, "c.", 3000, 'c'));
  EXPECT_EQ(given_up_.size(), 3U);
  EXPECT_EQ(PopAll().size(), 98U);
}

TEST_F(FairQueueTest, WhatIsTakenOutIsGoneAndCostsNothing) {
  std::vector<char> given_up;
  const auto place = queue_.Push({1, "a.", kCostMax}, 'a', given_up);
  ASSERT_TRUE(place.has_value());
  EXPECT_FALSE(Push(1, "b.", kCostMax, 'b'));
  EXPECT_EQ(queue_.Remove(*place), 'a');
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(Push(1, "b.", kCostMax, 'b'));
  EXPECT_EQ(PopAll(), "b");
}

}  // namespace
}  // namespace dotward
