#include "upstream/datagram_upstream.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "testing/loopback/loopback_udp_server.h"
#include "testing/messages.h"
#include "testing/run_until.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Replies = std::vector<LoopbackReply>;

// The same server over TCP: answers every question with an address that UDP never gives.
class TcpStandIn final : public UpstreamServer {
 public:
  TcpStandIn(asio::io_context& loop, Timeouts& timeouts, const Endpoint& endpoint)
      : UpstreamServer(loop, timeouts, std::make_shared<const std::string>("test"), endpoint, QueryTransport::kTcp) {}

  void Start(Attempt& attempt, SteadyTime now) override {
    attempt.started_at = now;
    std::array<uint8_t, kBuiltQueryOctetsMax> query;
    const size_t octets = attempt.query().Write(0, query);
    asked.emplace_back(query.begin(), query.begin() + static_cast<ptrdiff_t>(octets));
    UpstreamResponse response;
    response.octets = PositiveAnswerTo(asked.back(), 60, {A("192.0.2.99")});
    response.upstream = record_.name;
    response.received_at = now;
    attempt.CompleteUnparsed(std::move(response), record_);
  }
  Readiness Tend(SteadyTime /*now*/, Urgency /*urgency*/) override { return Readiness::kReady; }
  bool Connected() const override { return true; }
  void NetworkChanged(SteadyTime /*now*/) override {}
  void Close() override { closed = true; }
  Task<> Join() override { co_return; }

  std::vector<Octets> asked;
  bool closed = false;

 private:
  void AddToSnapshot(UpstreamSnapshot& /*snapshot*/) const override {}
};

struct Asked {
  UpstreamQuery query;
  std::optional<absl::StatusOr<UpstreamResponse>> result;

  bool done() const { return result.has_value(); }
  bool answered() const { return done() && result->ok(); }
  std::string text() const { return std::string(MessageOf(result->status())); }
  // The address in the answer.
  std::string address() const { return MustReadMessage((*result)->octets).answers.at(0).data_text; }
};

class DatagramUpstreamTest : public testing::Test {
 protected:
  static constexpr seconds kDeadline{20};       // of a query that is going to be answered
  static constexpr Duration kNever = hours(1);  // an interval that no test lives to see

  ~DatagramUpstreamTest() override {
    if (upstream_ != nullptr) upstream_->Close();
    timeouts_.Close();
    bool joined = false;
    TaskGroup joiner(loop_);
    joiner.Spawn(JoinAll(joined));
    EXPECT_TRUE(RunUntil([&] { return joined && joiner.running() == 0; })) << "something still runs after Close";
    EXPECT_EQ(timeouts_.size(), 0U);
  }

  DatagramUpstream& Make(const Endpoint& endpoint, Duration retry_min = kNever) {
    auto tcp = std::make_unique<TcpStandIn>(loop_, timeouts_, endpoint);
    tcp_ = tcp.get();
    DatagramUpstream::Options options;
    options.name = std::make_shared<const std::string>("test");
    options.endpoint = endpoint;
    options.retry_min = retry_min;
    upstream_ = std::make_unique<DatagramUpstream>(loop_, timeouts_, std::move(options), std::move(tcp));
    return *upstream_;
  }

  Asked& Ask(std::string_view name, Duration patience = kDeadline) {
    Asked& asked = asked_.emplace_back();
    asked.query.name = Name::Parse(name).value();
    asked.query.type = rr_type::kA;
    tasks_.Spawn(Exchange(*upstream_, asked, Deadline::After(std::chrono::steady_clock::now(), patience)));
    return asked;
  }
  Asked& AskAndWait(std::string_view name, Duration patience = kDeadline) {
    Asked& asked = Ask(name, patience);
    EXPECT_TRUE(RunUntil([&] { return asked.done(); })) << name;
    return asked;
  }

  bool RunUntil(const std::function<bool()>& condition) { return dotward::RunUntil(loop_, condition); }
  bool RunUntilQueries(const LoopbackUdpServer& server, uint64_t count) {
    return RunUntil([&] { return server.counters().queries >= count; });
  }

