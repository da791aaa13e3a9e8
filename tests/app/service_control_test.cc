#include "app/service_control.h"

#include <gtest/gtest.h>

#include <future>

#include "blocking_clients.h"
#include "testing/loopback/loopback_config.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::seconds;
using Actions = std::vector<LoopbackAction>;

Actions Honest(const LoopbackQuery& query) { return {LoopbackAction::Reply(PositiveAnswerTo(query.message))}; }

// A whole server before one upstream that is called "up0".
class ServiceControlTest : public testing::Test {
 protected:
  ~ServiceControlTest() override {
    if (service_) service_->Stop();
  }

  void StartBefore(LoopbackDotServer& server) {
    Config config = LoopbackConfig();
    config.query.deadline = seconds(2);
    AddLoopbackUpstream(server, &config);
    auto created = Service::Create(std::make_shared<const Config>(std::move(config)), clock_);
    ASSERT_TRUE(created.ok()) << created.status();
    service_ = *std::move(created);
    service_->Start();
    control_.emplace(*service_, clock_, "file.yaml", [] { return ReloadReport{.accepted = true}; });
  }
  // Asks the listener, so that the answer is in the cache.
  void AskAsClient(std::string_view name) {
    BlockingClient client(service_->listening().front(), SOCK_DGRAM);
    ASSERT_TRUE(client.Ask(MessageBuilder::Query(1, name, rr_type::kA).Build()));
  }
  ControlAnswer Ask(std::string_view name, std::string upstream = {}) {
    std::promise<ControlAnswer> answer;
    ControlQuery query;
    query.name = *Name::Parse(name);
    query.type = rr_type::kA;
    query.upstream = std::move(upstream);
    control_->Query(std::move(query), [&answer](ControlAnswer given) { answer.set_value(std::move(given)); });
    return answer.get_future().get();
  }
  static Name NameOf(std::string_view text) { return *Name::Parse(text); }

  SystemClock clock_;
  std::unique_ptr<Service> service_;
  std::optional<LiveServiceControl> control_;
};

TEST_F(ServiceControlTest, AQueryByHandIsAnsweredByTheUpstreamAndLeavesTheCacheAlone) {
  LoopbackDotServer server(Honest);
  StartBefore(server);
  for (const char* upstream : {"", "up0"}) {
    const ControlAnswer answer = Ask("www.example.", upstream);
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_EQ(answer.upstream, "up0");
    EXPECT_TRUE(answer.authenticated);
    EXPECT_GT(answer.took.count(), 0);
    EXPECT_EQ(MustReadMessage(answer.response).answers.at(0).data_text, "192.0.2.1");
  }
  EXPECT_EQ(Ask("www.example.", "up9").status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(control_->CacheEntriesOf(NameOf("www.example.")).empty());
}

TEST_F(ServiceControlTest, WhyFollowsAQuestionFromPolicyToCacheToRoute) {
  LoopbackDotServer server(Honest);
  StartBefore(server);
  WhyReport why = control_->Why(NameOf("www.example."), rr_type::kA);
  EXPECT_EQ(why.verdict, PolicyVerdict::kProceed);
  EXPECT_TRUE(why.entries.empty());
  ASSERT_TRUE(why.route);
  EXPECT_EQ(why.route->upstreams, std::vector<std::string>{"up0"});
  AskAsClient("www.example.");
  why = control_->Why(NameOf("WWW.example."), rr_type::kA);
  ASSERT_EQ(why.entries.size(), 1U);
  EXPECT_EQ(why.entries[0].entry.image->upstream(), "up0");
  EXPECT_EQ(why.entries[0].trust.verdict, KnownVerdict::kUnjudged) << "validation is off";
  EXPECT_TRUE(control_->Why(NameOf("www.example."), rr_type::kAaaa).entries.empty());
  EXPECT_EQ(control_->Why(NameOf("www.example."), rr_type::kAxfr).verdict, PolicyVerdict::kRefuse);
  EXPECT_TRUE(control_->Why(NameOf("www.example."), rr_type::kAny).local);
}

TEST_F(ServiceControlTest, WhyFindsTheDenialOfANameAbove) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    Octets denial = NxdomainAnswerTo(query.message, "example.");
    denial[3] |= 0x20;  // AD
    return Actions{LoopbackAction::Reply(std::move(denial))};
  });
  StartBefore(server);
  EXPECT_TRUE(control_->Why(NameOf("a.b.missing.example."), rr_type::kA).entries.empty());
  AskAsClient("missing.example.");
  const WhyReport why = control_->Why(NameOf("a.b.missing.example."), rr_type::kA);
  ASSERT_EQ(why.entries.size(), 1U);
  EXPECT_EQ(Name::FromWire(why.entries[0].entry.image->qname()), NameOf("missing.example."));
  EXPECT_EQ(control_->Why(NameOf("missing.example."), rr_type::kMx).entries.size(), 1U);
  EXPECT_TRUE(control_->Why(NameOf("other.example."), rr_type::kA).entries.empty());
}

TEST_F(ServiceControlTest, AFlushedNameIsAskedAnew) {
  LoopbackDotServer server(Honest);
  StartBefore(server);
  AskAsClient("www.example.");
  AskAsClient("www.example.");
  const uint64_t before = server.counters().queries;
  EXPECT_EQ(control_->FlushName(NameOf("www.example.")), 1U);
  AskAsClient("www.example.");
  EXPECT_EQ(server.counters().queries, before + 1);
  EXPECT_EQ(control_->FlushZone(NameOf(".")), 1U);
}

TEST_F(ServiceControlTest, EveryVerbMayBeUsedWhenTheServerHasStopped) {
  LoopbackDotServer server(Honest);
  StartBefore(server);
  AskAsClient("www.example.");
  EXPECT_TRUE(control_->ready());
  EXPECT_EQ(control_->Upstreams().size(), 1U);
  control_->BeginStop();
  service_->Stop();
  EXPECT_FALSE(control_->ready());
  EXPECT_TRUE(control_->Upstreams().empty());
  EXPECT_GE(control_->Statistics().cache.entries, 1U);
  EXPECT_FALSE(control_->Why(NameOf("www.example."), rr_type::kA).route);
  EXPECT_EQ(Ask("www.example.").status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(ServiceControlTest, AQueryThatNobodyAnswersEndsWhenTheServerStops) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  StartBefore(server);
  std::promise<ControlAnswer> answer;
  ControlQuery query;
  query.name = NameOf("www.example.");
  query.type = rr_type::kA;
  control_->Query(std::move(query), [&answer](ControlAnswer given) { answer.set_value(std::move(given)); });
  service_->Stop();
  EXPECT_FALSE(answer.get_future().get().status.ok());
}

}  // namespace
}  // namespace dotward
