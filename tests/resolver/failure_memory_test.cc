#include "resolver/failure_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "resolver/resolver_limits.h"
#include "resolver_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr SteadyTime kNow{std::chrono::hours(24)};

class FailureMemoryTest : public testing::Test {
 protected:
  static CacheKey Question(const Name& name) { return {.qname = name.wire(), .qtype = 1}; }
  void Remember(const CacheKey& question, SteadyTime now, uint64_t returns = 0) {
    memory_.Remember(question, std::make_shared<const Resolution>(), returns, now);
  }

  const Name name_ = *Name::Parse("www.example.");
  const CacheKey question_ = Question(name_);
  FailureMemory memory_{seconds(5), 1};
};

TEST_F(FailureMemoryTest, FindsAQuestionByAllThatTellsItApartAndNotByCase) {
  Remember(question_, kNow);
  const Name other_case = *Name::Parse("WWW.eXample.");
  const Name other = *Name::Parse("wwx.example.");
  EXPECT_NE(memory_.Find(Question(other_case)), nullptr);
  EXPECT_EQ(memory_.Find(Question(other)), nullptr);
  EXPECT_EQ(memory_.Find({.qname = name_.wire(), .qtype = 28}), nullptr);
  EXPECT_EQ(memory_.Find({.qname = name_.wire(), .qtype = 1, .qclass = 3}), nullptr);
  EXPECT_EQ(memory_.Find({.qname = name_.wire(), .qtype = 1, .dnssec_ok = true}), nullptr);
  EXPECT_EQ(memory_.Find({.qname = name_.wire(), .qtype = 1, .checking_disabled = true}), nullptr);
  Remember(Question(other_case), kNow);
  EXPECT_EQ(memory_.size(), 1U);
  memory_.Forget(Question(other));
  EXPECT_EQ(memory_.size(), 1U);
  memory_.Forget(Question(other_case));
  EXPECT_EQ(memory_.Find(question_), nullptr);
}

TEST_F(FailureMemoryTest, C6_EachFailureInARowIsRememberedTwiceAsLongUpToFiveMinutes) {
  SteadyTime now = kNow;
  unsigned in_a_row = 0;
  for (const int expected : {5, 10, 20, 40, 80, 160, 300, 300, 300}) {
    Remember(question_, now);
    const RememberedFailure& failure = *memory_.Find(question_);
    EXPECT_EQ(failure.until - now, seconds(expected));
    EXPECT_EQ(failure.failed_at, now);
    EXPECT_EQ(failure.in_a_row, ++in_a_row);
    now = failure.until + milliseconds(1);
  }
}

TEST_F(FailureMemoryTest, C6_ATtlOfFiveMinutesIsTheLongest) {
  memory_.SetTtl(minutes(5));
  for (int i = 0; i < 3; ++i) {
    Remember(question_, kNow + i * minutes(6));
    EXPECT_EQ(memory_.Find(question_)->until - memory_.Find(question_)->failed_at, minutes(5));
  }
}

TEST_F(FailureMemoryTest, C6_ARouteThatReturnedBeginsANewRow) {
  Remember(question_, kNow, 7);
  Remember(question_, kNow + seconds(5), 7);
  EXPECT_EQ(memory_.Find(question_)->in_a_row, 2U);
  Remember(question_, kNow + seconds(15), 8);
  EXPECT_EQ(memory_.Find(question_)->in_a_row, 1U);
  EXPECT_EQ(memory_.Find(question_)->returns, 8U);
  EXPECT_EQ(memory_.Find(question_)->until, kNow + seconds(20));
}

TEST_F(FailureMemoryTest, C6_ALongTimeWithoutFailuresBeginsANewRow) {
  Remember(question_, kNow);
  const SteadyTime ends = kNow + seconds(5) + ResolverLimits::kFailureRowEnds;
  Remember(question_, ends - milliseconds(1));
  EXPECT_EQ(memory_.Find(question_)->in_a_row, 2U);
  Remember(question_, ends + seconds(10) + ResolverLimits::kFailureRowEnds);
  EXPECT_EQ(memory_.Find(question_)->in_a_row, 1U);
}