  asio::io_context loop_;
  Timeouts timeouts_{loop_};
  std::unique_ptr<DatagramUpstream> upstream_;
  TcpStandIn* tcp_ = nullptr;
  std::list<Asked> asked_;
  TaskGroup tasks_{loop_};

 private:
  static Task<> Exchange(Upstream& upstream, Asked& asked, Deadline deadline) {
    absl::StatusOr<UpstreamResponse> result = co_await upstream.Exchange(asked.query, deadline);
    asked.result.emplace(std::move(result));
  }
  Task<> JoinAll(bool& joined) {
    co_await tasks_.Join();
    if (upstream_ != nullptr) co_await upstream_->Join();
    co_await timeouts_.Join();
    joined = true;
  }
};

Octets Forged(OctetView query) { return PositiveAnswerTo(query, 60, {A("192.0.2.66")}); }
Octets WithOtherId(const Octets& query) { return WithId(query, static_cast<uint16_t>((query[0] << 8 | query[1]) + 1)); }

TEST_F(DatagramUpstreamTest, AsksPlainlyAndIsAnswered) {
  LoopbackUdpServer server;
  Make(server.endpoint());
  const Asked& asked = AskAndWait("www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.address(), "192.0.2.1");
  EXPECT_FALSE((*asked.result)->authenticated);
  EXPECT_EQ(*(*asked.result)->upstream, "test");
  const std::vector<LoopbackDatagram> queries = server.queries();
  ASSERT_EQ(queries.size(), 1U);
  const MessageRead query = MustReadMessage(queries[0].message);
  EXPECT_EQ(query.questions.at(0).name, "www.example.");
  // No padding and no keepalive over UDP (RFC 7828 §3.2.1): header, question, bare OPT.
  EXPECT_EQ(queries[0].message.size(), 12U + 13U + 4U + 11U);
  EXPECT_EQ(upstream_->record().counters.queries.value(), 1U);
  EXPECT_EQ(upstream_->record().counters.responses.value(), 1U);
  EXPECT_TRUE(upstream_->Connected());
}

TEST_F(DatagramUpstreamTest, AsksOverIpv6) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) { return Replies{PositiveAnswerTo(query.message)}; },
                           IpAddress::Parse("::1").value());
  Make(server.endpoint());
  EXPECT_TRUE(AskAndWait("www.example.").answered());
}

// RFC 5452 §9.2. What can be predicted would show as a small set, or as steps.
TEST_F(DatagramUpstreamTest, PromiseR2PortsAndIdsAreRandom) {
  constexpr size_t kQueries = 512;
  LoopbackUdpServer server;
  Make(server.endpoint());
  for (size_t i = 0; i < kQueries; ++i) ASSERT_TRUE(AskAndWait(StrCat("q", i, ".example.")).answered());
  std::set<int> ports;
  std::set<int> ids;
  size_t port_steps = 0;
  size_t id_steps = 0;
  int last_port = 0;
  int last_id = 0;
  for (const LoopbackDatagram& query : server.queries()) {
    const int port = query.client.port;
    const int id = query.message[0] << 8 | query.message[1];
    if (std::abs(port - last_port) <= 4) ++port_steps;
    if (std::abs(id - last_id) <= 4) ++id_steps;
    ports.insert(last_port = port);
    ids.insert(last_id = id);
  }
  std::printf("[          ] %zu queries: %zu ports from %d to %d, %zu IDs, %zu and %zu near the one before\n", kQueries,
              ports.size(), *ports.begin(), *ports.rbegin(), ids.size(), port_steps, id_steps);
  // Of 28,000 ports about 5 in 512 are met twice, of 65,536 IDs about 2; near the one before are 0.2.
  EXPECT_GT(ports.size(), kQueries - 40);
  EXPECT_GT(ids.size(), kQueries - 20);
  EXPECT_LT(port_steps, 8U);
  EXPECT_LT(id_steps, 8U);
  EXPECT_GT(*ports.rbegin() - *ports.begin(), 20'000);
}

TEST_F(DatagramUpstreamTest, PromiseR1WhatDoesNotAnswerTheQuestionIsIgnored) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) {
    Octets no_response = Forged(query.message);
    no_response[2] &= 0x7f;
    Octets other_opcode = Forged(query.message);
    other_opcode[2] |= 0x20;
    Octets other_name = Forged(query.message);
    other_name[kHeaderOctets + 1] ^= 0x01;
    Octets other_type = Forged(query.message);
    other_type[kHeaderOctets + 14] = rr_type::kTxt;
    return Replies{
        WithOtherId(Forged(query.message)), no_response, other_opcode, other_name, other_type, Octets{1, 2, 3},
        PositiveAnswerTo(query.message)};
  });
  Make(server.endpoint());
  const Asked& asked = AskAndWait("www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.address(), "192.0.2.1");
  EXPECT_EQ(upstream_->record().counters.mismatched.value(), 6U);
  EXPECT_EQ(server.counters().queries, 1U);
  EXPECT_TRUE(tcp_->asked.empty());
}

