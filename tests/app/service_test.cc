#include "app/service.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "admin/statistics_dump.h"
#include "app/blocking_clients.h"
#include "testing/loopback/loopback_config.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"

// The whole server in this process, with its threads and real sockets, before a DoT server that a test scripts.

namespace dotward {
namespace {

using std::chrono::milliseconds;

Octets Query(std::string_view name, uint16_t type = rr_type::kA, uint16_t id = 0x1001) {
  return MessageBuilder::Query(id, name, type).WithEdns({}).Build();
}

std::string ErrorText(const MessageRead& reply) {
  const EdnsOption* option = reply.FindOption(edns_option::kEde);
  if (option == nullptr || option->data.size() < 2) return "";
  return {option->data.begin() + 2, option->data.end()};
}

class ServiceTest : public testing::Test {
 protected:
  Config MakeConfig(const std::vector<LoopbackDotServer*>& upstreams) {
    Config config = LoopbackConfig();
    config.query.deadline = milliseconds(3000);
    config.limits.waiting_per_client = 2000;
    for (const LoopbackDotServer* server : upstreams) AddLoopbackUpstream(*server, &config);
    return config;
  }

  void Start(const Config& config) {
    auto service = Service::Create(std::make_shared<const Config>(config), clock_);
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    service_->Start();
  }
  void StartBefore(LoopbackDotServer& server) { Start(MakeConfig({&server})); }

  BlockingClient Udp() { return {service_->listening().front(), SOCK_DGRAM}; }
  BlockingClient Tcp() { return {service_->listening().front(), SOCK_STREAM}; }

  SystemClock clock_;
  std::unique_ptr<Service> service_;
};

TEST_F(ServiceTest, AMissIsAskedUpstreamAndThenAHit) {
  LoopbackDotServer server;
  StartBefore(server);
  for (int i = 0; i < 3; ++i) {
    const auto reply = Udp().Ask(Query("www.example."));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->rcode, 0);
    ASSERT_EQ(reply->answers.size(), 1U);
    EXPECT_EQ(reply->answers[0].data_text, "192.0.2.1");
  }
  EXPECT_EQ(server.counters().queries, 1U);
  const StatisticsSnapshot statistics = service_->Statistics();
  EXPECT_EQ(statistics.queries.of(QueryEnd::kHits), 2U);
  EXPECT_EQ(statistics.queries.of(QueryEnd::kForwarded), 1U);
}

TEST_F(ServiceTest, R3_Q9_TheReplyIsOursInFlagsAndTheClientsInItsQuestion) {
  LoopbackDotServer server;
  StartBefore(server);
  for (const char* name : {"www.ExAmPlE.", "WWW.example."}) {
    const auto reply = Udp().Ask(Query(name));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->questions.at(0).name, name);
    EXPECT_EQ(reply->id, 0x1001);
    EXPECT_TRUE(reply->Has(header_flag::kRa));
    EXPECT_FALSE(reply->Has(header_flag::kAa));
  }
  EXPECT_EQ(server.counters().queries, 1U);
}

TEST_F(ServiceTest, C4_NegativeAnswersAreCached) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    return {LoopbackAction::Reply(NxdomainAnswerTo(query.message, "example."))};
  });
  StartBefore(server);
  for (const uint16_t type : {rr_type::kA, rr_type::kAaaa, rr_type::kMx}) {
    const auto reply = Udp().Ask(Query("gone.example.", type));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->rcode, 3);
    EXPECT_EQ(reply->authorities.size(), 1U);
  }
  EXPECT_EQ(server.counters().queries, 1U);
}

TEST_F(ServiceTest, S1_ALargeAnswerComesTruncatedOverUdpAndWholeOverTcp) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    MessageBuilder builder = MessageBuilder::ResponseTo(query.message);
    for (int i = 0; i < 60; ++i)
      builder.Answer("big.example.", 300, Txt(std::string(50, static_cast<char>('a' + i % 26)) + std::to_string(i)));
    return {LoopbackAction::Reply(builder.Build())};
  });
  StartBefore(server);
  const auto datagram = Udp().Ask(Query("big.example.", rr_type::kTxt));
  ASSERT_TRUE(datagram);
  EXPECT_TRUE(datagram->Has(header_flag::kTc));
  EXPECT_TRUE(datagram->edns);
  const auto stream = Tcp().Ask(Query("big.example.", rr_type::kTxt));
  ASSERT_TRUE(stream);
  EXPECT_FALSE(stream->Has(header_flag::kTc));
  EXPECT_EQ(stream->answers.size(), 60U);
  EXPECT_EQ(server.counters().queries, 1U);
}

