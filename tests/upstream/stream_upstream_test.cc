#include "upstream/stream_upstream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"
#include "upstream_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using Actions = std::vector<LoopbackAction>;

Actions Reply(const Octets& message) { return {LoopbackAction::Reply(message)}; }
Actions Honest(const LoopbackQuery& query) { return Reply(PositiveAnswerTo(query.message)); }

uint16_t IdOf(OctetView message) { return static_cast<uint16_t>((message[0] << 8U) | message[1]); }

// The connection's first life is a bad one: `bad` decides. Later connections answer honestly.
LoopbackDotServer::Script FirstConnection(std::function<Actions(const LoopbackQuery&)> bad) {
  return
      [bad = std::move(bad)](const LoopbackQuery& query) { return query.connection == 0 ? bad(query) : Honest(query); };
}

// Attempts that are held by the test instead of a coroutine each.
class Held {
 public:
  Held(asio::io_context& loop, StreamUpstream& upstream, size_t count, std::string_view suffix)
      : wakeup_(loop.get_executor()) {
    const SteadyTime now = std::chrono::steady_clock::now();
    queries_.reserve(count);
    for (size_t i = 0; i < count; ++i) queries_.push_back(QueryFor(StrCat("h", i, ".", suffix)));
    for (const UpstreamQuery& query : queries_) {
      upstream.Start(attempts_.emplace_back(WireQuery(query, QueryTransport::kTls), wakeup_), now);
    }
  }
  size_t done() const {
    return static_cast<size_t>(std::count_if(attempts_.begin(), attempts_.end(), [](auto& a) { return a.done(); }));
  }
  size_t answered() {
    size_t answered = 0;
    for (Attempt& attempt : attempts_) answered += attempt.done() && attempt.result().ok() ? 1U : 0U;
    return answered;
  }

 private:
  std::vector<UpstreamQuery> queries_;
  Wakeup wakeup_;
  std::list<Attempt> attempts_;
};
size_t Done(const std::list<Held>& all) {
  size_t done = 0;
  for (const Held& held : all) done += held.done();
  return done;
}
size_t Answered(std::list<Held>& all) {
  size_t answered = 0;
  for (Held& held : all) answered += held.answered();
  return answered;
}

class StreamUpstreamTest : public UpstreamFixture {
 protected:
  // Asks one name of a server whose first connection misbehaves. The query must come back with the honest answer of
  // the second.
  void ExpectAnsweredByTheSecondConnection(std::function<Actions(const LoopbackQuery&)> bad) {
    LoopbackDotServer server(FirstConnection(std::move(bad)));
    StreamUpstream& upstream = Add(server);
    const Asked& asked = AskAndWait(upstream, "www.example.");
    ASSERT_TRUE(asked.answered()) << asked.text();
    const MessageRead answer = MustReadMessage((*asked.result)->octets);
    EXPECT_EQ(answer.questions.at(0).name, "www.example.");
    ASSERT_EQ(answer.answers.size(), 1U);
    EXPECT_EQ(answer.answers[0].data_text, "192.0.2.1");
    EXPECT_EQ(server.counters().connections, 2U);
    EXPECT_EQ(upstream.Snapshot().retried, 1U);
    EXPECT_EQ(upstream.Snapshot().failed, 0U);
    EXPECT_TRUE(server.WaitUntil([](const auto& counters) { return counters.closed_connections >= 1; }));
  }
  // Queries that the server has got and does not answer. It gets them little by little, so that it always has the time
  // to answer whether it is there.
  std::list<Held> HoldMany(const LoopbackDotServer& server, StreamUpstream& upstream, size_t count,
                           std::string_view suffix) {
    constexpr size_t kAtOnce = 1024;
    const uint64_t before = server.counters().queries;
    std::list<Held> all;
    for (size_t held = 0; held < count;) {
      const size_t more = std::min(kAtOnce, count - held);
      all.emplace_back(loop_, upstream, more, suffix);
      held += more;
      EXPECT_TRUE(RunUntil([&] { return server.counters().queries == before + held; }));
    }
    return all;
  }
  // A server that is known to be slow is waited for: reading very many queries takes it a while. Its script answers the
  // first query after "slow".
  void AskSlowly(LoopbackDotServer& server, StreamUpstream& upstream) {
    const Asked& slow = Ask(upstream, "slow.");
    const SteadyTime begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(RunUntil([&] { return std::chrono::steady_clock::now() - begun > milliseconds(400); }));
    server.Fire("slow");
    ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  }
};

using PromiseU1 = StreamUpstreamTest;
using PromiseU3 = StreamUpstreamTest;
using PromiseU4 = StreamUpstreamTest;
using PromiseU10 = StreamUpstreamTest;
using PromiseR1 = StreamUpstreamTest;
using PromiseX1 = StreamUpstreamTest;
using PromiseX2 = StreamUpstreamTest;

TEST_F(StreamUpstreamTest, AnswersAQuery) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  const Asked& asked = AskAndWait(upstream, "www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  const UpstreamResponse& response = **asked.result;
  EXPECT_EQ(*response.upstream, "test");
  EXPECT_TRUE(response.authenticated);
  EXPECT_EQ(response.message->octets().data(), response.octets.data()) << "the message borrows from what moves along";
  EXPECT_LE(response.received_at, std::chrono::steady_clock::now());
  EXPECT_EQ(MustReadMessage(response.octets).answers.at(0).name, "www.example.");
  const UpstreamSnapshot snapshot = upstream.Snapshot();
  EXPECT_EQ(snapshot.state, UpstreamState::kConnected);
  EXPECT_EQ(snapshot.queries, 1U);
  EXPECT_EQ(snapshot.responses, 1U);
  EXPECT_EQ(snapshot.in_flight, 0U);
  EXPECT_GT(snapshot.average_latency_microseconds, 0U);
}

