// What a forwarder does beside answering: loops, host names, servers that return, questions that are taken back.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "forwarder_fixture.h"
#include "testing/loopback/loopback_udp_server.h"
#include "testing/loopback/tcp_proxy.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Actions = std::vector<LoopbackAction>;

SteadyTime Now() { return std::chrono::steady_clock::now(); }
Actions Honest(const LoopbackQuery& query) { return {LoopbackAction::Reply(PositiveAnswerTo(query.message))}; }
Actions Silent(const LoopbackQuery&) { return {}; }
LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}))};
  };
}

class ForwarderWatchTest : public ForwarderFixture {
 protected:
  LoopbackDotServer& AddServerThatSeesProbes(LoopbackDotServer::Script script) {
    LoopbackDotServer::Options options;
    options.authority = authority_;
    options.script_answers_probes = true;
    return *servers_.emplace_back(std::make_unique<LoopbackDotServer>(std::move(script), options));
  }
  // Names of our own that a server was asked for.
  static std::vector<std::string> LoopNames(const LoopbackDotServer& server) {
    std::vector<std::string> names;
    for (const LoopbackQuery& query : server.queries()) {
      const std::string name = NameOf(query.message);
      if (name.find(".loop-check.example.com.") != std::string::npos) names.push_back(name);
    }
    return names;
  }
};

using PromiseX15 = ForwarderWatchTest;
using PromiseU7 = ForwarderWatchTest;

// RFC 4035 §2.4: DS records are the parent's.
TEST_F(ForwarderWatchTest, ADsQueryTakesTheParentsRoute) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0"});
  AddRoute("example.", {"u1"});
  Forwarder& forwarder = Create();
  const auto asked_of = [&](std::string_view name, uint16_t type) {
    const Asked& asked = Ask(forwarder, QueryFor(name, type));
    EXPECT_TRUE(RunUntil([&] { return asked.done(); }));
    return asked.answered() ? *(*asked.result)->upstream : asked.text();
  };
  EXPECT_EQ(asked_of("example.", rr_type::kDs), "u0");
  EXPECT_EQ(asked_of("example.", rr_type::kA), "u1");
  EXPECT_EQ(asked_of("sub.example.", rr_type::kDs), "u1");
  EXPECT_EQ(asked_of(".", rr_type::kDs), "u0");
}

// --- loops ---

TEST_F(PromiseX15, EachUpstreamIsAskedForANameOfItsOwnAtTheStart) {
  for (int i = 0; i < 2; ++i) AddUpstream(AddServerThatSeesProbes(Honest).port());
  AddRoute(".", {"u0", "u1"});
  Forwarder& forwarder = Create();
  forwarder.Start();
  ASSERT_TRUE(RunUntil([&] { return LoopNames(*servers_[0]).size() + LoopNames(*servers_[1]).size() == 2; }));
  EXPECT_NE(LoopNames(*servers_[0]).at(0), LoopNames(*servers_[1]).at(0));
  for (const UpstreamSnapshot& snapshot : forwarder.Snapshots()) {
    EXPECT_EQ(snapshot.queries, 0U) << "nobody's query but ours";
    EXPECT_EQ(snapshot.probes, 1U);
  }
}

