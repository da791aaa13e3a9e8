#include "upstream/race.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "fake_server.h"
#include "upstream_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Races over scripted servers. No loop runs: time is what the test gives to Advance.
class RaceTest : public testing::Test {
 protected:
  struct Running {
    UpstreamQuery query;
    Cancellation cancellation;
    std::unique_ptr<Race> race;
    bool over = false;
  };

  ~RaceTest() override { timeouts_.Close(); }

  FakeServer& AddUpstream(Duration usual = {}) {
    servers_.push_back(std::make_shared<FakeServer>(loop_, timeouts_, StrCat("u", servers_.size())));
    if (usual != Duration::zero()) servers_.back()->Learn(usual);
    return *servers_.back();
  }
  std::shared_ptr<const Route> MakeRoute(bool hedge, UpstreamPolicy policy = UpstreamPolicy::kOrdered) {
    const auto route = std::make_shared<Route>(policy, hedge, state_);
    for (const auto& server : servers_) route->AddUpstream(*server->record().name, {server});
    return route;
  }
  Running& Begin(const std::shared_ptr<const Route>& route, Duration patience = seconds(5),
                 Race::Purpose purpose = Race::Purpose::kClient) {
    Running& running = running_.emplace_back();
    running.query = QueryFor("www.example.");
    running.query.cancellation = &running.cancellation;
    running.race =
        std::make_unique<Race>(loop_, timeouts_, route, running.query, Deadline::After(now_, patience), now_, purpose);
    running.over = running.race->Advance(now_);
    return running;
  }
  bool AdvanceTo(Running& running, Duration since_start) {
    running.over = running.race->Advance(start_ + since_start);
    return running.over;
  }
  // The name of who answered, or the text of the failure.
  static std::string ResultOf(Running& running) {
    const absl::StatusOr<UpstreamResponse> result = running.race->Result();
    return result.ok() ? *result->upstream : std::string(MessageOf(result.status()));
  }
  void GiveBudget() { state_->hedge_budget = Limits::kHedgeBudgetMax; }

  asio::io_context loop_;
  Timeouts timeouts_{loop_};
  const SteadyTime start_ = std::chrono::steady_clock::now();
  SteadyTime now_ = start_;
  std::shared_ptr<RouteState> state_ = std::make_shared<RouteState>(7);
  std::vector<std::shared_ptr<FakeServer>> servers_;
  std::list<Running> running_;
};

FakeServer::AnswerFunction Fails(Rcode rcode) {
  return [rcode](const Octets& query) { return FailureAnswerTo(query, rcode); };
}
FakeServer::AnswerFunction FailsWith(uint16_t ede, Rcode rcode = Rcode::kServFail) {
  return [=](const Octets& query) {
    const MessageRead read = MustReadMessage(query);
    return MessageBuilder(read.id)
        .Flags(header_flag::kQr | header_flag::kRd | header_flag::kRa)
        .WithRcode(rcode)
        .Question(read.questions.at(0).name, read.questions.at(0).type)
        .WithEdns({.options = {Ede(static_cast<EdeCode>(ede), "why")}})
        .Build();
  };
}

// --- hedges ---

TEST_F(RaceTest, AHedgeIsSentWhenTheAnswerIsLaterThanTheUsualSlowest) {
  FakeServer& first = AddUpstream(milliseconds(40));
  FakeServer& second = AddUpstream(milliseconds(40));
  GiveBudget();
  Running& running = Begin(MakeRoute(true));
  const Duration due = first.record().latency.usual_slowest();
  EXPECT_GE(due, milliseconds(40));
  EXPECT_LE(due, milliseconds(50));
  AdvanceTo(running, due - Duration(1));
  EXPECT_EQ(second.started, 0U);
  AdvanceTo(running, due);
  EXPECT_EQ(second.started, 1U);
  EXPECT_EQ(second.counters().hedges.value(), 1U);
  second.Answer(0, start_ + milliseconds(60));
  EXPECT_TRUE(AdvanceTo(running, milliseconds(60)));
  EXPECT_EQ(second.counters().hedges_won.value(), 1U);
  EXPECT_EQ(ResultOf(running), "u1");
}

TEST_F(RaceTest, AHedgeIsNeverSentBeforeTheLeastDelay) {
  AddUpstream(milliseconds(1));
  FakeServer& second = AddUpstream(milliseconds(1));
  GiveBudget();
  Running& running = Begin(MakeRoute(true));
  AdvanceTo(running, Limits::kHedgeDelayMin - Duration(1));
  EXPECT_EQ(second.started, 0U);
  AdvanceTo(running, Limits::kHedgeDelayMin);
  EXPECT_EQ(second.started, 1U);
}

