// Servers that close idle connections.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "upstream_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Actions = std::vector<LoopbackAction>;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

LoopbackDotServer::Script Keeps(uint16_t tenths) {
  return [tenths](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(WithOption(PositiveAnswerTo(query.message), KeepaliveOption(tenths)))};
  };
}

class PromiseU8 : public UpstreamFixture {
 protected:
  bool RunUntilClosed(StreamUpstream& upstream) {
    return RunUntil([&] { return upstream.Snapshot().state == UpstreamState::kIdle; });
  }
};

TEST_F(PromiseU8, TheLimitOfAServerIsLearnedFromTwoCloses) {
  LoopbackDotServer server;
  server.SetManner({.idle_close = milliseconds(600)});
  StreamUpstream& upstream = Add(server);
  // Two are enough; on a busy machine a close may look later than it was, and is unlike the one before.
  uint64_t closes = 0;
  for (; closes < 10 && !upstream.Snapshot().idle_limit; ++closes) {
    ASSERT_TRUE(AskAndWait(upstream, StrCat("q", closes, ".test.")).answered());
    ASSERT_TRUE(RunUntilClosed(upstream));
  }
  EXPECT_GE(closes, 2U);
  ASSERT_TRUE(upstream.Snapshot().idle_limit.has_value());
  EXPECT_GE(*upstream.Snapshot().idle_limit, milliseconds(550));
  EXPECT_LT(*upstream.Snapshot().idle_limit, seconds(5));
  EXPECT_EQ(upstream.Snapshot().last_error, "");
  EXPECT_EQ(server.counters().connections, closes);
}

TEST_F(PromiseU8, AToldLimitClosesTheConnectionFromHereBeforeTheServerDoes) {
  LoopbackDotServer server(Keeps(10));  // a second
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "www.example.").answered());
  const SteadyTime answered = Now();
  EXPECT_EQ(upstream.Snapshot().idle_limit, seconds(1));
  ASSERT_TRUE(RunUntilClosed(upstream));
  EXPECT_GE(Now() - answered, milliseconds(740));
  EXPECT_EQ(upstream.Snapshot().connections_lost, 0U);
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kIdle);
  EXPECT_TRUE(AskAndWait(upstream, "again.example.").answered());
  EXPECT_EQ(upstream.Snapshot().handshakes_resumed, 1U);
}

// RFC 7828 §3.3.2: a timeout of zero asks us to close when nothing is waited for, and not before.
TEST_F(PromiseU8, AToldLimitOfZeroClosesWhenNothingIsWaitedFor) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    const Octets answer = WithOption(PositiveAnswerTo(query.message), KeepaliveOption(0));
    if (NameOf(query.message) != "slow.example.") return Actions{LoopbackAction::Reply(answer)};
    return Actions{LoopbackAction::Reply(answer).After("slow")};
  });
  StreamUpstream& upstream = Add(server);
  const Asked& slow = Ask(upstream, "slow.example.");
  ASSERT_TRUE(AskAndWait(upstream, "www.example.").answered());
  EXPECT_EQ(upstream.Snapshot().idle_limit, Duration::zero());
  const SteadyTime told = Now();
  ASSERT_TRUE(RunUntil([&] { return Now() - told > milliseconds(400); }));
  EXPECT_EQ(upstream.Snapshot().connections_open, 1U);
  server.Fire("slow");
  ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  EXPECT_TRUE(slow.answered());
  ASSERT_TRUE(RunUntilClosed(upstream));
  EXPECT_EQ(upstream.Snapshot().failed, 0U);
  EXPECT_EQ(upstream.Snapshot().last_error, "");
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(PromiseU8, LimitWarmQuestions_AfterTrafficFourQuestionsKeepAConnectionAndThenItIsClosed) {
  LoopbackDotServer server(Keeps(6));
  StreamUpstream& upstream = Add(server);
  const SteadyTime begun = Now();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(AskAndWait(upstream, StrCat("q", i, ".test.")).answered());
    ASSERT_TRUE(RunUntil([&] { return Now() - begun > (i + 1) * milliseconds(50); }));
  }
  ASSERT_TRUE(RunUntilClosed(upstream));
  EXPECT_LE(upstream.Snapshot().probes, static_cast<uint64_t>(Limits::kWarmQuestionsMax));
  EXPECT_GE(upstream.Snapshot().probes, 2U);
  EXPECT_EQ(server.counters().connections, 1U);
  EXPECT_EQ(upstream.Snapshot().connections_suspected, 0U);
}

TEST_F(PromiseU8, WithoutTrafficNoQuestionKeepsAConnection) {
  LoopbackDotServer server(Keeps(4));
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "www.example.").answered());
  ASSERT_TRUE(RunUntilClosed(upstream));
  EXPECT_EQ(upstream.Snapshot().probes, 0U);
}

TEST_F(PromiseU8, AServerThatClosesAfterEachAnswerCausesNoErrorAndNoStorm) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)), LoopbackAction::Close()};
  });
  StreamUpstream& upstream = Add(server);
  constexpr int kQueries = 30;
  for (int i = 0; i < kQueries; ++i) {
    const Asked& asked = AskAndWait(upstream, StrCat("q", i, ".test."));
    ASSERT_TRUE(asked.answered()) << asked.text();
    ASSERT_TRUE(RunUntilClosed(upstream));
  }
  EXPECT_LE(server.counters().connections, static_cast<uint64_t>(kQueries)) << "nobody connects without a query";
  EXPECT_EQ(upstream.Snapshot().failed, 0U);
  EXPECT_EQ(upstream.Snapshot().last_error, "");
  EXPECT_EQ(upstream.Snapshot().probes, 0U);
}

}  // namespace
}  // namespace dotward
