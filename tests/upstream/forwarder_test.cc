#include "upstream/forwarder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"
#include "forwarder_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using Actions = std::vector<LoopbackAction>;

Actions Reply(const Octets& message) { return {LoopbackAction::Reply(message)}; }
Actions Honest(const LoopbackQuery& query) { return Reply(PositiveAnswerTo(query.message)); }
Actions Malformed(const LoopbackQuery& query) {
  return Reply(MessageBuilder::ResponseTo(query.message).Counts(1, 5, 0, 0).Build());
}
Actions Silent(const LoopbackQuery&) { return {}; }
LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) { return Reply(PositiveAnswerTo(query.message, 300, {A(address)})); };
}
LoopbackDotServer::Script Fails(Rcode rcode) {
  return [rcode](const LoopbackQuery& query) { return Reply(FailureAnswerTo(query.message, rcode)); };
}

using ForwarderTest = ForwarderFixture;
using PromiseR7 = ForwarderTest;
using PromiseX5 = ForwarderTest;
using PromiseU9 = ForwarderTest;

TEST_F(ForwarderTest, TheFirstUpstreamAnswersAndNobodyElseIsAsked) {
  Forwarder& forwarder = Forward({Says("192.0.2.10"), Says("192.0.2.20")});
  const Asked& asked = AskAndWait(forwarder, "www.example.");
  EXPECT_EQ(AnswerOf(asked), "192.0.2.10");
  EXPECT_EQ(*(*asked.result)->upstream, "u0");
  EXPECT_TRUE((*asked.result)->authenticated);
  EXPECT_EQ(servers_[1]->counters().connections, 0U);
}

TEST_F(ForwarderTest, TheLongestZoneDecidesTheRoute) {
  AddUpstream(AddServer(Says("192.0.2.10")).port());
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddUpstream(AddServer(Says("192.0.2.30")).port());
  AddRoute(".", {"u0"});
  AddRoute("example.", {"u1"});
  AddRoute("Deep.example.", {"u2"});
  Forwarder& forwarder = Create();
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.test.")), "192.0.2.10");
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "WWW.EXAMPLE.")), "192.0.2.20");
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "a.deep.example.")), "192.0.2.30");
  EXPECT_EQ(QueriesAt(0) + QueriesAt(1) + QueriesAt(2), 3U);
}

TEST_F(ForwarderTest, AFailingRouteNeverFallsBackToAShorterZone) {
  AddUpstream(AddServer(Honest).port());
  AddUpstream(AddServer(Fails(Rcode::kServFail)).port());
  AddRoute(".", {"u0"});
  AddRoute("internal.", {"u1"});
  Forwarder& forwarder = Create();
  EXPECT_EQ(AskAndWait(forwarder, "secret.internal.").rcode(), 2);
  EXPECT_EQ(QueriesAt(0), 0U) << "a name of an own zone must not leave for a stranger";
}

TEST_F(ForwarderTest, TwoRoutesShareTheConnectionOfOneUpstream) {
  AddUpstream(AddServer(Honest).port());
  AddRoute(".", {"u0"});
  AddRoute("example.", {"u0"});
  Forwarder& forwarder = Create();
  EXPECT_TRUE(AskAndWait(forwarder, "www.example.").answered());
  EXPECT_TRUE(AskAndWait(forwarder, "www.test.").answered());
  EXPECT_EQ(servers_[0]->counters().connections, 1U);
  EXPECT_EQ(forwarder.Snapshots().size(), 1U);
}

TEST_F(ForwarderTest, ANameWithoutARouteIsUnavailable) {
  AddUpstream(AddServer(Honest).port());
  AddRoute("example.", {"u0"});
  const Asked& asked = AskAndWait(Create(), "www.test.");
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
}

class FailureRcodes : public ForwarderTest, public testing::WithParamInterface<Rcode> {};