TEST_F(RaceTest, TheFirstMayStillWinAfterAHedge) {
  FakeServer& first = AddUpstream(milliseconds(20));
  FakeServer& second = AddUpstream(milliseconds(20));
  GiveBudget();
  Running& running = Begin(MakeRoute(true));
  AdvanceTo(running, milliseconds(30));
  ASSERT_EQ(second.started, 1U);
  first.Answer(0, start_ + milliseconds(31));
  EXPECT_TRUE(AdvanceTo(running, milliseconds(31)));
  EXPECT_EQ(ResultOf(running), "u0");
  EXPECT_EQ(second.counters().hedges_won.value(), 0U);
}

TEST_F(RaceTest, AHedgeThatCameSecondInTheSameTurnHasNotWon) {
  FakeServer& first = AddUpstream(milliseconds(20));
  FakeServer& second = AddUpstream(milliseconds(20));
  GiveBudget();
  Running& running = Begin(MakeRoute(true));
  AdvanceTo(running, milliseconds(30));
  first.Answer(0, start_ + milliseconds(31));
  second.Answer(0, start_ + milliseconds(31));
  EXPECT_TRUE(AdvanceTo(running, milliseconds(31)));
  EXPECT_EQ(ResultOf(running), "u0");
  EXPECT_EQ(second.counters().hedges_won.value(), 0U);
}

TEST_F(RaceTest, WithoutKnowledgeASecondServerOrTheOptionThereIsNoHedge) {
  // Each is first of a route of its own.
  const auto hedges = [this](Duration usual, bool option, size_t servers) {
    servers_.clear();
    for (size_t i = 0; i < servers; ++i) AddUpstream(usual);
    GiveBudget();
    Running& running = Begin(MakeRoute(option));
    AdvanceTo(running, milliseconds(150));
    uint64_t sent = 0;
    for (const auto& server : servers_) sent += server->counters().hedges.value();
    running.race.reset();
    return sent;
  };
  EXPECT_EQ(hedges(milliseconds(20), true, 2), 1U);
  EXPECT_EQ(hedges(Duration::zero(), true, 2), 0U);
  EXPECT_EQ(hedges(milliseconds(20), false, 2), 0U);
  EXPECT_EQ(hedges(milliseconds(20), true, 1), 0U);
}

TEST_F(RaceTest, NoHedgeGoesToAServerThatDoesNotServe) {
  AddUpstream(milliseconds(20));
  FakeServer& second = AddUpstream(milliseconds(20));
  second.readiness = UpstreamServer::Readiness::kDoubtful;
  GiveBudget();
  Running& running = Begin(MakeRoute(true));
  AdvanceTo(running, milliseconds(150));
  EXPECT_EQ(second.started, 0U);
  EXPECT_EQ(state_->hedge_budget, Limits::kHedgeBudgetMax) << "nothing was spent";
  AdvanceTo(running, seconds(2));
  EXPECT_EQ(second.started, 1U) << "when the patience is over a doubtful one is asked too";
  EXPECT_EQ(second.counters().hedges.value(), 0U);
}

TEST_F(RaceTest, AServerThatIsUsuallySlowGetsNoMorePatienceThanAnother) {
  AddUpstream(seconds(4));
  FakeServer& second = AddUpstream(milliseconds(20));
  GiveBudget();
  Running& running = Begin(MakeRoute(true), seconds(10));
  AdvanceTo(running, Limits::kAttemptPatienceMax);
  EXPECT_EQ(second.started, 1U);
}