TEST_F(ServiceTest, S3_PipelinedQueriesAreAnsweredEvenAfterAHalfClose) {
  LoopbackDotServer server;
  StartBefore(server);
  BlockingClient client = Tcp();
  std::set<uint16_t> waiting;
  for (uint16_t id = 1; id <= 50; ++id) {
    client.Send(Query("n" + std::to_string(id) + ".example.", rr_type::kA, id));
    waiting.insert(id);
  }
  client.SendEndOfStream();
  while (const std::optional<Octets> reply = client.Receive()) waiting.erase(MustReadMessage(*reply).id);
  EXPECT_TRUE(waiting.empty());
}

TEST_F(ServiceTest, R1_AnAnswerWithAnotherIdIsNeverGivenToAClient) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    Octets forged = PositiveAnswerTo(query.message, 300, {A("192.0.2.66")});
    forged[1] ^= 1U;
    return {LoopbackAction::Reply(forged),
            LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A("192.0.2.1")}))};
  });
  StartBefore(server);
  const auto reply = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(reply);
  for (const ReadRecord& record : reply->answers) EXPECT_EQ(record.data_text, "192.0.2.1");
}

TEST_F(ServiceTest, R1_AnAnswerToAnotherQuestionIsNeverGivenToAClient) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    const Octets other = MessageBuilder::Query(ReadMessage(query.message)->id, "bank.example.", rr_type::kA).Build();
    return {LoopbackAction::Reply(PositiveAnswerTo(other, 300, {A("192.0.2.66")}))};
  });
  StartBefore(server);
  const auto reply = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->rcode, 2);
  EXPECT_TRUE(reply->answers.empty());
}

// Each of these servers is somebody else than whom the configuration names.
struct Impostor {
  const char* what;
  CertificateSpec certificate;
  bool foreign_authority = false;
  const char* said;
};

class ImpostorTest : public ServiceTest, public testing::WithParamInterface<Impostor> {};

TEST_P(ImpostorTest, U1_NotOneOctetOfDnsIsSentAndTheReasonIsSaid) {
  LoopbackDotServer server({}, {.certificate = GetParam().certificate});
  const TestAuthority other_authority;
  Config config = MakeConfig({&server});
  if (GetParam().foreign_authority) config.upstreams[0].ca_file = other_authority.ca_file();
  Start(config);
  const auto reply = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->rcode, 2);
  EXPECT_NE(ErrorText(*reply).find(GetParam().said), std::string::npos) << ErrorText(*reply);
  service_->Stop();
  EXPECT_EQ(server.counters().application_octets, 0U);
  EXPECT_EQ(server.counters().octets_after_failure, 0U);
}

INSTANTIATE_TEST_SUITE_P(Certificates, ImpostorTest,
                         testing::Values(Impostor{"WrongName", {.dns_names = {"other.test"}}, false, "dns.test"},
                                         Impostor{"UnknownCa", {}, true, "certificate"},
                                         Impostor{"Expired", ExpiredCertificate(), false, "expired"}),
                         [](const auto& impostor) { return impostor.param.what; });

TEST_F(ServiceTest, U4_QueriesInFlightAreAskedAgainWhenTheConnectionCloses) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    // The first connection takes in everything and closes; later ones answer.
    if (query.connection != 0) return {LoopbackAction::Reply(PositiveAnswerTo(query.message))};
    if (query.number == 99) return {LoopbackAction::Close()};
    return {};
  });
  StartBefore(server);
  BlockingClient client = Udp();
  for (uint16_t id = 1; id <= 100; ++id) {
    client.Send(Query("n" + std::to_string(id) + ".example.", rr_type::kA, id));
  }
  for (int i = 0; i < 100; ++i) {
    const std::optional<Octets> reply = client.Receive();
    ASSERT_TRUE(reply) << "reply " << i;
    EXPECT_EQ(MustReadMessage(*reply).answers.size(), 1U);
  }
  EXPECT_EQ(server.counters().queries, 200U);
}

TEST_F(ServiceTest, U10_AnAnswerInPiecesIsPutTogether) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    const Octets frame = Framed(PositiveAnswerTo(query.message));
    std::vector<LoopbackAction> pieces;
    for (const uint8_t octet : frame) pieces.push_back(LoopbackAction::Raw({octet}));
    return pieces;
  });
  StartBefore(server);
  const auto reply = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->answers.size(), 1U);
}

TEST_F(ServiceTest, C9_AThousandIdenticalMissesAreOneUpstreamQuery) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    return {LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("all asked")};
  });
  StartBefore(server);
  // Several sockets, so that both workers get their share.
  std::vector<BlockingClient> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(Udp());
  for (uint16_t i = 0; i < 1000; ++i) clients[i % 10].Send(Query("www.example.", rr_type::kA, i));
  ASSERT_TRUE(server.WaitForQueries(1));
  server.Fire("all asked");
  for (size_t i = 0; i < 1000; ++i) {
    const std::optional<Octets> reply = clients[i % 10].Receive();
    ASSERT_TRUE(reply) << "reply " << i;
    EXPECT_EQ(MustReadMessage(*reply).answers.size(), 1U);
  }
  EXPECT_EQ(server.counters().queries, 1U);
}