TEST_P(FailureRcodes, AskTheNextUpstream) {
  Forwarder& forwarder = Forward({Fails(GetParam()), Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  // One failure says something about a name, not about the server: it is asked first again.
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "mail.example.")), "192.0.2.20");
  EXPECT_EQ(QueriesAt(0), 2U);
}

INSTANTIATE_TEST_SUITE_P(Rcodes, FailureRcodes,
                         testing::Values(Rcode::kServFail, Rcode::kRefused, Rcode::kFormErr, Rcode::kNotImp));

TEST_F(ForwarderTest, NegativeAnswersAreAnswers) {
  Forwarder& forwarder =
      Forward({[](const LoopbackQuery& query) {
                 return Reply(NameOf(query.message) == "no.example." ? NxdomainAnswerTo(query.message, "example.")
                                                                     : NodataAnswerTo(query.message, "example."));
               },
               Honest});
  EXPECT_EQ(AskAndWait(forwarder, "no.example.").rcode(), 3);
  EXPECT_EQ(AskAndWait(forwarder, "nodata.example.").rcode(), 0);
  EXPECT_EQ(QueriesAt(1), 0U);
  EXPECT_EQ(forwarder.Snapshots()[0].nxdomain, 1U);
}

TEST_F(ForwarderTest, S2_ATruncatedAnswerAsksTheNextUpstream) {
  Forwarder& forwarder =
      Forward({[](const LoopbackQuery& query) { return Reply(TruncatedAnswerTo(query.message)); }, Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
}

TEST_F(ForwarderTest, AReferralAsksTheNextUpstream) {
  Forwarder& forwarder = Forward(
      {[](const LoopbackQuery& query) {
         return Reply(MessageBuilder::ResponseTo(query.message).Authority("example.", 300, Ns("ns.example.")).Build());
       },
       Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
}

// X3: data for another name is no answer, wherever it stands.
TEST_F(ForwarderTest, X3_AnAnswerForAnotherNameIsPassedOver) {
  Forwarder& forwarder = Forward({[](const LoopbackQuery& query) {
                                    return Reply(MessageBuilder::ResponseTo(query.message)
                                                     .Answer("evil.example.", 300, A("203.0.113.66"))
                                                     .Authority("example.", 300, Ns("ns.example."))
                                                     .Build());
                                  },
                                  Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
}

TEST_F(ForwarderTest, CompressedAnswersAndAliasesAreGood) {
  Forwarder& forwarder = Forward(
      {[](const LoopbackQuery& query) {
         MessageBuilder answer = MessageBuilder::ResponseTo(query.message);
         if (NameOf(query.message) == "plain.example.") {
           answer.Answer("plain.example.", 300, A("192.0.2.1")).Answer("plain.example.", 300, Rrsig(1, "example."));
         } else {
           answer.Answer("alias.example.", 300, Cname("plain.example.")).Answer("plain.example.", 300, A("192.0.2.1"));
         }
         return Reply(answer.Compressed().Build());
       },
       Fails(Rcode::kServFail)});
  EXPECT_TRUE(AskAndWait(forwarder, "plain.example.").answered());
  EXPECT_TRUE(AskAndWait(forwarder, "alias.example.").answered());
  EXPECT_EQ(QueriesAt(1), 0U);
}

TEST_F(ForwarderTest, TheBestOfBadResponsesIsReturned) {
  const auto explained = [](const LoopbackQuery& query) {
    const ReadQuestion asked = MustReadMessage(query.message).questions.at(0);
    return Reply(MessageBuilder(static_cast<uint16_t>((query.message[0] << 8U) | query.message[1]))
                     .Flags(header_flag::kQr | header_flag::kRd | header_flag::kRa)
                     .WithRcode(Rcode::kServFail)
                     .Question(asked.name, asked.type)
                     .WithEdns({.options = {Ede(EdeCode::kNetworkError, "no servers")}})
                     .Build());
  };
  // A dead one, REFUSED, SERVFAIL that says why, SERVFAIL.
  AddUpstream(AddServer(Honest).port());
  servers_[0]->StopListening();
  Forwarder& forwarder = Forward({Fails(Rcode::kRefused), explained, Fails(Rcode::kServFail)});
  const Asked& asked = AskAndWait(forwarder, "www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.rcode(), 2);
  EXPECT_NE(MustReadMessage((*asked.result)->octets).FindOption(edns_option::kEde), nullptr);
  EXPECT_EQ(QueriesAt(3), 1U) << "all were asked before";
}

TEST_F(ForwarderTest, OneAddressSpeaksForAllOfItsUpstream) {
  LoopbackDotServer& server = AddServer(Says("192.0.2.10"));
  AddUpstream(server.port(), {IpAddress::V4({127, 0, 0, 1}), IpAddress::V4({127, 0, 0, 1})});
  AddUpstream(AddServer(Says("192.0.2.20")).port());
  AddRoute(".", {"u0", "u1"});
  Forwarder& forwarder = Create();
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "first.example.")), "192.0.2.10");
  server.SetScript(Fails(Rcode::kServFail));
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  // The first question, which went to both, may still be on its way to the one that lost.
  const std::vector<LoopbackQuery> queries = server.queries();
  EXPECT_EQ(std::count_if(queries.begin(), queries.end(),
                          [](const LoopbackQuery& query) { return NameOf(query.message) == "www.example."; }),
            1);
}

// --- R7, X5: what cannot be read ---

TEST_F(PromiseR7, AMalformedResponseIsCountedNotRelayedAndTheNextUpstreamAsked) {
  Forwarder& forwarder = Forward({Malformed, Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  EXPECT_EQ(forwarder.Snapshots()[0].malformed, 1U);
  EXPECT_EQ(QueriesAt(0), 1U);
}

TEST_F(PromiseR7, NothingReadableIsDataLoss) {
  Forwarder& forwarder = Forward({Malformed, Malformed});
  const Asked& asked = AskAndWait(forwarder, "www.example.");
  ASSERT_TRUE(asked.done());
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(asked.text().find("u0 127.0.0.1"), std::string::npos) << asked.text();
  EXPECT_NE(asked.text().find("u1 127.0.0.1"), std::string::npos) << asked.text();
  EXPECT_LE(QueriesAt(0) + QueriesAt(1), 3U) << "one is asked once more, and that is all";
}

TEST_F(PromiseX5, TheOnlyUpstreamIsAskedOnceMore) {
  bool first = true;
  Forwarder& forwarder = Forward({[&first](const LoopbackQuery& query) {
    return std::exchange(first, false) ? Malformed(query) : Honest(query);
  }});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.1");
  EXPECT_EQ(QueriesAt(0), 2U);
}

// The forged message comes first and in the same breath; the good one behind it is an answer to nobody by then, but
// the question is asked again.
TEST_F(PromiseX5, AMalformedResponseBeforeTheGoodOneDoesNotDecide) {
  Forwarder& forwarder = Forward({[](const LoopbackQuery& query) {
    if (query.total != 0) return Honest(query);
    return Actions{LoopbackAction::ReplyTogether(
        {MessageBuilder::ResponseTo(query.message).Counts(1, 5, 0, 0).Build(), PositiveAnswerTo(query.message)})};
  }});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.1");
}

TEST_F(PromiseX5, ABrokenConnectionAsksAnotherUpstreamInsteadOfFailing) {
  Forwarder& forwarder = Forward({[](const LoopbackQuery&) {
                                    return Actions{LoopbackAction::Raw({0, 0})};
                                  },
                                  Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
}

// --- time ---

TEST_F(ForwarderTest, TheNextIsAskedAsWellWhenTheFirstKeepsWaiting) {
  Forwarder& forwarder = Forward({Silent, Says("192.0.2.20")});
  const SteadyTime start = std::chrono::steady_clock::now();
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.", std::chrono::seconds(20))), "192.0.2.20");
  const Duration took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, Limits::kAttemptPatienceMin);
  EXPECT_LT(took, Limits::kAttemptPatienceMax + std::chrono::seconds(3));
}

TEST_F(ForwarderTest, ASlowAnswerStillCountsAfterTheNextWasAsked) {
  Forwarder& forwarder =
      Forward({[](const LoopbackQuery& query) {
                 return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("late")};
               },
               Fails(Rcode::kServFail)});
  const Asked& asked = Ask(forwarder, "slow.example.", std::chrono::seconds(20));
  ASSERT_TRUE(RunUntil([&] { return forwarder.Snapshots()[1].servfail == 1; }));
  EXPECT_FALSE(asked.done()) << "no early SERVFAIL while the deadline lasts";
  servers_[0]->Fire("late");
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_EQ(AnswerOf(asked), "192.0.2.1");
}

TEST_F(ForwarderTest, TheDeadlineIsOneForAllUpstreams) {
  Forwarder& forwarder = Forward({Silent, Silent, Silent});
  const SteadyTime start = std::chrono::steady_clock::now();
  const Asked& asked = AskAndWait(forwarder, "www.example.", milliseconds(700));
  const Duration took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(asked.done());
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(took, milliseconds(700));
  EXPECT_LT(took, std::chrono::seconds(4));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(QueriesAt(i), 1U) << "each had its share of the time";
    EXPECT_EQ(forwarder.Snapshots()[i].timeouts, 1U);
    EXPECT_NE(asked.text().find(StrCat("u", i, " 127.0.0.1")), std::string::npos) << asked.text();
  }
}

TEST_F(ForwarderTest, AFailureThatCameIsBetterThanRunningOutOfTime) {
  Forwarder& forwarder = Forward({Fails(Rcode::kServFail), Silent});
  const Asked& asked = AskAndWait(forwarder, "www.example.", milliseconds(300));
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.rcode(), 2);
}

TEST_F(ForwarderTest, LimitAttempts_AQueryIsPutToABoundedNumberOfServers) {
  std::vector<LoopbackDotServer::Script> scripts(Limits::kAttemptsPerQueryMax + 2, Fails(Rcode::kServFail));
  Forwarder& forwarder = Forward(std::move(scripts));
  EXPECT_EQ(AskAndWait(forwarder, "www.example.").rcode(), 2);
  uint64_t asked = 0;
  for (size_t i = 0; i < servers_.size(); ++i) asked += QueriesAt(i);
  EXPECT_EQ(asked, Limits::kAttemptsPerQueryMax);
}

// --- servers that cannot be reached ---

TEST_F(PromiseU9, AnUpstreamThatIsDeadAtTheStartCostsNothing) {
  AddUpstream(AddServer(Honest).port());
  servers_[0]->StopListening();
  Forwarder& forwarder = Forward({Says("192.0.2.20")});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  EXPECT_EQ(forwarder.Snapshots()[0].queries, 0U);
  EXPECT_EQ(forwarder.Snapshots()[1].queries, 50U);
}

TEST_F(PromiseU9, AnAddressWithoutANetworkCostsNothing) {
  // The kernel refuses TCP to the broadcast address by itself; as a host without IPv6 does for every IPv6 address.
  AddUpstream(AddServer(Honest).port(), {IpAddress::V4({255, 255, 255, 255}), IpAddress::V4({127, 0, 0, 1})});
  AddRoute(".", {"u0"});
  Forwarder& forwarder = Create();
  const SteadyTime start = std::chrono::steady_clock::now();
  const std::vector<Asked*> all = AskMany(forwarder, 100);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(PromiseU9, WithoutAnyServerQueriesFailAtOnceAndTheTextNamesThemAll) {
  AddUpstream(AddServer(Honest).port());
  AddUpstream(AddServer(Honest).port());
  servers_[0]->StopListening();
  servers_[1]->StopListening();
  AddRoute(".", {"u0", "u1"});
  Forwarder& forwarder = Create();
  const SteadyTime start = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const Asked& asked = AskAndWait(forwarder, "www.example.");
    ASSERT_TRUE(asked.done());
    EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(asked.text().find("u0 127.0.0.1"), std::string::npos) << asked.text();
    EXPECT_NE(asked.text().find("u1 127.0.0.1"), std::string::npos) << asked.text();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  servers_[1]->StartListening();
  ASSERT_TRUE(RunUntil([&] { return AskAndWait(forwarder, "www.example.").answered(); }));
}

TEST_F(ForwarderTest, U7_AnUpstreamThatReturnsIsPreferredAgain) {
  Forwarder& forwarder = Forward({Says("192.0.2.10"), Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "a.example.")), "192.0.2.10");
  servers_[0]->StopListening();
  servers_[0]->CloseAllConnections();
  ASSERT_TRUE(RunUntil([&] { return forwarder.Snapshots()[0].state != UpstreamState::kConnected; }));
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "b.example.")), "192.0.2.20");
  servers_[0]->StartListening();
  // Queries go on being answered by the other; meanwhile the first is tried without making any of them wait.
  ASSERT_TRUE(RunUntil([&] {
    const std::string answer = AnswerOf(AskAndWait(forwarder, "c.example."));
    EXPECT_TRUE(answer == "192.0.2.20" || answer == "192.0.2.10") << answer;
    return answer == "192.0.2.10";
  }));
}

TEST_F(ForwarderTest, AHandshakeThatNeverEndsDelaysOnlyTheFirstQueries) {
  AddUpstream(AddServer(Honest, LoopbackAccept::kStall).port());
  Forwarder& forwarder = Forward({Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "a.example.", std::chrono::seconds(4))), "192.0.2.20");
  const SteadyTime start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "b.example.", std::chrono::seconds(4))), "192.0.2.20");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, Limits::kAttemptPatienceMin * 5);
}

