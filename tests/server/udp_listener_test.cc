#include "server/udp_listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>

#include "base/limits.h"
#include "base/strings.h"
#include "server/fake_query_handler.h"
#include "server/loopback_clients.h"

namespace dotward {
namespace {

class CountingClock final : public Clock {
 public:
  SteadyTime Now() const override {
    ++reads_;
    return SteadyTime(std::chrono::seconds(1000 + reads_));
  }
  WallTime WallNow() const override { return {}; }
  int reads() const { return reads_; }

 private:
  mutable int reads_ = 0;
};

Task<> StopAndMark(UdpListener& listener, bool& stopped) {
  co_await listener.Stop();
  stopped = true;
}

class UdpListenerTest : public testing::Test {
 protected:
  explicit UdpListenerTest(std::string_view address = "127.0.0.1") { Bind(address); }

  void Bind(std::string_view address) {
    listener_ = std::make_unique<UdpListener>(
        context_, UdpSocket::Bind(EndpointAt(address, 0), PortSharing::kExclusive).value(), statistics_);
  }
  const Endpoint& server() const { return listener_->local(); }

  asio::io_context loop_;
  FakeQueryHandler handler_;
  CountingClock clock_;
  ListenerContext context_{loop_, handler_, clock_};
  UdpStatistics statistics_;
  std::unique_ptr<UdpListener> listener_;
  TaskGroup stoppers_{loop_};
};

TEST_F(UdpListenerTest, AnswersAQueryAndTellsTheHandlerWhoAsked) {
  listener_->Start();
  const UdpClient client("127.0.0.7");
  client.Send(server(), "now what");
  const UdpClient::Datagram reply = client.Receive(loop_);
  EXPECT_EQ(reply.text, "now what");
  EXPECT_EQ(reply.from, server());
  EXPECT_EQ(handler_.last_client().endpoint, client.local());
  EXPECT_EQ(handler_.last_client().transport, Transport::kUdp);
  EXPECT_EQ(statistics_.queries.value(), 1U);
  EXPECT_EQ(statistics_.replies.value(), 1U);
}

TEST_F(UdpListenerTest, ABatchOf64IsOneReadOneLookAtTheClockAndOneSend) {
  const UdpClient client;
  for (size_t i = 0; i < Limits::kUdpBatch; ++i) client.Send(server(), StrCat("now ", i));
  listener_->Start();
  std::set<std::string> replies;
  for (size_t i = 0; i < Limits::kUdpBatch; ++i) replies.insert(client.Receive(loop_).text);
  EXPECT_EQ(replies.size(), Limits::kUdpBatch);
  EXPECT_EQ(statistics_.receive_calls.value(), 1U);
  EXPECT_EQ(statistics_.send_calls.value(), 1U);
  EXPECT_EQ(clock_.reads(), 1);
}

TEST_F(UdpListenerTest, LaterRepliesThatComeTogetherLeaveInOneCall) {
  listener_->Start();
  const UdpClient client;
  for (int i = 0; i < 50; ++i) client.Send(server(), StrCat("later ", i));
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 50; }));
  EXPECT_EQ(statistics_.deferred.value(), 50U);
  EXPECT_EQ(context_.pending.taken(), 50U);
  handler_.ReleaseAll();
  std::set<std::string> replies;
  for (int i = 0; i < 50; ++i) replies.insert(client.Receive(loop_).text);
  EXPECT_EQ(replies.size(), 50U);
  EXPECT_EQ(statistics_.send_calls.value(), 1U);
  EXPECT_EQ(context_.pending.taken(), 0U);
}

TEST_F(UdpListenerTest, MoreLaterRepliesThanABatchLeaveInAsFewCallsAsItTakes) {
  listener_->Start();
  const UdpClient client;
  const size_t count = 2 * Limits::kUdpBatch + 1;
  for (size_t i = 0; i < count; ++i) client.Send(server(), StrCat("later ", i));
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == count; }));
  handler_.ReleaseAll();
  for (size_t i = 0; i < count; ++i) client.Receive(loop_);
  EXPECT_EQ(statistics_.send_calls.value(), 3U);
}

TEST_F(UdpListenerTest, ALaterReplyGoesToWhoAskedInWhateverOrder) {
  listener_->Start();
  const UdpClient one("127.0.0.1");
  const UdpClient two("127.0.0.2");
  one.Send(server(), "later one");
  two.Send(server(), "later two");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 2; }));
  handler_.Release("later two");
  EXPECT_EQ(two.Receive(loop_).text, "later two");
  handler_.Release("later one");
  EXPECT_EQ(one.Receive(loop_).text, "later one");
}