TEST_F(ServiceTest, E4_ClientOptionsNeverReachAnUpstreamNorItsOwnAClient) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    const MessageRead read = MustReadMessage(query.message);
    MessageBuilder builder(read.id);
    builder.Flags(header_flag::kQr | header_flag::kRd | header_flag::kRa)
        .Question(read.questions[0].name, rr_type::kA)
        .Answer(read.questions[0].name, 300, A("192.0.2.1"))
        .WithEdns({.options = {{edns_option::kCookie, Octets(16)}, {edns_option::kNsid, OctetsOf("ns1")}}});
    return {LoopbackAction::Reply(builder.Build())};
  });
  StartBefore(server);
  const Octets query = MessageBuilder::Query(1, "www.example.", rr_type::kA)
                           .WithEdns({.options = {{edns_option::kCookie, Octets(8)},
                                                  {edns_option::kClientSubnet, Hex("00 01 18 00 c0 00 02")},
                                                  {edns_option::kNsid, {}}}})
                           .Build();
  const auto reply = Udp().Ask(query);
  ASSERT_TRUE(reply && reply->edns);
  EXPECT_TRUE(reply->edns->options.empty());
  const MessageRead sent = MustReadMessage(server.queries().at(0).message);
  ASSERT_TRUE(sent.edns);
  ASSERT_EQ(sent.edns->options.size(), 2U);
  EXPECT_EQ(sent.edns->options[0].code, edns_option::kKeepalive);
  EXPECT_TRUE(sent.edns->options[0].data.empty()) << "our own question, RFC 7828";
  EXPECT_EQ(sent.edns->options[1].code, edns_option::kPadding);
  EXPECT_EQ(server.queries().at(0).message.size() % 128, 0U);
}

TEST_F(ServiceTest, U9_AnUpstreamThatIsDownAtStartIsUsedAsSoonAsItIsThere) {
  LoopbackDotServer server;
  server.StopListening();
  StartBefore(server);
  const auto failed = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->rcode, 2);
  const EdnsOption* error = failed->FindOption(edns_option::kEde);
  ASSERT_NE(error, nullptr);
  EXPECT_TRUE(error->data[1] == 22 || error->data[1] == 23);
  server.StartListening();
  // Its back-off is bounded, so that asking on must succeed.
  const auto give_up = clock_.Now() + std::chrono::seconds(15);
  bool answered = false;
  for (uint16_t i = 0; !answered && clock_.Now() < give_up; ++i) {
    const auto reply = Udp().Ask(Query("n" + std::to_string(i) + ".example."));
    ASSERT_TRUE(reply);
    answered = reply->rcode == 0;
  }
  EXPECT_TRUE(answered);
}

TEST_F(ServiceTest, R7_WhatCannotBeParsedIsNotRelayedAndTheNextUpstreamIsAsked) {
  LoopbackDotServer broken([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    Octets reply = PositiveAnswerTo(query.message);
    reply.push_back(0);
    return {LoopbackAction::Reply(reply)};
  });
  LoopbackDotServer sound;
  Start(MakeConfig({&broken, &sound}));
  const auto reply = Udp().Ask(Query("www.example."));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->rcode, 0);
  EXPECT_EQ(reply->answers.size(), 1U);
  EXPECT_EQ(sound.counters().queries, 1U);
}

TEST_F(ServiceTest, StopAnswersWhatIsInFlight) {
  LoopbackDotServer server([](const LoopbackQuery& query) -> std::vector<LoopbackAction> {
    return {LoopbackAction::Reply(PositiveAnswerTo(query.message)).After("stopping")};
  });
  StartBefore(server);
  BlockingClient client = Udp();
  for (uint16_t i = 0; i < 100; ++i) client.Send(Query("n" + std::to_string(i) + ".example.", rr_type::kA, i));
  ASSERT_TRUE(server.WaitForQueries(100));
  std::thread stopper([this] { service_->Stop(); });
  server.Fire("stopping");
  for (int i = 0; i < 100; ++i) {
    const std::optional<Octets> reply = client.Receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(MustReadMessage(*reply).answers.size(), 1U);
  }
  stopper.join();
}

TEST_F(ServiceTest, AnAddressInUseFailsTheWholeStart) {
  LoopbackDotServer server;
  const BlockingClient occupier({IpAddress::V4({127, 0, 0, 1}), 9}, SOCK_DGRAM);
  StartBefore(server);
  Config second = MakeConfig({&server});
  second.listen = {{ListenProtocol::kDo53, service_->listening().front()}};
  const auto refused = Service::Create(std::make_shared<const Config>(second), clock_);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists) << refused.status();
}