TEST_F(StreamUpstreamTest, ConnectsOnlyWhenThereIsAQuery) {
  LoopbackDotServer server;
  Add(server);
  for (int i = 0; i < 10; ++i) loop_.poll();
  EXPECT_EQ(upstreams_[0]->Snapshot().state, UpstreamState::kIdle);
  EXPECT_EQ(server.counters().connections, 0U);
}

TEST_F(StreamUpstreamTest, E7_QueriesAreFramesOf128OctetsWithAnOwnOpt) {
  LoopbackDotServer server;
  UpstreamQuery query = QueryFor("www.example.", rr_type::kAaaa);
  query.dnssec_ok = true;
  query.checking_disabled = true;
  Asked& asked = Ask(Add(server), query);
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  const Octets sent = server.queries().at(0).message;
  EXPECT_EQ(sent.size(), 128U);
  const MessageRead read = MustReadMessage(sent);
  EXPECT_TRUE(read.edns->dnssec_ok);
  EXPECT_TRUE(read.Has(header_flag::kCd));
  EXPECT_TRUE(read.Has(header_flag::kRd));
  ASSERT_EQ(read.edns->options.size(), 2U);
  EXPECT_EQ(read.edns->options[0].code, edns_option::kKeepalive);
  EXPECT_EQ(read.edns->options[1].code, edns_option::kPadding);
}

// --- U1: whoever cannot prove its name gets nothing ---

void ExpectNothingWasSent(const LoopbackDotServer& server) {
  EXPECT_TRUE(server.WaitUntil([](const auto& counters) { return counters.closed_connections >= 1; }));
  const LoopbackDotServer::Counters counters = server.counters();
  EXPECT_EQ(counters.application_octets, 0U);
  EXPECT_EQ(counters.octets_after_failure, 0U);
  EXPECT_EQ(counters.queries, 0U);
}

TEST_F(PromiseU1, AWrongNameGetsNotOneOctetOfDns) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server.endpoint(), server.ca_file(), "other.test");
  const Asked& asked = AskAndWait(upstream, "www.example.");
  ASSERT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(asked.text().find(StrCat("test ", server.endpoint().ToString(), ": certificate")), std::string::npos)
      << asked.text();
  EXPECT_NE(asked.text().find("other.test"), std::string::npos) << asked.text();
  EXPECT_NE(asked.text().find("dns.test"), std::string::npos) << asked.text();
  EXPECT_EQ(upstream.Snapshot().last_error, asked.text());
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kFailing);
  ExpectNothingWasSent(server);
}

TEST_F(PromiseU1, AnUnknownCaGetsNotOneOctetOfDns) {
  LoopbackDotServer server;
  const TestAuthority other;
  const Asked& asked = AskAndWait(Add(server.endpoint(), other.ca_file()), "www.example.");
  ASSERT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(asked.text().find(": certificate"), std::string::npos) << asked.text();
  EXPECT_NE(asked.text().find(other.ca_file()), std::string::npos) << asked.text();
  ExpectNothingWasSent(server);
}

TEST_F(PromiseU1, AnExpiredCertificateGetsNotOneOctetOfDns) {
  LoopbackDotServer::Options options;
  options.certificate = ExpiredCertificate();
  LoopbackDotServer server(Honest, options);
  const Asked& asked = AskAndWait(Add(server), "www.example.");
  ASSERT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(asked.text().find("expired"), std::string::npos) << asked.text();
  ExpectNothingWasSent(server);
}

TEST_F(PromiseU1, QueriesThatWaitedForTheHandshakeAllLearnTheReason) {
  LoopbackDotServer server;
  const std::vector<Asked*> all = AskMany(Add(server.endpoint(), server.ca_file(), "other.test"), 100);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_NE(asked->text().find("certificate"), std::string::npos);
  EXPECT_EQ(server.counters().connections, 1U);
  ExpectNothingWasSent(server);
}

// --- U2, U11: sessions ---

TEST_F(StreamUpstreamTest, U2_AReconnectResumesTheSession) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "a.example.").answered());
  server.CloseAllConnections();
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().state == UpstreamState::kIdle; }));
  ASSERT_TRUE(AskAndWait(upstream, "b.example.").answered());
  EXPECT_EQ(upstream.Snapshot().handshakes_full, 1U);
  EXPECT_EQ(upstream.Snapshot().handshakes_resumed, 1U);
  EXPECT_EQ(server.counters().resumed_handshakes, 1U);
}

TEST_F(StreamUpstreamTest, U2_AnotherIdentityHasItsOwnConnectionAndSession) {
  LoopbackDotServer::Options options;
  options.certificate.dns_names = {"dns.test", "other.test"};
  LoopbackDotServer server(Honest, options);
  StreamUpstream& one = Add(server);
  StreamUpstream& other = Add(server.endpoint(), server.ca_file(), "other.test");
  ASSERT_TRUE(AskAndWait(one, "a.example.").answered());
  ASSERT_TRUE(AskAndWait(other, "a.example.").answered());
  EXPECT_EQ(server.counters().handshakes, 2U);
  EXPECT_EQ(server.counters().resumed_handshakes, 0U);
}