TEST_F(DatagramUpstreamTest, DatagramsFromAnotherSourceAreNotSeen) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) {
    return Replies{LoopbackReply(Forged(query.message)).FromElsewhere(), PositiveAnswerTo(query.message)};
  });
  Make(server.endpoint());
  const Asked& asked = AskAndWait("www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.address(), "192.0.2.1");
  EXPECT_EQ(upstream_->record().counters.mismatched.value(), 0U);
}

TEST_F(DatagramUpstreamTest, GuessingAtIdsDrivesTheQuestionToTcp) {
  const auto guess = [](size_t times) {
    return [times](const LoopbackDatagram& query) {
      Replies replies;
      for (size_t i = 0; i < times; ++i) replies.emplace_back(WithOtherId(Forged(query.message)));
      replies.emplace_back(PositiveAnswerTo(query.message));
      return replies;
    };
  };
  LoopbackUdpServer server(guess(Limits::kDatagramMismatchesMax));
  Make(server.endpoint());
  EXPECT_EQ(AskAndWait("below.example.").address(), "192.0.2.1");
  EXPECT_TRUE(tcp_->asked.empty());
  server.SetScript(guess(Limits::kDatagramMismatchesMax + 1));
  EXPECT_EQ(AskAndWait("above.example.").address(), "192.0.2.99");
  EXPECT_EQ(tcp_->asked.size(), 1U);
}

TEST_F(DatagramUpstreamTest, ATruncatedAnswerIsFetchedOverTcp) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) { return Replies{TruncatedAnswerTo(query.message)}; });
  Make(server.endpoint());
  const Asked& asked = AskAndWait("www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.address(), "192.0.2.99");
  ASSERT_EQ(tcp_->asked.size(), 1U);
  EXPECT_EQ(MustReadMessage(tcp_->asked[0]).questions.at(0).name, "www.example.");
  EXPECT_EQ(upstream_->record().counters.queries.value(), 1U);
  EXPECT_EQ(upstream_->Snapshot().responses, 1U);
}

TEST_F(DatagramUpstreamTest, PromiseX5WhatCannotBeReadDoesNotEndTheQuery) {
  const std::vector<std::function<Octets(const Octets&)>> malformed = {
      // The counts promise a record that is not there.
      [](const Octets& query) {
        Octets response = PositiveAnswerTo(query);
        response[7] = 2;
        return response;
      },
      // An error without a question.
      [](const Octets& query) { return Octets{query[0], query[1], 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0}; },
      // Longer than anything that was asked for.
      [](const Octets& query) {
        std::vector<Rdata> rdata;
        for (int i = 0; i < 20; ++i) rdata.push_back(Txt(std::string(250, static_cast<char>('a' + i))));
        return PositiveAnswerTo(query, 60, rdata);
      }};
  LoopbackUdpServer server;
  Make(server.endpoint());
  for (const auto& make : malformed) {
    server.SetScript([make](const LoopbackDatagram& query) { return Replies{make(query.message)}; });
    const Asked& asked = AskAndWait("www.example.");
    ASSERT_TRUE(asked.answered()) << asked.text();
    EXPECT_EQ(asked.address(), "192.0.2.99");
  }
  EXPECT_EQ(tcp_->asked.size(), 3U);
  EXPECT_EQ(upstream_->record().counters.malformed.value(), 3U);
}

