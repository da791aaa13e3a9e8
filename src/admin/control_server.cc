#include "admin/control_server.h"

#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <asio/buffer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "admin/control_reply.h"
#include "admin/statistics_json.h"
#include "base/log.h"
#include "base/strings.h"

namespace dotward {
namespace {

using UnixStream = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;

bool IsQuestionAboutEntries(const ControlRequest& request) {
  return request.command == ControlCommand::kCacheLookup || request.command == ControlCommand::kCacheDump;
}

bool IsWanted(const CacheEntry& entry, const ControlRequest& request) {
  if (request.dnssec_ok && !entry.dnssec_ok) return false;
  if (request.checking_disabled && !entry.checking_disabled) return false;
  if (!request.type || entry.every_type) return true;
  const OctetView type_and_class = entry.image->question().last(4);
  return (type_and_class[0] << 8U | type_and_class[1]) == *request.type;
}

}  // namespace

struct ControlServer::Connection {
  Connection(asio::io_context& loop, UnixStream accepted) : socket(std::move(accepted)), timer(loop.get_executor()) {}

  void Close() {
    asio::error_code ignored;
    socket.close(ignored);
  }
  // The watch waits anew.
  void Allow(Duration patience) { timer.expires_after(patience); }
  void AllowAnyTime() { timer.expires_at(SteadyTime::max()); }

  UnixStream socket;
  SteadyTimer timer;
  bool done = false;
  std::string output;
};

ControlServer::ControlServer(ControlSocket socket, ServiceControl& service, const Clock& clock,
                             const ControlPatience& patience)
    : socket_(std::move(socket)),
      service_(service),
      clock_(clock),
      patience_(patience),
      readiness_(loop_.get_executor(), socket_.descriptor()),
      back_off_(loop_.get_executor()) {}

ControlServer::~ControlServer() {
  Stop();
  // The descriptor is the socket's to close.
  if (readiness_.is_open()) (void)readiness_.release();
}

void ControlServer::Start() {
  asio::post(loop_, [this] { tasks_.Spawn(AcceptConnections()); });
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), "control");
}

void ControlServer::Stop() {
  if (!thread_.joinable()) return;
  asio::post(loop_, [this] { Close(); });
  thread_.join();
}

void ControlServer::Close() {
  stopping_ = true;
  back_off_.cancel();
  if (readiness_.is_open()) (void)readiness_.release();
  for (const ConnectionPtr& connection : connections_) connection->Close();
}

// --- connections ---

Task<> ControlServer::AcceptConnections() {
  while (!stopping_) {
    AcceptBatch();
    if (failing_) {
      back_off_.expires_after(Limits::kSocketBackOff);
      co_await back_off_.async_wait(kAwait);
    } else {
      co_await readiness_.async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    }
  }
}