TEST_F(StreamUpstreamTest, U11_SpeaksTls12And13) {
  for (const TlsVersions versions : {TlsVersions::kTls12Only, TlsVersions::kTls13Only}) {
    LoopbackDotServer::Options options;
    options.versions = versions;
    LoopbackDotServer server(Honest, options);
    StreamUpstream& upstream = Add(server);
    ASSERT_TRUE(AskAndWait(upstream, "a.example.").answered());
    EXPECT_EQ(upstream.Snapshot().tls_version, versions == TlsVersions::kTls12Only ? "TLS1.2" : "TLS1.3");
  }
}

// --- U3: one connection, many queries ---

TEST_F(PromiseU3, QueriesThatAreReadyTogetherLeaveInOneRecord) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  const uint64_t before = server.counters().records;
  ASSERT_TRUE(RunUntilAllDone(AskMany(upstream, 100)));
  EXPECT_EQ(server.counters().records - before, 1U);
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(PromiseU3, QueriesThatWaitedForTheHandshakeLeaveInOneRecord) {
  LoopbackDotServer server;
  ASSERT_TRUE(RunUntilAllDone(AskMany(Add(server), 100)));
  EXPECT_EQ(server.counters().connections, 1U);
  EXPECT_EQ(server.counters().records, 1U);
}

TEST_F(PromiseU3, ASlowAnswerDelaysNoOther) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    if (NameOf(query.message) != "slow.example.") return Honest(query);
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("slow")};
  });
  StreamUpstream& upstream = Add(server);
  const Asked& slow = Ask(upstream, "slow.example.");
  const std::vector<Asked*> others = AskMany(upstream, 200);
  ASSERT_TRUE(RunUntilAllDone(others));
  for (const Asked* other : others) EXPECT_TRUE(other->answered());
  EXPECT_FALSE(slow.done());
  server.Fire("slow");
  ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  EXPECT_TRUE(slow.answered());
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(PromiseU3, AnswersInAnyOrderReachTheirQueries) {
  std::vector<Octets> answers;
  LoopbackDotServer server([&answers](const LoopbackQuery& query) {
    answers.push_back(PositiveAnswerTo(query.message));
    if (answers.size() < 100) return Actions{};
    std::shuffle(answers.begin(), answers.end(), std::mt19937(7));
    return Actions{LoopbackAction::ReplyTogether(answers)};
  });
  const std::vector<Asked*> all = AskMany(Add(server), 100);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) {
    ASSERT_TRUE(asked->answered()) << asked->text();
    EXPECT_EQ(MustReadMessage((*asked->result)->octets).questions.at(0).name, asked->query.name.ToString());
  }
}

TEST_F(PromiseU3, TenThousandQueriesNeedOneHandshake) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  for (int round = 0; round < 10; ++round) {
    const std::vector<Asked*> all = AskMany(upstream, 1000);
    ASSERT_TRUE(RunUntilAllDone(all));
    for (const Asked* asked : all) ASSERT_TRUE(asked->answered()) << asked->text();
  }
  EXPECT_EQ(server.counters().connections, 1U);
  EXPECT_EQ(server.counters().queries, 10'000U);
  const UpstreamSnapshot snapshot = upstream.Snapshot();
  EXPECT_EQ(snapshot.handshakes_full, 1U);
  EXPECT_EQ(snapshot.queries, 10'000U);
  EXPECT_EQ(snapshot.responses, 10'000U);
  EXPECT_EQ(snapshot.failed, 0U);
}

TEST_F(StreamUpstreamTest, AnswersMaySplitAnywhere) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    const Octets framed = Framed(PositiveAnswerTo(query.message));
    Actions actions;
    for (const uint8_t octet : framed) actions.push_back(LoopbackAction::Raw({octet}));
    return actions;
  });
  const std::vector<Asked*> all = AskMany(Add(server), 10);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
}

TEST_F(StreamUpstreamTest, ALargeAnswerComesWhole) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    std::vector<Rdata> records;
    for (int i = 0; i < 300; ++i) records.push_back(Txt(std::string(190, 'x') + std::to_string(i)));
    return Reply(PositiveAnswerTo(query.message, 300, records));
  });
  Asked& asked = Ask(Add(server), QueryFor("big.example.", rr_type::kTxt));
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_GT((*asked.result)->octets.size(), 60'000U);
}

// --- U4: connections end ---

void ExpectEachWasAskedAtMostTwice(const LoopbackDotServer& server) {
  std::map<std::string, int> times;
  for (const LoopbackQuery& query : server.queries()) ++times[NameOf(query.message)];
  for (const auto& [name, count] : times) EXPECT_LE(count, 2) << name;
}

class PromiseU4Ends : public StreamUpstreamTest, public testing::WithParamInterface<LoopbackAction (*)()> {};

TEST_P(PromiseU4Ends, EveryQueryInFlightIsAskedOnceMoreAndAnswered) {
  const auto end = GetParam();
  LoopbackDotServer server(FirstConnection([end](const LoopbackQuery& query) {
    if (query.number < 30) return Honest(query);
    return query.number == 99 ? Actions{end()} : Actions{};
  }));
  StreamUpstream& upstream = Add(server);
  const std::vector<Asked*> all = AskMany(upstream, 100);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
  ExpectEachWasAskedAtMostTwice(server);
  EXPECT_EQ(server.counters().connections, 2U);
  EXPECT_EQ(upstream.Snapshot().failed, 0U);
  EXPECT_GE(upstream.Snapshot().retried, 70U);
  EXPECT_EQ(upstream.Snapshot().queries, 100U);
}

INSTANTIATE_TEST_SUITE_P(Ways, PromiseU4Ends,
                         testing::Values(&LoopbackAction::Close, &LoopbackAction::CloseWithoutNotify,
                                         &LoopbackAction::Reset));

