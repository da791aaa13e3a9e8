#include "server/stream_listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/strings.h"
#include "server/fake_query_handler.h"
#include "server/loopback_clients.h"
#include "server/tcp_listen.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

using ::std::chrono::milliseconds;

Task<> StopAndMark(StreamListener& listener, bool& stopped) {
  co_await listener.Stop();
  stopped = true;
}

// Time stands still unless a test moves it: then no deadline passes by itself, however slow the machine. The watch
// looks at the clock as often as the shortest patience says, so that a move shows soon.
class StreamListenerTest : public testing::Test {
 protected:
  static constexpr StreamPatience kPatience{.idle = milliseconds(20),
                                            .message = milliseconds(15),
                                            .write = milliseconds(10),
                                            .linger = milliseconds(5),
                                            .drain = milliseconds(50)};

  explicit StreamListenerTest(const ConnectionLimiter::Options& limits = {.total_max = 20, .per_client_max = 10},
                              std::string_view address = "127.0.0.1")
      : limiter_(limits),
        listener_(std::make_unique<StreamListener>(context_,
                                                   ListenTcp(EndpointAt(address, 0), PortSharing::kExclusive).value(),
                                                   limiter_, statistics_, kPatience)) {
    listener_->Start();
  }

  const Endpoint& server() const { return listener_->local(); }
  bool RunUntilTrue(auto done) { return RunUntil(loop_, done); }
  // Lets the watches of all connections look at the clock a few times.
  void LetWatchesLook() {
    const auto end = std::chrono::steady_clock::now() + 4 * milliseconds(10);
    ASSERT_TRUE(RunUntilTrue([&] { return std::chrono::steady_clock::now() > end; }));
  }

  asio::io_context loop_;
  FakeQueryHandler handler_;
  ManualClock clock_;
  ListenerContext context_{loop_, handler_, clock_};
  StreamStatistics statistics_;
  ConnectionLimiter limiter_;
  std::unique_ptr<StreamListener> listener_;
  TaskGroup stoppers_{loop_};
};

TEST_F(StreamListenerTest, AnswersAQueryAndTellsTheHandlerWhoAsked) {
  TcpClient client(server(), "127.0.0.7");
  client.Send(Frame("now what"));
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now what"});
  EXPECT_EQ(handler_.last_client().endpoint, client.local());
  EXPECT_EQ(handler_.last_client().transport, Transport::kTcp);
  EXPECT_EQ(statistics_.accepted.value(), 1U);
  EXPECT_EQ(statistics_.open.value(), 1U);
  EXPECT_EQ(statistics_.queries.value(), 1U);
  EXPECT_EQ(statistics_.replies.value(), 1U);
}

TEST_F(StreamListenerTest, S3_ALengthPrefixMayBeSplitOverReads) {
  TcpClient client(server());
  const std::string query = Frame("now in single octets");
  for (const char octet : query) {
    client.Send({&octet, 1});
    RunReady(loop_);
  }
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now in single octets"});
}

TEST_F(StreamListenerTest, S3_PipelinedQueriesAreAllAnsweredInOrderWhereNothingWaits) {
  TcpClient client(server());
  std::string queries;
  for (int i = 0; i < 100; ++i) queries += Frame(StrCat("now ", i));
  client.Send(queries);
  const std::vector<std::string> replies = client.Replies(loop_, 100);
  EXPECT_EQ(replies.front(), "now 0");
  EXPECT_EQ(replies.back(), "now 99");
}

TEST_F(StreamListenerTest, S3_RepliesLeaveAsTheyAreReadyInAnyOrder) {
  TcpClient client(server());
  client.Send(Frame("later 1") + Frame("later 2") + Frame("now 3"));
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now 3"});
  handler_.Release("later 2");
  EXPECT_EQ(client.Replies(loop_, 2).back(), "later 2");
  handler_.Release("later 1");
  EXPECT_EQ(client.Replies(loop_, 3).back(), "later 1");
}

TEST_F(StreamListenerTest, S3_AHalfClosedClientGetsEveryReplyAndThenTheEnd) {
  TcpClient client(server());
  client.Send(Frame("later 1") + Frame("now 2") + Frame("later 3"));
  client.SendEndOfStream();
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now 2"});
  EXPECT_FALSE(client.closed());
  handler_.Release("later 3");
  EXPECT_EQ(client.Replies(loop_, 2).back(), "later 3");
  EXPECT_FALSE(client.closed());
  handler_.Release("later 1");
  EXPECT_EQ(client.Replies(loop_, 3).back(), "later 1");
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  EXPECT_FALSE(client.reset());
  ASSERT_TRUE(RunUntilTrue([&] { return statistics_.open.value() == 0; }));
  EXPECT_EQ(limiter_.open(), 0U);
}

