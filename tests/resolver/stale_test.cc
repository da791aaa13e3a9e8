// Expired answers in place of fresh ones (RFC 8767), and when the question behind them is asked.

#include <gtest/gtest.h>

#include <list>
#include <string>
#include <vector>

#include "resolver/resolver_limits.h"
#include "resolver_fixture.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kClientTimeout{1800};

// An answer of five minutes is in the cache and has expired; what is asked from now on waits for the upstream.
class PromiseC8 : public ResolverFixture {
 protected:
  explicit PromiseC8(QueryCoalescer::Options options = {}) : ResolverFixture(TestConfig(), options) {
    cache_.SetStaleMaxAge(hours(24));
    Ask(AQuery());
    clock_.Advance(seconds(300));
    upstream_.Hold();
  }
  ~PromiseC8() override {
    upstream_.Release();
    Turn();
  }

  // One client's reply, when it comes.
  using Reply = std::optional<Octets>;
  Reply& Send(std::string_view name = "www.example.", bool dnssec_ok = false) {
    Reply& reply = replies_.emplace_back();
    const Octets query = MessageBuilder::Query(1, name, rr_type::kA).WithEdns({.dnssec_ok = dnssec_ok}).Build();
    EXPECT_EQ(AnswerNow(query).disposition, Disposition::kLater);
    Take(query, LocalClient(), reply);
    Turn();
    return reply;
  }
  // Time passes, and a question for something else comes.
  void Pass(Duration duration) {
    clock_.Advance(duration);
    Take(AQuery("another.test."), LocalClient(), replies_.emplace_back());
    Turn();
  }
  void ReleaseAll() {
    upstream_.Release();
    Turn();
  }
  size_t asked(std::string_view name = "www.example.") const {
    size_t asked = 0;
    for (const UpstreamQuery& query : upstream_.asked()) asked += query.name == *Name::Parse(name) ? 1U : 0U;
    return asked;
  }
  const QueryStatistics& statistics() const { return resolver_.statistics(); }

  static void ExpectStale(const Reply& reply, const std::vector<std::string>& errors) {
    ASSERT_TRUE(reply);
    const MessageRead read = MustReadMessage(*reply);
    EXPECT_EQ(read.rcode, 0);
    ASSERT_EQ(read.answers.size(), 1U);
    EXPECT_EQ(read.answers[0].ttl, 30U);
    EXPECT_EQ(Errors(read), errors);
  }
  static void ExpectFresh(const Reply& reply) {
    ASSERT_TRUE(reply);
    const MessageRead read = MustReadMessage(*reply);
    ASSERT_EQ(read.answers.size(), 1U);
    EXPECT_EQ(read.answers[0].ttl, 300U);
    EXPECT_EQ(Errors(read), std::vector<std::string>());
  }

  std::list<Reply> replies_;
};

const std::vector<std::string> kTooLate = {"3: no fresh answer within 1800ms"};

TEST_F(PromiseC8, AFreshAnswerWithinTheTimeoutIsGiven) {
  Reply& reply = Send();
  Pass(kClientTimeout - milliseconds(1));
  EXPECT_FALSE(reply) << "never instead of trying";
  ReleaseAll();
  ExpectFresh(reply);
  EXPECT_EQ(statistics().of(QueryEnd::kStale).value(), 0U);
}

TEST_F(PromiseC8, AfterTheTimeoutAllWhoWaitGetTheStaleAnswerAndTheExchangeGoesOn) {
  Reply& first = Send();
  clock_.Advance(seconds(1));
  Reply& second = Send();
  EXPECT_FALSE(first || second);
  Pass(kClientTimeout - seconds(1));
  ExpectStale(first, kTooLate);
  ExpectStale(second, kTooLate);
  EXPECT_EQ(asked(), 2U);
  EXPECT_EQ(statistics().of(QueryEnd::kStale).value(), 2U);
  ReleaseAll();
  EXPECT_EQ(Ask(AQuery())->answers.at(0).ttl, 300U) << "what came later is in the cache";
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC8, WhoComesAfterTheTimeoutGetsItAtOnce) {
  Send();
  Pass(kClientTimeout);
  Reply& late = Send();
  ExpectStale(late, kTooLate);
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC8, WithoutAStaleAnswerEverybodyWaits) {
  Reply& reply = Send("unknown.example.");
  Pass(kClientTimeout + seconds(1));
  EXPECT_FALSE(reply);
  ReleaseAll();
  ExpectFresh(reply);
}