TEST_F(PromiseU4, AConnectionThatNeverAnsweredIsReplacedAtOnceToo) {
  LoopbackDotServer server(FirstConnection(
      [](const LoopbackQuery& query) { return query.number == 99 ? Actions{LoopbackAction::Close()} : Actions{}; }));
  const std::vector<Asked*> all = AskMany(Add(server), 100);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
  ExpectEachWasAskedAtMostTwice(server);
}

TEST_F(PromiseU4, AQueryThatIsLostTwiceFailsWithTheReason) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{LoopbackAction::Close()}; });
  StreamUpstream& upstream = Add(server);
  const Asked& asked = AskAndWait(upstream, "www.example.");
  ASSERT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(asked.text().find("the server closed the connection"), std::string::npos) << asked.text();
  EXPECT_EQ(server.counters().queries, 2U);
  EXPECT_EQ(upstream.Snapshot().failed, 1U);
}

TEST_F(PromiseU4, AServerThatClosesAfterEachAnswerStillAnswersAll) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)), LoopbackAction::Close()};
  });
  StreamUpstream& upstream = Add(server);
  for (int i = 0; i < 20; ++i) {
    const Asked& asked = AskAndWait(upstream, StrCat("q", i, ".test."));
    ASSERT_TRUE(asked.answered()) << asked.text();
  }
  EXPECT_EQ(upstream.Snapshot().failed, 0U);
}

TEST_F(StreamUpstreamTest, U8_AnIdleCloseIsNoTrouble) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  for (uint64_t i = 1; i <= 10; ++i) {
    ASSERT_TRUE(AskAndWait(upstream, StrCat("q", i, ".test.")).answered());
    server.CloseAllConnections(LoopbackAction::Kind::kCloseWithoutNotify);
    ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().state != UpstreamState::kConnected; }));
    EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kIdle);
  }
  EXPECT_EQ(upstream.Snapshot().last_error, "");
  EXPECT_EQ(upstream.Snapshot().connections_lost, 0U);
  EXPECT_EQ(server.counters().connections, 10U) << "nobody reconnects without a query";
}

// The query leaves in the moment in which the server's close arrives.
TEST_F(StreamUpstreamTest, U8_AQueryThatCrossesAnIdleCloseIsSentAgain) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  for (int i = 0; i < 20; ++i) {
    server.CloseAllConnections();
    const Asked& asked = AskAndWait(upstream, StrCat("q", i, ".test."));
    ASSERT_TRUE(asked.answered()) << asked.text();
  }
  EXPECT_EQ(upstream.Snapshot().failed, 0U);
}

// --- U10, R1: what no server may send ---

TEST_F(PromiseU10, AnEmptyFrameEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery&) { return Actions{LoopbackAction::Raw({0, 0})}; });
}

TEST_F(PromiseU10, AFrameShorterThanAHeaderEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection(
      [](const LoopbackQuery&) { return Actions{LoopbackAction::Raw(Framed(Octets(11, 0x80)))}; });
}

TEST_F(PromiseU10, GarbageEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery&) {
    return Actions{LoopbackAction::Raw(OctetsOf("HTTP/1.1 400 Bad Request\r\n\r\n")),
                   LoopbackAction::Raw(Octets(70'000, 'x'))};
  });
}

TEST_F(PromiseU10, APartOfAFrameAndTheEndOfTheConnectionIsNoAnswer) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    Octets framed = Framed(PositiveAnswerTo(query.message));
    framed.pop_back();
    return Actions{LoopbackAction::Raw(framed), LoopbackAction::Close()};
  });
}

TEST_F(PromiseU10, AFrameThatPromisesMoreThanComesIsNoAnswer) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery&) {
    return Actions{LoopbackAction::Raw(Join({{0xff, 0xff}, Octets(60'000, 0)})), LoopbackAction::CloseWithoutNotify()};
  });
}

TEST_F(PromiseR1, AWrongIdIsNotAcceptedAndEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    const auto other = static_cast<uint16_t>(IdOf(query.message) ^ 0x0101U);
    return Reply(WithId(PositiveAnswerTo(query.message, 300, {A("203.0.113.66")}), other));
  });
  EXPECT_EQ(upstreams_[0]->Snapshot().mismatched, 1U);
}

TEST_F(PromiseR1, AnotherNameIsNotAcceptedAndEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    const Octets other = MessageBuilder::Query(IdOf(query.message), "evil.example.", rr_type::kA).Build();
    return Reply(PositiveAnswerTo(other));
  });
  EXPECT_EQ(upstreams_[0]->Snapshot().mismatched, 1U);
}

TEST_F(PromiseR1, AnotherTypeIsNotAcceptedAndEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    return Reply(PositiveAnswerTo(MessageBuilder::Query(IdOf(query.message), "www.example.", rr_type::kAaaa).Build()));
  });
}

TEST_F(PromiseR1, AnotherClassIsNotAcceptedAndEndsTheConnection) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    return Reply(PositiveAnswerTo(
        MessageBuilder::Query(IdOf(query.message), "www.example.", rr_type::kA, rr_class::kCh).Build()));
  });
}

TEST_F(PromiseR1, AQueryIsNoResponse) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) { return Reply(query.message); });
  EXPECT_EQ(upstreams_[0]->Snapshot().mismatched, 1U);
}

TEST_F(PromiseR1, AnotherOpcodeIsNoResponse) {
  ExpectAnsweredByTheSecondConnection(
      [](const LoopbackQuery& query) { return Reply(MessageBuilder::ResponseTo(query.message).Opcode(5).Build()); });
}