TEST_F(DatagramUpstreamTest, ALostDatagramIsSentAgainFromANewPortUnderANewId) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) {
    return query.number == 0 ? Replies{} : Replies{PositiveAnswerTo(query.message)};
  });
  Make(server.endpoint(), milliseconds(5));
  ASSERT_TRUE(AskAndWait("www.example.").answered());
  const std::vector<LoopbackDatagram> queries = server.queries();
  ASSERT_EQ(queries.size(), 2U);
  EXPECT_NE(queries[0].client, queries[1].client);
  EXPECT_NE(std::make_pair(queries[0].message[0], queries[0].message[1]),
            std::make_pair(queries[1].message[0], queries[1].message[1]));
  EXPECT_EQ(upstream_->record().counters.queries.value(), 1U);
  EXPECT_EQ(upstream_->record().counters.retried.value(), 1U);
}

TEST_F(DatagramUpstreamTest, AnAnswerToAnEarlierSendReachesNobody) {
  // When the second datagram has come, the first one's port gets a forged answer, which nobody may see.
  auto first = std::make_shared<LoopbackDatagram>();
  LoopbackUdpServer server([first](const LoopbackDatagram& query) {
    if (query.number == 0) {
      *first = query;
      return Replies{};
    }
    return Replies{LoopbackReply(Forged(first->message)).To(first->client), PositiveAnswerTo(query.message)};
  });
  Make(server.endpoint(), milliseconds(5));
  const Asked& asked = AskAndWait("www.example.");
  ASSERT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(asked.address(), "192.0.2.1");
}

TEST_F(DatagramUpstreamTest, RetransmissionIsBoundedAndSlowsDown) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  Make(server.endpoint(), milliseconds(10));
  const auto before = std::chrono::steady_clock::now();
  const Asked& asked = AskAndWait("www.example.", milliseconds(300));
  ASSERT_TRUE(asked.done());
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(asked.text().find("test 127.0.0.1:"), std::string::npos) << asked.text();
  ASSERT_TRUE(server.WaitForQueries(Limits::kDatagramSendsMax));
  const std::vector<LoopbackDatagram> queries = server.queries();
  ASSERT_EQ(queries.size(), Limits::kDatagramSendsMax);
  // 10 ms, then 20 ms: a timer never fires early.
  EXPECT_GE(queries[1].received_at - before, milliseconds(10));
  EXPECT_GE(queries[2].received_at - before, milliseconds(30));
  std::set<Endpoint> clients;
  for (const LoopbackDatagram& query : queries) clients.insert(query.client);
  EXPECT_EQ(clients.size(), queries.size());
  EXPECT_EQ(upstream_->record().counters.timeouts.value(), 1U);
}

TEST_F(DatagramUpstreamTest, TheLastSendIsWaitedForAsLongAsSomebodyAsks) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  Make(server.endpoint(), milliseconds(40));  // a probe has thrice as long
  Asked& asked = Ask("www.example.");
  ASSERT_TRUE(RunUntilQueries(server, Limits::kDatagramSendsMax));
  // Long after the last interval: a probe has been sent since, and answered.
  ASSERT_TRUE(RunUntil([&] { return upstream_->Connected(); }));
  const LoopbackDatagram last = server.queries().back();
  server.SetScript([last](const LoopbackDatagram& query) {
    return Replies{LoopbackReply(PositiveAnswerTo(last.message)).To(last.client), PositiveAnswerTo(query.message)};
  });
  EXPECT_FALSE(asked.done());
  AskAndWait("another.example.");
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_TRUE(asked.answered()) << asked.text();
}

TEST_F(DatagramUpstreamTest, ARefusedPortFailsTheQueryAtOnceAndSaysSo) {
  LoopbackUdpServer server;
  server.StopListening();
  Make(server.endpoint());
  const Asked& asked = AskAndWait("www.example.");
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(asked.text(), StrCat("test ", server.endpoint().ToString(), ": cannot be reached: Connection refused"));
  EXPECT_EQ(upstream_->Snapshot().state, UpstreamState::kFailing);
  EXPECT_EQ(upstream_->Snapshot().last_error, asked.text());
  EXPECT_EQ(upstream_->Tend(std::chrono::steady_clock::now(), UpstreamServer::Urgency::kOthersServe),
            UpstreamServer::Readiness::kResting);
  EXPECT_TRUE(tcp_->asked.empty());
}

