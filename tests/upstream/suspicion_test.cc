// How a connection is doubted, replaced and cleared.
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "testing/loopback/tcp_proxy.h"
#include "upstream_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Actions = std::vector<LoopbackAction>;

SteadyTime Now() { return std::chrono::steady_clock::now(); }
Actions Honest(const LoopbackQuery& query) { return {LoopbackAction::Reply(PositiveAnswerTo(query.message))}; }
Actions Silent(const LoopbackQuery&) { return {}; }

class SuspicionTest : public UpstreamFixture {
 protected:
  bool RunFor(Duration time) {
    const SteadyTime end = Now() + std::chrono::duration_cast<SteadyTime::duration>(time);
    return RunUntil([end] { return Now() >= end; });
  }
  std::map<std::string, size_t> TimesAsked(const LoopbackDotServer& server) {
    std::map<std::string, size_t> times;
    for (const LoopbackQuery& query : server.queries()) ++times[NameOf(query.message)];
    return times;
  }
};

using PromiseU5 = SuspicionTest;
using PromiseU6 = SuspicionTest;

TEST_F(SuspicionTest, TheRootsServersAreAskedForHalfWayToSuspicion) {
  LoopbackDotServer server(Silent);
  StreamUpstream& upstream = Add(server);
  const Asked& asked = Ask(upstream, "dead.example.", milliseconds(800));
  ASSERT_TRUE(RunUntil([&] { return server.counters().queries == 1; }));
  const SteadyTime sent = Now();
  ASSERT_TRUE(RunUntil([&] { return server.counters().probes == 1; }));
  EXPECT_GE(Now() - sent, Limits::kSilenceMin / 2 - milliseconds(50));
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_EQ(upstream.Snapshot().connections_suspected, 0U);
}

TEST_F(SuspicionTest, X10_NamesThatNobodyAnswersCastNoDoubtAndCostFewQuestions) {
  LoopbackDotServer server(Silent);
  StreamUpstream& upstream = Add(server);
  const SteadyTime begun = Now();
  std::vector<Asked*> all;
  ASSERT_TRUE(RunUntil([&] {
    if (Now() - begun >= all.size() * milliseconds(5)) {
      all.push_back(&Ask(upstream, StrCat("q", all.size(), ".dead."), milliseconds(400)));
    }
    return Now() - begun >= 5 * Limits::kSilenceMin;
  }));
  ASSERT_TRUE(RunUntilAllDone(all));
  const Duration took = Now() - begun;
  const UpstreamSnapshot snapshot = upstream.Snapshot();
  EXPECT_EQ(snapshot.connections_suspected, 0U);
  EXPECT_EQ(snapshot.state, UpstreamState::kConnected);
  EXPECT_EQ(server.counters().handshakes, 1U);
  EXPECT_GE(snapshot.probes, 3U);
  EXPECT_LE(static_cast<int64_t>(snapshot.probes), 1 + took / (Limits::kSilenceMin / 2));
  EXPECT_EQ(snapshot.timeouts, all.size());
}

TEST_F(PromiseU5, QueriesOfASilentConnectionAreAskedOnceMoreOnAFreshOne) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  server.SetSilence(LoopbackSilence::kOpenConnections);
  const SteadyTime begun = Now();
  const std::vector<Asked*> all = AskMany(upstream, 50);
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_suspected == 1; }));
  EXPECT_GE(Now() - begun, Limits::kSilenceMin);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
  EXPECT_EQ(upstream.Snapshot().retried, 50U);
  EXPECT_EQ(upstream.Snapshot().connections_open, 2U) << "the suspect has its time to answer";
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_open == 1; }));
  EXPECT_GE(Now() - begun, 2 * Limits::kSilenceMin);
  for (const auto& [name, times] : TimesAsked(server)) EXPECT_LE(times, 2U) << name;
  EXPECT_EQ(server.counters().connections, 2U);
  const UpstreamSnapshot snapshot = upstream.Snapshot();
  EXPECT_EQ(snapshot.state, UpstreamState::kConnected);
  EXPECT_EQ(snapshot.failed, 0U);
  EXPECT_EQ(snapshot.connect_failures, 0U);
}

