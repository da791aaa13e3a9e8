#include "upstream/route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/name.h"
#include "fake_server.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Readiness = UpstreamServer::Readiness;
using Urgency = UpstreamServer::Urgency;

// Upstreams called "u0", "u1" and so on, each with servers that are scripted.
class RouteTest : public testing::Test {
 protected:
  FakeServer& AddUpstream(std::vector<IpAddress> addresses = {IpAddress::V4({192, 0, 2, 1})}) {
    return AddUpstreamCalled(StrCat("u", names_.size()), std::move(addresses));
  }
  FakeServer& AddUpstreamCalled(const std::string& name, std::vector<IpAddress> addresses) {
    std::vector<std::shared_ptr<UpstreamServer>> group;
    for (const IpAddress& address : addresses) {
      servers_.push_back(std::make_shared<FakeServer>(loop_, timeouts_, name, address));
      group.push_back(servers_.back());
    }
    names_.push_back(name);
    groups_.push_back(group);
    return *servers_[servers_.size() - addresses.size()];
  }
  std::shared_ptr<const Route> Make(UpstreamPolicy policy) {
    const auto route = std::make_shared<Route>(policy, false, state_);
    for (size_t i = 0; i < names_.size(); ++i) route->AddUpstream(names_[i], groups_[i]);
    return route;
  }
  std::optional<size_t> Choose(const Route& route, std::string_view name = "www.example.",
                               const std::vector<size_t>& tried = {}, Urgency urgency = Urgency::kOthersServe) {
    ServerChoice choice(route, Name::Parse(name).value().wire());
    return choice.Next(Tried(route, tried), now_, urgency);
  }
  const ServerChoice::Tried& Tried(const Route& route, const std::vector<size_t>& which = {}) {
    tried_.assign(route.size(), false);
    for (const size_t server : which) tried_[server] = true;
    return tried_;
  }
  // How often each server is chosen first in `count` queries.
  std::vector<size_t> Spread(const Route& route, size_t count) {
    std::vector<size_t> chosen(route.size());
    for (size_t i = 0; i < count; ++i) ++chosen.at(Choose(route).value());
    return chosen;
  }

  asio::io_context loop_;
  Timeouts timeouts_{loop_};
  const SteadyTime now_{std::chrono::hours(24)};
  std::shared_ptr<RouteState> state_ = std::make_shared<RouteState>(0x1234'5678'9abc'def0U);
  std::vector<std::shared_ptr<FakeServer>> servers_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::shared_ptr<UpstreamServer>>> groups_;
  ServerChoice::Tried tried_;
};

TEST_F(RouteTest, ARouteWithoutServersChoosesNobody) {
  for (const UpstreamPolicy policy :
       {UpstreamPolicy::kOrdered, UpstreamPolicy::kRoundRobin, UpstreamPolicy::kLatency, UpstreamPolicy::kSharded}) {
    EXPECT_EQ(Choose(*Make(policy)), std::nullopt);
  }
}

// --- ordered ---

TEST_F(RouteTest, OrderedTakesTheFirstThatServesHoweverSlow) {
  AddUpstream().Learn(milliseconds(500));
  AddUpstream().Learn(milliseconds(1));
  AddUpstream();
  const auto route = Make(UpstreamPolicy::kOrdered);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Choose(*route), 0U);
  EXPECT_EQ(Choose(*route, "www.example.", {0}), 1U);
  servers_[0]->readiness = Readiness::kDoubtful;
  EXPECT_EQ(Choose(*route), 1U);
  servers_[1]->readiness = Readiness::kResting;
  EXPECT_EQ(Choose(*route), 2U);
  servers_[2]->readiness = Readiness::kResting;
  EXPECT_EQ(Choose(*route), 0U) << "a doubtful one is better than none";
  servers_[0]->readiness = Readiness::kResting;
  EXPECT_EQ(Choose(*route), std::nullopt);
}

TEST_F(RouteTest, OrderedGoesOverTheAddressesInTheirOrder) {
  AddUpstream({IpAddress::V4({192, 0, 2, 1}), IpAddress::V4({192, 0, 2, 2})});
  servers_[0]->Learn(milliseconds(90));
  servers_[1]->Learn(milliseconds(1));
  const auto route = Make(UpstreamPolicy::kOrdered);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Choose(*route), 0U);
}

