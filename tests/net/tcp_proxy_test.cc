// TcpProxy itself: what the tests that break connections take for granted.

#include "testing/loopback/tcp_proxy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using Cut = TcpProxy::Cut;
using Direction = TcpProxy::Direction;
using NewConnections = TcpProxy::NewConnections;

constexpr int kPatience = 20'000;

bool Ready(int descriptor, short events, int timeout = kPatience) {
  pollfd wanted{.fd = descriptor, .events = events, .revents = 0};
  return poll(&wanted, 1, timeout) == 1;
}

// One end of a connection, with blocking calls that give up after kPatience.
class End {
 public:
  explicit End(int descriptor) : descriptor_(descriptor) {}

  int get() const { return descriptor_.get(); }
  bool Send(const std::string& text) const {
    return send(get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Exactly so many octets, fewer at the end of the stream; "RST" where the connection was reset.
  std::string Receive(size_t octets) const {
    std::string all;
    while (all.size() < octets && Ready(get(), POLLIN)) {
      char part[4096];
      const ssize_t got = recv(get(), part, std::min(sizeof part, octets - all.size()), 0);
      if (got < 0) return "RST";
      if (got == 0) return all;
      all.append(part, static_cast<size_t>(got));
    }
    return all;
  }
  bool SilentFor(int time) const { return !Ready(get(), POLLIN, time); }
  void SendEnd() const { shutdown(get(), SHUT_WR); }

 private:
  Descriptor descriptor_;
};

class TcpProxyTest : public testing::Test {
 protected:
  TcpProxyTest() : listener_(Listen()), proxy_(LocalEndpoint(listener_.get()), TcpProxy::OwnAddress()) {}

  static int Listen() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const SocketAddress address(Endpoint{IpAddress::V4({127, 0, 0, 1}), 0});
    EXPECT_EQ(bind(listener, address.data(), address.size()), 0);
    EXPECT_EQ(listen(listener, 16), 0);
    return listener;
  }
  // The errno, 0 for success.
  int TryConnect(int timeout, Descriptor& connected) {
    const SocketAddress address(proxy_.endpoint());
    connected = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connect(connected.get(), address.data(), address.size()) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!Ready(connected.get(), POLLOUT, timeout)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connected.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }
  End Client() {
    Descriptor connected;
    EXPECT_EQ(TryConnect(kPatience, connected), 0);
    return End(connected.Release());
  }
  // Whether a connection is taken and then reset, which may be seen while it is made.
  bool IsReset() {
    Descriptor connected;
    const int error = TryConnect(kPatience, connected);
    return error == ECONNRESET || (error == 0 && End(connected.Release()).Receive(1) == "RST");
  }
  End Server() {
    EXPECT_TRUE(Ready(listener_.get(), POLLIN));
    return End(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  }

  Descriptor listener_;
  TcpProxy proxy_;
};

TEST_F(TcpProxyTest, ForwardsBothWaysAndCounts) {
  const End client = Client();
  const End server = Server();
  ASSERT_TRUE(client.Send("question"));
  EXPECT_EQ(server.Receive(8), "question");
  ASSERT_TRUE(server.Send("answer"));
  EXPECT_EQ(client.Receive(6), "answer");
  const TcpProxy::Counters counters = proxy_.counters();
  EXPECT_EQ(counters.connections, 1U);
  EXPECT_EQ(counters.open, 1U);
  EXPECT_EQ(counters.octets_to_server, 8U);
  EXPECT_EQ(counters.octets_to_client, 6U);
}

TEST_F(TcpProxyTest, EndOfStreamPassesInOneDirection) {
  const End client = Client();
  const End server = Server();
  client.SendEnd();
  EXPECT_EQ(server.Receive(1), "");
  ASSERT_TRUE(server.Send("late"));
  EXPECT_EQ(client.Receive(4), "late");
  server.SendEnd();
  EXPECT_EQ(client.Receive(1), "");
  EXPECT_TRUE(proxy_.WaitUntil([](const TcpProxy::Counters& counters) { return counters.open == 0; }));
}

TEST_F(TcpProxyTest, MoreThanItHoldsArrivesWhole) {
  const End client = Client();
  const End server = Server();
  const std::string much(8 << 20, 'x');
  std::thread sender([&] {
    for (size_t at = 0; at < much.size();) {
      ASSERT_TRUE(Ready(client.get(), POLLOUT));
      const ssize_t put = send(client.get(), much.data() + at, much.size() - at, MSG_NOSIGNAL);
      ASSERT_GT(put, 0);
      at += static_cast<size_t>(put);
    }
  });
  EXPECT_EQ(server.Receive(much.size()), much);
  sender.join();
}

TEST_F(TcpProxyTest, ADelayHoldsForTheDirectionItIsSetFor) {
  proxy_.Delay(Direction::kToClient, milliseconds(150));
  const End client = Client();
  const End server = Server();
  ASSERT_TRUE(client.Send("q"));
  EXPECT_EQ(server.Receive(1), "q");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(server.Send("a"));
  EXPECT_EQ(client.Receive(1), "a");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(150));
}

TEST_F(TcpProxyTest, DrippedOctetsComeOneByOne) {
  proxy_.Drip(Direction::kToClient, milliseconds(20));
  const End client = Client();
  const End server = Server();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(server.Send("0123456789"));
  EXPECT_EQ(client.Receive(10), "0123456789");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(9 * 20));
  proxy_.Drip(Direction::kToClient, milliseconds(0));
  ASSERT_TRUE(server.Send(std::string(4000, 'x')));
  EXPECT_EQ(client.Receive(4000).size(), 4000U);
}

