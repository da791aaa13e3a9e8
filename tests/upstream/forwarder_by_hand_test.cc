// Questions that a person asks of the forwarder: which way a name goes, and one upstream alone.

#include <gtest/gtest.h>

#include "forwarder_fixture.h"

namespace dotward {
namespace {

using Actions = std::vector<LoopbackAction>;

LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}))};
  };
}

class ForwarderByHandTest : public ForwarderFixture {
 protected:
  static UpstreamQuery Query(std::string_view name, uint16_t type = rr_type::kA) {
    UpstreamQuery query;
    query.name = *Name::Parse(name);
    query.type = type;
    return query;
  }
  absl::StatusOr<UpstreamResponse> AskAlone(Forwarder& forwarder, std::string upstream) {
    absl::StatusOr<UpstreamResponse> result = absl::UnknownError("nothing came");
    bool done = false;
    TaskGroup tasks(loop_);
    const UpstreamQuery query = Query("www.example.");
    tasks.Spawn(
        Store(forwarder.ExchangeWith(std::move(upstream), query,
                                     Deadline::After(std::chrono::steady_clock::now(), std::chrono::seconds(5))),
              result, done));
    EXPECT_TRUE(RunUntil([&] { return done && tasks.running() == 0; }));
    return result;
  }

 private:
  static Task<> Store(Task<absl::StatusOr<UpstreamResponse>> exchange, absl::StatusOr<UpstreamResponse>& result,
                      bool& done) {
    result = co_await std::move(exchange);
    done = true;
  }
};

TEST_F(ForwarderByHandTest, OneUpstreamIsAskedAloneWhateverTheRoutesSay) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0"});
  AddRoute("elsewhere.", {"u1"});
  Forwarder& forwarder = Create();
  const absl::StatusOr<UpstreamResponse> response = AskAlone(forwarder, "u1");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(*response->upstream, "u1");
  EXPECT_EQ(MustReadMessage(response->octets).answers.at(0).data_text, "192.0.2.20");
  EXPECT_EQ(QueriesAt(0), 0U);
}

TEST_F(ForwarderByHandTest, AnUpstreamThatIsNotThereIsSaidToBeMissing) {
  Forwarder& forwarder = Forward({Says("192.0.2.10")});
  const absl::StatusOr<UpstreamResponse> response = AskAlone(forwarder, "quad8");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(response.status().message(), "no upstream is called quad8");
}

TEST_F(ForwarderByHandTest, TheRouteOfANameIsShown) {
  policy_ = UpstreamPolicy::kSharded;
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u1", "u0"});
  AddRoute("example.", {"u0"});
  Forwarder& forwarder = Create();
  const std::optional<RouteSnapshot> root = forwarder.RouteOf(Query("www.test."));
  ASSERT_TRUE(root);
  EXPECT_EQ(root->zone, ".");
  EXPECT_EQ(root->policy, UpstreamPolicy::kSharded);
  EXPECT_EQ(root->upstreams, (std::vector<std::string>{"u1", "u0"}));
  EXPECT_TRUE(root->status.ok());
  EXPECT_EQ(forwarder.RouteOf(Query("a.EXAMPLE."))->zone, "example.");
  EXPECT_EQ(forwarder.RouteOf(Query("example.", rr_type::kDs))->zone, ".");
}

TEST_F(ForwarderByHandTest, TheConditionOfARouteFollowsItsServers) {
  AddUpstream(AddServer(Says("192.0.2.1")).port());
  AddUpstream(AddServer(Says("192.0.2.1")).port());
  AddRoute(".", {"u0"});
  AddRoute("example.", {"u0", "u1"});
  Forwarder& forwarder = Create();
  const auto root = [&] { return forwarder.ConditionOf(Query("www.test.")); };
  const auto zone = [&] { return forwarder.ConditionOf(Query("www.EXAMPLE.")); };
  EXPECT_TRUE(root().serving) << "nothing speaks against asking it";
  EXPECT_EQ(root().zone_octets, 1U);
  EXPECT_EQ(zone().zone_octets, 9U);
  EXPECT_EQ(forwarder.ConditionOf(Query("example.", rr_type::kDs)).zone_octets, 1U);

  const uint64_t before = root().returns;
  servers_[0]->StopListening();
  EXPECT_FALSE(AskAndWait(forwarder, "www.test.").answered());
  EXPECT_FALSE(root().serving);
  EXPECT_TRUE(zone().serving) << "its other server does";
  EXPECT_EQ(root().returns, before);
  servers_[0]->StartListening();
  ASSERT_TRUE(RunUntil([&] { return AskAndWait(forwarder, "www.test.").answered(); }));
  EXPECT_TRUE(root().serving);
  EXPECT_GT(root().returns, before);

  const uint64_t returned = root().returns;
  forwarder.NetworkChanged();
  EXPECT_GT(root().returns, returned);
}

TEST_F(ForwarderByHandTest, AServerThatWasSilentAndAnswersAgainHasReturned) {
  Forwarder& forwarder = Forward({Says("192.0.2.1")});
  ASSERT_TRUE(AskAndWait(forwarder, "first.test.").answered());
  const uint64_t before = forwarder.ConditionOf(Query("www.test.")).returns;
  servers_[0]->SetSilence(LoopbackSilence::kOpenConnections);
  Asked& lost = Ask(forwarder, "lost.test.", std::chrono::seconds(5));
  ASSERT_TRUE(RunUntil([&] { return forwarder.Snapshots()[0].connections_suspected != 0; }));
  EXPECT_EQ(forwarder.ConditionOf(Query("www.test.")).returns, before);
  ASSERT_TRUE(RunUntil([&] { return lost.done(); }));
  EXPECT_TRUE(lost.answered()) << "on another connection";
  EXPECT_GT(forwarder.ConditionOf(Query("www.test.")).returns, before);
}

TEST_F(ForwarderByHandTest, ANameWithoutARouteHasNone) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddRoute("example.", {"u0"});
  Forwarder& forwarder = Create();
  EXPECT_FALSE(forwarder.RouteOf(Query("www.test.")));
  EXPECT_FALSE(forwarder.ConditionOf(Query("www.test.")).serving);
}

}  // namespace
}  // namespace dotward