TEST_F(UdpListenerTest, WhatTheHandlerDropsIsNotAnswered) {
  listener_->Start();
  const UdpClient client;
  client.Send(server(), "nothing is owed to this");
  client.Send(server(), "");
  client.Send(server(), "now");
  EXPECT_EQ(client.Receive(loop_).text, "now") << "the only reply";
  EXPECT_EQ(statistics_.queries.value(), 3U);
  EXPECT_EQ(statistics_.dropped_silent.value(), 2U);
}

TEST_F(UdpListenerTest, AnEmptyLaterReplyIsNotSent) {
  listener_->Start();
  const UdpClient client;
  client.Send(server(), "later");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 1; }));
  handler_.Release("later", {});
  ASSERT_TRUE(RunUntil(loop_, [&] { return context_.pending.taken() == 0; }));
  EXPECT_EQ(statistics_.dropped_silent.value(), 1U);
  EXPECT_FALSE(client.TryReceive().has_value());
}

TEST_F(UdpListenerTest, AnOversizedQueryIsDroppedAndCounted) {
  listener_->Start();
  const UdpClient client;
  std::string text = "now ";
  text.resize(Limits::kUdpQueryOctetsMax + 1, 'x');
  client.Send(server(), text);
  text.resize(Limits::kUdpQueryOctetsMax);
  client.Send(server(), text);
  EXPECT_EQ(client.Receive(loop_).text, text);
  EXPECT_EQ(statistics_.dropped_oversized.value(), 1U);
  EXPECT_EQ(handler_.queries(), 1U);
}

TEST_F(UdpListenerTest, PromiseQ2_ADatagramFromPortZeroIsDropped) {
  const Descriptor raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!raw.is_open()) GTEST_SKIP() << "only a raw socket can send from port 0, and that takes a privilege";
  listener_->Start();
  struct {
    udphdr header;
    std::array<char, 4> text;
  } datagram{};
  datagram.header.uh_dport = htons(server().port);
  datagram.header.uh_ulen = htons(sizeof(datagram));
  datagram.text = {'n', 'o', 'w', '0'};
  const SocketAddress to({server().address, 0});
  ASSERT_EQ(sendto(raw.get(), &datagram, sizeof(datagram), 0, to.data(), to.size()),
            static_cast<ssize_t>(sizeof(datagram)));
  ASSERT_TRUE(RunUntil(loop_, [&] { return statistics_.queries.value() == 1; }));
  EXPECT_EQ(statistics_.dropped_source.value(), 1U);
  EXPECT_EQ(handler_.queries(), 0U);
}

TEST_F(UdpListenerTest, AttackX14_ADatagramFromTheEchoPortIsDropped) {
  const UdpClient echo("127.0.0.1", 7);
  if (!echo.bound()) GTEST_SKIP() << "port 7 takes a privilege";
  listener_->Start();
  echo.Send(server(), "now loop for ever");
  ASSERT_TRUE(RunUntil(loop_, [&] { return statistics_.queries.value() == 1; }));
  EXPECT_EQ(statistics_.dropped_source.value(), 1U);
  EXPECT_EQ(handler_.queries(), 0U);
}

TEST_F(UdpListenerTest, QueriesOverThePendingLimitAreDroppedUntilOthersAreDone) {
  listener_->Start();
  const UdpClient client;
  for (size_t sent = 0; sent < Limits::kPendingPerWorkerMax;) {
    for (int i = 0; i < 100; ++i, ++sent) client.Send(server(), "later");
    ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == sent; }));
  }
  EXPECT_EQ(statistics_.dropped_pending.value(), 0U);
  client.Send(server(), "later, but too late");
  client.Send(server(), "now goes on");
  EXPECT_EQ(client.Receive(loop_).text, "now goes on");
  EXPECT_EQ(statistics_.dropped_pending.value(), 1U);
  EXPECT_EQ(handler_.never(), 1U);
  EXPECT_EQ(handler_.waiting(), Limits::kPendingPerWorkerMax);
  handler_.ReleaseAllWith({});
  ASSERT_TRUE(RunUntil(loop_, [&] { return context_.pending.taken() == 0; }));
  client.Send(server(), "later again");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 1; }));
  handler_.ReleaseAll();
  EXPECT_EQ(client.Receive(loop_).text, "later again");
}