// The replacement cannot be made, so that the answers must come from where the queries are.
TEST_F(PromiseU5, ASuspectThatAnswersIsClearedAndItsQueriesAreAnsweredThere) {
  LoopbackDotServer server;
  TcpProxy proxy(server.endpoint());
  StreamUpstream& upstream = Add(proxy.endpoint(), server.ca_file());
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  proxy.SetNewConnections(TcpProxy::NewConnections::kHang);
  proxy.StallAll(true);
  const std::vector<Asked*> all = AskMany(upstream, 20);
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_suspected == 1; }));
  proxy.StallAll(false);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
  EXPECT_EQ(upstream.Snapshot().retried, 0U);
  EXPECT_EQ(server.counters().queries, 21U);
  // The try that was begun for nothing fails, and that says nothing about the connection that serves.
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connect_failures == 1; }));
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kConnected);
  EXPECT_EQ(upstream.Tend(Now(), UpstreamServer::Urgency::kOthersServe), UpstreamServer::Readiness::kReady);
  EXPECT_TRUE(AskAndWait(upstream, "after.example.").answered());
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(SuspicionTest, ASuspectThatWasReplacedAndAnswersIsNotKept) {
  LoopbackDotServer::Options options;
  options.script_answers_probes = true;
  LoopbackDotServer server(
      [](const LoopbackQuery& query) {
        const Octets answer = PositiveAnswerTo(query.message);
        if (query.connection != 0 || query.number == 0) return Actions{LoopbackAction::Reply(answer)};
        return Actions{LoopbackAction::Reply(answer).After("late")};
      },
      options);
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  const Asked& slow = Ask(upstream, "slow.example.");
  ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  EXPECT_TRUE(slow.answered());
  EXPECT_EQ(upstream.Snapshot().connections_open, 2U);
  server.Fire("late");
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().late == 1; })) << "who lost is measured";
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_open == 1; })) << "it would idle for minutes";
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kConnected);
}

// Nobody asks anything, so that only a question of our own can show that the replacement works.
TEST_F(PromiseU6, AnIdleConnectionThatDiedIsReplacedByOneThatIsTrusted) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  server.SetSilence(LoopbackSilence::kOpenConnections);
  const SteadyTime changed = Now();
  upstream.NetworkChanged(changed);
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_suspected == 1; }));
  EXPECT_GE(Now() - changed, Limits::kNetworkChangePatience);
  ASSERT_TRUE(RunUntil([&] { return server.counters().closed_connections == 1; }));
  // The server may see the end of a connection before it has been judged here.
  ASSERT_TRUE(RunFor(milliseconds(100)));
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kConnected);
  EXPECT_EQ(upstream.Snapshot().last_error, "");
  EXPECT_EQ(upstream.Tend(Now(), UpstreamServer::Urgency::kOthersServe), UpstreamServer::Readiness::kReady);
  EXPECT_EQ(server.counters().connections, 2U);
}

TEST_F(PromiseU6, AnIdleConnectionThatAnswersAfterAChangeIsKept) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  for (uint64_t i = 1; i <= 3; ++i) {
    upstream.NetworkChanged(Now());
    ASSERT_TRUE(RunUntil([&] { return server.counters().probes == i; }));
    ASSERT_TRUE(RunFor(milliseconds(20)));
  }
  ASSERT_TRUE(RunFor(2 * Limits::kNetworkChangePatience));
  EXPECT_EQ(upstream.Snapshot().connections_suspected, 0U);
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(PromiseU6, AConnectionAttemptThatAChangeOvertakesIsBegunAnew) {
  LoopbackDotServer::Options options;
  options.accept = LoopbackAccept::kStall;
  LoopbackDotServer server(Honest, options);
  StreamUpstream& upstream = Add(server);
  const Asked& asked = Ask(upstream, "www.example.");
  ASSERT_TRUE(RunUntil([&] { return server.counters().connections == 1; }));
  server.SetAccept(LoopbackAccept::kServe);
  const SteadyTime changed = Now();
  upstream.NetworkChanged(changed);
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_TRUE(asked.answered()) << asked.text();
  EXPECT_LT(Now() - changed, seconds(2)) << "the handshake that hung has three seconds";
  EXPECT_EQ(upstream.Snapshot().connect_failures, 0U);
}