TEST_F(TcpProxyTest, AStalledConnectionStaysOpenAndOthersGoOn) {
  const End stalled = Client();
  const End server = Server();
  ASSERT_TRUE(stalled.Send("1"));
  EXPECT_EQ(server.Receive(1), "1");
  proxy_.StallOpenConnections();
  ASSERT_TRUE(stalled.Send("2"));
  const End fresh = Client();
  const End other = Server();
  ASSERT_TRUE(fresh.Send("3"));
  EXPECT_EQ(other.Receive(1), "3");
  EXPECT_TRUE(server.SilentFor(50));
  proxy_.StallAll(false);
  EXPECT_EQ(server.Receive(1), "2") << "what had been held arrives";
}

TEST_F(TcpProxyTest, StallingAllHoldsNewConnectionsToo) {
  proxy_.StallAll(true);
  const End client = Client();
  ASSERT_TRUE(client.Send("q"));
  EXPECT_TRUE(client.SilentFor(50));
  proxy_.StallAll(false);
  EXPECT_EQ(Server().Receive(1), "q");
}

TEST_F(TcpProxyTest, ConnectionsAreCutInEachWay) {
  for (const bool stalled : {false, true}) {
    const End client = Client();
    const End server = Server();
    if (stalled) proxy_.StallOpenConnections();
    proxy_.CutAll(Cut::kReset);
    EXPECT_EQ(client.Receive(1), "RST");
    EXPECT_EQ(server.Receive(1), "RST");
  }
  for (const bool stalled : {false, true}) {
    const End client = Client();
    const End server = Server();
    if (stalled) proxy_.StallOpenConnections();
    proxy_.CutAll(Cut::kClose);
    EXPECT_EQ(client.Receive(1), "");
    EXPECT_EQ(server.Receive(1), "");
    EXPECT_TRUE(client.Send("into the void"));
    client.SendEnd();
    server.SendEnd();
    EXPECT_TRUE(proxy_.WaitUntil([](const TcpProxy::Counters& counters) { return counters.open == 0; }));
  }
}

TEST_F(TcpProxyTest, HalfCloseLeavesTheWayToTheServerOpen) {
  const End client = Client();
  const End server = Server();
  proxy_.CutAll(Cut::kHalfClose);
  EXPECT_EQ(client.Receive(1), "");
  ASSERT_TRUE(client.Send("still"));
  EXPECT_EQ(server.Receive(5), "still");
}

TEST_F(TcpProxyTest, ACutComesBehindExactlySoManyOctetsAndOnce) {
  const End client = Client();
  const End server = Server();
  proxy_.CutAfter(Direction::kToClient, 5, Cut::kClose);
  ASSERT_TRUE(server.Send("123"));
  EXPECT_EQ(client.Receive(3), "123");
  ASSERT_TRUE(server.Send("45678"));
  EXPECT_EQ(client.Receive(8), "45");
  const End next = Client();
  const End next_server = Server();
  ASSERT_TRUE(next_server.Send("12345678"));
  EXPECT_EQ(next.Receive(8), "12345678");
}

TEST_F(TcpProxyTest, OneBitOfOneOctetIsFlipped) {
  const End client = Client();
  const End server = Server();
  proxy_.CorruptAfter(Direction::kToServer, 2);
  ASSERT_TRUE(client.Send("aaaa"));
  EXPECT_EQ(server.Receive(4), "aaqa");
  ASSERT_TRUE(client.Send("aaaa"));
  EXPECT_EQ(server.Receive(4), "aaaa");
}

TEST_F(TcpProxyTest, NewConnectionsAreRefusedOrResetAndThenServedOnTheSamePort) {
  Descriptor descriptor;
  proxy_.SetNewConnections(NewConnections::kRefuse);
  EXPECT_EQ(TryConnect(kPatience, descriptor), ECONNREFUSED);
  EXPECT_EQ(proxy_.counters().connections, 0U);
  proxy_.SetNewConnections(NewConnections::kReset);
  EXPECT_TRUE(IsReset());
  EXPECT_EQ(proxy_.counters().connections, 1U);
  proxy_.SetNewConnections(NewConnections::kServe);
  const End client = Client();
  ASSERT_TRUE(client.Send("q"));
  EXPECT_EQ(Server().Receive(1), "q");
}

TEST_F(TcpProxyTest, AHangingConnectGetsNoAnswerUntilItIsServed) {
  const End open = Client();
  const End server = Server();
  for (int i = 0; i < 3; ++i) {
    proxy_.SetNewConnections(NewConnections::kHang);
    Descriptor hanging;
    EXPECT_EQ(TryConnect(200, hanging), ETIMEDOUT);
    ASSERT_TRUE(open.Send("x"));
    EXPECT_EQ(server.Receive(1), "x") << "open connections go on";
    proxy_.SetNewConnections(NewConnections::kServe);
    const End client = Client();
    ASSERT_TRUE(client.Send("q"));
    EXPECT_EQ(Server().Receive(1), "q");
  }
}

TEST_F(TcpProxyTest, AServerThatRefusesIsAConnectionThatIsReset) {
  listener_ = Descriptor();
  EXPECT_TRUE(IsReset());
}

}  // namespace
}  // namespace dotward