TEST_F(PromiseR1, TwoQuestionsAreNotTheOneThatWasAsked) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    return Reply(MessageBuilder::ResponseTo(query.message).Question("evil.example.", rr_type::kA).Build());
  });
}

TEST_F(PromiseR1, TheCaseOfTheNameDoesNotMatter) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    return Reply(PositiveAnswerTo(MessageBuilder::Query(IdOf(query.message), "wWw.ExAmPlE.", rr_type::kA).Build()));
  });
  EXPECT_TRUE(AskAndWait(Add(server), "www.example.").answered());
  EXPECT_EQ(server.counters().connections, 1U);
}

// An error without a question is no answer, but the other queries of the connection must not pay for it.
TEST_F(StreamUpstreamTest, AnErrorWithoutAQuestionFailsItsQueryAlone) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    if (NameOf(query.message) != "bad.example.") return Honest(query);
    return Reply(MessageBuilder(IdOf(query.message)).Flags(header_flag::kQr).WithRcode(Rcode::kFormErr).Build());
  });
  StreamUpstream& upstream = Add(server);
  const Asked& bad = Ask(upstream, "bad.example.");
  const std::vector<Asked*> others = AskMany(upstream, 20);
  ASSERT_TRUE(RunUntilAllDone(others));
  for (const Asked* other : others) EXPECT_TRUE(other->answered());
  ASSERT_TRUE(bad.done());
  EXPECT_EQ(bad.result->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(StreamUpstreamTest, R7_AMalformedResponseIsDataLossAndFailsItsQueryAlone) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    if (NameOf(query.message) != "bad.example.") return Honest(query);
    return Reply(MessageBuilder::ResponseTo(query.message).Counts(1, 5, 0, 0).Build());
  });
  StreamUpstream& upstream = Add(server);
  const Asked& bad = Ask(upstream, "bad.example.");
  const std::vector<Asked*> others = AskMany(upstream, 20);
  ASSERT_TRUE(RunUntilAllDone(others));
  for (const Asked* other : others) EXPECT_TRUE(other->answered());
  ASSERT_TRUE(bad.done());
  EXPECT_EQ(bad.result->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(bad.text().find(upstream.label()), std::string::npos) << bad.text();
  EXPECT_EQ(upstream.Snapshot().malformed, 1U);
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(StreamUpstreamTest, X6_OneFormErrChangesNothing) {
  bool first = true;
  LoopbackDotServer server([&first](const LoopbackQuery& query) {
    return std::exchange(first, false) ? Reply(FailureAnswerTo(query.message, Rcode::kFormErr)) : Honest(query);
  });
  StreamUpstream& upstream = Add(server);
  UpstreamQuery query = QueryFor("www.example.");
  query.dnssec_ok = true;
  const Asked& failed = Ask(upstream, query);
  ASSERT_TRUE(RunUntil([&] { return failed.done(); }));
  EXPECT_EQ(failed.rcode(), 1);
  const Asked& good = Ask(upstream, query);
  ASSERT_TRUE(RunUntil([&] { return good.done(); }));
  EXPECT_EQ(good.rcode(), 0);
  const std::vector<LoopbackQuery> queries = server.queries();
  ASSERT_EQ(queries.size(), 2U);
  EXPECT_EQ(WithId(queries[0].message, 0), WithId(queries[1].message, 0)) << "the same EDNS, the same DO";
  EXPECT_EQ(server.counters().connections, 1U);
}

// --- R2, X1, X2: IDs ---

TEST_F(StreamUpstreamTest, R2_IdsAreDistinctAndUnordered) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  const std::vector<Asked*> all = AskMany(Add(server), 5000, kDeadline);
  ASSERT_TRUE(RunUntil([&] { return server.counters().queries == 5000; }));
  std::set<uint16_t> ids;
  size_t ascending = 0;
  size_t neighbours = 0;
  uint16_t last = 0;
  for (const LoopbackQuery& query : server.queries()) {
    const uint16_t id = IdOf(query.message);
    EXPECT_TRUE(ids.insert(id).second) << "ID " << id << " was given out twice";
    ascending += id > last ? 1 : 0;
    neighbours += id == last + 1 ? 1 : 0;
    last = id;
  }
  EXPECT_NEAR(static_cast<double>(ascending), 2500, 400);
  EXPECT_LT(neighbours, 10U);
  upstreams_[0]->Close();
  ASSERT_TRUE(RunUntilAllDone(all));
}