TEST_F(PromiseU6, AChangeEndsTheBackOff) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  server.StopListening();
  ASSERT_TRUE(RunUntil([&] {
    AskAndWait(upstream, "www.example.");
    return upstream.Snapshot().connect_failures >= 5;
  }));
  server.StartListening();
  upstream.NetworkChanged(Now());
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kIdle);
  EXPECT_TRUE(AskAndWait(upstream, "www.example.").answered()) << "the next query is a try";
}

// Commands of ip(8), one a line, in this thread's network namespace.
void Ip(const std::string& commands) {
  FILE* const pipe = popen("ip -batch -", "w");
  ASSERT_NE(pipe, nullptr);
  EXPECT_GE(fputs(commands.c_str(), pipe), 0);
  EXPECT_EQ(pclose(pipe), 0) << commands;
}

// The route to the server begins to lead over another address of ours, as when a laptop changes its network.
TEST_F(PromiseU6, AnotherAddressOfOursMovesTheQueriesAtOnce) {
  int error = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    Ip("link set lo up\naddress add 10.9.0.1/32 dev lo\naddress add 10.9.0.2/32 dev lo\n");
    LoopbackDotServer::Options options;
    options.address = IpAddress::V4({10, 9, 0, 1});
    LoopbackDotServer server(Honest, options);
    StreamUpstream& upstream = Add(server);
    ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
    server.SetSilence(LoopbackSilence::kOpenConnections);
    const std::vector<Asked*> all = AskMany(upstream, 20);
    ASSERT_TRUE(RunUntil([&] { return server.counters().queries == 21; }));
    Ip("route replace local 10.9.0.1 dev lo table local src 10.9.0.2\n");
    const SteadyTime changed = Now();
    upstream.NetworkChanged(changed);
    EXPECT_EQ(upstream.Snapshot().connections_suspected, 1U) << "without waiting for a silence";
    ASSERT_TRUE(RunUntilAllDone(all));
    std::printf("[          ] moved within %.0f ms\n",
                std::chrono::duration<double, std::milli>(Now() - changed).count());
    EXPECT_LT(Now() - changed, Limits::kSilenceMin);
    for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
    EXPECT_EQ(upstream.Snapshot().connect_failures, 0U);
    EXPECT_EQ(server.counters().connections, 2U);
    // Nothing is in flight now: the next move costs one connection when there is a query again, and no sooner.
    Ip("route replace local 10.9.0.1 dev lo table local src 10.9.0.1\n");
    upstream.NetworkChanged(Now());
    ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_open == 0; }));
    EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kIdle);
    EXPECT_TRUE(AskAndWait(upstream, "after.example.").answered());
    EXPECT_EQ(server.counters().connections, 3U);
  }).join();
  if (error != 0) GTEST_SKIP() << "a network namespace needs root: " << std::strerror(error);
}

// Each move makes one more connection suspect, as long as it has queries.
TEST_F(SuspicionTest, LimitConnections_ManyChangesInARowOpenABoundedNumber) {
  int error = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    Ip("link set lo up\naddress add 10.9.0.1/32 dev lo\naddress add 10.9.0.2/32 dev lo\n");
    LoopbackDotServer::Options options;
    options.address = IpAddress::V4({10, 9, 0, 1});
    options.script_answers_probes = true;
    // Slow enough that the patience is at its longest.
    LoopbackDotServer server(
        [](const LoopbackQuery& query) {
          if (query.total == 0) return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("slow")};
          return Actions{};
        },
        options);
    StreamUpstream& upstream = Add(server);
    const Asked& first = Ask(upstream, "first.example.");
    ASSERT_TRUE(RunFor(milliseconds(450)));
    server.Fire("slow");
    ASSERT_TRUE(RunUntil([&] { return first.done(); }));
    uint64_t most = 0;
    for (int i = 0; i < 10; ++i) {
      Ask(upstream, StrCat("q", i, ".example."), seconds(3));
      ASSERT_TRUE(RunFor(milliseconds(60)));
      Ip(StrCat("route replace local 10.9.0.1 dev lo table local src 10.9.0.", i % 2 == 0 ? 2 : 1, "\n"));
      upstream.NetworkChanged(Now());
      most = std::max(most, upstream.Snapshot().connections_open);
    }
    EXPECT_LE(most, Limits::kConnectionsPerServerMax);
    EXPECT_GE(most, 3U);
    upstream.Close();
  }).join();
  if (error != 0) GTEST_SKIP() << "a network namespace needs root: " << std::strerror(error);
}

}  // namespace
}  // namespace dotward