TEST_F(StreamListenerTest, S3_AClientThatIsHalfClosedBeforeItsQueryIsWholeGetsTheEnd) {
  TcpClient client(server());
  client.Send(Frame("now 1") + Frame("now never whole").substr(0, 5));
  client.SendEndOfStream();
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  EXPECT_EQ(client.replies(), std::vector<std::string>{"now 1"});
}

TEST_F(StreamListenerTest, S3_AnIdleConnectionIsClosedAtItsTimeAndNotBefore) {
  TcpClient client(server());
  client.Send(Frame("now"));
  client.Replies(loop_, 1);
  LetWatchesLook();
  clock_.Advance(kPatience.idle - Duration(1));
  LetWatchesLook();
  EXPECT_FALSE(client.closed());
  clock_.Advance(Duration(1));
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  EXPECT_FALSE(client.reset());
  EXPECT_EQ(statistics_.idle_timeouts.value(), 1U);
}

TEST_F(StreamListenerTest, S3_EachQueryStartsTheIdleTimeAnew) {
  TcpClient client(server());
  for (size_t i = 1; i <= 5; ++i) {
    clock_.Advance(kPatience.idle - Duration(1));
    client.Send(Frame("now"));
    client.Replies(loop_, i);
    LetWatchesLook();
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(StreamListenerTest, S3_AConnectionWithAQueryThatWaitsIsNotIdle) {
  TcpClient client(server());
  client.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.waiting() == 1; }));
  clock_.Advance(std::chrono::hours(1));
  LetWatchesLook();
  EXPECT_FALSE(client.closed());
  handler_.ReleaseAll();
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"later"});
  LetWatchesLook();
  EXPECT_FALSE(client.closed()) << "the idle time starts with the reply";
}

TEST_F(StreamListenerTest, X12_AClientThatNeverSaysAnythingIsClosed) {
  TcpClient client(server());
  ASSERT_TRUE(RunUntilTrue([&] { return statistics_.open.value() == 1; }));
  clock_.Advance(kPatience.idle);
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  EXPECT_EQ(statistics_.idle_timeouts.value(), 1U);
}

TEST_F(StreamListenerTest, X12_AQueryThatTricklesInHasOneDeadlineForAllOfIt) {
  TcpClient client(server());
  const std::string query = Frame("now one octet at a time");
  for (size_t i = 0; i < 5; ++i) {
    client.Send(query.substr(i, 1));
    RunReady(loop_);
    LetWatchesLook();
    EXPECT_FALSE(client.closed());
    clock_.Advance(kPatience.message / 5);
  }
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); })) << "each octet is activity, but the query is not whole";
  EXPECT_EQ(statistics_.message_timeouts.value(), 1U);
  EXPECT_EQ(statistics_.idle_timeouts.value(), 0U);
}

TEST_F(StreamListenerTest, X12_TheDeadlineOfAQueryBeginsWithItsOwnFirstOctet) {
  TcpClient client(server());
  // Each read ends the one query and begins the next.
  const std::string query = Frame("now 1");
  client.Send(query.substr(0, 3));
  for (size_t i = 1; i <= 5; ++i) {
    RunReady(loop_);
    clock_.Advance(kPatience.message - Duration(1));
    client.Send(query.substr(3) + query.substr(0, 3));
    client.Replies(loop_, i);
    LetWatchesLook();
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(StreamListenerTest, X12_AHundredThousandQueriesOnOneConnection) {
  constexpr size_t kQueries = 100'000;
  TcpClient client(server());
  std::string queries;
  for (size_t i = 0; i < kQueries; ++i) queries += Frame("now and again, as fast as it goes");
  std::string_view rest = queries;
  size_t seen = 0;
  ASSERT_TRUE(RunUntilTrue([&] {
    rest.remove_prefix(client.SendSome(rest));
    seen = client.replies().size();
    return seen == kQueries;
  })) << seen;
  EXPECT_EQ(handler_.queries(), kQueries);
  EXPECT_TRUE(RunUntilTrue([&] { return context_.stream_output.taken() == 0; }));
}

TEST_F(StreamListenerTest, X12_AThousandQueriesThatWaitOnOneConnectionAreAllAnswered) {
  TcpClient client(server());
  for (int i = 0; i < 1000; ++i) client.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] {
    handler_.ReleaseAll();
    return client.replies().size() == 1000;
  }));
  EXPECT_EQ(context_.pending.taken(), 0U);
}

