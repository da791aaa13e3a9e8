// What clients get while an upstream is away or in trouble, when the cache knows something: over the wire.

#include <string>
#include <thread>

#include "app/blocking_clients.h"
#include "faults/fault_test.h"

namespace dotward {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenQueries{20};

class StaleAnswersTest : public FaultTest {
 protected:
  struct Answer {
    MessageRead reply;
    steady_clock::duration took{};
  };

  Answer Get(std::string_view name = "www.example.") {
    BlockingClient client(resolver(), SOCK_DGRAM);
    const steady_clock::time_point asked_at = steady_clock::now();
    const auto reply = client.Ask(MessageBuilder::Query(7, name, rr_type::kA).WithEdns({}).Build());
    EXPECT_TRUE(reply);
    return {reply.value_or(MessageRead()), steady_clock::now() - asked_at};
  }
  // Without RD only the cache answers, and nothing stale.
  void WaitUntilExpired() {
    const Octets query = MessageBuilder(7).Question("www.example.", rr_type::kA).Build();
    while (true) {
      const auto reply = BlockingClient(resolver(), SOCK_DGRAM).Ask(query);
      ASSERT_TRUE(reply);
      if (reply->rcode == 5) return;
      std::this_thread::sleep_for(kBetweenQueries);
    }
  }
  static unsigned ErrorOf(const MessageRead& reply) {
    const EdnsOption* error = reply.FindOption(edns_option::kEde);
    return error == nullptr ? 0 : error->data.at(0) * 256U + error->data.at(1);
  }
  static bool IsStale(const MessageRead& reply) {
    return reply.answers.size() == 1 && reply.answers[0].ttl == 30 && ErrorOf(reply) == 3;
  }
  static bool IsFresh(const MessageRead& reply) { return reply.answers.size() == 1 && ErrorOf(reply) == 0; }
  void ExpectFreshWithinASecond(steady_clock::time_point back) {
    while (!IsFresh(Get().reply)) {
      ASSERT_LT(steady_clock::now() - back, seconds(30));
      std::this_thread::sleep_for(kBetweenQueries);
    }
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - back);
    PrintFigure("first fresh answer after the return", took);
    EXPECT_LE(took, seconds(1) + kNoise);
  }
};

LoopbackDotServer::Script AnswersFor(uint32_t ttl) {
  return [ttl](const LoopbackQuery& query) {
    return std::vector<LoopbackAction>{LoopbackAction::Reply(PositiveAnswerTo(query.message, ttl))};
  };
}

TEST_F(StaleAnswersTest, C8_AnUpstreamThatFallsSilentCostsTheClientTimeoutOnceAndThenNothing) {
  const auto server = MakeServer(AnswersFor(1));
  Start({server->endpoint()});
  EXPECT_TRUE(IsFresh(Get().reply));
  server->SetSilence(LoopbackSilence::kAll);
  WaitUntilExpired();
  const Answer first = Get();
  EXPECT_TRUE(IsStale(first.reply));
  EXPECT_LE(first.took, milliseconds(1800) + kNoise);
  PrintFigure("first stale answer", std::chrono::duration_cast<milliseconds>(first.took));
  for (int i = 0; i < 100; ++i) {
    const Answer later = Get();
    ASSERT_TRUE(IsStale(later.reply)) << i;
    ASSERT_LE(later.took, kNoise) << i;
  }
  server->SetSilence(LoopbackSilence::kNone);
  ExpectFreshWithinASecond(steady_clock::now());
}

TEST_F(StaleAnswersTest, U7_C8_WhileTheUpstreamIsAwayWhatExpiredIsGivenAtOnce) {
  const auto server = MakeServer(AnswersFor(1));
  Start({server->endpoint()});
  EXPECT_TRUE(IsFresh(Get().reply));
  server->StopListening();
  server->CloseAllConnections();
  WaitUntilExpired();
  for (int i = 0; i < 100; ++i) {
    const Answer answer = Get();
    ASSERT_TRUE(IsStale(answer.reply)) << i;
    ASSERT_LE(answer.took, kNoise) << i;
    std::this_thread::sleep_for(kBetweenQueries);
  }
  EXPECT_EQ(Get("unknown.example.").reply.rcode, 2);
  server->StartListening();
  ExpectFreshWithinASecond(steady_clock::now());
}

TEST_F(StaleAnswersTest, C6_AServfailIsAskedForAgainAtIntervalsThatDouble) {
  const auto server = MakeServer([](const LoopbackQuery& query) {
    return std::vector<LoopbackAction>{LoopbackAction::Reply(FailureAnswerTo(query.message))};
  });
  Config config = MakeConfig({server->endpoint()});
  config.cache.failure_ttl = seconds(1);
  Start(config);
  const steady_clock::time_point begun = steady_clock::now();
  const auto elapsed = [begun] { return steady_clock::now() - begun; };
  // At the least 1, 2 and 4 s apart: never more than one for each of 0, 1, 3 and 7 s.
  while (elapsed() < milliseconds(4500)) {
    const Answer answer = Get();
    ASSERT_EQ(answer.reply.rcode, 2);
    ASSERT_LE(server->counters().queries, 1U + (elapsed() >= seconds(1) ? 1 : 0) + (elapsed() >= seconds(3) ? 1 : 0));
    std::this_thread::sleep_for(kBetweenQueries);
  }
  EXPECT_EQ(server->counters().queries, 3U);
}

TEST_F(StaleAnswersTest, ANameInUseIsFetchedAnewBeforeItExpiresAndNeverMissed) {
  const auto server = MakeServer(AnswersFor(10));
  Start({server->endpoint()});
  Get();
  const uint64_t misses = service_->Statistics().cache.misses;
  const steady_clock::time_point begun = steady_clock::now();
  while (steady_clock::now() - begun < milliseconds(10'500)) {
    ASSERT_TRUE(IsFresh(Get().reply));
    std::this_thread::sleep_for(kBetweenQueries);
  }
  const StatisticsSnapshot statistics = service_->Statistics();
  EXPECT_EQ(statistics.cache.misses, misses);
  EXPECT_EQ(statistics.prefetches, 1U);
  EXPECT_EQ(server->counters().queries, 2U);
}

}  // namespace
}  // namespace dotward
