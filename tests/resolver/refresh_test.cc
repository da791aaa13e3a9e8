// Answers in use are fetched anew before they expire.

#include <gtest/gtest.h>

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "resolver/resolver_limits.h"
#include "resolver_fixture.h"

namespace dotward {
namespace {

using std::chrono::seconds;

class RefreshTest : public ResolverFixture {
 protected:
  explicit RefreshTest(Config config = TestConfig()) : ResolverFixture(std::move(config)) {}
  ~RefreshTest() override {
    upstream_.Release();
    Turn();
  }

  // Stores an answer of 300 s and asks for it as often as it takes to be worth another exchange.
  void StoreAndUse(std::string_view name = "www.example.") {
    for (int i = 0; i < 4; ++i) Ask(AQuery(name));
  }
  // Asks for what is in the cache.
  void Hit(std::string_view name = "www.example.") {
    ASSERT_EQ(AnswerNow(AQuery(name)).disposition, Disposition::kAnswered);
    Turn();
  }
  size_t asked() const { return upstream_.asked().size(); }
  const QueryCoalescer::Statistics& statistics() const { return coalescer_.statistics(); }

  std::list<std::optional<Octets>> replies_;
};

TEST_F(RefreshTest, WhatIsInUseIsFetchedAnewInItsLastTenthAndNeverMissed) {
  StoreAndUse();
  const auto misses = [this] { return cache_.Total(clock_.Now()).misses; };
  const uint64_t before = misses();
  for (int i = 0; i < 3000; ++i) {
    clock_.Advance(seconds(1));
    Hit();
  }
  EXPECT_EQ(misses(), before);
  EXPECT_GE(asked(), 3000 / 300U);
  EXPECT_LE(asked(), 1 + 3000 / 270U) << "once in each life";
  EXPECT_EQ(statistics().prefetches.value(), asked() - 1);
  EXPECT_EQ(statistics().prefetches_refused.value(), 0U);
}

TEST_F(RefreshTest, WhatNobodyUsesIsLeftToExpire) {
  Ask(AQuery());
  clock_.Advance(seconds(280));
  Hit();
  EXPECT_EQ(asked(), 1U);
}

TEST_F(RefreshTest, C9_AClientThatComesMeanwhileJoinsIt) {
  StoreAndUse();
  clock_.Advance(seconds(299));
  upstream_.Hold();
  Hit();
  EXPECT_EQ(upstream_.held(), 1U);
  clock_.Advance(seconds(1));
  std::optional<Octets>& reply = replies_.emplace_back();
  Take(AQuery(), LocalClient(), reply);
  Turn();
  EXPECT_FALSE(reply);
  upstream_.Release();
  Turn();
  ASSERT_TRUE(reply);
  EXPECT_EQ(MustReadMessage(*reply).answers.at(0).ttl, 300U);
  EXPECT_EQ(asked(), 2U);
  EXPECT_EQ(statistics().joined.value(), 1U);
}

TEST_F(RefreshTest, C8_AClientThatComesMeanwhileGetsTheStaleAnswerAfterItsOwnTime) {
  cache_.SetStaleMaxAge(std::chrono::hours(1));
  StoreAndUse();
  clock_.Advance(seconds(299));
  upstream_.Hold();
  Hit();
  clock_.Advance(seconds(2));
  std::optional<Octets>& reply = replies_.emplace_back();
  Take(AQuery(), LocalClient(), reply);
  Turn();
  EXPECT_FALSE(reply) << "the time of the refresh before it does not count";
  clock_.Advance(std::chrono::milliseconds(1800));
  std::optional<Octets>& other = replies_.emplace_back();
  Take(AQuery("another.test."), LocalClient(), other);
  Turn();
  ASSERT_TRUE(reply);
  EXPECT_EQ(MustReadMessage(*reply).answers.at(0).ttl, 30U);
}

TEST_F(RefreshTest, C6_OneThatFailsLeavesTheAnswerAloneAndIsNotRemembered) {
  StoreAndUse();
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  clock_.Advance(seconds(280));
  Hit();
  EXPECT_EQ(asked(), 2U);
  Hit();
  EXPECT_EQ(asked(), 2U) << "one try in a life";
  clock_.Advance(seconds(20));
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  EXPECT_EQ(Ask(AQuery())->rcode, 0);
  EXPECT_EQ(asked(), 3U);
}

TEST_F(RefreshTest, C6_OneThatFailsWithAClientIsRemembered) {
  StoreAndUse();
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  clock_.Advance(seconds(299));
  upstream_.Hold();
  Hit();
  clock_.Advance(seconds(1));
  std::optional<Octets>& reply = replies_.emplace_back();
  Take(AQuery(), LocalClient(), reply);
  Turn();
  upstream_.Release();
  Turn();
  EXPECT_EQ(Ask(AQuery())->rcode, 2);
  EXPECT_EQ(asked(), 2U);
}

TEST_F(RefreshTest, LimitRefreshes_NoMoreThanSoManyAreUnderWay) {
  const auto name = [](size_t i) { return "n" + std::to_string(i) + ".example."; };
  for (size_t i = 0; i <= ResolverLimits::kRefreshesMax; ++i) StoreAndUse(name(i));
  clock_.Advance(seconds(280));
  upstream_.Hold();
  for (size_t i = 0; i <= ResolverLimits::kRefreshesMax; ++i) Hit(name(i));
  EXPECT_EQ(upstream_.held(), ResolverLimits::kRefreshesMax);
  EXPECT_EQ(statistics().prefetches.value(), ResolverLimits::kRefreshesMax);
  EXPECT_EQ(statistics().prefetches_refused.value(), 1U);
  upstream_.Release();
  Turn();
  StoreAndUse("late.example.");
  clock_.Advance(seconds(280));
  Hit("late.example.");
  EXPECT_EQ(statistics().prefetches.value(), ResolverLimits::kRefreshesMax + 1) << "those that ended have made room";
}

// --- at the coalescer alone ---

class RefreshLoadTest : public testing::Test {
 protected:
  RefreshLoadTest() { upstream_.Hold(); }
  ~RefreshLoadTest() override {
    upstream_.Release();
    Turn();
    EXPECT_EQ(coalescer_.statistics().in_flight.value(), 0U);
  }
  void Turn() {
    loop_.restart();
    loop_.poll();
  }
  void Refresh(const std::string& name) {
    const Name question = *Name::Parse(name);
    coalescer_.Refresh({.qname = question.wire(), .qtype = rr_type::kA});
    Turn();
  }
  // A client's question, each of another client and for another domain.
  void Ask(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const size_t n = waiters_.size();
      const Name& name = names_.emplace_back(*Name::Parse("www.d" + std::to_string(n) + ".test."));
      const IpAddress client =
          IpAddress::V4({10, static_cast<uint8_t>(n / 65536), static_cast<uint8_t>(n / 256), static_cast<uint8_t>(n)});
      ResolutionWaiter& waiter =
          waiters_.emplace_back(completions_, CacheKey{.qname = name.wire(), .qtype = rr_type::kA}, client,
                                Deadline::After(clock_.Now(), seconds(5)));
      coalescer_.Submit(waiter);
    }
    Turn();
  }

