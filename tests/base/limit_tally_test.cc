#include "base/limit_tally.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace dotward {
namespace {

IpPrefix Client(uint8_t number) { return {IpAddress::V4({192, 0, 2, number}), 32}; }

class LimitTallyTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  LimitTally tally_;
};

TEST_F(LimitTallyTest, A6_FirstTimeIsToldAtOnce) {
  const auto line = tally_.Add(Client(1), clock_.Now());
  ASSERT_TRUE(line);
  EXPECT_EQ(line->times, 1U);
  EXPECT_EQ(line->clients, 1U);
  EXPECT_EQ(line->client, Client(1));
  EXPECT_EQ(tally_.NextDue(), std::nullopt);
}

TEST_F(LimitTallyTest, A6_WhatFollowsIsOneLineAnIntervalWithTheNumberAndTheWorst) {
  tally_.Add(Client(1), clock_.Now());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(tally_.Add(Client(2), clock_.Now()));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(tally_.Add(Client(3), clock_.Now()));
  tally_.AddUnknown(7);
  EXPECT_EQ(tally_.NextDue(), clock_.Now() + Limits::kLimitLogInterval);
  clock_.Advance(Limits::kLimitLogInterval - std::chrono::nanoseconds(1));
  EXPECT_FALSE(tally_.TakeDue(clock_.Now()));
  clock_.Advance(std::chrono::nanoseconds(1));
  const auto line = tally_.TakeDue(clock_.Now());
  ASSERT_TRUE(line);
  EXPECT_EQ(line->times, 20U);
  EXPECT_EQ(line->clients, 2U);
  EXPECT_EQ(line->client, Client(2));
  // Nothing has come since, so nothing is due.
  clock_.Advance(Limits::kLimitLogInterval);
  EXPECT_FALSE(tally_.TakeDue(clock_.Now()));
  EXPECT_EQ(tally_.NextDue(), std::nullopt);
}

TEST_F(LimitTallyTest, A6_AfterAQuietIntervalItIsNewsAgain) {
  tally_.Add(Client(1), clock_.Now());
  clock_.Advance(Limits::kLimitLogInterval);
  EXPECT_TRUE(tally_.Add(Client(1), clock_.Now()));
}

TEST_F(LimitTallyTest, A6_WhoComesOftenIsNamedHoweverManyOthersCome) {
  tally_.Add(Client(0), clock_.Now());
  for (uint8_t other = 1; other < 250; ++other) {
    tally_.Add(Client(255), clock_.Now());
    tally_.Add(Client(255), clock_.Now());
    tally_.Add(Client(other), clock_.Now());
  }
  const auto line = tally_.TakeRest();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->client, Client(255));
  EXPECT_EQ(line->clients, Limits::kLimitLogClientsMax);
  EXPECT_EQ(line->times, 3U * 249);
}

TEST_F(LimitTallyTest, A6_NumberThatNobodyWasLookedAtForNamesNobody) {
  tally_.Add(Client(1), clock_.Now());
  tally_.AddUnknown(2);
  clock_.Advance(Limits::kLimitLogInterval);
  const auto line = tally_.TakeDue(clock_.Now());
  ASSERT_TRUE(line);
  EXPECT_EQ(line->times, 2U);
  EXPECT_EQ(line->clients, 0U);
}

}  // namespace
}  // namespace dotward