TEST_F(StreamListenerTest, S3_NoMoreQueriesOfOneConnectionWaitThanThePipelineHolds) {
  TcpClient client(server());
  for (size_t i = 0; i < Limits::kStreamPipelineMax + 10; ++i) client.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.waiting() == Limits::kStreamPipelineMax; }));
  RunReady(loop_);
  EXPECT_EQ(handler_.queries(), Limits::kStreamPipelineMax);
  handler_.Release("later");
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.queries() == Limits::kStreamPipelineMax + 1; }));
  ASSERT_TRUE(RunUntilTrue([&] {
    handler_.ReleaseAll();
    return client.replies().size() == Limits::kStreamPipelineMax + 10;
  }));
}

TEST_F(StreamListenerTest, S3_ASlowReaderCostsBoundedMemoryAndGetsEveryReplyInTheEnd) {
  constexpr size_t kQueries = 300;  // more than the kernel's buffers take
  constexpr size_t kReply = 60'000;
  TcpClient client(server(), {}, 1 << 16);
  std::string queries;
  for (size_t i = 0; i < kQueries; ++i) queries += Frame(StrCat("big ", kReply, " "));
  std::string_view rest = queries;
  size_t unread_max = 0;
  size_t quiet_turns = 0;
  size_t asked_before = 0;
  // Until the server reads no more of what is sent to it.
  ASSERT_TRUE(RunUntilTrue([&] {
    rest.remove_prefix(client.SendSome(rest));
    unread_max = std::max(unread_max, context_.stream_output.taken());
    quiet_turns = handler_.queries() == asked_before ? quiet_turns + 1 : 0;
    asked_before = handler_.queries();
    return quiet_turns == 20;
  }));
  EXPECT_LT(handler_.queries(), kQueries);
  EXPECT_GT(unread_max, Limits::kStreamOutputOctetsMax / 2);
  EXPECT_LE(unread_max, Limits::kStreamOutputOctetsMax + 65'537);
  ASSERT_TRUE(RunUntilTrue([&] {
    rest.remove_prefix(client.SendSome(rest));
    unread_max = std::max(unread_max, context_.stream_output.taken());
    return client.replies().size() == kQueries;
  }));
  EXPECT_LE(unread_max, Limits::kStreamOutputOctetsMax + 65'537);
  EXPECT_TRUE(std::ranges::all_of(client.replies(), [](const std::string& reply) { return reply.size() == kReply; }));
}

TEST_F(StreamListenerTest, X12_AClientWhoseWindowStaysShutIsClosed) {
  TcpClient client(server(), {}, 4096);
  std::string queries;
  for (int i = 0; i < 300; ++i) queries += Frame("big 60000 ");
  client.Send(queries);
  ASSERT_TRUE(RunUntilTrue([&] { return context_.stream_output.taken() >= Limits::kStreamOutputOctetsMax; }));
  LetWatchesLook();
  clock_.Advance(kPatience.write - Duration(1));
  LetWatchesLook();
  EXPECT_EQ(statistics_.write_timeouts.value(), 0U);
  // The kernels on both sides may still move a few octets, each of which is progress.
  ASSERT_TRUE(RunUntilTrue([&] {
    clock_.Advance(Duration(milliseconds(1)));
    return statistics_.open.value() == 0;
  }));
  EXPECT_EQ(statistics_.write_timeouts.value(), 1U);
  EXPECT_EQ(context_.stream_output.taken(), 0U) << "what it did not read is counted no more";
}

// Stands for connections of other clients.
class OtherHolder final : public OutputBudget::Holder {
 public:
  int given_up = 0;

 private:
  void GiveUpOutput() override { ++given_up; }
};

TEST_F(StreamListenerTest, X12_UnreadRepliesOfAllConnectionsTogetherAreBounded) {
  OtherHolder greedy;
  OtherHolder modest;
  context_.stream_output.Hold(modest, 1500);
  // As many as would hold nearly all of it together with the two.
  std::vector<OtherHolder> others(1000);
  const size_t each = (Limits::kStreamOutputPerWorkerMax - 10'000) / others.size();
  for (OtherHolder& other : others) context_.stream_output.Hold(other, each);
  context_.stream_output.Hold(greedy, 5'000);
  TcpClient client(server());
  client.Send(Frame("big 2000 "));
  EXPECT_EQ(client.Replies(loop_, 1).size(), 1U) << "it fits";
  client.Send(Frame("big 9000 "));
  EXPECT_EQ(client.Replies(loop_, 2).size(), 2U) << "who holds most makes room";
  int given_up = 0;
  for (const OtherHolder& other : others) given_up += other.given_up;
  EXPECT_EQ(given_up, 1);
  EXPECT_EQ(modest.given_up + greedy.given_up, 0);
  EXPECT_EQ(statistics_.output_overflows.value(), 0U);
  for (OtherHolder& other : others) context_.stream_output.Release(other, each);
  context_.stream_output.Release(greedy, 5'000);
  context_.stream_output.Release(modest, 1'500);
  EXPECT_TRUE(RunUntilTrue([&] { return context_.stream_output.taken() == 0; }));
}

TEST_F(StreamListenerTest, X12_AClientThatHoldsMostIsClosedForTheOthers) {
  OtherHolder other;
  context_.stream_output.Hold(other, Limits::kStreamOutputPerWorkerMax / 2);
  OtherHolder another;
  context_.stream_output.Hold(another, Limits::kStreamOutputPerWorkerMax / 2 - 1000);
  TcpClient client(server());
  client.Send(Frame("big 2000 "));
  ASSERT_TRUE(RunUntilTrue([&] { return other.given_up == 1; })) << "the largest, although the client came last";
  EXPECT_EQ(client.Replies(loop_, 1).size(), 1U);
  EXPECT_EQ(another.given_up, 0);
  context_.stream_output.Release(another, another.held());
}

TEST_F(StreamListenerTest, S3_AClientGetsItsConnectionsAndNoMore) {
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(std::make_unique<TcpClient>(server(), "127.0.0.5"));
  TcpClient one_more(server(), "127.0.0.5");
  TcpClient other(server(), "127.0.0.6");
  ASSERT_TRUE(RunUntilTrue([&] { return one_more.closed(); }));
  EXPECT_EQ(statistics_.refused_per_client.value(), 1U);
  other.Send(Frame("now"));
  EXPECT_EQ(other.Replies(loop_, 1).size(), 1U);
  clients.back()->Send(Frame("now"));
  EXPECT_EQ(clients.back()->Replies(loop_, 1).size(), 1U);
  clients.pop_back();
  ASSERT_TRUE(RunUntilTrue([&] { return limiter_.open() == 10; })) << "a place is free again";
  TcpClient again(server(), "127.0.0.5");
  again.Send(Frame("now"));
  EXPECT_EQ(again.Replies(loop_, 1).size(), 1U);
}

TEST_F(StreamListenerTest, S3_AllClientsTogetherGetTheTotalAndNoMore) {
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<TcpClient>(server(), StrCat("127.0.1.", 1 + i)));
  }
  TcpClient one_more(server(), "127.0.2.1");
  ASSERT_TRUE(RunUntilTrue([&] { return one_more.closed(); }));
  EXPECT_EQ(statistics_.refused_total.value(), 1U);
  EXPECT_EQ(statistics_.open.value(), 20U);
}

TEST_F(StreamListenerTest, AnEmptyMessageClosesTheConnectionBehindTheRepliesThatAreOwed) {
  TcpClient client(server());
  client.Send(Frame("later 1") + Frame("now 2") + Frame("") + Frame("now never"));
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now 2"});
  handler_.ReleaseAll();
  EXPECT_EQ(client.Replies(loop_, 2).back(), "later 1");
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  EXPECT_FALSE(client.reset()) << "a reset could have overtaken the replies";
  EXPECT_EQ(statistics_.empty_frames.value(), 1U);
  EXPECT_EQ(handler_.queries(), 2U);
}

TEST_F(StreamListenerTest, WhatTheHandlerDropsLeavesTheConnectionOpen) {
  TcpClient client(server());
  client.Send(Frame("?") + Frame("later") + Frame("now"));
  client.Replies(loop_, 1);
  handler_.Release("later", {});
  ASSERT_TRUE(RunUntilTrue([&] { return statistics_.dropped_silent.value() == 2; }));
  client.Send(Frame("now"));
  client.Replies(loop_, 2);
}

TEST_F(StreamListenerTest, AReplyOfFullLengthIsFramed) {
  TcpClient client(server());
  client.Send(Frame("big 65535 "));
  const std::vector<std::string> replies = client.Replies(loop_, 1);
  EXPECT_EQ(replies[0].size(), 65'535U);
}

TEST_F(StreamListenerTest, AQueryOfFullLengthIsRead) {
  TcpClient client(server());
  std::string query = "now ";
  query.resize(65'535, 'q');
  const std::string framed = Frame(query);
  std::string_view rest = framed;
  ASSERT_TRUE(RunUntilTrue([&] {
    rest.remove_prefix(client.SendSome(rest));
    return client.replies().size() == 1;
  }));
  EXPECT_EQ(client.replies()[0], query);
}

TEST_F(StreamListenerTest, QueriesOverThePendingLimitAreDroppedAndCounted) {
  ASSERT_TRUE(context_.pending.Take(Limits::kPendingPerWorkerMax - 1));
  TcpClient client(server());
  client.Send(Frame("later 1") + Frame("later 2") + Frame("now 3"));
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now 3"});
  EXPECT_EQ(handler_.waiting(), 1U);
  EXPECT_EQ(statistics_.dropped_pending.value(), 1U);
  EXPECT_EQ(handler_.never(), 1U);
  handler_.ReleaseAll();
  EXPECT_EQ(client.Replies(loop_, 2).back(), "later 1");
}

TEST_F(StreamListenerTest, AClientThatResetsWithQueriesWaitingLeavesNothingBehind) {
  TcpClient client(server());
  client.Send(Frame("later 1") + Frame("later 2") + Frame("now"));
  client.Replies(loop_, 1);
  client.Reset();
  ASSERT_TRUE(RunUntilTrue([&] { return statistics_.broken.value() == 1; }));
  EXPECT_EQ(limiter_.open(), 1U) << "what waits for it still counts against it";
  handler_.ReleaseAll();
  ASSERT_TRUE(RunUntilTrue([&] { return limiter_.open() == 0; }));
  EXPECT_EQ(context_.pending.taken(), 0U);
  EXPECT_EQ(context_.stream_output.taken(), 0U);
  EXPECT_EQ(statistics_.open.value(), 0U);
}

TEST_F(StreamListenerTest, ManyConnectionsAreAcceptedInOneGo) {
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (size_t i = 0; i < Limits::kAcceptBatch + 4; ++i) {
    clients.push_back(std::make_unique<TcpClient>(server(), StrCat("127.0.1.", 1 + i)));
    clients.back()->Send(Frame("now"));
  }
  for (const auto& client : clients) EXPECT_EQ(client->Replies(loop_, 1).size(), 1U);
}

TEST_F(StreamListenerTest, AcceptingOutlivesALackOfDescriptors) {
  TcpClient before(server());
  before.Send(Frame("now"));
  before.Replies(loop_, 1);
  TcpClient client(server());
  client.Send(Frame("now"));
  // The undefined-behaviour sanitizer takes descriptors when it sees a type for the first time: let it see the log's.
  Log(LogLevel::kError, "descriptors are about to run out");
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &saved), 0);
  const Descriptor lowest_free(dup(0));
  rlimit none_left = saved;
  none_left.rlim_cur = static_cast<rlim_t>(lowest_free.get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
  const bool failed = RunUntilTrue([&] { return statistics_.accept_failures.value() == 2; });
  before.Send(Frame("now"));
  const bool served_meanwhile = RunUntilTrue([&] { return before.replies().size() == 2; });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &saved), 0);
  EXPECT_TRUE(failed);
  EXPECT_TRUE(served_meanwhile);
  EXPECT_EQ(client.Replies(loop_, 1).size(), 1U);
}

TEST_F(StreamListenerTest, StopAnswersWhatWasReadThenClosesAndRefusesTheRest) {
  TcpClient owed(server());
  TcpClient idle(server());
  owed.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.waiting() == 1 && statistics_.open.value() == 2; }));
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  ASSERT_TRUE(RunUntilTrue([&] { return idle.closed(); })) << "nothing is owed to it";
  EXPECT_FALSE(TcpClient(server()).connected());
  owed.Send(Frame("now is too late"));
  RunReady(loop_);
  EXPECT_FALSE(stopped);
  EXPECT_FALSE(owed.closed());
  handler_.ReleaseAll();
  EXPECT_EQ(owed.Replies(loop_, 1), std::vector<std::string>{"later"});
  ASSERT_TRUE(RunUntilTrue([&] { return owed.closed(); }));
  EXPECT_FALSE(owed.reset()) << "although it had sent something that nobody read";
  owed.SendEndOfStream();
  ASSERT_TRUE(RunUntilTrue([&] { return stopped; }));
  EXPECT_EQ(handler_.queries(), 1U);
  EXPECT_EQ(limiter_.open(), 0U);
}