  asio::io_context loop_;
  ManualClock clock_;
  ResponseCache cache_{{.octets_max = 4 << 20, .shards = 4, .hash_seed = 1}};
  FakeUpstream upstream_{loop_, clock_, [](const Octets& query) { return PositiveAnswerTo(query); }};
  QueryCoalescer coalescer_{loop_, upstream_, cache_, clock_, {.pending = {.hash_seed = 1}}};
  std::deque<Name> names_;
  std::deque<ResolutionWaiter> waiters_;
  size_t completed_ = 0;
  CompletionInbox completions_{loop_, [this](std::vector<CompletedWait>& batch) { completed_ += batch.size(); }};
};

TEST_F(RefreshLoadTest, LimitRefreshExchanges_WhileMuchIsAskedNothingIsFetchedForTheCacheAlone) {
  Ask(ResolverLimits::kRefreshExchangesMax - 1);
  Refresh("a.example.");
  EXPECT_EQ(coalescer_.statistics().prefetches.value(), 1U);
  Refresh("b.example.");
  EXPECT_EQ(coalescer_.statistics().prefetches.value(), 1U);
  EXPECT_EQ(coalescer_.statistics().prefetches_refused.value(), 1U);
}

TEST_F(RefreshLoadTest, OneUnderWayIsTheFirstToGoForAClientsQuestion) {
  Ask(1);
  Refresh("a.example.");
  Ask(Limits::kExchangesMax - 1);
  ASSERT_EQ(upstream_.taken_back().size(), 1U);
  EXPECT_EQ(upstream_.taken_back()[0], *Name::Parse("a.example."));
  EXPECT_EQ(completed_, 0U) << "no client has lost anything";
  EXPECT_EQ(coalescer_.statistics().over_limit.value(), 0U);
  Ask(1);
  EXPECT_EQ(completed_, 1U);
}

TEST_F(RefreshLoadTest, OfOneDomainTheOldestGoesWhetherAnybodyWaitsOrNot) {
  Refresh("a.dead.test.");
  for (size_t i = 0; i <= Limits::kPendingPerSuffixMax; ++i) {
    const Name& name = names_.emplace_back(*Name::Parse("r" + std::to_string(i) + ".dead.test."));
    const IpAddress client = IpAddress::V4({10, 0, static_cast<uint8_t>(i / 256), static_cast<uint8_t>(i)});
    coalescer_.Submit(waiters_.emplace_back(completions_, CacheKey{.qname = name.wire(), .qtype = rr_type::kA}, client,
                                            Deadline::After(clock_.Now(), seconds(5))));
  }
  Turn();
  EXPECT_EQ(upstream_.taken_back().size(), 2U);
  EXPECT_EQ(upstream_.taken_back().at(0), *Name::Parse("a.dead.test."));
  EXPECT_EQ(coalescer_.statistics().given_up_suffix.value(), 1U);
}

TEST_F(RefreshLoadTest, WhatIsBeingAskedIsNotAskedBesides) {
  Ask(1);
  Refresh("www.d0.test.");
  Refresh("WWW.d0.test.");
  EXPECT_EQ(upstream_.held(), 1U);
  EXPECT_EQ(coalescer_.statistics().prefetches.value(), 0U);
  EXPECT_EQ(coalescer_.statistics().prefetches_refused.value(), 0U);
}

class WithoutRefreshTest : public RefreshTest {
 protected:
  static Config NoPrefetch() {
    Config config = TestConfig();
    config.cache.prefetch = false;
    return config;
  }
  WithoutRefreshTest() : RefreshTest(NoPrefetch()) {}
};

TEST_F(WithoutRefreshTest, SwitchedOffNothingIsFetchedAnew) {
  StoreAndUse();
  clock_.Advance(seconds(280));
  Hit();
  EXPECT_EQ(asked(), 1U);
}

}  // namespace
}  // namespace dotward