TEST_F(PromiseC8, WhatExpiredTooLongAgoIsNotGiven) {
  clock_.Advance(hours(24));
  Reply& reply = Send();
  Pass(kClientTimeout);
  EXPECT_FALSE(reply);
}

TEST_F(PromiseC8, SwitchedOffNothingStaleIsGiven) {
  cache_.SetStaleMaxAge(Duration::zero());
  FailWith(absl::UnavailableError("fake: refused"));
  Reply& reply = Send();
  ReleaseAll();
  EXPECT_EQ(MustReadMessage(*reply).rcode, 2);
}

TEST_F(PromiseC8, AFailureGivesTheStaleAnswerWithItsReasonsBehindIt) {
  FailWith(absl::UnavailableError("fake: connection refused"));
  Reply& reply = Send();
  ReleaseAll();
  ExpectStale(reply, {"3: no fresh answer could be had", "22: fake: connection refused"});
}

TEST_F(PromiseC8, U7_WhileNobodyCanBeReachedEachQuestionIsTriedAndAnsweredStaleAtOnce) {
  FailWith(absl::UnavailableError("fake: connection refused"));
  upstream_.condition.serving = false;
  upstream_.Release();
  for (size_t i = 1; i <= 3; ++i) {
    Reply& reply = Send();
    ExpectStale(reply, {"3: no fresh answer could be had", "22: fake: connection refused"});
    EXPECT_EQ(asked(), 1 + i);
  }
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  Reply& good = Send();
  ExpectFresh(good);
}

TEST_F(PromiseC8, AFailedQuestionIsAnsweredStaleWithoutAskingForThirtySeconds) {
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  upstream_.Release();
  Reply& reply = Send();
  ASSERT_TRUE(reply);
  EXPECT_EQ(Errors(MustReadMessage(*reply)).at(0), "3: no fresh answer could be had");
  EXPECT_EQ(asked(), 2U);
  clock_.Advance(ResolverLimits::kStaleRecheck - milliseconds(1));
  Reply& second = Send();
  ASSERT_TRUE(second);
  EXPECT_EQ(Errors(MustReadMessage(*second)).at(0), "3: the question failed, and is asked again in 1 s");
  EXPECT_EQ(Errors(MustReadMessage(*second)).size(), 2U) << "and why it failed";
  EXPECT_EQ(asked(), 2U);
  clock_.Advance(milliseconds(1));
  Send();
  EXPECT_EQ(asked(), 3U);
}

TEST_F(PromiseC8, C6_WhereFailuresInARowAreRememberedLongerThatCounts) {
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  upstream_.Release();
  for (const int expected : {30, 30, 30, 40, 80}) {
    const size_t before = asked();
    Send();
    ASSERT_EQ(asked(), before + 1);
    clock_.Advance(seconds(expected) - milliseconds(1));
    Send();
    ASSERT_EQ(asked(), before + 1) << expected;
    clock_.Advance(milliseconds(1));
  }
}

TEST_F(PromiseC8, U7_ARouteThatReturnedIsAskedAtOnceForAFreshAnswer) {
  FailWith(absl::DeadlineExceededError("fake: silence"));
  upstream_.Release();
  Send();
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  upstream_.condition.returns = 1;
  Reply& good = Send();
  ExpectFresh(good);
}

