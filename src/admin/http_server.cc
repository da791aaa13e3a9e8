#include "admin/http_server.h"

#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <asio/post.hpp>
#include <cerrno>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "net/socket_address.h"
#include "server/tcp_listen.h"

namespace dotward {

struct HttpServer::Connection {
  Connection(asio::io_context& loop, Descriptor connected, IpFamily family, SteadyTime deadline)
      : stream(loop, std::move(connected), family), timer(loop.get_executor(), deadline), watch(loop) {}

  // What is to be done by `deadline` has changed.
  void Expire(SteadyTime deadline) { timer.expires_at(deadline); }

  TcpStream stream;
  std::string octets;  // the request as far as it was read, then the reply
  bool reading = true;
  bool evicted = false;  // another needs the place
  bool over = false;
  SteadyTimer timer;
  TaskGroup watch;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Create(const Endpoint& where, HttpProtocol::Site site,
                                                               const HttpPatience& patience) {
  ASSIGN_OR_RETURN(Descriptor listening, ListenTcp(where, PortSharing::kExclusive));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(listening), std::move(site), patience));
}

HttpServer::HttpServer(Descriptor listening, HttpProtocol::Site site, const HttpPatience& patience)
    : patience_(patience),
      listening_(std::move(listening)),
      local_(LocalEndpoint(listening_.get())),
      readiness_(loop_.get_executor(), listening_.get()),
      protocol_(local_.address, std::move(site)) {}

HttpServer::~HttpServer() {
  Stop();
  if (readiness_.is_open()) (void)readiness_.release();
}

void HttpServer::Start() {
  asio::post(loop_, [this] { tasks_.Spawn(AcceptConnections()); });
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), "http");
}

void HttpServer::Stop() {
  if (!thread_.joinable()) return;
  asio::post(loop_, [this] { stopping_task_.Spawn(WindDown()); });
  thread_.join();
}

Task<> HttpServer::WindDown() {
  stopping_ = true;
  back_off_.cancel();
  (void)readiness_.release();
  listening_ = Descriptor();
  for (const auto& connection : connections_) connection->stream.Close();
  co_await tasks_.Join();
  work_.reset();
}

Task<> HttpServer::AcceptConnections() {
  while (!stopping_) {
    if (AcceptBatch()) {
      co_await readiness_.async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    } else {
      back_off_.expires_after(Limits::kSocketBackOff);
      co_await back_off_.async_wait(kAwait);
    }
  }
}

// False where something is wrong, for want of descriptors for instance: the connection stays in the kernel's queue and
// would wake us again at once.
bool HttpServer::AcceptBatch() {
  for (size_t i = 0; i < Limits::kAcceptBatch; ++i) {
    SocketAddress peer;
    socklen_t size = SocketAddress::kCapacity;
    Descriptor connected(accept4(listening_.get(), peer.Receive(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connected.is_open()) return errno == EAGAIN || errno == EWOULDBLOCK;
    Admit(std::move(connected), peer.ToEndpoint());
  }
  return true;
}

void HttpServer::Admit(Descriptor connected, const Endpoint& peer) {
  if (connections_.size() >= Limits::kHttpConnectionsMax) MakeRoom();
  connections_.push_back(std::make_unique<Connection>(loop_, std::move(connected), peer.address.family(),
                                                      std::chrono::steady_clock::now() + patience_.request));
  tasks_.Spawn(Serve(connections_.back().get()));
}

// Closes the connection that has kept us waiting for longest. Who means it sends his request with the connection, so
// it is the slow who go, and a flood of them keeps nobody out. It is gone on the loop's next turn.
void HttpServer::MakeRoom() {
  Connection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (connection->evicted) continue;
    if (oldest == nullptr || (connection->reading && !oldest->reading)) oldest = connection.get();
    if (oldest->reading) break;
  }
  if (oldest == nullptr) return;
  oldest->evicted = true;
  oldest->stream.Close();
}

Task<> HttpServer::Serve(Connection* connection) {
  connection->watch.Spawn(Watch(connection));
  co_await Exchange(*connection);
  connection->over = true;
  connection->timer.cancel();
  co_await connection->watch.Join();
  connections_.remove_if([connection](const auto& owner) { return owner.get() == connection; });
}

Task<> HttpServer::Exchange(Connection& connection) {
  const bool read = co_await ReadRequest(connection);
  if (!read) co_return;
  connection.reading = false;
  const size_t head = HttpProtocol::HeadOctets(connection.octets);
  connection.octets =
      head == 0 ? HttpProtocol::AnswerTooLong() : protocol_.Answer(std::string_view(connection.octets).substr(0, head));
  connection.Expire(std::chrono::steady_clock::now() + patience_.reply);
  const bool written = co_await WriteReply(connection);
  if (!written) co_return;
  connection.Expire(std::chrono::steady_clock::now() + patience_.linger);
  co_await Linger(connection);
}

// True where there is a head of a request, or as much as is read of one.
Task<bool> HttpServer::ReadRequest(Connection& connection) {
  std::array<uint8_t, 1024> buffer;
  while (connection.octets.size() < Limits::kHttpRequestOctetsMax) {
    const absl::StatusOr<size_t> octets = co_await connection.stream.Read(buffer);
    if (!octets.ok() || *octets == 0) co_return false;
    connection.octets.append(buffer.begin(), buffer.begin() + *octets);
    if (HttpProtocol::HeadOctets(connection.octets) != 0) co_return true;
  }
  co_return true;
}

Task<bool> HttpServer::WriteReply(Connection& connection) {
  size_t written = 0;
  while (written < connection.octets.size()) {
    const auto* begin = reinterpret_cast<const uint8_t*>(connection.octets.data());
    const absl::StatusOr<size_t> octets =
        co_await connection.stream.WriteSome({begin + written, connection.octets.size() - written});
    if (!octets.ok()) co_return false;
    written += *octets;
  }
  co_return true;
}

// Closing with octets unread would reset the connection, and the client could lose the reply with it.
Task<> HttpServer::Linger(Connection& connection) {
  connection.stream.ShutdownWrite();
  std::array<uint8_t, 4096> buffer;
  size_t read = 0;
  while (read < Limits::kHttpLingerOctetsMax) {
    const absl::StatusOr<size_t> octets = co_await connection.stream.Read(buffer);
    if (!octets.ok() || *octets == 0) co_return;
    read += *octets;
  }
}

Task<> HttpServer::Watch(Connection* connection) {
  while (!connection->over) {
    const auto [error] = co_await connection->timer.async_wait(kAwait);
    // There is a new deadline, or none any more; it may have come when the old one had just passed.
    if (error || connection->over || connection->timer.expiry() > std::chrono::steady_clock::now()) continue;
    connection->stream.Close();
    co_return;
  }
}

}  // namespace dotward