TEST_F(FailureMemoryTest, LimitFailures_TheOneThatFailedLongestAgoGoesFirst) {
  const auto name = [](size_t i) { return *Name::Parse("r" + std::to_string(i) + ".example."); };
  for (size_t i = 0; i < ResolverLimits::kFailuresMax; ++i) Remember(Question(name(i)), kNow);
  Remember(Question(name(0)), kNow + seconds(5));  // once more, so that it is not the oldest
  EXPECT_EQ(memory_.size(), ResolverLimits::kFailuresMax);
  Remember(question_, kNow + seconds(5));
  EXPECT_EQ(memory_.size(), ResolverLimits::kFailuresMax);
  EXPECT_NE(memory_.Find(Question(name(0))), nullptr);
  EXPECT_EQ(memory_.Find(Question(name(1))), nullptr);
  EXPECT_NE(memory_.Find(Question(name(2))), nullptr);
}

TEST_F(FailureMemoryTest, RowsThatHaveEndedAreClearedAway) {
  for (int i = 0; i < 10; ++i) Remember(Question(*Name::Parse("r" + std::to_string(i) + ".example.")), kNow);
  const SteadyTime later = kNow + seconds(5) + ResolverLimits::kFailureRowEnds;
  for (int i = 0; i < 5; ++i) Remember(question_, later);
  EXPECT_EQ(memory_.size(), 1U);
}

// --- on the query path ---

// Clients with EDNS, so that they see the reasons.
class PromiseC6 : public ResolverFixture {
 protected:
  PromiseC6() {
    upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  }

  MessageRead Get(std::string_view name = "www.example.", uint16_t type = rr_type::kA, bool dnssec_ok = false) {
    return *Ask(MessageBuilder::Query(1, name, type).WithEdns({.dnssec_ok = dnssec_ok}).Build());
  }
  size_t asked() const { return upstream_.asked().size(); }
  uint64_t remembered() const { return coalescer_.statistics().failures_remembered.value(); }
  void Recover() {
    upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  }
};

TEST_F(PromiseC6, AFailureIsAskedForOnceInItsTimeAndToldWithItsReasonsAndItsEnd) {
  const std::vector<std::string> live = Errors(Get());
  ASSERT_EQ(live.size(), 1U);
  clock_.Advance(milliseconds(1500));
  const MessageRead reply = Get();
  EXPECT_EQ(reply.rcode, 2);
  const std::vector<std::string> told = Errors(reply);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0], live[0]);
  EXPECT_EQ(told[1], "13: this failure is remembered; the question is asked again in 4 s");
  clock_.Advance(milliseconds(3499));
  Get("WWW.Example.");
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(remembered(), 2U);
  clock_.Advance(milliseconds(1));
  Get();
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, TheTimeDoublesUpToFiveMinutes) {
  for (const int expected : {5, 10, 20, 40, 80, 160, 300, 300}) {
    const size_t before = asked();
    Get();
    ASSERT_EQ(asked(), before + 1);
    clock_.Advance(seconds(expected) - milliseconds(1));
    Get();
    ASSERT_EQ(asked(), before + 1) << expected;
    clock_.Advance(milliseconds(1));
  }
}

TEST_F(PromiseC6, TheRcodeOfTheUpstreamIsRemembered) {
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query, Rcode::kRefused); });
  EXPECT_EQ(Get().rcode, 5);
  EXPECT_EQ(Get().rcode, 5);
  EXPECT_EQ(asked(), 1U);
}

TEST_F(PromiseC6, AnAnswerEndsItAtOnce) {
  Get();
  clock_.Advance(seconds(5));
  Recover();
  EXPECT_EQ(Get().rcode, 0);
  clock_.Advance(seconds(300));  // the answer expires
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  Get();
  clock_.Advance(seconds(5));
  Get();
  EXPECT_EQ(asked(), 4U) << "the failure after the answer is the first of a row";
}

TEST_F(PromiseC6, EachQuestionFailsForItself) {
  Get();
  Get("www.example.", rr_type::kAaaa);
  Get("www2.example.");
  Get("www.example.", rr_type::kA, true);
  Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).AddFlags(header_flag::kCd).Build());
  EXPECT_EQ(asked(), 5U);
  EXPECT_EQ(remembered(), 0U);
}