TEST_F(PromiseX15, AnUpstreamWhoseNameComesBackIsLeftOutAndNamed) {
  AddUpstream(AddServerThatSeesProbes(Silent).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0"});
  AddRoute("both.", {"u0", "u1"});
  Forwarder& forwarder = Create();
  forwarder.Start();
  ASSERT_TRUE(RunUntil([&] { return LoopNames(*servers_[0]).size() == 1; }));
  std::string name = LoopNames(*servers_[0]).at(0);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const Asked& back = AskAndWait(forwarder, name);
  ASSERT_FALSE(back.answered());
  EXPECT_NE(back.text().find("forwarding loop: upstream u0"), std::string::npos) << back.text();
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.both.")), "192.0.2.20");
  const SteadyTime begun = Now();
  const Asked& alone = AskAndWait(forwarder, "www.example.");
  EXPECT_NE(alone.text().find("forwarding loop: upstream u0"), std::string::npos) << alone.text();
  EXPECT_LT(Now() - begun, seconds(1)) << "at once";
  EXPECT_EQ(servers_[0]->counters().queries - LoopNames(*servers_[0]).size(), 0U) << "no client's query has left";
}

TEST_F(PromiseX15, SomebodyElsesLoopCheckIsAnOrdinaryName) {
  Forwarder& forwarder = Forward({Honest});
  const Asked& asked = AskAndWait(forwarder, "aaaaaaaaaaaaaaaa-0.loop-check.example.com.");
  EXPECT_TRUE(asked.answered()) << asked.text();
}

TEST_F(PromiseX15, LimitLoopSuspicion_QueriesThatNobodyAnswersRaiseTheSuspicion) {
  // The connection itself is beyond doubt: nothing is asked again on another.
  AddUpstream(AddServerThatSeesProbes([](const LoopbackQuery& query) {
                return NameOf(query.message) == "." ? Honest(query) : Actions{};
              }).port());
  AddRoute(".", {"u0"});
  Forwarder& forwarder = Create();
  for (unsigned i = 1; i < Limits::kLoopSuspicion; ++i) AskAndWait(forwarder, "www.example.", milliseconds(100));
  EXPECT_EQ(LoopNames(*servers_[0]).size(), 0U);
  AskAndWait(forwarder, "www.example.", milliseconds(100));
  ASSERT_TRUE(RunUntil([&] { return LoopNames(*servers_[0]).size() == 1; }));
  for (unsigned i = 0; i < 2 * Limits::kLoopSuspicion; ++i) AskAndWait(forwarder, "www.example.", milliseconds(50));
  EXPECT_EQ(LoopNames(*servers_[0]).size(), 1U) << "not more than one in a while";
}

// --- taking back ---

TEST_F(ForwarderWatchTest, X11_ACancelledQueryEndsOnTheNextTurnAndItsIdStaysTaken) {
  Forwarder& forwarder = Forward({[](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("late")};
  }});
  Cancellation cancellation;
  UpstreamQuery query = QueryFor("www.example.");
  query.cancellation = &cancellation;
  const Asked& asked = Ask(forwarder, query);
  ASSERT_TRUE(RunUntil([&] { return QueriesAt(0) == 1; }));
  const SteadyTime begun = Now();
  cancellation.Cancel();
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_LT(Now() - begun, seconds(1));
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(forwarder.Snapshots()[0].in_flight, 0U);
  EXPECT_EQ(forwarder.Snapshots()[0].timeouts, 0U);
  servers_[0]->Fire("late");
  ASSERT_TRUE(RunUntil([&] { return forwarder.Snapshots()[0].late == 1; }));
  EXPECT_EQ(forwarder.Snapshots()[0].mismatched, 0U);
  EXPECT_EQ(forwarder.Snapshots()[0].connections_open, 1U);
}

// --- all down ---

// A firewall that drops: SYNs get no answer. Both upstreams are behind one.
TEST_F(PromiseU7, WithoutAnySignOfLifeQueriesFailSoonAndTriesAreFewUntilTheFirstReturns) {
  std::vector<std::unique_ptr<TcpProxy>> proxies;
  for (int i = 0; i < 2; ++i) {
    proxies.push_back(std::make_unique<TcpProxy>(AddServer(Honest).endpoint()));
    AddUpstream(proxies.back()->endpoint().port);
  }
  policy_ = UpstreamPolicy::kRoundRobin;  // so that both have been connected, and are known to be near
  AddRoute(".", {"u0", "u1"});
  Forwarder& forwarder = Create();
  ASSERT_TRUE(RunUntil([&] {
    EXPECT_TRUE(AskAndWait(forwarder, "first.example.").answered());
    return forwarder.Snapshots()[0].connections == 1 && forwarder.Snapshots()[1].connections == 1;
  }));
  for (const auto& proxy : proxies) {
    proxy->SetNewConnections(TcpProxy::NewConnections::kHang);
    proxy->CutAll(TcpProxy::Cut::kReset);
  }
  const auto tries = [&] {
    uint64_t sum = 0;
    for (const UpstreamSnapshot& snapshot : forwarder.Snapshots()) sum += snapshot.connect_failures;
    return sum;
  };
  // Until both are known to be away.
  ASSERT_TRUE(RunUntil([&] {
    AskAndWait(forwarder, "www.example.", seconds(5));
    const std::vector<UpstreamSnapshot> snapshots = forwarder.Snapshots();
    return snapshots[0].connect_failures >= 4 && snapshots[1].connect_failures >= 4;
  }));
  const SteadyTime begun = Now();
  const uint64_t before = tries();
  Duration longest{0};
  while (Now() - begun < seconds(3)) {
    const SteadyTime asked_at = Now();
    const Asked& asked = AskAndWait(forwarder, "www.example.", seconds(5));
    longest = std::max<Duration>(longest, Now() - asked_at);
    ASSERT_FALSE(asked.answered());
    ASSERT_NE(asked.text().find("u0 127.0.0.1"), std::string::npos) << asked.text();
    ASSERT_NE(asked.text().find("u1 127.0.0.1"), std::string::npos) << asked.text();
  }
  const Duration took = Now() - begun;
  std::printf("[          ] %zu tries in %.1f s, the longest wait %.0f ms\n", static_cast<size_t>(tries() - before),
              std::chrono::duration<double>(took).count(), std::chrono::duration<double, std::milli>(longest).count());
  EXPECT_LT(longest, seconds(1));
  EXPECT_LE(static_cast<int64_t>(tries() - before), 2 * (1 + took / (Limits::kBackOffUrgentMax / 2)));
  EXPECT_GE(tries() - before, 2U);
  proxies[1]->SetNewConnections(TcpProxy::NewConnections::kServe);
  const SteadyTime returned = Now();
  ASSERT_TRUE(RunUntil([&] { return AskAndWait(forwarder, "www.example.").answered(); }));
  std::printf("[          ] good answers %.0f ms after the return\n",
              std::chrono::duration<double, std::milli>(Now() - returned).count());
  EXPECT_LT(Now() - returned, milliseconds(2000)) << "a second, and one for a busy machine";
}