// The worst there is: every query is late, and none is answered, so that nothing is learned from it.
TEST_F(RaceTest, LimitHedgeBudget_HedgesAreOneQueryInTwenty) {
  FakeServer& first = AddUpstream(milliseconds(20));
  FakeServer& second = AddUpstream(milliseconds(20));
  const auto route = MakeRoute(true);
  for (int i = 0; i < 10'000; ++i) {
    Running& running = Begin(route);
    AdvanceTo(running, milliseconds(30));
    running_.clear();
  }
  EXPECT_EQ(first.started, 10'000U);
  EXPECT_EQ(second.started, 500U);
  EXPECT_EQ(second.counters().hedges.value(), 500U);
  EXPECT_EQ(state_->hedge_budget, 0U);
}

// All of them saw a full budget when they began.
TEST_F(RaceTest, LimitHedgeBudget_QueriesUnderWayTogetherShareIt) {
  AddUpstream(milliseconds(20));
  FakeServer& second = AddUpstream(milliseconds(20));
  const auto route = MakeRoute(true);
  for (int i = 0; i < 10'000; ++i) Begin(route);
  EXPECT_EQ(state_->hedge_budget, Limits::kHedgeBudgetMax);
  for (Running& running : running_) AdvanceTo(running, milliseconds(30));
  EXPECT_EQ(second.started, Limits::kHedgeBudgetMax / Limits::kHedgeCost);
  EXPECT_EQ(state_->hedge_budget, 0U);
}

// --- who is asked next ---

TEST_F(RaceTest, AFailureAsksTheNextAtOnceWhileAnEarlierOneStillMayAnswer) {
  FakeServer& first = AddUpstream();
  AddUpstream().answer = Fails(Rcode::kServFail);
  FakeServer& third = AddUpstream();
  Running& running = Begin(MakeRoute(false), seconds(3));
  AdvanceTo(running, seconds(1));
  EXPECT_EQ(servers_[1]->started, 1U);
  AdvanceTo(running, seconds(1));
  EXPECT_EQ(third.started, 1U);
  first.Answer(0, start_ + seconds(1));
  EXPECT_TRUE(AdvanceTo(running, seconds(1)));
  EXPECT_EQ(ResultOf(running), "u0");
}

TEST_F(RaceTest, OneThatRefusesAtOnceIsPassedOverAtOnce) {
  AddUpstream();
  AddUpstream().refuse_with = absl::UnavailableError("u1: it is full");
  FakeServer& third = AddUpstream();
  Running& running = Begin(MakeRoute(false), seconds(3));
  AdvanceTo(running, seconds(1));
  EXPECT_EQ(third.started, 1U);
}

TEST_F(RaceTest, AFailedHedgeAsksNobodyMore) {
  AddUpstream(milliseconds(20));
  AddUpstream(milliseconds(20)).answer = Fails(Rcode::kServFail);
  FakeServer& third = AddUpstream(milliseconds(20));
  GiveBudget();
  Running& running = Begin(MakeRoute(true), seconds(5));
  AdvanceTo(running, milliseconds(30));
  EXPECT_EQ(servers_[1]->started, 1U);
  AdvanceTo(running, milliseconds(31));
  EXPECT_EQ(third.started, 0U);
  AdvanceTo(running, seconds(2));
  EXPECT_EQ(third.started, 1U);
}

TEST_F(RaceTest, AnAddressOfTheOtherFamilyIsTriedBesideOneThatNobodyKnows) {
  std::vector<std::shared_ptr<UpstreamServer>> group;
  for (const IpAddress& address : {IpAddress::V6({0x20, 1, 0xd, 0xb8}), IpAddress::V4({192, 0, 2, 1})}) {
    servers_.push_back(std::make_shared<FakeServer>(loop_, timeouts_, "u0", address));
    servers_.back()->connected = false;
    group.push_back(servers_.back());
  }
  FakeServer& other = AddUpstream();
  const auto route = std::make_shared<Route>(UpstreamPolicy::kOrdered, false, state_);
  route->AddUpstream("u0", group);
  route->AddUpstream("u1", {servers_[2]});
  Running& running = Begin(route);
  EXPECT_EQ(servers_[0]->started, 1U);
  EXPECT_EQ(servers_[1]->started, 1U);
  // A family that fails at once costs nobody time, and sends nothing elsewhere.
  servers_[1]->under_way[0]->Complete(absl::UnavailableError("no route"));
  AdvanceTo(running, milliseconds(1));
  EXPECT_EQ(other.started, 0U);
  servers_[0]->Answer(0, start_ + milliseconds(20));
  EXPECT_TRUE(AdvanceTo(running, milliseconds(20)));
  servers_[0]->Learn(milliseconds(20));
  Begin(route);
  EXPECT_EQ(servers_[1]->started, 1U) << "now that one is known, it is asked alone";
}

// --- what ends the search, and what the client gets ---

class FinalWords : public RaceTest, public testing::WithParamInterface<int> {};
class NoFinalWords : public RaceTest, public testing::WithParamInterface<int> {};

TEST_P(FinalWords, EndTheSearch) {
  AddUpstream().answer = FailsWith(static_cast<uint16_t>(GetParam()));
  AddUpstream();
  Running& running = Begin(MakeRoute(false));
  EXPECT_TRUE(AdvanceTo(running, milliseconds(1)));
  EXPECT_EQ(servers_[1]->started, 0U);
  EXPECT_EQ(ResultOf(running), "u0");
}
TEST_P(NoFinalWords, AskTheNext) {
  AddUpstream().answer = FailsWith(static_cast<uint16_t>(GetParam()));
  AddUpstream().answer = [](const Octets& query) { return PositiveAnswerTo(query); };
  Running& running = Begin(MakeRoute(false));
  AdvanceTo(running, milliseconds(1));
  EXPECT_EQ(servers_[1]->started, 1U);
  EXPECT_TRUE(AdvanceTo(running, milliseconds(1)));
  EXPECT_EQ(ResultOf(running), "u1");
}

// RFC 8914 §4: DNSSEC failures, and what somebody decided not to answer.
INSTANTIATE_TEST_SUITE_P(Codes, FinalWords, testing::Values(5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 27));
INSTANTIATE_TEST_SUITE_P(Codes, NoFinalWords, testing::Values(0, 3, 4, 13, 14, 19, 20, 21, 22, 23, 24, 26, 28));

TEST_F(RaceTest, AFinalWordIsPreferredToAnEarlierFailureThatOnlyExplains) {
  AddUpstream().answer = FailsWith(22);
  AddUpstream().answer = FailsWith(6);
  AddUpstream();
  Running& running = Begin(MakeRoute(false));
  while (!running.over) AdvanceTo(running, milliseconds(1));
  EXPECT_EQ(ResultOf(running), "u1");
  EXPECT_EQ(servers_[2]->started, 0U);
}

TEST_F(RaceTest, TheBestResponseSeenIsTheResultInTheEnd) {
  AddUpstream().answer = [](const Octets& query) { return TruncatedAnswerTo(query); };
  AddUpstream().answer = Fails(Rcode::kRefused);
  AddUpstream().answer = FailsWith(23);
  AddUpstream().answer = Fails(Rcode::kServFail);
  AddUpstream();  // keeps silent
  Running& running = Begin(MakeRoute(false), seconds(2));
  for (int i = 0; i < 4; ++i) AdvanceTo(running, milliseconds(1));
  EXPECT_EQ(servers_[4]->started, 1U);
  EXPECT_FALSE(running.over);
  EXPECT_TRUE(AdvanceTo(running, seconds(2)));
  EXPECT_EQ(running.race->end(), Race::End::kFailed);
  EXPECT_EQ(ResultOf(running), "u2");
}

TEST_F(RaceTest, NobodyIsNamedLessThanOnceWhereNobodyServes) {
  for (int i = 0; i < 3; ++i) {
    AddUpstream().readiness = UpstreamServer::Readiness::kResting;
    servers_.back()->Banish(start_ - seconds(1), absl::UnavailableError(StrCat("u", i, ": why")));
  }
  Running& running = Begin(MakeRoute(false));
  EXPECT_TRUE(running.over) << "at once";
  EXPECT_EQ(ResultOf(running), "u0: why; u1: why; u2: why");
}

// --- own queries, cancellation ---

TEST_F(RaceTest, AQueryOfOurOwnIsNoFailureOfTheStatistics) {
  FakeServer& server = AddUpstream();
  Running& silent = Begin(MakeRoute(false), seconds(1), Race::Purpose::kOwn);
  EXPECT_TRUE(AdvanceTo(silent, seconds(1)));
  server.refuse_with = absl::UnavailableError("no");
  Running& refused = Begin(MakeRoute(false), seconds(1), Race::Purpose::kOwn);
  EXPECT_TRUE(refused.over);
  server.refuse_with.reset();
  server.answer = [](const Octets& query) { return PositiveAnswerTo(query); };
  Running& answered = Begin(MakeRoute(false), seconds(1), Race::Purpose::kOwn);
  EXPECT_TRUE(AdvanceTo(answered, milliseconds(1)));
  const UpstreamSnapshot snapshot = server.Snapshot();
  EXPECT_EQ(snapshot.failed, 0U);
  EXPECT_EQ(snapshot.timeouts, 0U);
  EXPECT_EQ(snapshot.responses, 0U);
}

TEST_F(RaceTest, ACancelledRaceIsOverAtTheNextLook) {
  FakeServer& server = AddUpstream();
  Running& running = Begin(MakeRoute(false));
  EXPECT_FALSE(running.over);
  running.cancellation.Cancel();
  EXPECT_TRUE(AdvanceTo(running, milliseconds(1)));
  EXPECT_EQ(running.race->end(), Race::End::kCancelled);
  EXPECT_EQ(running.race->Result().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server.Snapshot().failed, 0U);
}

TEST_F(RaceTest, ARaceThatWasCancelledBeforeItBeganAsksNobody) {
  FakeServer& server = AddUpstream();
  UpstreamQuery query = QueryFor("www.example.");
  Cancellation cancellation;
  cancellation.Cancel();
  query.cancellation = &cancellation;
  Race race(loop_, timeouts_, MakeRoute(false), query, Deadline::After(now_, seconds(5)), now_);
  EXPECT_TRUE(race.Advance(now_));
  EXPECT_EQ(server.started, 0U);
}

}  // namespace
}  // namespace dotward