// --- round_robin ---

TEST_F(RouteTest, RoundRobinSpreadsExactlyEvenly) {
  AddUpstream().Learn(milliseconds(1));
  AddUpstream().Learn(milliseconds(300));
  AddUpstream();
  EXPECT_EQ(Spread(*Make(UpstreamPolicy::kRoundRobin), 9999), (std::vector<size_t>{3333, 3333, 3333}));
}

TEST_F(RouteTest, RoundRobinGivesTheShareOfOneThatFailsToTheNextInTurn) {
  AddUpstream();
  AddUpstream().readiness = Readiness::kDoubtful;
  AddUpstream();
  EXPECT_EQ(Spread(*Make(UpstreamPolicy::kRoundRobin), 999), (std::vector<size_t>{333, 0, 666}));
}

TEST_F(RouteTest, RoundRobinTakesTheFasterAddressOfAnUpstreamAndNowAndThenTheOther) {
  AddUpstream({IpAddress::V4({192, 0, 2, 1}), IpAddress::V4({192, 0, 2, 2})});
  AddUpstream();
  servers_[0]->Learn(milliseconds(30));
  servers_[1]->Learn(milliseconds(10));
  const std::vector<size_t> spread = Spread(*Make(UpstreamPolicy::kRoundRobin), 20'000);
  EXPECT_EQ(spread[2], 10'000U);
  EXPECT_EQ(spread[0] + spread[1], 10'000U);
  EXPECT_GT(spread[1], 9'000U);
}

// --- latency ---

TEST_F(RouteTest, LatencyPrefersTheFasterOfTwoAndExploresTheOtherALittle) {
  AddUpstream().Learn(milliseconds(30));
  AddUpstream().Learn(milliseconds(10));
  const std::vector<size_t> spread = Spread(*Make(UpstreamPolicy::kLatency), 64'000);
  // One in 64 is expected, with a standard deviation of 31: eight of them never happen by chance.
  EXPECT_NEAR(static_cast<double>(spread[0]), 1000, 8 * 31.4);
}

TEST_F(RouteTest, LatencyCountsFailuresAgainstAServerAndForgetsThem) {
  FakeServer& troubled = AddUpstream();
  troubled.Learn(milliseconds(10));
  AddUpstream().Learn(milliseconds(35));
  const auto route = Make(UpstreamPolicy::kLatency);
  for (int i = 0; i < 3; ++i) troubled.AddTrouble(now_);
  EXPECT_EQ(troubled.Score(now_), milliseconds(40)) << "three failures make it four times as slow";
  EXPECT_LT(Spread(*route, 1000)[0], 100U);
  EXPECT_LT(troubled.Score(now_ + Limits::kTroubleHalfLife), milliseconds(26));
  EXPECT_GT(troubled.Score(now_ + Limits::kTroubleHalfLife), milliseconds(24));
  ServerChoice choice(*route, Name::Parse("www.example.").value().wire());
  size_t chosen = 0;
  for (int i = 0; i < 1000; ++i) {
    chosen += choice.Next(Tried(*route), now_ + Limits::kTroubleHalfLife, Urgency::kOthersServe) == 0U ? 1U : 0U;
  }
  EXPECT_GT(chosen, 900U);
}

TEST_F(RouteTest, LatencyTriesOneThatIsNotKnownYet) {
  AddUpstream().Learn(milliseconds(1));
  AddUpstream();
  EXPECT_GT(Spread(*Make(UpstreamPolicy::kLatency), 1000)[1], 900U);
}

// Two are drawn at random, so that the fastest of many does not get all; the slowest gets what exploring gives it.
TEST_F(RouteTest, LatencyOfManyDrawsTwo) {
  for (int i = 0; i < 5; ++i) AddUpstream().Learn(milliseconds(10 * (i + 1)));
  const std::vector<size_t> spread = Spread(*Make(UpstreamPolicy::kLatency), 50'000);
  EXPECT_TRUE(std::is_sorted(spread.rbegin(), spread.rend()));
  // Of ten pairs the fastest is in four.
  EXPECT_NEAR(static_cast<double>(spread[0]), 20'000, 1500);
  EXPECT_LT(spread[4], 800U);
  EXPECT_GT(spread[4], 100U);
}

TEST_F(RouteTest, LatencyFindsTheOnlyOneThatServes) {
  for (int i = 0; i < 5; ++i) AddUpstream().readiness = Readiness::kResting;
  servers_[1]->readiness = Readiness::kDoubtful;
  servers_[3]->readiness = Readiness::kReady;
  const auto route = Make(UpstreamPolicy::kLatency);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Choose(*route), 3U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Choose(*route, "www.example.", {3}), 1U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Choose(*route, "www.example.", {1, 3}), std::nullopt);
}

// --- sharded ---

std::string DomainNumber(size_t i) { return StrCat("domain", i, ".example."); }

TEST_F(RouteTest, ShardedSendsOneRegistrableDomainToOneUpstream) {
  for (int i = 0; i < 4; ++i) AddUpstream();
  const auto route = Make(UpstreamPolicy::kSharded);
  const std::optional<size_t> home = Choose(*route, "example.co.uk.");
  for (const char* name : {"www.example.co.uk.", "a.b.c.example.co.uk.", "WWW.EXAMPLE.CO.UK."}) {
    EXPECT_EQ(Choose(*route, name), home) << name;
  }
}

// The expectation is fixed: a domain shall be with the same upstream in every process, on every machine.
TEST_F(RouteTest, ShardedIsTheSameAfterARestart) {
  for (const char* name : {"quad9", "cloudflare", "isp"}) AddUpstreamCalled(name, {IpAddress::V4({192, 0, 2, 1})});
  const auto route = Make(UpstreamPolicy::kSharded);
  std::string homes;
  for (const char* name : {"example.com.", "example.org.", "debian.org.", "wikipedia.org.", "bbc.co.uk.", "test.",
                           "ietf.org.", "rfc-editor.org.", "nlnetlabs.nl.", "knot-dns.cz."}) {
    StrAppend(&homes, Choose(*route, name).value());
  }
  EXPECT_EQ(homes, "1100120011");
}

TEST_F(RouteTest, ShardedSpreadsDomainsEvenly) {
  for (int i = 0; i < 4; ++i) AddUpstream();
  const auto route = Make(UpstreamPolicy::kSharded);
  std::vector<size_t> homes(4);
  for (size_t i = 0; i < 10'000; ++i) ++homes[Choose(*route, DomainNumber(i)).value()];
  // 2,500 expected in each, with a standard deviation of 43.
  for (const size_t share : homes) EXPECT_NEAR(static_cast<double>(share), 2500, 6 * 43.3);
}

TEST_F(RouteTest, ShardedUpstreamThatIsLostMovesItsOwnShareAndNothingElse) {
  for (int i = 0; i < 4; ++i) AddUpstream();
  const auto route = Make(UpstreamPolicy::kSharded);
  std::vector<size_t> before;
  for (size_t i = 0; i < 10'000; ++i) before.push_back(Choose(*route, DomainNumber(i)).value());
  servers_[2]->readiness = Readiness::kResting;
  size_t moved = 0;
  std::map<size_t, size_t> moved_to;
  for (size_t i = 0; i < 10'000; ++i) {
    const size_t after = Choose(*route, DomainNumber(i)).value();
    if (after == before[i]) continue;
    EXPECT_EQ(before[i], 2U);
    ++moved;
    ++moved_to[after];
  }
  EXPECT_EQ(moved, static_cast<size_t>(std::count(before.begin(), before.end(), 2U)));
  EXPECT_EQ(moved_to.size(), 3U);
  for (const auto& [server, count] : moved_to) EXPECT_NEAR(static_cast<double>(count), 833, 200) << server;
  servers_[2]->readiness = Readiness::kReady;
  for (size_t i = 0; i < 10'000; ++i) ASSERT_EQ(Choose(*route, DomainNumber(i)), before[i]) << "it has them all again";
}

// An upstream that is taken out of the file moves what it had, wherever it stood in it.
TEST_F(RouteTest, ShardedGoesByTheNamesOfUpstreamsNotByTheirPlace) {
  for (const char* name : {"one", "two", "three"}) AddUpstreamCalled(name, {IpAddress::V4({192, 0, 2, 1})});
  const auto all = Make(UpstreamPolicy::kSharded);
  std::vector<std::string> before;
  for (size_t i = 0; i < 1000; ++i) before.push_back(names_[Choose(*all, DomainNumber(i)).value()]);
  names_.erase(names_.begin());
  groups_.erase(groups_.begin());
  const auto fewer = Make(UpstreamPolicy::kSharded);
  for (size_t i = 0; i < 1000; ++i) {
    if (before[i] != "one") {
      ASSERT_EQ(names_[Choose(*fewer, DomainNumber(i)).value()], before[i]);
    }
  }
}

// --- beside, siblings, banished ones ---

TEST_F(RouteTest, BesideComesOnlyWhoServes) {
  for (int i = 0; i < 2; ++i) AddUpstream().Learn(milliseconds(10));
  for (const UpstreamPolicy policy :
       {UpstreamPolicy::kOrdered, UpstreamPolicy::kRoundRobin, UpstreamPolicy::kLatency}) {
    const auto route = Make(policy);
    ServerChoice choice(*route, Name::Parse("www.example.").value().wire());
    servers_[1]->readiness = Readiness::kReady;
    EXPECT_EQ(choice.NextBeside(0, Tried(*route, {0}), now_), 1U);
    EXPECT_EQ(choice.NextBeside(0, Tried(*route, {0, 1}), now_), std::nullopt);
    servers_[1]->readiness = Readiness::kDoubtful;
    EXPECT_EQ(choice.NextBeside(0, Tried(*route, {0}), now_), std::nullopt);
  }
}

TEST_F(RouteTest, BesideUnderShardedStaysWithinTheUpstream) {
  AddUpstream({IpAddress::V4({192, 0, 2, 1}), IpAddress::V4({192, 0, 2, 2})});
  AddUpstream({IpAddress::V4({192, 0, 2, 3}), IpAddress::V4({192, 0, 2, 4})});
  const auto route = Make(UpstreamPolicy::kSharded);
  ServerChoice choice(*route, Name::Parse("www.example.").value().wire());
  EXPECT_EQ(choice.NextBeside(0, Tried(*route, {0}), now_), 1U);
  EXPECT_EQ(choice.NextBeside(3, Tried(*route, {3}), now_), 2U);
  EXPECT_EQ(choice.NextBeside(0, Tried(*route, {0, 1}), now_), std::nullopt) << "the name is shown to no other";
}

TEST_F(RouteTest, TheSiblingIsOfTheOtherFamilyWhereThereIsOne) {
  AddUpstream({IpAddress::V4({192, 0, 2, 1}), IpAddress::V4({192, 0, 2, 2}), IpAddress::V6({0x20, 1, 0xd, 0xb8})});
  AddUpstream();
  const auto route = Make(UpstreamPolicy::kOrdered);
  ServerChoice choice(*route, Name::Parse("www.example.").value().wire());
  EXPECT_EQ(choice.Sibling(0, Tried(*route, {0}), now_), 2U);
  EXPECT_EQ(choice.Sibling(2, Tried(*route, {2}), now_), 0U);
  servers_[2]->readiness = Readiness::kResting;
  EXPECT_EQ(choice.Sibling(0, Tried(*route, {0}), now_), 1U);
  EXPECT_EQ(choice.Sibling(0, Tried(*route, {0, 1}), now_), std::nullopt);
  EXPECT_EQ(choice.Sibling(3, Tried(*route, {3}), now_), std::nullopt) << "another upstream is no sibling";
}

TEST_F(RouteTest, ABanishedServerIsNotChosenNorTendedUntilItsTimeIsOver) {
  AddUpstream().Banish(now_ + seconds(60), absl::FailedPreconditionError("a loop"));
  AddUpstream();
  for (const UpstreamPolicy policy : {UpstreamPolicy::kOrdered, UpstreamPolicy::kLatency}) {
    const auto route = Make(policy);
    servers_[0]->tended = 0;
    for (int i = 0; i < 100; ++i) ASSERT_EQ(Choose(*route), 1U);
    EXPECT_EQ(Choose(*route, "www.example.", {1}, Urgency::kNobodyElse), std::nullopt);
    EXPECT_EQ(servers_[0]->tended, 0U);
  }
  EXPECT_TRUE(servers_[0]->banished(now_ + seconds(60) - milliseconds(1)));
  EXPECT_FALSE(servers_[0]->banished(now_ + seconds(60)));
}

}  // namespace
}  // namespace dotward