TEST_F(DatagramUpstreamTest, ANetworkThatCannotBeReachedFailsTheQueryAtOnce) {
  // An address of the kind that is never routed.
  Make({IpAddress::V4({255, 255, 255, 255}), 53});
  const Asked& asked = AskAndWait("www.example.");
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(asked.text().find("test 255.255.255.255:53: cannot be reached: "), std::string::npos) << asked.text();
}

TEST_F(DatagramUpstreamTest, PromiseU7IsInUseSoonAfterItReturns) {
  LoopbackUdpServer server;
  Make(server.endpoint());
  ASSERT_TRUE(AskAndWait("before.example.").answered());
  server.StopListening();
  ASSERT_FALSE(AskAndWait("during.example.").answered());
  // Clients go on asking: they fail at once, and probes see after the server.
  const auto down_until = std::chrono::steady_clock::now() + milliseconds(1500);
  size_t failed = 0;
  while (std::chrono::steady_clock::now() < down_until) {
    const auto asked_at = std::chrono::steady_clock::now();
    ASSERT_FALSE(AskAndWait("during.example.").answered());
    EXPECT_LT(std::chrono::steady_clock::now() - asked_at, seconds(1));
    ++failed;
  }
  EXPECT_GT(failed, 10U);
  EXPECT_LT(upstream_->record().counters.probes.value(), 20U);
  server.StartListening();
  const auto back = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil([&] { return AskAndWait("after.example.").answered(); }));
  const auto took = std::chrono::steady_clock::now() - back;
  std::printf("[          ] good answers %lld ms after the return\n",
              static_cast<long long>(std::chrono::duration_cast<milliseconds>(took).count()));
  EXPECT_LT(took, seconds(2));
}

TEST_F(DatagramUpstreamTest, NamesThatNobodyAnswersSayNothingAboutTheServer) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  Make(server.endpoint(), milliseconds(40));  // a probe has thrice as long
  for (size_t i = 0; i < 50; ++i) Ask(StrCat("q", i, ".dead.example."));
  ASSERT_TRUE(RunUntilQueries(server, 50 * Limits::kDatagramSendsMax));
  ASSERT_TRUE(RunUntil([&] { return upstream_->Connected(); }));
  EXPECT_EQ(upstream_->Tend(std::chrono::steady_clock::now(), UpstreamServer::Urgency::kOthersServe),
            UpstreamServer::Readiness::kReady);
  EXPECT_GE(server.counters().probes, 1U);
  server.SetScript([](const LoopbackDatagram& query) { return Replies{PositiveAnswerTo(query.message)}; });
  EXPECT_TRUE(AskAndWait("www.example.").answered());
}

TEST_F(DatagramUpstreamTest, AServerThatAnswersNothingAtAllFailsAndIsProbedSparingly) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  server.AnswerProbes(false);
  Make(server.endpoint(), milliseconds(2));
  Ask("www.example.");
  ASSERT_TRUE(RunUntil([&] { return upstream_->Snapshot().state == UpstreamState::kFailing; }));
  EXPECT_NE(upstream_->Snapshot().last_error.find("not even to \". NS\""), std::string::npos);
  const uint64_t queries = server.counters().queries;
  const Asked& failed = AskAndWait("another.example.");
  EXPECT_EQ(failed.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.counters().queries, queries) << "it was asked although it fails";
  server.AnswerProbes(true);
  server.SetScript([](const LoopbackDatagram& query) { return Replies{PositiveAnswerTo(query.message)}; });
  ASSERT_TRUE(RunUntil([&] { return AskAndWait("after.example.").answered(); }));
}