TEST_F(StreamListenerTest, StopWaitsOnlySoLongForTheClientsEnd) {
  TcpClient client(server());
  client.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.waiting() == 1; }));
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  RunReady(loop_);
  handler_.ReleaseAll();
  ASSERT_TRUE(RunUntilTrue([&] { return client.closed(); }));
  LetWatchesLook();
  EXPECT_FALSE(stopped) << "the client may still be reading";
  clock_.Advance(kPatience.linger);
  ASSERT_TRUE(RunUntilTrue([&] { return stopped; }));
}

TEST_F(StreamListenerTest, StopWaitsOnlySoLongForAClientThatDoesNotRead) {
  StreamPatience patience = kPatience;
  patience.write = milliseconds(1000);
  StreamListener patient(context_, ListenTcp(EndpointAt("127.0.0.1", 0), PortSharing::kExclusive).value(), limiter_,
                         statistics_, patience);
  patient.Start();
  TcpClient client(patient.local(), {}, 4096);
  std::string queries;
  for (int i = 0; i < 300; ++i) queries += Frame("big 60000 ");
  client.Send(queries);
  ASSERT_TRUE(RunUntilTrue([&] { return context_.stream_output.taken() >= Limits::kStreamOutputOctetsMax; }));
  LetWatchesLook();  // the kernel's buffers on both sides are full
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(patient, stopped));
  RunReady(loop_);
  clock_.Advance(kPatience.drain - milliseconds(1));
  LetWatchesLook();
  EXPECT_FALSE(stopped);
  clock_.Advance(milliseconds(1));
  ASSERT_TRUE(RunUntilTrue([&] { return stopped; }));
  EXPECT_EQ(context_.stream_output.taken(), 0U);
}