TEST_F(PromiseU7, WhileOthersServeAFailingServerIsTriedLessAndLess) {
  AddUpstream(AddServer(Honest).port());
  servers_[0]->StopListening();
  Forwarder& forwarder = Forward({Says("192.0.2.20")});
  const SteadyTime begun = Now();
  while (Now() - begun < seconds(3)) {
    ASSERT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  }
  // At the least 50, 100, 200, 400, 800 and 1600 ms apart.
  EXPECT_LE(forwarder.Snapshots()[0].connect_failures, 7U);
  EXPECT_GE(forwarder.Snapshots()[0].connect_failures, 3U);
}

TEST_F(PromiseU7, AServerThatReturnsHasToAnswerSomethingBeforeItIsTrusted) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  servers_[0]->StopListening();
  servers_[0]->SetSilence(LoopbackSilence::kAll);
  Forwarder& forwarder = Forward({Says("192.0.2.20")});
  ASSERT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  ASSERT_TRUE(RunUntil([&] { return forwarder.Snapshots()[0].state == UpstreamState::kFailing; }));
  servers_[0]->StartListening();
  // It makes handshakes, and that is all.
  ASSERT_TRUE(RunUntil([&] {
    EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
    return servers_[0]->counters().handshakes >= 2;
  }));
  EXPECT_EQ(forwarder.Snapshots()[0].queries, 0U);
  EXPECT_GE(servers_[0]->counters().probes, 1U);
  servers_[0]->SetSilence(LoopbackSilence::kNone);
  ASSERT_TRUE(RunUntil([&] { return AnswerOf(AskAndWait(forwarder, "www.example.")) == "192.0.2.10"; }));
}

// --- host names ---

// An upstream "u0" whose address is that of "dot.test", which a resolver of the bootstrap list knows. Its server
// listens on every loopback address.
class HostNames : public ForwarderWatchTest {
 protected:
  HostNames() {
    resolver_.SetScript([this](const LoopbackDatagram& query) -> std::vector<LoopbackReply> {
      if (!answers_) return {};
      if (MustReadMessage(query.message).questions.at(0).type != rr_type::kA) {
        return {NodataAnswerTo(query.message, "test.")};
      }
      return {PositiveAnswerTo(query.message, 300, {A(StrCat("127.0.0.", host_.load()))})};
    });
    LoopbackDotServer::Options options;
    options.authority = authority_;
    options.address = IpAddress::V4({0, 0, 0, 0});
    servers_.emplace_back(std::make_unique<LoopbackDotServer>(
        [](const LoopbackQuery& query) {
          if (NameOf(query.message) != "slow.example.") return Honest(query);
          return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("slow")};
        },
        options));
    AddUpstream(servers_[0]->port(), {});
    config_.upstreams[0].host_names = {"dot.test"};
    BootstrapConfig bootstrap;
    bootstrap.endpoint = resolver_.endpoint();
    config_.bootstrap = {bootstrap};
    config_.query.deadline = seconds(2);
    AddRoute(".", {"u0"});
  }
  bool RunUntilAt(Forwarder& forwarder, uint8_t host) {
    return RunUntil([&] {
      const std::vector<UpstreamSnapshot> snapshots = forwarder.Snapshots();
      return snapshots.size() == 1 && snapshots[0].endpoint.address == IpAddress::V4({127, 0, 0, host});
    });
  }
  void Move(Forwarder& forwarder, uint8_t host) {
    host_ = host;
    forwarder.NetworkChanged();  // which looks the name up again
  }

  std::atomic<bool> answers_ = true;
  std::atomic<int> host_ = 1;
  LoopbackUdpServer resolver_;
};

