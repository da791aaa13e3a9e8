// What becomes of queries and connections when another plan is taken up.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "forwarder_fixture.h"

namespace dotward {
namespace {

using Actions = std::vector<LoopbackAction>;

LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}))};
  };
}
// Answers names that begin with "slow" when the event "go" comes.
LoopbackDotServer::Script SaysLater(std::string address) {
  return [address](const LoopbackQuery& query) {
    LoopbackAction reply = LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}));
    return Actions{NameOf(query.message).starts_with("slow") ? std::move(reply).After("go") : reply};
  };
}

class ForwarderReloadTest : public ForwarderFixture {
 protected:
  void Adopt(const Config& config) {
    auto plan = UpstreamPlan::Create(config, plan_.get());
    ASSERT_TRUE(plan.ok()) << plan.status();
    plan_ = *std::move(plan);
    forwarder_->Adopt(plan_);
  }
  void CreateFromPlan() {
    plan_ = UpstreamPlan::Create(config_, nullptr).value();
    forwarder_ = std::make_unique<Forwarder>(loop_, plan_);
  }
  std::string Ask1(std::string_view name) { return AnswerOf(AskAndWait(*forwarder_, name)); }

  std::shared_ptr<const UpstreamPlan> plan_;
};

TEST_F(ForwarderReloadTest, AnUpstreamThatIsTheSameKeepsItsConnectionAndItsFigures) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0"});
  CreateFromPlan();
  EXPECT_EQ(Ask1("a.test."), "192.0.2.10");
  Config changed = config_;
  changed.forward.push_back({.zone = "example.", .upstreams = {"u1"}});
  changed.forward[0].policy = UpstreamPolicy::kLatency;
  changed.query.deadline = std::chrono::seconds(9);
  for (int i = 0; i < 3; ++i) Adopt(i % 2 == 0 ? changed : config_);
  EXPECT_EQ(Ask1("b.test."), "192.0.2.10");
  EXPECT_EQ(Ask1("b.example."), "192.0.2.20");
  EXPECT_EQ(servers_[0]->counters().handshakes, 1U);
  EXPECT_EQ(forwarder_->Snapshots().at(0).queries, 2U);
}

TEST_F(ForwarderReloadTest, AQueryThatWaitsForAnUpstreamThatIsRemovedGetsItsAnswer) {
  AddUpstream(AddServer(SaysLater("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0", "u1"});
  CreateFromPlan();
  Asked& waiting = Ask(*forwarder_, "slow.test.");
  ASSERT_TRUE(RunUntil([&] { return QueriesAt(0) == 1; }));
  Config changed = config_;
  changed.upstreams.erase(changed.upstreams.begin());
  changed.forward[0].upstreams = {"u1"};
  Adopt(changed);
  EXPECT_EQ(Ask1("new.test."), "192.0.2.20");
  EXPECT_EQ(forwarder_->Snapshots().size(), 1U);
  servers_[0]->Fire("go");
  ASSERT_TRUE(RunUntil([&] { return waiting.done(); }));
  EXPECT_EQ(AnswerOf(waiting), "192.0.2.10");
  EXPECT_EQ(QueriesAt(0), 1U) << "nothing new went there";
}

TEST_F(ForwarderReloadTest, AnUpstreamThatIsRenamedIsAnotherOneAndLosesNoQuery) {
  AddUpstream(AddServer(SaysLater("192.0.2.10")).port());
  AddRoute(".", {"u0"});
  CreateFromPlan();
  Asked& waiting = Ask(*forwarder_, "slow.test.");
  ASSERT_TRUE(RunUntil([&] { return QueriesAt(0) == 1; }));
  Config changed = config_;
  changed.upstreams[0].name = "renamed";
  changed.forward[0].upstreams = {"renamed"};
  Adopt(changed);
  EXPECT_EQ(Ask1("new.test."), "192.0.2.10");
  EXPECT_EQ(forwarder_->Snapshots().at(0).name, "renamed");
  servers_[0]->Fire("go");
  ASSERT_TRUE(RunUntil([&] { return waiting.done(); }));
  EXPECT_EQ(AnswerOf(waiting), "192.0.2.10");
  EXPECT_EQ(servers_[0]->counters().connections, 2U);
}

TEST_F(ForwarderReloadTest, AnAddressThatIsAddedLeavesTheOthersConnected) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddRoute(".", {"u0"});
  CreateFromPlan();
  EXPECT_EQ(Ask1("a.test."), "192.0.2.10");
  Config changed = config_;
  changed.upstreams[0].addresses.push_back(IpAddress::V4({127, 0, 0, 9}));
  Adopt(changed);
  EXPECT_EQ(forwarder_->Snapshots().size(), 2U);
  EXPECT_EQ(Ask1("b.test."), "192.0.2.10");
  EXPECT_EQ(servers_[0]->counters().handshakes, 1U);
}

