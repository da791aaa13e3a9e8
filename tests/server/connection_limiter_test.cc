#include "server/connection_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

namespace dotward {
namespace {

using Verdict = ConnectionLimiter::Verdict;

IpAddress Address(std::string_view text) { return IpAddress::Parse(text).value(); }

TEST(ConnectionLimiterTest, S3_AClientGetsItsShareAndNoMore) {
  ConnectionLimiter limiter({.total_max = 10, .per_client_max = 2});
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kClientReached);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.2")), Verdict::kAdmitted);
  limiter.Release(Address("192.0.2.1"));
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.open(), 3U);
}

TEST(ConnectionLimiterTest, S3_AllClientsTogetherGetTheTotal) {
  ConnectionLimiter limiter({.total_max = 2, .per_client_max = 2});
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.2")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.3")), Verdict::kTotalReached);
  EXPECT_EQ(limiter.clients(), 2U) << "one that was refused leaves nothing behind";
  limiter.Release(Address("192.0.2.1"));
  EXPECT_EQ(limiter.Admit(Address("192.0.2.3")), Verdict::kAdmitted);
}

TEST(ConnectionLimiterTest, AnIpv6ClientIsItsPrefix) {
  ConnectionLimiter limiter({.total_max = 10, .per_client_max = 1, .ipv6_prefix = 56});
  EXPECT_EQ(limiter.Admit(Address("2001:db8:0:ff::1")), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("2001:db8:0:1::2")), Verdict::kClientReached);
  EXPECT_EQ(limiter.Admit(Address("2001:db8:0:100::1")), Verdict::kAdmitted);
  limiter.Release(Address("2001:db8:0:ff:1234::1"));
  EXPECT_EQ(limiter.clients(), 1U);
}

TEST(ConnectionLimiterTest, OtherLimitsCountFromTheNextConnectionOn) {
  ConnectionLimiter limiter({.total_max = 10, .per_client_max = 1, .ipv4_prefix = 32});
  IpAddress first, second;
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1"), &first), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.2"), &second), Verdict::kAdmitted);
  limiter.SetOptions({.total_max = 10, .per_client_max = 1, .ipv4_prefix = 24});
  IpAddress third;
  EXPECT_EQ(limiter.Admit(Address("192.0.2.3"), &third), Verdict::kAdmitted);
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kClientReached);
  // Each is given back as what it was counted as.
  for (const IpAddress& counted_as : {first, second, third}) limiter.Release(counted_as);
  EXPECT_EQ(limiter.open(), 0U);
  EXPECT_EQ(limiter.clients(), 0U);
  limiter.SetOptions({.total_max = 0});
  EXPECT_EQ(limiter.Admit(Address("192.0.2.1")), Verdict::kTotalReached);
}

TEST(ConnectionLimiterTest, AReleaseThatNothingWasAdmittedForChangesNothing) {
  ConnectionLimiter limiter({});
  limiter.Release(Address("192.0.2.1"));
  EXPECT_EQ(limiter.open(), 0U);
}

TEST(ConnectionLimiterTest, CountsWhatManyThreadsDo) {
  ConnectionLimiter limiter({.total_max = 50, .per_client_max = 30});
  std::atomic<size_t> too_many{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&limiter, &too_many, i] {
      const IpAddress address = IpAddress::V4({192, 0, 2, static_cast<uint8_t>(i % 2)});
      for (int round = 0; round < 2000; ++round) {
        if (limiter.Admit(address) != Verdict::kAdmitted) continue;
        if (limiter.open() > 50) ++too_many;
        limiter.Release(address);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(too_many, 0U);
  EXPECT_EQ(limiter.open(), 0U);
  EXPECT_EQ(limiter.clients(), 0U);
}

}  // namespace
}  // namespace dotward