TEST_F(PromiseC6, SilenceAndGibberishAreRemembered) {
  FailWith(absl::DeadlineExceededError("fake: no answer"));
  EXPECT_EQ(Errors(Get("silent.example.")), std::vector<std::string>({"22: fake: no answer"}));
  EXPECT_EQ(Errors(Get("silent.example.")).at(0), "22: fake: no answer");
  FailWith(absl::DataLossError("fake: gibberish"));
  Get("broken.example.");
  EXPECT_EQ(Errors(Get("broken.example.")).at(0), "23: fake: gibberish");
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, LameAndTruncatedResponsesAreRemembered) {
  upstream_.SetAnswer([](const Octets& query) { return TruncatedAnswerTo(query); });
  Get();
  Get();
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query).Authority("example.", 300, Ns("ns.example.")).Build();
  });
  Get("lame.example.");
  Get("lame.example.");
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, U7_ThatNobodyCanBeReachedIsNotRememberedOfANameForTheServersDo) {
  FailWith(absl::UnavailableError("fake: connection refused"));
  Get();
  Get();
  EXPECT_EQ(asked(), 2U);
  Recover();
  EXPECT_EQ(Get().rcode, 0);
}

TEST_F(PromiseC6, U7_WhileTheRouteIsInTroubleItIsAskedSoThatItsReturnIsNoticed) {
  Get();
  upstream_.condition.serving = false;
  Get();
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, U7_ARouteThatReturnedIsAskedAtOnce) {
  Get();
  clock_.Advance(seconds(5));
  Get();
  upstream_.condition.returns = 1;
  Get();
  EXPECT_EQ(asked(), 3U);
  Get();
  EXPECT_EQ(asked(), 3U);
  clock_.Advance(seconds(5));
  Get();
  EXPECT_EQ(asked(), 4U) << "what failed before the return counts no longer";
}

TEST_F(PromiseC6, U7_AFailureFromBeforeTheReturnIsNotOneAfterIt) {
  upstream_.Hold();
  std::optional<Octets> reply;
  Take(AQuery(), LocalClient(), reply);
  Turn();
  upstream_.condition.returns = 1;
  upstream_.Release();
  Turn();
  ASSERT_TRUE(reply);
  Get();
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, AQuestionThatWasGivenUpHasNotFailed) {
  FailWith(absl::CancelledError("fake: stopping"));
  Get();
  FailWith(absl::ResourceExhaustedError("fake: a limit"));
  Get();
  Get();
  EXPECT_EQ(asked(), 3U);
}

TEST_F(PromiseC6, AReloadForgetsThemAll) {
  Get();
  coalescer_.Adopt({.failure_ttl = seconds(60)});
  Get();
  EXPECT_EQ(asked(), 2U);
  clock_.Advance(seconds(59));
  Get();
  EXPECT_EQ(asked(), 2U);
}

TEST_F(PromiseC6, TheMemoryIsShownWithWhenItIsAskedAgain) {
  UpstreamQuery query;
  query.name = *Name::Parse("www.example.");
  query.type = rr_type::kA;
  EXPECT_FALSE(coalescer_.OutlookOf(query, clock_.Now()).failure);
  Get();
  clock_.Advance(seconds(2));
  auto outlook = coalescer_.OutlookOf(query, clock_.Now());
  ASSERT_TRUE(outlook.failure);
  EXPECT_EQ(outlook.failure->in_a_row, 1U);
  EXPECT_EQ(outlook.failure->asked_again_in, seconds(3));
  EXPECT_EQ(outlook.failure->rcode, Rcode::kServFail);
  EXPECT_EQ(outlook.failure->errors.size(), 1U);
  clock_.Advance(seconds(4));
  outlook = coalescer_.OutlookOf(query, clock_.Now());
  ASSERT_TRUE(outlook.failure) << "it still says how often";
  EXPECT_EQ(outlook.failure->asked_again_in, seconds(0));
  upstream_.condition.returns = 1;
  EXPECT_FALSE(coalescer_.OutlookOf(query, clock_.Now()).failure);
}

}  // namespace
}  // namespace dotward