TEST_F(ServiceTest, TheDumpCountsEveryPartAndChangesNothing) {
  LoopbackDotServer server;
  StartBefore(server);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Udp().Ask(Query("www.example.")));
  const std::string dump = RenderDump(service_->Statistics(), DumpDetail::kWithShards);
  EXPECT_NE(dump.find("queries forwarded 1, queries answered locally 2\n"), std::string::npos) << dump;
  EXPECT_NE(
      dump.find("server up0 127.0.0.1#" + std::to_string(server.port()) + ": queries sent 1, retried 0, failed 0"),
      std::string::npos)
      << dump;
  EXPECT_NE(dump.find("\n{\"schema\":1,"), std::string::npos);
  EXPECT_NE(dump.find("\nshard 0 entries "), std::string::npos);
  const StatisticsSnapshot before = service_->Statistics();
  const StatisticsSnapshot after = service_->Statistics();
  EXPECT_EQ(before.cache.hits, after.cache.hits);
  EXPECT_EQ(before.queries.ends, after.queries.ends);
}

TEST_F(ServiceTest, EveryQueryOfAMixedLoadIsCountedByItsEndOnce) {
  LoopbackDotServer server;
  StartBefore(server);
  const auto malformed = [] {
    Octets query = Query("www.example.");
    query.push_back(0);  // an octet behind the message
    return query;
  };
  Octets response = Query("www.example.");
  response[2] |= 0x80;  // QR
  uint64_t sent = 0;
  const auto load = [&](bool stream) {
    BlockingClient client = stream ? Tcp() : Udp();
    for (int round = 0; round < 5; ++round) {
      for (int i = 0; i < 20; ++i) {
        const std::string name = (stream ? "tcp-" : "udp-") + std::to_string(i) + ".example.";
        ASSERT_TRUE(client.Ask(Query(name, i % 2 == 0 ? rr_type::kA : rr_type::kMx)));
      }
      ASSERT_TRUE(client.Ask(MessageBuilder(7).Flags(header_flag::kRd).Question("version.bind.", 16, 3).Build()));
      ASSERT_TRUE(client.Ask(MessageBuilder(8).Question("never-asked.example.", 1).Build()));  // RD=0
      ASSERT_TRUE(client.Ask(Query("example.", rr_type::kAxfr)));
      ASSERT_TRUE(client.Ask(malformed()));
      client.Send(response);
      // What comes behind it shows that it has been looked at.
      ASSERT_TRUE(client.Ask(Query("last.example.")));
      sent += 20 + 6;
    }
  };
  ASSERT_NO_FATAL_FAILURE(load(false));
  ASSERT_NO_FATAL_FAILURE(load(true));

  const QueryTotals queries = service_->Statistics().queries;
  EXPECT_EQ(QueriesReceived(queries), sent);
  EXPECT_EQ(QueriesEnded(queries), sent);
  // Addresses are asked for upstream once a name; the server has no MX, and what it says instead is not kept.
  EXPECT_EQ(queries.of(QueryEnd::kForwarded), 20U + 100 + 1);
  EXPECT_EQ(queries.of(QueryEnd::kHits), 80U + 9);
  EXPECT_EQ(queries.of(QueryEnd::kLocal), 10U);
  EXPECT_EQ(queries.of(QueryEnd::kRefused), 20U);
  EXPECT_EQ(queries.of(QueryEnd::kMalformed), 10U);
  EXPECT_EQ(queries.of(QueryEnd::kDropped), 10U);
  EXPECT_EQ(queries.of(QueryEnd::kStale), 0U);
  const auto of_type = [&queries](Transport transport, uint16_t type) {
    return queries.queries[static_cast<size_t>(transport)][PlaceOfType(type)];
  };
  EXPECT_EQ(of_type(Transport::kUdp, rr_type::kMx), 50U);
  EXPECT_EQ(of_type(Transport::kTcp, rr_type::kMx), 50U);
  EXPECT_EQ(of_type(Transport::kUdp, rr_type::kTxt), 5U);
  EXPECT_EQ(of_type(Transport::kTls, rr_type::kA), 0U);
  // A reply was made for each but those that were owed none, and its time was taken.
  uint64_t replies = 0;
  for (const uint64_t count : queries.replies) replies += count;
  uint64_t durations = 0;
  for (const DurationTotals& of_source : queries.durations) durations += of_source.count();
  EXPECT_EQ(replies, sent - 10);
  EXPECT_EQ(durations, sent - 10);
  EXPECT_EQ(queries.durations[static_cast<size_t>(AnswerSource::kUpstream)].count(), 121U);
  EXPECT_EQ(queries.durations[static_cast<size_t>(AnswerSource::kCache)].count(), 89U);
}

}  // namespace
}  // namespace dotward