TEST_F(ForwarderTest, U1_AServerWithAWrongCertificateIsPassedOver) {
  LoopbackDotServer& impostor = AddServer(Honest);
  impostor.SetCertificate(ExpiredCertificate());
  AddUpstream(impostor.port());
  Forwarder& forwarder = Forward({Says("192.0.2.20")});
  EXPECT_EQ(AnswerOf(AskAndWait(forwarder, "www.example.")), "192.0.2.20");
  EXPECT_EQ(impostor.counters().application_octets, 0U);
  EXPECT_NE(forwarder.Snapshots()[0].last_error.find("expired"), std::string::npos);
}

// --- making one ---

TEST_F(ForwarderTest, MakingOneConnectsToNobody) {
  Forward({Honest});
  loop_.poll();
  EXPECT_EQ(servers_[0]->counters().connections, 0U);
}

TEST_F(ForwarderTest, U1_WithoutAUsableCaThereIsNoForwarder) {
  AddUpstream(853);
  config_.upstreams[0].ca_file = "/nonexistent/ca.pem";
  AddRoute(".", {"u0"});
  const auto created = Forwarder::Create(loop_, config_);
  ASSERT_FALSE(created.ok());
  EXPECT_NE(MessageOf(created.status()).find("upstream u0"), std::string_view::npos) << created.status();
  EXPECT_NE(MessageOf(created.status()).find("/nonexistent/ca.pem"), std::string_view::npos) << created.status();
}

TEST_F(ForwarderTest, ARouteToAnUnknownUpstreamIsRefused) {
  AddRoute(".", {"nobody"});
  const auto created = Forwarder::Create(loop_, config_);
  EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(MessageOf(created.status()).find("nobody"), std::string_view::npos);
}

TEST_F(ForwarderTest, CloseAnswersWhatWaitsAndLaterQueries) {
  Forwarder& forwarder = Forward({Silent, Silent});
  const std::vector<Asked*> waiting = AskMany(forwarder, 10);
  ASSERT_TRUE(RunUntil([&] { return QueriesAt(0) == 10; }));
  forwarder.Close();
  ASSERT_TRUE(RunUntilAllDone(waiting));
  for (const Asked* asked : waiting) EXPECT_EQ(asked->result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(AskAndWait(forwarder, "later.").result->status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace dotward
