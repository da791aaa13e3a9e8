#include "server/server.h"

#include <gtest/gtest.h>

#include <asio/executor_work_guard.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "server/fake_query_handler.h"
#include "server/loopback_clients.h"
#include "server/tcp_listen.h"

namespace dotward {
namespace {

Config Listening(std::initializer_list<Endpoint> endpoints) {
  Config config;
  for (const Endpoint& endpoint : endpoints) config.listen.push_back({ListenProtocol::kDo53, endpoint});
  return config;
}

bool Contains(const absl::Status& status, std::string_view text) {
  return MessageOf(status).find(text) != std::string_view::npos;
}

Task<> StopAndStopLoop(ServerWorker& worker, asio::io_context& loop) {
  co_await worker.Stop();
  loop.stop();
}

// One worker on a thread of its own, as the program has them.
class WorkerThread {
 public:
  WorkerThread(Server& server, size_t number) : worker_(server.MakeWorker(number, loop_, handler_, clock_)) {
    worker_->Start();
    thread_ = std::jthread([this] { loop_.run(); });
  }
  ~WorkerThread() { Stop(); }

  void Stop() {
    if (!thread_.joinable()) return;
    asio::post(loop_, [this] { stoppers_.Spawn(StopAndStopLoop(*worker_, loop_)); });
    thread_.join();
  }
  size_t queries() const { return handler_.queries(); }