TEST_F(StreamListenerTest, StopTakesOnlySoMuchFromAClientThatGoesOnSending) {
  TcpClient client(server());
  client.Send(Frame("later"));
  ASSERT_TRUE(RunUntilTrue([&] { return handler_.waiting() == 1; }));
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  RunReady(loop_);
  handler_.ReleaseAll();
  const std::string flood(1 << 16, 'f');
  size_t sent = 0;
  ASSERT_TRUE(RunUntilTrue([&] {
    sent += client.SendSome(flood);
    return stopped;
  }));
  EXPECT_GE(sent, Limits::kStreamLingerOctetsMax);
}

TEST_F(StreamListenerTest, CanBeDestroyedInAnyStateOnceTheLoopRunsNoMore) {
  TcpClient waiting(server());
  waiting.Send(Frame("later"));
  TcpClient reading(server());
  TcpClient half_closed(server());
  half_closed.Send(Frame("later"));
  half_closed.SendEndOfStream();
  TcpClient full(server());
  for (size_t i = 0; i < Limits::kStreamPipelineMax + 1; ++i) full.Send(Frame("later"));
  TcpClient unread(server(), {}, 4096);
  for (int i = 0; i < 300; ++i) unread.Send(Frame("big 60000 "));
  ASSERT_TRUE(RunUntilTrue([&] {
    return handler_.waiting() == Limits::kStreamPipelineMax + 2 && statistics_.open.value() == 5 &&
           context_.stream_output.taken() >= Limits::kStreamOutputOctetsMax;
  }));
  listener_.reset();  // the address sanitizer has the rest of the claim
}

class Ipv6StreamListenerTest : public StreamListenerTest {
 protected:
  Ipv6StreamListenerTest() : StreamListenerTest({}, "::") {}
};

TEST_F(Ipv6StreamListenerTest, AnswersOverIpv6) {
  TcpClient client(EndpointAt("::1", server().port));
  client.Send(Frame("now over six"));
  EXPECT_EQ(client.Replies(loop_, 1), std::vector<std::string>{"now over six"});
  EXPECT_EQ(handler_.last_client().endpoint, client.local());
}

}  // namespace
}  // namespace dotward