void ControlServer::AcceptBatch() {
  for (size_t i = 0; i < Limits::kAcceptBatch; ++i) {
    Descriptor connected(accept4(socket_.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connected.is_open()) {
      failing_ = false;
      Admit(std::move(connected));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      failing_ = false;
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the kernel's queue and would wake us again at once.
      if (!std::exchange(failing_, true)) {
        Log(LogLevel::kError, "the control socket cannot accept connections, will try again",
            {{"socket", socket_.path()}, {"reason", std::strerror(errno)}});
      }
      return;
    }
  }
}

void ControlServer::Admit(Descriptor connected) {
  if (connections_.size() >= Limits::kControlConnectionsMax) {
    const std::string busy =
        RenderControlError(absl::ResourceExhaustedError("too many clients at the control socket; try again")) + "\n";
    // A fresh socket has room for it, unless its client is playing games.
    (void)!send(connected.get(), busy.data(), busy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  UnixStream stream(loop_.get_executor());
  asio::error_code error;
  stream.assign(asio::local::stream_protocol(), connected.get(), error);
  if (error) return;
  (void)connected.Release();
  auto connection = std::make_shared<Connection>(loop_, std::move(stream));
  connections_.insert(connection);
  connection->Allow(patience_.request);
  tasks_.Spawn(Watch(connection));
  tasks_.Spawn(Serve(connection));
}

Task<> ControlServer::Watch(ConnectionPtr connection) {
  while (!connection->done) {
    const auto result = co_await connection->timer.async_wait(kAwait);
    // Otherwise the end was put off; so it may have been while this was already on its way.
    const bool expired = !std::get<0>(result) && connection->timer.expiry() <= std::chrono::steady_clock::now();
    if (expired) connection->Close();
    if (!connection->socket.is_open()) break;
  }
}

Task<> ControlServer::Serve(ConnectionPtr connection) {
  const std::string line = co_await ReadRequest(connection);
  if (!line.empty()) {
    const absl::StatusOr<ControlRequest> request = ParseControlRequest(line);
    if (request.ok()) {
      co_await Reply(connection, *request);
    } else {
      co_await Send(connection, RenderControlError(request.status()));
    }
    co_await Flush(connection);
  }
  connection->done = true;
  connection->timer.cancel();
  connection->Close();
  connections_.erase(connection);
}

Task<std::string> ControlServer::ReadRequest(ConnectionPtr connection) {
  std::string request;
  std::array<char, 4096> buffer;
  while (request.size() < Limits::kControlRequestOctetsMax) {
    const auto result = co_await connection->socket.async_read_some(asio::buffer(buffer), kAwait);
    const auto& [error, octets] = result;
    // The end of the stream ends a line as well.
    if (error) co_return error == asio::error::eof ? request : std::string();
    const std::string_view read(buffer.data(), octets);
    const size_t end = read.find('\n');
    request.append(read.substr(0, end));
    if (end != std::string_view::npos) co_return request.empty() ? std::string("\n") : request;
  }
  const std::string too_long = StrCat("a request has at most ", Limits::kControlRequestOctetsMax, " octets");
  co_await Send(connection, RenderControlError(absl::InvalidArgumentError(too_long)));
  co_await Flush(connection);
  co_return std::string();
}

// --- replies ---

Task<> ControlServer::Reply(ConnectionPtr connection, ControlRequest request) {
  // What follows takes the server's time, not the client's.
  connection->AllowAnyTime();
  if (IsQuestionAboutEntries(request)) {
    co_await ReplyWithEntries(connection, std::move(request));
    co_return;
  }
  std::string line;
  if (request.command == ControlCommand::kQuery) {
    line = co_await AskUpstream(std::move(request));
  } else {
    line = ReplyAtOnce(request);
  }
  co_await Send(connection, std::move(line));
}

Task<> ControlServer::ReplyWithEntries(ConnectionPtr connection, ControlRequest request) {
  const bool whole_cache = request.command == ControlCommand::kCacheDump;
  CacheCursor cursor;
  uint64_t sent = 0;
  for (bool more = true; more;) {
    std::vector<CacheEntry> entries;
    if (whole_cache) {
      more = service_.WalkCache(cursor, entries);
    } else {
      entries = service_.CacheEntriesOf(request.name);
      more = false;
    }
    for (const CacheEntry& entry : entries) {
      if (!whole_cache && !IsWanted(entry, request)) continue;
      std::optional<AnswerTrust> trust;
      if (!whole_cache) trust = service_.TrustOf(entry);
      const ControlMoment now{clock_.Now(), clock_.WallNow()};
      const bool taken = co_await Send(connection, RenderCacheEntry(entry, trust ? &*trust : nullptr, now));
      if (!taken) co_return;
      ++sent;
    }
    // Other clients have their turn, though the walk may see thousands of shards that have nothing.
    co_await asio::post(loop_.get_executor(), kAwait);
    if (!connection->socket.is_open()) co_return;
  }
  co_await Send(connection, RenderEndOfEntries(sent));
}

// The answer comes on another thread, maybe when the client has gone: it belongs to the question alone.
Task<std::string> ControlServer::AskUpstream(ControlRequest request) {
  const auto staying = asio::make_work_guard(loop_);
  auto answered = std::make_shared<OneShot<ControlAnswer>>(loop_.get_executor());
  ControlQuery query;
  query.name = request.name;
  query.type = request.type.value_or(rr_type::kA);
  query.dnssec_ok = request.dnssec_ok;
  query.checking_disabled = request.checking_disabled;
  query.upstream = request.upstream;
  service_.Query(std::move(query), [this, answered](ControlAnswer answer) {
    asio::post(loop_, [answered, answer = std::move(answer)]() mutable { answered->Set(std::move(answer)); });
  });
  const ControlAnswer answer = co_await answered->Wait();
  co_return RenderAnswer(request, answer);
}

std::string ControlServer::ReplyAtOnce(const ControlRequest& request) {
  switch (request.command) {
    case ControlCommand::kStatus:
      return RenderStatus(service_.Facts(), service_.ready());
    case ControlCommand::kStats:
      return RenderJson(service_.Statistics());
    case ControlCommand::kUpstreams:
      return RenderUpstreams(service_.Upstreams());
    case ControlCommand::kSlow:
      return RenderSlow(service_.Slow());
    case ControlCommand::kCacheFlush:
      return RenderFlushed(request.flush == FlushScope::kName ? service_.FlushName(request.name)
                                                              : service_.FlushZone(request.name));
    case ControlCommand::kWhy:
      return RenderWhy(request, service_.Why(request.name, request.type.value_or(rr_type::kA)), service_.Upstreams(),
                       {clock_.Now(), clock_.WallNow()});
    case ControlCommand::kReload:
      return RenderReload(service_.Reload());
    default:
      return RenderHealth(service_.Facts(), service_.ready());
  }
}

Task<bool> ControlServer::Send(ConnectionPtr connection, std::string line) {
  connection->output += line;
  connection->output += '\n';
  if (connection->output.size() < Limits::kControlOutputOctets) co_return true;
  const bool written = co_await Flush(connection);
  co_return written;
}

Task<bool> ControlServer::Flush(ConnectionPtr connection) {
  const std::string output = std::exchange(connection->output, {});
  for (size_t at = 0; at < output.size();) {
    connection->Allow(patience_.write);
    const auto result =
        co_await connection->socket.async_write_some(asio::buffer(output.data() + at, output.size() - at), kAwait);
    const auto& [error, octets] = result;
    if (error) co_return false;
    at += octets;
  }
  connection->AllowAnyTime();
  co_return true;
}

}  // namespace dotward
