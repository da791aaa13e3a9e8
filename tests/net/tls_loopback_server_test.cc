// LoopbackDotServer itself: what the tests of higher layers take for granted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "net/stream_framing.h"
#include "net/tls_stream.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

using Action = LoopbackAction;
using Actions = std::vector<LoopbackAction>;
using Counters = LoopbackDotServer::Counters;

// A client that asks and reads frame by frame.
class LoopbackDotServerTest : public ::testing::Test {
 protected:
  std::unique_ptr<TlsStream> Connect(const LoopbackDotServer& server) {
    auto credentials = TlsClientCredentials::Create(server.ca_file());
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    auto stream =
        RunTask(loop_, TlsStream::Connect(loop_, {*credentials, server.auth_name(), server.endpoint(), {}, nullptr},
                                          Deadline::After(std::chrono::steady_clock::now(), std::chrono::seconds(20))));
    EXPECT_TRUE(stream.ok()) << stream.status();
    frames_ = FrameReader();
    return stream.ok() ? *std::move(stream) : nullptr;
  }
  void Ask(TlsStream& stream, uint16_t id) {
    const Octets query = Framed(MessageBuilder::Query(id, "www.example.", rr_type::kA).Build());
    EXPECT_TRUE(RunTask(loop_, stream.Write(query)).ok());
  }
  // Empty at the end of the stream, and on an error.
  Octets NextFrame(TlsStream& stream) {
    while (true) {
      if (const auto message = frames_.Next()) return {message->begin(), message->end()};
      const absl::StatusOr<size_t> read = RunTask(loop_, stream.Read(frames_.Space()));
      if (!read.ok() || *read == 0) return {};
      frames_.Commit(*read);
    }
  }
  uint16_t NextId(TlsStream& stream) { return MustReadMessage(NextFrame(stream)).id; }

  asio::io_context loop_{1};
  FrameReader frames_;
};

TEST_F(LoopbackDotServerTest, AnswersPositivelyUnlessToldOtherwise) {
  const LoopbackDotServer server;
  const auto stream = Connect(server);
  Ask(*stream, 7);
  const MessageRead reply = MustReadMessage(NextFrame(*stream));
  EXPECT_EQ(reply.id, 7);
  ASSERT_EQ(reply.answers.size(), 1U);
  EXPECT_EQ(reply.answers[0].name, "www.example.");
  EXPECT_EQ(reply.answers[0].data_text, "192.0.2.1");
  EXPECT_EQ(reply.answers[0].ttl, 300U);
  EXPECT_EQ(server.counters().queries, 1U);
  EXPECT_EQ(server.queries().at(0).message, MessageBuilder::Query(7, "www.example.", rr_type::kA).Build());
}

TEST_F(LoopbackDotServerTest, RepliesMayWaitForAnEventAndOvertake) {
  LoopbackDotServer server([](const LoopbackQuery& query) {
    Action reply = Action::Reply(FailureAnswerTo(query.message));
    if (query.number == 0) return Actions{std::move(reply).After("late")};
    return Actions{std::move(reply)};
  });
  const auto stream = Connect(server);
  Ask(*stream, 1);
  Ask(*stream, 2);
  EXPECT_EQ(NextId(*stream), 2);
  server.Fire("late");
  EXPECT_EQ(NextId(*stream), 1);
  Ask(*stream, 3);
  EXPECT_EQ(NextId(*stream), 3);
}

TEST_F(LoopbackDotServerTest, EventThatWasFiredStaysFired) {
  LoopbackDotServer server(
      [](const LoopbackQuery& query) { return Actions{Action::Reply(FailureAnswerTo(query.message)).After("go")}; });
  server.Fire("go");
  const auto stream = Connect(server);
  Ask(*stream, 1);
  EXPECT_EQ(NextId(*stream), 1);
}

TEST_F(LoopbackDotServerTest, FrameMayBeFinishedAtTheNextQuery) {
  const LoopbackDotServer server([](const LoopbackQuery& query) {
    const Octets frame = Framed(FailureAnswerTo(query.message));
    if (query.number != 0) return Actions{Action::Raw(frame)};
    const auto half = frame.begin() + 9;
    return Actions{Action::Raw({frame.begin(), half}), Action::Raw({half, frame.end()}).AtNextQuery()};
  });
  const auto stream = Connect(server);
  Ask(*stream, 1);
  ASSERT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.replies == 1; }));
  Ask(*stream, 2);
  EXPECT_EQ(NextId(*stream), 1);
  EXPECT_EQ(NextId(*stream), 2);
}