 private:
  asio::io_context loop_{1};
  FakeQueryHandler handler_;
  SystemClock clock_;
  TaskGroup stoppers_{loop_};
  std::unique_ptr<ServerWorker> worker_;
  std::jthread thread_;
};

// Waits on the client's own clock, for a server that runs on other threads.
template <typename Predicate>
bool WaitUntil(Predicate done) {
  asio::io_context nothing;
  const auto work = asio::make_work_guard(nothing);
  return RunUntil(nothing, done);
}

TEST(ServerTest, ServesUdpAndTcpOnOnePortOfItsChoice) {
  const auto server = Server::Bind(Listening({EndpointAt("127.0.0.1", 0), EndpointAt("::1", 0)}), 1);
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_EQ((*server)->endpoints().size(), 2U);
  const WorkerThread worker(**server, 0);
  for (const Endpoint& endpoint : (*server)->endpoints()) {
    EXPECT_NE(endpoint.port, 0);
    const UdpClient udp(endpoint.address.ToString());
    udp.Send(endpoint, "now udp");
    std::optional<UdpClient::Datagram> reply;
    EXPECT_TRUE(WaitUntil([&] { return (reply = udp.TryReceive()).has_value(); }));
    TcpClient tcp(endpoint);
    tcp.Send(Frame("now tcp"));
    EXPECT_TRUE(WaitUntil([&] { return tcp.replies().size() == 1; }));
  }
  EXPECT_EQ((*server)->udp_totals().queries, 2U);
  EXPECT_EQ((*server)->stream_totals().queries, 2U);
  EXPECT_EQ((*server)->stream_totals().accepted, 2U);
}

TEST(ServerTest, WorkersShareTheClientsAndTheLimits) {
  Config config = Listening({EndpointAt("127.0.0.1", 0)});
  config.limits.tcp_connections = 30;
  config.limits.tcp_connections_per_client = 30;
  const auto server = Server::Bind(config, 2);
  ASSERT_TRUE(server.ok()) << server.status();
  const Endpoint at = (*server)->endpoints().front();
  WorkerThread one(**server, 0);
  WorkerThread two(**server, 1);
  std::vector<std::unique_ptr<UdpClient>> udp;
  std::vector<std::unique_ptr<TcpClient>> tcp;
  for (int i = 0; i < 40; ++i) {
    udp.push_back(std::make_unique<UdpClient>());
    udp.back()->Send(at, "now");
    tcp.push_back(std::make_unique<TcpClient>(at));
    tcp.back()->SendSome(Frame("now"));
  }
  for (const auto& client : udp) EXPECT_TRUE(WaitUntil([&] { return client->TryReceive().has_value(); }));
  EXPECT_TRUE(WaitUntil([&] { return (*server)->stream_totals().refused_total == 10; }));
  EXPECT_TRUE(WaitUntil([&] { return (*server)->stream_totals().replies == 30; }));
  EXPECT_EQ((*server)->udp_totals().replies, 40U);
  one.Stop();
  two.Stop();
  EXPECT_GT(one.queries(), 0U);
  EXPECT_GT(two.queries(), 0U);
  EXPECT_EQ(one.queries() + two.queries(), 70U);
  EXPECT_EQ((*server)->stream_totals().open, 0U);
}

TEST(ServerTest, BindsEverythingOrNothing) {
  const auto holder = ListenTcp(EndpointAt("127.0.0.2", 0), PortSharing::kExclusive);
  ASSERT_TRUE(holder.ok());
  const uint16_t taken = LocalEndpoint(holder->get()).port;
  // The first endpoint and the second one's UDP port are free; the second one's TCP port is not.
  const auto server = Server::Bind(Listening({EndpointAt("127.0.0.1", taken), EndpointAt("127.0.0.2", taken)}), 2);
  ASSERT_EQ(server.status().code(), absl::StatusCode::kAlreadyExists) << server.status();
  EXPECT_TRUE(Contains(server.status(), StrCat("127.0.0.2:", taken, "/tcp"))) << server.status();
  EXPECT_TRUE(Contains(server.status(), "ss -ltnp")) << server.status();
  const auto first = Server::Bind(Listening({EndpointAt("127.0.0.1", taken)}), 1);
  EXPECT_TRUE(first.ok()) << "what was bound is free again: " << first.status();
}

TEST(ServerTest, ASecondServerOnThePortIsRefused) {
  const auto first = Server::Bind(Listening({EndpointAt("127.0.0.1", 0)}), 2);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Server::Bind(Listening({(*first)->endpoints().front()}), 2);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << "they would take each other's queries";
}

TEST(ServerTest, APortThatLingersFromTheLastRunIsTakenAgain) {
  Endpoint at;
  {
    const auto server = Server::Bind(Listening({EndpointAt("127.0.0.1", 0)}), 1);
    ASSERT_TRUE(server.ok());
    at = (*server)->endpoints().front();
    WorkerThread worker(**server, 0);
    TcpClient client(at);
    client.Send(Frame("now"));
    EXPECT_TRUE(WaitUntil([&] { return client.replies().size() == 1; }));
    worker.Stop();  // the server closes first, so TIME_WAIT is on its side
    EXPECT_TRUE(client.closed());
  }
  const auto again = Server::Bind(Listening({at}), 1);
  EXPECT_TRUE(again.ok()) << again.status();
}

TEST(ServerTest, EndpointsThatExcludeEachOtherAreSaidToBeSo) {
  absl::Status status =
      Server::Bind(Listening({EndpointAt("127.0.0.1", 5300), EndpointAt("127.0.0.1", 5300)}), 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Contains(status, "127.0.0.1:5300 is there twice")) << status;
  status = Server::Bind(Listening({EndpointAt("127.0.0.1", 5300), EndpointAt("0.0.0.0", 5300)}), 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Contains(status, "0.0.0.0:5300 stands for every address, so 127.0.0.1:5300")) << status;
}

TEST(ServerTest, BothWildcardsServeTheSamePort) {
  const auto chosen = Server::Bind(Listening({EndpointAt("::", 0)}), 1);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  const uint16_t port = (*chosen)->endpoints().front().port;
  const auto other = Server::Bind(Listening({EndpointAt("0.0.0.0", port)}), 1);
  EXPECT_TRUE(other.ok()) << other.status();
}

TEST(ServerTest, ATlsEndpointIsNotServedInPlainText) {
  Config config;
  config.listen.push_back({ListenProtocol::kTls, EndpointAt("127.0.0.1", 0)});
  const auto server = Server::Bind(config, 1);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ServerTest, StopAnswersWhatEveryListenerOwes) {
  const auto server = Server::Bind(Listening({EndpointAt("127.0.0.1", 0), EndpointAt("127.0.0.2", 0)}), 1);
  ASSERT_TRUE(server.ok());
  asio::io_context loop;
  FakeQueryHandler handler;
  SystemClock clock;
  const std::unique_ptr<ServerWorker> worker = (*server)->MakeWorker(0, loop, handler, clock);
  worker->Start();
  const UdpClient udp;
  udp.Send((*server)->endpoints()[0], "later udp");
  TcpClient tcp((*server)->endpoints()[1]);
  tcp.Send(Frame("later tcp"));
  ASSERT_TRUE(RunUntil(loop, [&] { return handler.waiting() == 2; }));
  TaskGroup stoppers(loop);
  stoppers.Spawn(StopAndStopLoop(*worker, loop));
  RunReady(loop);
  tcp.SendEndOfStream();
  handler.ReleaseAll();
  EXPECT_EQ(tcp.Replies(loop, 1), std::vector<std::string>{"later tcp"});
  EXPECT_EQ(udp.Receive(loop).text, "later udp");
  EXPECT_TRUE(RunUntil(loop, [&] { return stoppers.running() == 0; }));
  const Config same = Listening({(*server)->endpoints()[0], (*server)->endpoints()[1]});
  EXPECT_TRUE(Server::Bind(same, 1).ok()) << "every socket is closed";
}

TEST(StatisticsTest, EveryCountHasANameOfItsOwnAndIsAdded) {
  StreamStatistics part;
  uint64_t n = 0;
  for (const auto& [name, field] : StreamStatistics::Fields()) (part.*field).Add(++n);
  StreamTotals total;
  AddTo(total, part);
  AddTo(total, part);
  std::set<std::string_view> names;
  n = 0;
  for (const auto& [name, field] : StreamTotals::Fields()) {
    names.insert(name);
    EXPECT_EQ(total.*field, 2 * ++n) << name;
  }
  EXPECT_EQ(names.size(), StreamTotals::Fields().size());
  EXPECT_EQ(sizeof(StreamTotals), StreamTotals::Fields().size() * sizeof(uint64_t)) << "a count without a name";
  EXPECT_EQ(sizeof(UdpTotals), UdpTotals::Fields().size() * sizeof(uint64_t)) << "a count without a name";
}

}  // namespace
}  // namespace dotward