TEST_F(PromiseC8, OutOfTimeNobodyIsAskedForAgainWhereThereIsAStaleAnswer) {
  coalescer_.Adopt({.stale_client_timeout = seconds(10)});
  FailWith(absl::DeadlineExceededError("fake: silence"));
  Reply& first = Send();
  clock_.Advance(seconds(3));
  Reply& second = Send();
  clock_.Advance(seconds(2));
  ReleaseAll();
  ExpectStale(first, {"3: no fresh answer could be had", "22: fake: silence"});
  ExpectStale(second, {"3: no fresh answer could be had", "22: fake: silence"});
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC8, ARealNxdomainReplacesTheStaleAnswer) {
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "example."); });
  Reply& reply = Send();
  ReleaseAll();
  EXPECT_EQ(MustReadMessage(*reply).rcode, 3);
  clock_.Advance(seconds(901));
  FailWith(absl::UnavailableError("fake: refused"));
  Reply& stale = Send();
  const MessageRead read = MustReadMessage(*stale);
  EXPECT_EQ(read.rcode, 3) << "and nothing from before it comes back";
  EXPECT_EQ(Errors(read).at(0), "19: no fresh answer could be had");
  ASSERT_EQ(read.authorities.size(), 1U);
  EXPECT_EQ(read.authorities[0].ttl, 30U);
}

TEST_F(PromiseC8, Q10_WithoutRdNothingStaleIsGiven) {
  const auto reply = Ask(MessageBuilder(1).Question("www.example.", rr_type::kA).Build());
  EXPECT_EQ(reply->rcode, 5);
}

TEST_F(PromiseC8, C7_WithDoTheStaleAnswerOfOthersIsNotGiven) {
  Reply& plain = Send();
  Reply& with_dnssec = Send("www.example.", true);
  Pass(kClientTimeout);
  ExpectStale(plain, kTooLate);
  EXPECT_FALSE(with_dnssec);
}

TEST_F(PromiseC8, AnotherTimeoutCountsForThoseWhoWait) {
  Reply& reply = Send();
  Pass(seconds(1));
  EXPECT_FALSE(reply);
  coalescer_.Adopt({.stale_client_timeout = milliseconds(500)});
  Pass(Duration::zero());
  ExpectStale(reply, {"3: no fresh answer within 500ms"});
}

TEST_F(PromiseC8, EveryQueryIsCountedOnceAndWaitsMeanwhile) {
  Send();
  EXPECT_EQ(statistics().waiting.value(), 1U);
  EXPECT_EQ(statistics().of(QueryEnd::kForwarded).value(), 1U) << "the one before";
  clock_.Advance(kClientTimeout);
  Send();
  EXPECT_EQ(statistics().waiting.value(), 0U);
  EXPECT_EQ(statistics().of(QueryEnd::kStale).value(), 2U);
  EXPECT_EQ(statistics().of(QueryEnd::kForwarded).value(), 1U);
  QueryTotals totals;
  AddTo(totals, statistics());
  EXPECT_EQ(totals.durations[static_cast<size_t>(AnswerSource::kStale)].count(), 2U);
}

TEST_F(PromiseC8, WhatWouldHappenIsShown) {
  UpstreamQuery query;
  query.name = *Name::Parse("www.example.");
  query.type = rr_type::kA;
  EXPECT_TRUE(coalescer_.OutlookOf(query, clock_.Now()).stale);
  EXPECT_EQ(coalescer_.OutlookOf(query, clock_.Now()).stale_after, kClientTimeout);
  upstream_.SetAnswer([](const Octets& octets) { return FailureAnswerTo(octets); });
  upstream_.Release();
  Send();
  EXPECT_EQ(coalescer_.OutlookOf(query, clock_.Now()).failure->asked_again_in, seconds(30));
  query.name = *Name::Parse("other.example.");
  EXPECT_FALSE(coalescer_.OutlookOf(query, clock_.Now()).stale);
}

// Nobody waits: the stale answer comes at once, and the question is asked all the same.
class StaleAtOnce : public PromiseC8 {
 protected:
  StaleAtOnce() : PromiseC8({.stale_client_timeout = Duration::zero()}) {}
};

TEST_F(StaleAtOnce, C8_ItIsAskedAllTheSame) {
  Reply& reply = Send();
  ExpectStale(reply, {"3: no fresh answer within 0s"});
  EXPECT_EQ(upstream_.held(), 1U);
  Reply& second = Send();
  ExpectStale(second, {"3: no fresh answer within 0s"});
  EXPECT_EQ(asked(), 2U);
  ReleaseAll();
  EXPECT_EQ(Ask(AQuery())->answers.at(0).ttl, 300U);
}

}  // namespace
}  // namespace dotward