TEST_F(LoopbackDotServerTest, ListeningStopsAndStartsOnTheSamePort) {
  LoopbackDotServer server;
  const Endpoint endpoint = server.endpoint();
  const auto open = Connect(server);
  server.StopListening();
  auto refused = RunTask(
      loop_,
      TlsStream::Connect(loop_, {*TlsClientCredentials::Create(server.ca_file()), "dns.test", endpoint, {}, nullptr},
                         Deadline::After(std::chrono::steady_clock::now(), std::chrono::seconds(20))));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  Ask(*open, 1);
  EXPECT_EQ(NextId(*open), 1) << "connections that are open stay";
  server.StartListening();
  EXPECT_EQ(server.endpoint(), endpoint);
  const auto again = Connect(server);
  Ask(*again, 2);
  EXPECT_EQ(NextId(*again), 2);
}

TEST_F(LoopbackDotServerTest, ConnectionsCanBeClosedInEachWay) {
  LoopbackDotServer server;
  uint64_t closed = 0;
  for (const auto how : {Action::Kind::kClose, Action::Kind::kCloseWithoutNotify, Action::Kind::kReset}) {
    const auto stream = Connect(server);
    Ask(*stream, 1);
    EXPECT_EQ(NextId(*stream), 1);
    server.CloseAllConnections(how);
    Octets buffer(16);
    const absl::StatusOr<size_t> read = RunTask(loop_, stream->Read(buffer));
    if (how == Action::Kind::kReset) {
      EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
    } else {
      EXPECT_TRUE(read.ok() && *read == 0);
    }
    ++closed;
    EXPECT_TRUE(server.WaitUntil([&](const Counters& counters) { return counters.closed_connections == closed; }));
  }
}

TEST_F(LoopbackDotServerTest, RepliesAheadOfACloseAllArrive) {
  const LoopbackDotServer server([](const LoopbackQuery& query) {
    if (query.number < 2) return Actions{};
    return Actions{Action::ReplyTogether({FailureAnswerTo(query.message), FailureAnswerTo(query.message)}),
                   Action::Close()};
  });
  const auto stream = Connect(server);
  for (uint16_t id = 1; id <= 5; ++id) Ask(*stream, id);
  EXPECT_EQ(NextId(*stream), 3);
  EXPECT_EQ(NextId(*stream), 3);
  EXPECT_TRUE(NextFrame(*stream).empty());
}

TEST_F(LoopbackDotServerTest, WhatAResolverAsksForItsOwnSakeIsCountedApart) {
  std::vector<Octets> probes;
  for (const char* name : {"abc.Loop-Check.example.com.", "x.y.loop-check.EXAMPLE.com."}) {
    probes.push_back(MessageBuilder::Query(1, name, rr_type::kA).WithEdns({}).Build());
  }
  probes.push_back(MessageBuilder::Query(1, ".", rr_type::kNs).WithEdns({}).Build());
  const LoopbackDotServer server([](const LoopbackQuery& query) {
    EXPECT_EQ(query.number, 0U);
    return Actions{Action::Reply(PositiveAnswerTo(query.message))};
  });
  const auto stream = Connect(server);
  for (const Octets& probe : probes) {
    EXPECT_TRUE(RunTask(loop_, stream->Write(Framed(probe))).ok());
    const MessageRead reply = MustReadMessage(NextFrame(*stream));
    const bool root = reply.questions.at(0).name == ".";
    EXPECT_EQ(reply.rcode, root ? 0 : 3);
    EXPECT_EQ(reply.answers.size(), root ? 1U : 0U);
    EXPECT_EQ(reply.authorities.size(), root ? 0U : 1U);
  }
  Ask(*stream, 7);
  EXPECT_EQ(NextId(*stream), 7);
  EXPECT_EQ(server.counters().probes, 3U);
  EXPECT_EQ(server.counters().queries, 1U);
  EXPECT_EQ(server.queries().at(0).total, 0U);
}

TEST_F(LoopbackDotServerTest, ProbesAreQueriesWhereAScriptWantsThem) {
  const LoopbackDotServer server({}, {.script_answers_probes = true});
  const auto stream = Connect(server);
  const Octets probe = MessageBuilder::Query(1, "x.loop-check.example.com.", rr_type::kA).Build();
  EXPECT_TRUE(RunTask(loop_, stream->Write(Framed(probe))).ok());
  EXPECT_EQ(NextId(*stream), 1);
  EXPECT_EQ(server.counters().probes, 0U);
  EXPECT_EQ(server.counters().queries, 1U);
}