TEST_F(PromiseX1, ABusyIdIsNeverGivenOutAndALateAnswerReachesNobody) {
  std::vector<Octets> late;  // answers to names with ".held.", kept back until somebody asks for "go."
  LoopbackDotServer server([&late](const LoopbackQuery& query) {
    const std::string name = NameOf(query.message);
    if (name.find(".held.") == std::string::npos) {
      Actions actions = Honest(query);
      if (name == "go.") actions.push_back(LoopbackAction::ReplyTogether(late));
      return actions;
    }
    late.push_back(PositiveAnswerTo(query.message));
    return Actions{};
  });
  StreamUpstream& upstream = Add(server);
  constexpr size_t kHeld = 40'000;
  {
    const std::list<Held> held = HoldMany(server, upstream, kHeld, "held.");
    EXPECT_EQ(upstream.Snapshot().in_flight, kHeld);
  }
  EXPECT_EQ(upstream.Snapshot().in_flight, 0U) << "all were given up";
  // More queries than there are IDs left, so that they come round.
  constexpr size_t kRounds = 6;
  constexpr size_t kPerRound = 5000;
  for (size_t round = 0; round < kRounds; ++round) {
    Held others(loop_, upstream, kPerRound, StrCat("r", round, "."));
    ASSERT_TRUE(RunUntil([&] { return others.done() == kPerRound; }));
    ASSERT_EQ(others.answered(), kPerRound);
  }
  std::set<uint16_t> busy;
  const std::vector<LoopbackQuery> queries = server.queries();
  ASSERT_EQ(queries.size(), kHeld + kRounds * kPerRound);
  for (size_t i = 0; i < queries.size(); ++i) {
    const uint16_t id = IdOf(queries[i].message);
    ASSERT_EQ(queries[i].connection, 0U);
    if (i < kHeld) {
      ASSERT_TRUE(busy.insert(id).second);
    } else {
      ASSERT_FALSE(busy.contains(id)) << "a busy ID was given out";
    }
  }
  // The same question as one that was given up, on an ID of its own, while all the late answers come.
  const Asked& same = Ask(upstream, "h0.held.");
  ASSERT_TRUE(RunUntil([&] { return server.counters().queries == queries.size() + 1; }));
  const Asked& go = Ask(upstream, "go.");
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().late == kHeld && same.done() && go.done(); }))
      << upstream.Snapshot().late << " late, " << upstream.Snapshot().in_flight << " in flight, "
      << upstream.Snapshot().last_error;
  EXPECT_TRUE(same.answered());
  EXPECT_EQ(IdOf((*same.result)->octets), IdOf(server.queries()[queries.size()].message));
  EXPECT_EQ(upstream.Snapshot().responses, kRounds * kPerRound + 2);
  EXPECT_EQ(upstream.Snapshot().mismatched, 0U);
  EXPECT_EQ(server.counters().connections, 1U);
}

TEST_F(PromiseX2, DuplicatesAreDroppedAndThenEndTheConnection) {
  size_t copies = 0;
  LoopbackDotServer server([&copies](const LoopbackQuery& query) {
    return Actions{LoopbackAction::ReplyTogether(std::vector<Octets>(1 + copies, PositiveAnswerTo(query.message)))};
  });
  StreamUpstream& upstream = Add(server);
  const auto ask_with = [&](size_t count, std::string_view name) {
    server.SetScript([count](const LoopbackQuery& query) {
      return Actions{LoopbackAction::ReplyTogether(std::vector<Octets>(1 + count, PositiveAnswerTo(query.message)))};
    });
    return AskAndWait(upstream, name).answered();
  };
  EXPECT_TRUE(ask_with(Limits::kUnmatchedResponsesMax, "a.example."));
  EXPECT_TRUE(ask_with(0, "b.example."));
  EXPECT_EQ(upstream.Snapshot().mismatched, Limits::kUnmatchedResponsesMax);
  EXPECT_EQ(server.counters().connections, 1U) << "up to the limit they are only dropped";
  EXPECT_TRUE(ask_with(1, "c.example."));
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().state != UpstreamState::kConnected; }));
  EXPECT_EQ(upstream.Snapshot().mismatched, Limits::kUnmatchedResponsesMax + 1);
  EXPECT_TRUE(ask_with(0, "d.example."));
  EXPECT_EQ(server.counters().connections, 2U);
}

TEST_F(PromiseX2, AnUnsolicitedResponseEndsTheConnectionAndReachesNobody) {
  ExpectAnsweredByTheSecondConnection([](const LoopbackQuery& query) {
    const Octets other =
        MessageBuilder::Query(static_cast<uint16_t>(~IdOf(query.message)), "evil.example.", rr_type::kA).Build();
    return Reply(PositiveAnswerTo(other));
  });
}

TEST_F(PromiseX2, ReversedAnswersReachTheirQueries) {
  std::vector<Octets> answers;
  LoopbackDotServer server([&answers](const LoopbackQuery& query) {
    answers.insert(answers.begin(), PositiveAnswerTo(query.message));
    return answers.size() < 50 ? Actions{} : Actions{LoopbackAction::ReplyTogether(answers)};
  });
  const std::vector<Asked*> all = AskMany(Add(server), 50);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) {
    EXPECT_EQ(MustReadMessage((*asked->result)->octets).questions.at(0).name, asked->query.name.ToString());
  }
}

// Swapped IDs: each has an ID that is under way, with the question of the other.
TEST_F(PromiseX2, ARightIdWithAnotherQuestionReachesNobodyAndEndsTheConnection) {
  std::vector<Octets> queries;
  LoopbackDotServer server(FirstConnection([&queries](const LoopbackQuery& query) {
    queries.push_back(query.message);
    if (queries.size() < 2) return Actions{};
    return Actions{LoopbackAction::ReplyTogether({WithId(PositiveAnswerTo(queries[0]), IdOf(queries[1])),
                                                  WithId(PositiveAnswerTo(queries[1]), IdOf(queries[0]))})};
  }));
  const std::vector<Asked*> all = AskMany(Add(server), 2);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) {
    ASSERT_TRUE(asked->answered()) << asked->text();
    EXPECT_EQ(MustReadMessage((*asked->result)->octets).questions.at(0).name, asked->query.name.ToString());
  }
  EXPECT_EQ(server.counters().connections, 2U);
  EXPECT_EQ(upstreams_[0]->Snapshot().mismatched, 1U);
}

// --- deadlines and silence ---

