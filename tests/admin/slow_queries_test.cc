#include "admin/slow_queries.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "dns/name.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SlowQueriesTest : public ::testing::Test {
 protected:
  struct Given {
    Duration duration = seconds(1);
    Rcode rcode = Rcode::kNoError;
    std::vector<ExtendedError> errors = {};
    ExchangeTrace trace = {};
  };

  // As a worker's recorder does. Time goes on by what the query took.
  void Answer(std::string_view name, const Given& given) {
    const Name qname = *Name::Parse(name);
    Octets question(qname.wire().begin(), qname.wire().end());
    question.insert(question.end(), {0, 28, 0, 1});
    const Client client{{IpAddress::V4({192, 0, 2, 77}), 4000}, Transport::kUdp};
    ReplyContext context;
    context.question = question;
    const AnsweredQuery query{client,  context,      AnswerSource::kUpstream, given.rcode, {}, given.errors,
                              nullptr, clock_.Now(), given.duration,          &given.trace};
    clock_.Advance(given.duration);
    if (SlowQueries::IsWorthKeeping(query)) slow_.Record(query, clock_.WallNow());
  }

  ManualClock clock_;
  SlowQueries slow_{{}};
};

TEST_F(SlowQueriesTest, KeepsWhatTookLongerOrFailed) {
  Answer("fast.example.", {.duration = Limits::kSlowQueryTime});
  Answer("slow.example.", {.duration = Limits::kSlowQueryTime + Duration(1)});
  Answer("failed.example.", {.duration = Duration(1), .rcode = Rcode::kServFail});
  const std::vector<SlowQuery> latest = slow_.Latest();
  ASSERT_EQ(latest.size(), 2U);
  EXPECT_EQ(latest[0].name, "failed.example.");  // the newest first
  EXPECT_EQ(latest[1].name, "slow.example.");
  EXPECT_EQ(slow_.seen(), 2U);
}

TEST_F(SlowQueriesTest, TellsTheWay) {
  const WallTime received_at = clock_.WallNow();
  Answer("slow.example.", {.duration = milliseconds(900),
                           .rcode = Rcode::kServFail,
                           .errors = {{EdeCode::kNoReachableAuthority, "lab: no answer"}},
                           .trace = {.total_us = 850'000, .waited_us = 120'000, .answer_us = 700'000, .attempts = 2}});
  const SlowQuery slow = slow_.Latest().front();
  EXPECT_EQ(slow.received_at, received_at);
  EXPECT_EQ(slow.client, "192.0.2.77");
  EXPECT_EQ(slow.type, 28);
  EXPECT_EQ(slow.duration, Duration(milliseconds(900)));
  EXPECT_EQ(slow.elsewhere, Duration(milliseconds(50)));
  EXPECT_EQ(slow.trace.waited_us, 120'000U);
  EXPECT_EQ(slow.trace.attempts, 2);
  EXPECT_EQ(slow.reason, "22: lab: no answer");
}

TEST_F(SlowQueriesTest, KeepsTheLast256) {
  for (size_t i = 0; i < Limits::kSlowQueriesMax + 10; ++i) Answer(StrCat("n", i, ".example."), {});
  const std::vector<SlowQuery> latest = slow_.Latest();
  ASSERT_EQ(latest.size(), Limits::kSlowQueriesMax);
  EXPECT_EQ(latest.front().name, StrCat("n", Limits::kSlowQueriesMax + 9, ".example."));
  EXPECT_EQ(latest.back().name, "n10.example.");
}

TEST_F(SlowQueriesTest, FloodOfFailuresCostsNoMoreThanSoManyASecond) {
  for (int i = 0; i < 10'000; ++i) Answer("failed.example.", {.duration = Duration(1), .rcode = Rcode::kServFail});
  EXPECT_EQ(slow_.Latest().size(), Limits::kSlowQueriesPerSecond);
  EXPECT_EQ(slow_.seen(), 10'000U);
  clock_.Advance(seconds(1));
  Answer("later.example.", {.rcode = Rcode::kServFail});
  EXPECT_EQ(slow_.Latest().front().name, "later.example.");
}

TEST_F(SlowQueriesTest, ClientIsShownAsFarAsTheQueryLogShowsIt) {
  slow_.Apply({ClientAddressLogging::kPrefix, 24, 56});
  Answer("slow.example.", {});
  EXPECT_EQ(slow_.Latest().front().client, "192.0.2.0/24");
  slow_.Apply({ClientAddressLogging::kNone});
  Answer("slow.example.", {});
  EXPECT_EQ(slow_.Latest().front().client, "");
}

}  // namespace
}  // namespace dotward