TEST_F(UdpListenerTest, AFloodLeavesTheLoopsOtherWorkItsTurn) {
  const UdpClient client;
  const size_t turn = Limits::kUdpBatch * Limits::kUdpBatchesPerTurn;
  for (size_t i = 0; i < 3 * turn; ++i) client.Send(server(), "now");
  listener_->Start();
  RunUntil(loop_, [&] { return handler_.queries() > 0; }) || (ADD_FAILURE(), true);
  EXPECT_EQ(handler_.queries(), turn) << "one turn of the loop reads so many";
  size_t answered_before = 0;
  asio::post(loop_, [&] { answered_before = handler_.queries(); });
  ASSERT_TRUE(RunUntil(loop_, [&] { return answered_before > 0; }));
  EXPECT_LE(answered_before, 2 * turn);
}

TEST_F(UdpListenerTest, StopAnswersWhatWasReadAndNothingElse) {
  listener_->Start();
  const UdpClient client;
  client.Send(server(), "later reply");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 1; }));
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  RunReady(loop_);
  client.Send(server(), "now is too late");
  RunReady(loop_);
  EXPECT_FALSE(stopped) << "a reply is owed";
  handler_.Release("later reply");
  ASSERT_TRUE(RunUntil(loop_, [&] { return stopped; }));
  EXPECT_EQ(client.Receive(loop_).text, "later reply");
  EXPECT_FALSE(client.TryReceive().has_value());
}

TEST_F(UdpListenerTest, StopEndsAtOnceWhereNothingIsOwed) {
  listener_->Start();
  RunReady(loop_);
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  RunReady(loop_);
  EXPECT_TRUE(stopped);
  listener_.reset();
}

TEST_F(UdpListenerTest, StopBeforeTheFirstTurnEndsToo) {
  listener_->Start();
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  ASSERT_TRUE(RunUntil(loop_, [&] { return stopped; }));
}

TEST_F(UdpListenerTest, CanBeDestroyedWithQueriesWaitingOnceTheLoopRunsNoMore) {
  listener_->Start();
  const UdpClient client;
  for (int i = 0; i < 3; ++i) client.Send(server(), StrCat("later ", i));
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 3; }));
  listener_.reset();  // the address sanitizer has the rest of the claim
}

TEST_F(UdpListenerTest, GoesOnAfterTheSocketFailedForAWhile) {
  listener_->Start();
  const UdpClient client;
  client.Send(server(), "now before");
  EXPECT_EQ(client.Receive(loop_).text, "now before");
  // Something that is no socket takes the descriptor's place, and goes again.
  int descriptor = -1;
  for (int candidate = 3; candidate < 256; ++candidate) {
    if (LocalEndpoint(candidate) == server()) descriptor = candidate;
  }
  ASSERT_GE(descriptor, 0);
  const Endpoint at = server();
  const Descriptor saved(dup(descriptor));
  const Descriptor null_device(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(dup2(null_device.get(), descriptor), descriptor);
  client.Send(at, "now behind");
  ASSERT_TRUE(RunUntil(loop_, [&] { return statistics_.receive_failures.value() == 1; }));
  ASSERT_EQ(dup2(saved.get(), descriptor), descriptor);
  EXPECT_EQ(client.Receive(loop_).text, "now behind");
}

class WildcardUdpListenerTest : public UdpListenerTest {
 protected:
  WildcardUdpListenerTest() : UdpListenerTest("0.0.0.0") {}
};

TEST_F(WildcardUdpListenerTest, RepliesLeaveFromTheAddressThatWasAsked) {
  listener_->Start();
  const UdpClient client("127.0.0.9");
  client.Send(EndpointAt("127.0.0.2", server().port), "now");
  EXPECT_EQ(client.Receive(loop_).from, EndpointAt("127.0.0.2", server().port));
  client.Send(EndpointAt("127.0.0.3", server().port), "later");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 1; }));
  client.Send(EndpointAt("127.0.0.4", server().port), "now");
  EXPECT_EQ(client.Receive(loop_).from, EndpointAt("127.0.0.4", server().port));
  handler_.ReleaseAll();
  EXPECT_EQ(client.Receive(loop_).from, EndpointAt("127.0.0.3", server().port));
}

class Ipv6WildcardUdpListenerTest : public UdpListenerTest {
 protected:
  Ipv6WildcardUdpListenerTest() : UdpListenerTest("::") {}
};

TEST_F(Ipv6WildcardUdpListenerTest, RepliesLeaveFromTheAddressThatWasAsked) {
  listener_->Start();
  const UdpClient client("::1");
  client.Send(EndpointAt("::1", server().port), "now");
  EXPECT_EQ(client.Receive(loop_).from, EndpointAt("::1", server().port));
  client.Send(EndpointAt("::1", server().port), "later");
  ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == 1; }));
  handler_.ReleaseAll();
  EXPECT_EQ(client.Receive(loop_).from, EndpointAt("::1", server().port));
  EXPECT_EQ(handler_.last_later_client().endpoint, client.local());
}

}  // namespace
}  // namespace dotward