TEST_F(StreamUpstreamTest, AServerThatNeverAnswersHoldsNobodyLongerThanTheDeadline) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  StreamUpstream& upstream = Add(server);
  const SteadyTime start = std::chrono::steady_clock::now();
  const Asked& asked = AskAndWait(upstream, "www.example.", milliseconds(150));
  const Duration took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(asked.text().find(upstream.label()), std::string::npos) << asked.text();
  EXPECT_GE(took, milliseconds(150));
  EXPECT_LT(took, std::chrono::seconds(5));
  EXPECT_EQ(upstream.Snapshot().timeouts, 1U);
  EXPECT_EQ(upstream.Snapshot().in_flight, 0U);
}

TEST_F(StreamUpstreamTest, AHandshakeThatNeverEndsHoldsNobodyLongerThanTheDeadline) {
  LoopbackDotServer::Options options;
  options.accept = LoopbackAccept::kStall;
  LoopbackDotServer server(Honest, options);
  StreamUpstream& upstream = Add(server);
  const Asked& asked = AskAndWait(upstream, "www.example.", milliseconds(150));
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kConnecting);
}

TEST_F(StreamUpstreamTest, AnExpiredDeadlineFailsWithoutAQuery) {
  LoopbackDotServer server;
  const Asked& asked = AskAndWait(Add(server), "www.example.", Duration::zero());
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.counters().connections, 0U);
}

// U5: new queries do not extend the patience with a connection that went silent, and those in flight are not lost.
TEST_F(StreamUpstreamTest, U5_ASilentConnectionIsReplacedUnderContinuousLoad) {
  LoopbackDotServer::Options options;
  options.script_answers_probes = true;
  LoopbackDotServer server(
      FirstConnection([](const LoopbackQuery& query) { return query.number == 0 ? Honest(query) : Actions{}; }),
      options);
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  std::vector<Asked*> all;
  const SteadyTime start = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil([&] {
    // A query a millisecond, or the IDs would run out.
    if (std::chrono::steady_clock::now() - start >= all.size() * milliseconds(1)) {
      all.push_back(&Ask(upstream, StrCat("q", all.size(), ".test.")));
    }
    return server.counters().connections == 2;
  }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, Limits::kSilenceMin);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3 * Limits::kSilenceMin);
  ASSERT_TRUE(RunUntilAllDone(all));
  for (const Asked* asked : all) EXPECT_TRUE(asked->answered()) << asked->text();
}

// --- back-off and recovery ---

TEST_F(StreamUpstreamTest, U7_ADeadServerIsTriedSeldomAndFailsQueriesAtOnce) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  server.StopListening();
  const SteadyTime start = std::chrono::steady_clock::now();
  size_t asked = 0;
  while (asked < 1000 || std::chrono::steady_clock::now() - start < milliseconds(500)) {
    const Asked& failed = AskAndWait(upstream, "www.example.");
    ASSERT_EQ(failed.result->status().code(), absl::StatusCode::kUnavailable);
    ++asked;
  }
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  // Half the delay is the least that jitter leaves: 50, 100, 200, then 400 ms.
  EXPECT_LE(upstream.Snapshot().connect_failures, 4U + static_cast<uint64_t>(took.count()) / 400U);
  EXPECT_GE(upstream.Snapshot().connect_failures, 2U);
  EXPECT_EQ(upstream.Snapshot().state, UpstreamState::kFailing);
  EXPECT_NE(upstream.Snapshot().last_error.find(upstream.label()), std::string::npos);
}

TEST_F(StreamUpstreamTest, U7_AServerThatReturnsIsInUseWithinASecond) {
  LoopbackDotServer server;
  StreamUpstream& upstream = Add(server);
  ASSERT_TRUE(AskAndWait(upstream, "first.example.").answered());
  server.StopListening();
  server.CloseAllConnections();
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().state != UpstreamState::kConnected; }));
  ASSERT_TRUE(RunUntil([&] {
    AskAndWait(upstream, "www.example.");
    return upstream.Snapshot().connect_failures >= 5;  // the back-off is at its longest
  }));
  server.StartListening();
  const SteadyTime returned = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil([&] { return AskAndWait(upstream, "www.example.").answered(); }));
  // The longest back-off, and generous time for the handshake on a busy machine.
  EXPECT_LT(std::chrono::steady_clock::now() - returned, Limits::kBackOffMax + milliseconds(700));
}