TEST_F(ForwarderReloadTest, U2_WhatIsCheckedOfTheServerMakesAConnectionAnother) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddRoute(".", {"u0"});
  CreateFromPlan();
  EXPECT_EQ(Ask1("a.test."), "192.0.2.10");
  Config changed = config_;
  changed.upstreams[0].auth_name = "other.test";
  Adopt(changed);
  EXPECT_NE(Ask1("b.test."), "192.0.2.10") << "the certificate does not bear that name";
  EXPECT_EQ(QueriesAt(0), 1U);
  Adopt(config_);
  EXPECT_EQ(Ask1("c.test."), "192.0.2.10");
}

TEST_F(ForwarderReloadTest, U2_TheContentOfTheCaFileCountsAndNotItsName) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddRoute(".", {"u0"});
  const std::string copy = StrCat(testing::TempDir(), "reload_ca_", getpid(), ".pem");
  const auto write_copy_of = [&copy](const std::string& ca_file) {
    std::ofstream(copy) << std::ifstream(ca_file).rdbuf();
  };
  write_copy_of(authority_->ca_file());
  CreateFromPlan();
  EXPECT_EQ(Ask1("a.test."), "192.0.2.10");
  Config changed = config_;
  changed.upstreams[0].ca_file = copy;
  Adopt(changed);
  EXPECT_EQ(Ask1("b.test."), "192.0.2.10");
  EXPECT_EQ(servers_[0]->counters().handshakes, 1U);
  write_copy_of(TestAuthority().ca_file());
  Adopt(changed);
  EXPECT_NE(Ask1("c.test."), "192.0.2.10") << "another authority is in the file now";
  EXPECT_EQ(QueriesAt(0), 2U);
  unlink(copy.c_str());
}

TEST_F(ForwarderReloadTest, APlanThatCannotBeMadeNamesTheFault) {
  AddUpstream(1);
  AddRoute(".", {"nobody"});
  EXPECT_FALSE(UpstreamPlan::Create(config_, nullptr).ok());
  config_.forward = {{.upstreams = {"u0"}}, {.upstreams = {"u0"}}};
  EXPECT_FALSE(UpstreamPlan::Create(config_, nullptr).ok());
  config_.forward.pop_back();
  EXPECT_TRUE(UpstreamPlan::Create(config_, nullptr).ok());
  config_.upstreams[0].ca_file = "/nonexistent";
  EXPECT_NE(MessageOf(UpstreamPlan::Create(config_, nullptr).status()).find("upstream u0: ca_file /nonexistent"),
            std::string::npos);
}

TEST_F(ForwarderReloadTest, HostNamesComeAndGoWithTheirServers) {
  AddUpstream(AddServer([](const LoopbackQuery& query) {
                return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A("127.0.0.1")}))};
              }).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port(), {});
  config_.upstreams[1].host_names = {"dns.test"};
  config_.bootstrap.clear();
  AddRoute(".", {"u0"});
  CreateFromPlan();
  forwarder_->Start();
  Config changed = config_;
  changed.upstreams[1].host_names.clear();
  changed.upstreams[1].addresses = {IpAddress::V4({127, 0, 0, 1})};
  changed.forward[0].upstreams = {"u1"};
  Adopt(changed);
  EXPECT_EQ(Ask1("a.test."), "192.0.2.20");
  Adopt(config_);
  EXPECT_EQ(Ask1("b.test."), "127.0.0.1");
  Adopt(changed);
  EXPECT_EQ(Ask1("c.test."), "192.0.2.20");
}

TEST_F(ForwarderReloadTest, ItTakesNothingUpOnceItIsClosed) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddRoute(".", {"u0"});
  CreateFromPlan();
  forwarder_->Close();
  Config changed = config_;
  changed.upstreams[0].name = "renamed";
  changed.forward[0].upstreams = {"renamed"};
  Adopt(changed);
  EXPECT_EQ(forwarder_->Snapshots().at(0).name, "u0");
}

}  // namespace
}  // namespace dotward