TEST_F(LoopbackDotServerTest, ReplyMayCarryAKeepalive) {
  const LoopbackDotServer server([](const LoopbackQuery& query) {
    return Actions{Action::Reply(WithOption(PositiveAnswerTo(query.message), KeepaliveOption(25)))};
  });
  const auto stream = Connect(server);
  const Octets query = MessageBuilder::Query(7, "www.example.", rr_type::kA).WithEdns({}).Build();
  EXPECT_TRUE(RunTask(loop_, stream->Write(Framed(query))).ok());
  const MessageRead reply = MustReadMessage(NextFrame(*stream));
  ASSERT_NE(reply.FindOption(edns_option::kKeepalive), nullptr);
  EXPECT_EQ(reply.FindOption(edns_option::kKeepalive)->data, Octets({0, 25}));
}

TEST_F(LoopbackDotServerTest, RepliesWithDelaysAtRandomOvertakeAndNoneIsLost) {
  LoopbackDotServer server;
  server.SetManner({.delay_min = std::chrono::milliseconds(1), .delay_max = std::chrono::milliseconds(50)});
  const auto stream = Connect(server);
  std::vector<uint16_t> asked, answered;
  for (uint16_t id = 0; id < 100; ++id) {
    asked.push_back(id);
    Ask(*stream, id);
  }
  for (size_t i = 0; i < asked.size(); ++i) answered.push_back(NextId(*stream));
  EXPECT_NE(answered, asked);
  EXPECT_THAT(answered, ::testing::UnorderedElementsAreArray(asked));
}

TEST_F(LoopbackDotServerTest, AShareOfTheQueriesIsLostTheSameInEveryRun) {
  std::vector<uint64_t> lost;
  for (int run = 0; run < 2; ++run) {
    LoopbackDotServer server;
    server.SetManner({.lost_share = 0.1, .seed = 5});
    const auto stream = Connect(server);
    for (uint16_t id = 0; id < 500; ++id) Ask(*stream, id);
    ASSERT_TRUE(server.WaitForQueries(500));
    ASSERT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.replies + counters.lost == 500; }));
    lost.push_back(server.counters().lost);
  }
  EXPECT_EQ(lost[0], lost[1]);
  EXPECT_GT(lost[0], 20U);
  EXPECT_LT(lost[0], 90U);
}

TEST_F(LoopbackDotServerTest, SilenceIsKeptByOpenConnectionsOrByAll) {
  LoopbackDotServer server;
  const auto silent = Connect(server);
  Ask(*silent, 1);
  EXPECT_EQ(NextId(*silent), 1);
  server.SetSilence(LoopbackSilence::kOpenConnections);
  Ask(*silent, 2);
  ASSERT_TRUE(server.WaitForQueries(2));
  const auto fresh = Connect(server);
  Ask(*fresh, 3);
  EXPECT_EQ(NextId(*fresh), 3);
  server.SetSilence(LoopbackSilence::kAll);
  const auto later = Connect(server);
  Ask(*fresh, 4);
  Ask(*later, 5);
  ASSERT_TRUE(server.WaitForQueries(5));
  EXPECT_EQ(server.counters().replies, 2U);
  EXPECT_EQ(server.counters().lost, 3U);
  server.SetSilence(LoopbackSilence::kNone);
  Ask(*silent, 6);
  EXPECT_EQ(NextId(*silent), 6);
}

TEST_F(LoopbackDotServerTest, IdleConnectionsAreClosed) {
  LoopbackDotServer server;
  server.SetManner({.idle_close = std::chrono::milliseconds(100)});
  const auto stream = Connect(server);
  const auto start = std::chrono::steady_clock::now();
  Ask(*stream, 1);
  EXPECT_EQ(NextId(*stream), 1);
  EXPECT_TRUE(NextFrame(*stream).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

TEST_F(LoopbackDotServerTest, StopEndsWhateverIsUnderWay) {
  LoopbackDotServer server([](const LoopbackQuery&) { return Actions{}; });
  const auto waiting = Connect(server);
  Ask(*waiting, 1);
  ASSERT_TRUE(server.WaitForQueries(1));
  server.Stop();
  EXPECT_TRUE(NextFrame(*waiting).empty());
  EXPECT_EQ(server.counters().queries, 1U);
  server.Stop();
}

}  // namespace
}  // namespace dotward
