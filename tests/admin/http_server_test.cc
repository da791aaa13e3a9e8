#include "admin/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "net/socket_address.h"

// The endpoint before real clients on loopback, whatever these do.

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr seconds kLong{10};

class Client {
 public:
  explicit Client(const Endpoint& server, int receive_buffer = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer != 0) {
      setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const SocketAddress address(server);
    connected_ = connect(socket_.get(), address.data(), address.size()) == 0;
  }

  bool connected() const { return connected_; }
  bool Send(const std::string& octets) {
    return send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
  }
  void FinishSending() { shutdown(socket_.get(), SHUT_WR); }

  // Until the server closes; what `complete` says is whether that was an orderly end.
  std::string Read(bool* complete = nullptr) {
    std::string all;
    std::array<char, 4096> buffer;
    while (true) {
      pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, static_cast<int>(milliseconds(kLong).count())) != 1) ADD_FAILURE() << "nothing came";
      const ssize_t octets = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (complete != nullptr) *complete = octets == 0;
      if (octets <= 0) return all;
      all.append(buffer.data(), static_cast<size_t>(octets));
    }
  }

 private:
  Descriptor socket_;
  bool connected_ = false;
};

constexpr char kRequest[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

class HttpServerTest : public testing::Test {
 protected:
  void Start(const HttpPatience& patience = {.request = kLong, .reply = kLong, .linger = kLong}) {
    auto server = HttpServer::Create(
        {IpAddress::V4({127, 0, 0, 1}), 0},
        [this](const std::string& /*path*/) -> HttpReply { return {.body = body_}; }, patience);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->Start();
  }

  Endpoint Where() const { return server_->listening(); }
  std::string Ask() {
    Client client(Where());
    client.Send(kRequest);
    return client.Read();
  }

  std::string body_ = "hello";
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndClosesInOrder) {
  Start();
  for (int i = 0; i < 3; ++i) {
    Client client(Where());
    ASSERT_TRUE(client.Send(kRequest));
    bool complete = false;
    const std::string reply = client.Read(&complete);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_TRUE(reply.ends_with("\r\n\r\nhello"));
    EXPECT_TRUE(complete);
  }
}

TEST_F(HttpServerTest, ARequestMayComeOctetByOctetAndWithItsEndOfStream) {
  Start();
  Client client(Where());
  for (const char octet : std::string(kRequest)) ASSERT_TRUE(client.Send({octet}));
  client.FinishSending();
  EXPECT_THAT(client.Read(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, AHalfRequestThatEndsIsNotAnswered) {
  Start();
  Client client(Where());
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
  client.FinishSending();
  EXPECT_EQ(client.Read(), "");
  EXPECT_THAT(Ask(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, X16_AHugeHeadIsRefusedAndTheClientHearsOfIt) {
  Start();
  Client client(Where());
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nX: " + std::string(Limits::kHttpRequestOctetsMax, 'a') + "\r\n\r\n"));
  client.FinishSending();
  bool complete = false;
  EXPECT_THAT(client.Read(&complete), StartsWith("HTTP/1.1 431 "));
  EXPECT_TRUE(complete);
}

TEST_F(HttpServerTest, X16_AHugeBodyIsNotReadToItsEnd) {
  Start();
  Client client(Where());
  ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n\r\n"));
  EXPECT_TRUE(client.Send(std::string(Limits::kHttpLingerOctetsMax / 2, 'a')));
  // The reply is not waited for first: whoever sends a body may read only behind it.
  size_t sent = 0;
  const std::string more(16384, 'a');
  while (sent < size_t{64} << 20 && client.Send(more)) sent += more.size();
  EXPECT_LT(sent, size_t{64} << 20) << "the server went on reading";
}

TEST_F(HttpServerTest, X16_ABodyThatIsNotWantedDoesNotCostTheReply) {
  Start();
  Client client(Where());
  ASSERT_TRUE(
      client.Send("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000\r\n\r\n" + std::string(20000, 'a')));
  client.FinishSending();
  bool complete = false;
  EXPECT_THAT(client.Read(&complete), StartsWith("HTTP/1.1 405 "));
  EXPECT_TRUE(complete);
}

TEST_F(HttpServerTest, X16_WhoSendsTooSlowlyIsClosed) {
  Start({.request = milliseconds(100), .reply = kLong, .linger = kLong});
  Client client(Where());
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\n"));
  EXPECT_EQ(client.Read(), "");
}

TEST_F(HttpServerTest, X16_WhoReadsTooSlowlyIsClosed) {
  body_.assign(size_t{32} << 20, 'a');
  Start({.request = kLong, .reply = milliseconds(100), .linger = kLong});
  Client client(Where(), 4096);
  ASSERT_TRUE(client.Send(kRequest));
  // Others are served while it does not read, and have its patience and ours.
  Client other(Where());
  ASSERT_TRUE(other.Send("HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  EXPECT_THAT(other.Read(), StartsWith("HTTP/1.1 200 OK\r\n"));
  // Its kernel has a part of the reply; the rest never comes.
  pollfd closed{.fd = -1, .events = 0, .revents = 0};
  poll(&closed, 1, 300);
  EXPECT_LT(client.Read().size(), body_.size());
}

TEST_F(HttpServerTest, X16_WhoDoesNotCloseBehindTheReplyIsClosed) {
  Start({.request = kLong, .reply = kLong, .linger = milliseconds(100)});
  Client client(Where());
  ASSERT_TRUE(client.Send(kRequest));
  EXPECT_THAT(client.Read(), StartsWith("HTTP/1.1 200 OK\r\n"));
  // Our end of stream is read; what we send now is refused once the server has given us up.
  const auto end = std::chrono::steady_clock::now() + kLong;
  while (client.Send("x") && std::chrono::steady_clock::now() < end) {
    pollfd pause{.fd = -1, .events = 0, .revents = 0};
    poll(&pause, 1, 10);
  }
  EXPECT_LT(std::chrono::steady_clock::now(), end);
}

TEST_F(HttpServerTest, X16_SilentConnectionsKeepNobodyOut) {
  Start();
  std::vector<std::unique_ptr<Client>> silent;
  for (size_t i = 0; i < 3 * Limits::kHttpConnectionsMax; ++i) {
    silent.push_back(std::make_unique<Client>(Where()));
    ASSERT_TRUE(silent.back()->connected());
  }
  for (int i = 0; i < 10; ++i) EXPECT_THAT(Ask(), StartsWith("HTTP/1.1 200 OK\r\n"));
  // The oldest had to go for those that came behind them.
  EXPECT_EQ(silent.front()->Read(), "");
  // The youngest are still waited for.
  ASSERT_TRUE(silent.back()->Send(kRequest));
  EXPECT_THAT(silent.back()->Read(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, StoppingClosesWhatIsOpen) {
  Start();
  Client waiting(Where());
  ASSERT_TRUE(waiting.Send("GET"));
  EXPECT_THAT(Ask(), StartsWith("HTTP/1.1 200 OK\r\n"));
  const Endpoint where = Where();
  server_->Stop();
  waiting.Read();
  EXPECT_FALSE(Client(where).connected());
}

TEST_F(HttpServerTest, AServerThatWasNeverStartedEnds) {
  EXPECT_TRUE(
      HttpServer::Create({IpAddress::V4({127, 0, 0, 1}), 0}, [](const std::string&) { return HttpReply(); }).ok());
}

TEST_F(HttpServerTest, AnAddressInUseNamesTheAddressAndTheRemedy) {
  Start();
  const auto second = HttpServer::Create(Where(), [](const std::string&) { return HttpReply(); });
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(Where().ToString()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("ss -ltnp"));
}

TEST_F(HttpServerTest, AnAddressOfAnotherMachineIsUnavailable) {
  const auto server =
      HttpServer::Create({IpAddress::V4({192, 0, 2, 1}), 8953}, [](const std::string&) { return HttpReply(); });
  EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("192.0.2.1:8953"));
}

}  // namespace
}  // namespace dotward