TEST_F(DatagramUpstreamTest, AnswersToOldQueriesClearAServerThatFails) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  server.AnswerProbes(false);
  Make(server.endpoint(), milliseconds(2));
  Asked& slow = Ask("slow.example.");
  ASSERT_TRUE(RunUntil([&] { return upstream_->Snapshot().state == UpstreamState::kFailing; }));
  EXPECT_FALSE(slow.done()) << "who waits already goes on waiting";
  ASSERT_TRUE(server.WaitForQueries(Limits::kDatagramSendsMax));
  const LoopbackDatagram last = server.queries().back();
  // The next probe lets the server speak.
  server.AnswerProbes(true);
  ASSERT_TRUE(RunUntil([&] {
    upstream_->Tend(std::chrono::steady_clock::now(), UpstreamServer::Urgency::kNobodyElse);
    return upstream_->Connected();
  }));
  server.SetScript([last](const LoopbackDatagram& query) {
    return Replies{LoopbackReply(PositiveAnswerTo(last.message)).To(last.client), PositiveAnswerTo(query.message)};
  });
  EXPECT_TRUE(AskAndWait("www.example.").answered());
  ASSERT_TRUE(RunUntil([&] { return slow.done(); }));
  EXPECT_TRUE(slow.answered());
}

TEST_F(DatagramUpstreamTest, PromiseU6AChangeOfTheNetworkSendsWhatIsUnderWayAgain) {
  LoopbackUdpServer server([](const LoopbackDatagram& query) {
    return query.number == 0 ? Replies{} : Replies{PositiveAnswerTo(query.message)};
  });
  Make(server.endpoint());  // which would never send again by itself
  Asked& asked = Ask("www.example.");
  ASSERT_TRUE(RunUntilQueries(server, 1));
  upstream_->NetworkChanged(std::chrono::steady_clock::now());
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_TRUE(asked.answered()) << asked.text();
  EXPECT_EQ(server.counters().queries, 2U);
}

TEST_F(DatagramUpstreamTest, AChangeOfTheNetworkForgetsAFailure) {
  LoopbackUdpServer server;
  server.StopListening();
  Make(server.endpoint());
  ASSERT_FALSE(AskAndWait("www.example.").answered());
  server.StartListening();
  upstream_->NetworkChanged(std::chrono::steady_clock::now());
  EXPECT_TRUE(AskAndWait("www.example.").answered());
}

TEST_F(DatagramUpstreamTest, SocketsAreBoundedAndWhoWaitsForOneGetsItsTurn) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < Limits::kDatagramsInFlightMax + 100) GTEST_SKIP() << "too few files may be open";

  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  Make(server.endpoint());
  constexpr size_t kMore = 10;
  for (size_t i = 0; i < Limits::kDatagramsInFlightMax + kMore; ++i) Ask(StrCat("q", i, ".example."));
  ASSERT_TRUE(RunUntil([&] { return upstream_->Snapshot().in_flight == Limits::kDatagramsInFlightMax + kMore; }));
  ASSERT_TRUE(RunUntilQueries(server, Limits::kDatagramsInFlightMax));
  EXPECT_EQ(server.counters().queries, Limits::kDatagramsInFlightMax);

  for (size_t i = kMore; i < Limits::kDatagramsWaitingMax; ++i) Ask("waits.example.");
  Asked& too_many = AskAndWait("too-many.example.");
  EXPECT_EQ(too_many.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(too_many.text().find("too many queries wait"), std::string::npos) << too_many.text();

  // Those that are answered make room for those that wait.
  server.SetScript([](const LoopbackDatagram& query) { return Replies{PositiveAnswerTo(query.message)}; });
  upstream_->NetworkChanged(std::chrono::steady_clock::now());
  ASSERT_TRUE(RunUntil([&] { return upstream_->Snapshot().in_flight == 0 && tasks_.running() == 0; }));
  size_t answered = 0;
  for (const Asked& asked : asked_) answered += asked.answered() ? size_t{1} : size_t{0};
  EXPECT_EQ(answered, asked_.size() - 1);
}

TEST_F(DatagramUpstreamTest, CloseEndsWhatWaitsAndWhatComes) {
  LoopbackUdpServer server(LoopbackUdpServer::Silence());
  Make(server.endpoint());
  Asked& asked = Ask("www.example.");
  ASSERT_TRUE(RunUntilQueries(server, 1));
  upstream_->Close();
  EXPECT_TRUE(tcp_->closed);
  ASSERT_TRUE(RunUntil([&] { return asked.done(); }));
  EXPECT_EQ(asked.result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(AskAndWait("later.example.").result->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.counters().queries, 1U);
}

}  // namespace
}  // namespace dotward