TEST_F(StreamUpstreamTest, U9_AnUnreachableNetworkFailsAtOnce) {
  const TestAuthority authority;
  // The kernel refuses a TCP connection to the broadcast address by itself: nothing leaves the machine.
  StreamUpstream& upstream = Add({IpAddress::V4({255, 255, 255, 255}), 853}, authority.ca_file());
  const SteadyTime start = std::chrono::steady_clock::now();
  const Asked& asked = AskAndWait(upstream, "www.example.");
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(StreamUpstreamTest, AServerThatMisbehavesAgainAndAgainIsTriedSeldom) {
  LoopbackDotServer server([](const LoopbackQuery& query) { return Reply(query.message); });
  StreamUpstream& upstream = Add(server);
  const SteadyTime start = std::chrono::steady_clock::now();
  for (int i = 0; i < 500; ++i) AskAndWait(upstream, "www.example.");
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  EXPECT_LE(server.counters().connections, 6U + static_cast<uint64_t>(took.count()) / 50U);
}

// --- limits ---

TEST_F(StreamUpstreamTest, LimitInFlight_ASecondConnectionTakesWhatTheFirstHasNoIdsFor) {
  std::map<size_t, std::vector<Octets>> kept;  // by connection
  LoopbackDotServer server([&kept](const LoopbackQuery& query) {
    if (query.total == 0) return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("slow")};
    if (NameOf(query.message).find(".held.") == std::string::npos) return Honest(query);
    std::vector<Octets>& answers = kept[query.connection];
    answers.push_back(PositiveAnswerTo(query.message));
    if (answers.size() < Limits::kInFlightPerConnectionMax) return Actions{};
    return Actions{LoopbackAction::ReplyTogether(answers).After("go")};
  });
  StreamUpstream& upstream = Add(server);
  AskSlowly(server, upstream);
  std::list<Held> first = HoldMany(server, upstream, Limits::kInFlightPerConnectionMax, "held.");
  EXPECT_EQ(server.counters().connections, 1U);
  const uint64_t probes = upstream.Snapshot().probes;
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().probes > probes; })) << "a question of our own still has an ID";
  Held one_more(loop_, upstream, 1, "one.more.");
  ASSERT_TRUE(RunUntil([&] { return one_more.done() == 1; }));
  EXPECT_EQ(one_more.answered(), 1U);
  EXPECT_EQ(server.counters().connections, 2U);
  std::list<Held> second = HoldMany(server, upstream, Limits::kInFlightPerConnectionMax, "held.");
  EXPECT_EQ(Done(second), 0U);
  Held too_many(loop_, upstream, 1, "too.many.");
  EXPECT_EQ(too_many.done(), 1U) << "refused at once";
  EXPECT_EQ(too_many.answered(), 0U);
  server.Fire("go");
  ASSERT_TRUE(RunUntil([&] { return Done(first) + Done(second) == 2 * Limits::kInFlightPerConnectionMax; }));
  EXPECT_EQ(Answered(first) + Answered(second), 2 * Limits::kInFlightPerConnectionMax);
  ASSERT_TRUE(RunUntil([&] { return upstream.Snapshot().connections_open == 1; })) << "the first one is not kept";
  EXPECT_TRUE(AskAndWait(upstream, "after.").answered());
  EXPECT_EQ(server.counters().connections, 2U);
}

TEST_F(StreamUpstreamTest, LimitWaiting_QueriesForOneHandshakeAreBounded) {
  LoopbackDotServer::Options options;
  options.accept = LoopbackAccept::kStall;
  LoopbackDotServer server(Honest, options);
  StreamUpstream& upstream = Add(server);
  const Held waiting(loop_, upstream, Limits::kWaitingForConnectionMax, "held.");
  EXPECT_EQ(waiting.done(), 0U);
  const Asked& refused = AskAndWait(upstream, "too.many.");
  EXPECT_NE(refused.text().find("too many queries"), std::string::npos) << refused.text();
}

TEST_F(StreamUpstreamTest, LimitOutput_UnsentQueriesOfOneConnectionAreBounded) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    if (query.total != 0) return Honest(query);
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("slow")};
  });
  StreamUpstream& upstream = Add(server);
  AskSlowly(server, upstream);
  std::string longest(".");
  for (int i = 0; i < 115; ++i) longest.insert(0, ".a");
  // Each is a frame of 386 octets; all of them are ready before the writer has its turn.
  const size_t count = Limits::kConnectionOutputOctetsMax / 386 + 100;
  Held held(loop_, upstream, count, longest.substr(1));
  ASSERT_TRUE(RunUntil([&] { return held.done() == count; }));
  EXPECT_EQ(held.answered(), count);
  EXPECT_EQ(server.counters().connections, 2U);
}

// --- the end ---

TEST_F(StreamUpstreamTest, CloseFailsWhatWaitsAndLeavesNothingRunning) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  StreamUpstream& upstream = Add(server);
  const std::vector<Asked*> in_flight = AskMany(upstream, 10);
  ASSERT_TRUE(RunUntil([&] { return server.counters().queries == 10; }));
  upstream.Close();
  ASSERT_TRUE(RunUntilAllDone(in_flight));
  for (const Asked* asked : in_flight) EXPECT_EQ(asked->result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(AskAndWait(upstream, "later.").result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.counters().connections, 1U);
}  // the fixture joins

TEST_F(StreamUpstreamTest, CloseEndsAHandshakeThatIsUnderWay) {
  LoopbackDotServer::Options options;
  options.accept = LoopbackAccept::kStall;
  LoopbackDotServer server(Honest, options);
  StreamUpstream& upstream = Add(server);
  const Asked& asked = Ask(upstream, "www.example.");
  ASSERT_TRUE(RunUntil([&] { return server.counters().connections == 1; }));
  const SteadyTime start = std::chrono::steady_clock::now();
  upstream.Close();
  ASSERT_TRUE(RunUntil([&] { return asked.done() && tasks_.running() == 0; }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(StreamUpstreamLifetimeTest, ALoopThatStopsInTheMiddleFreesEverything) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  std::list<Asked> asked;
  asio::io_context loop;
  Timeouts timeouts(loop);
  TaskGroup tasks(loop);
  StreamUpstream upstream(loop, timeouts,
                          {.name = std::make_shared<const std::string>("test"),
                           .endpoint = server.endpoint(),
                           .auth_name = "dns.test",
                           .credentials = TlsClientCredentials::Create(server.ca_file()).value()});
  const UpstreamQuery query = QueryFor("www.example.");
  Wakeup wakeup(loop.get_executor());
  Attempt attempt(WireQuery(query, QueryTransport::kTls), wakeup);
  upstream.Start(attempt, std::chrono::steady_clock::now());
  for (int i = 0; i < 1000 && server.counters().queries == 0; ++i) loop.run_one_for(milliseconds(10));
  EXPECT_EQ(server.counters().queries, 1U);
}  // the address sanitizer has the claim

}  // namespace
}  // namespace dotward