TEST_F(HostNames, U9_BeforeTheNameIsResolvedTheReasonIsGivenAndThenItsServerAppears) {
  answers_ = false;
  Forwarder& forwarder = Create();
  forwarder.Start();
  EXPECT_TRUE(forwarder.Snapshots().empty());
  const Asked& early = AskAndWait(forwarder, "www.example.");
  EXPECT_EQ(early.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(early.text().find("u0: no address is known for dot.test"), std::string::npos) << early.text();
  answers_ = true;
  ASSERT_TRUE(RunUntilAt(forwarder, 1));
  EXPECT_TRUE(AskAndWait(forwarder, "www.example.").answered());
}

TEST_F(HostNames, AServerThatMovesFinishesItsQueriesAndGetsNoNewOnes) {
  Forwarder& forwarder = Create();
  forwarder.Start();
  ASSERT_TRUE(RunUntilAt(forwarder, 1));
  const Asked& slow = Ask(forwarder, "slow.example.");
  ASSERT_TRUE(RunUntil([&] { return servers_[0]->counters().queries == 1; }));
  const size_t old_connection = servers_[0]->queries().at(0).connection;
  Move(forwarder, 2);
  ASSERT_TRUE(RunUntilAt(forwarder, 2));
  EXPECT_TRUE(AskAndWait(forwarder, "www.example.").answered());
  EXPECT_NE(servers_[0]->queries().at(1).connection, old_connection);
  EXPECT_FALSE(slow.done());
  // What was counted at the old address stays counted, while it retires and when it has gone.
  ASSERT_EQ(forwarder.FormerSnapshots().size(), 1U);
  EXPECT_EQ(forwarder.FormerSnapshots()[0].name, "u0");
  EXPECT_EQ(forwarder.FormerSnapshots()[0].queries, 1U);
  servers_[0]->Fire("slow");
  ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  EXPECT_TRUE(slow.answered()) << slow.text();
  EXPECT_EQ(servers_[0]->counters().queries, 2U) << "it was not asked again";
  ASSERT_TRUE(RunUntil([&] { return servers_[0]->counters().closed_connections >= 1; })) << "it is not kept";
  EXPECT_EQ(forwarder.Snapshots()[0].connections_open, 1U);
  ASSERT_EQ(forwarder.FormerSnapshots().size(), 1U);
  EXPECT_EQ(forwarder.FormerSnapshots()[0].queries, 1U);
  EXPECT_EQ(forwarder.FormerSnapshots()[0].durations.count(), 1U);
}

// The fixture joins, and the address sanitizer looks at what is left.
TEST_F(HostNames, CloseWhileNothingIsKnownLeavesNothingRunning) {
  answers_ = false;
  Forwarder& forwarder = Create();
  forwarder.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver_.counters().queries >= 2; }));
  forwarder.Close();
}

TEST_F(HostNames, CloseBeforeTheFirstTurnLeavesNothingRunning) {
  Forwarder& forwarder = Create();
  forwarder.Start();
  forwarder.Close();
}

TEST_F(HostNames, CloseWithoutStartLeavesNothingRunning) { Create().Close(); }

TEST_F(HostNames, CloseWhileAServerRetiresFailsWhatItStillHas) {
  Forwarder& forwarder = Create();
  forwarder.Start();
  ASSERT_TRUE(RunUntilAt(forwarder, 1));
  const Asked& old_one = Ask(forwarder, "slow.example.");
  ASSERT_TRUE(RunUntil([&] { return servers_[0]->counters().queries == 1; }));
  Move(forwarder, 2);
  ASSERT_TRUE(RunUntilAt(forwarder, 2));
  const Asked& new_one = Ask(forwarder, "slow.example.");
  ASSERT_TRUE(RunUntil([&] { return servers_[0]->counters().queries == 2; }));
  forwarder.Close();
  ASSERT_TRUE(RunUntil([&] { return old_one.done() && new_one.done(); }));
  EXPECT_EQ(old_one.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(new_one.result->status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace dotward
