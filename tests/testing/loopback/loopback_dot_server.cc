#include "testing/loopback/loopback_dot_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cctype>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "base/await.h"
#include "base/strings.h"
#include "net/descriptor.h"
#include "net/socket_address.h"
#include "net/stream_framing.h"
#include "net/tls_stream.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using StreamDescriptor = asio::posix::basic_stream_descriptor<Executor>;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kGarbage = "220 this is no TLS server, whatever you may think\r\n";

[[noreturn]] void Fail(std::string_view what) {
  std::fprintf(stderr, "LoopbackDotServer: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               std::strerror(errno));
  std::abort();
}

int Listen(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  const int descriptor = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (descriptor < 0) Fail("socket");
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(descriptor, address.data(), address.size()) != 0) Fail("bind");
  if (listen(descriptor, 4096) != 0) Fail("listen");
  return descriptor;
}

// Ends a TCP connection at once: connecting to nowhere makes the kernel send a RST and drop what is unsent.
void ResetSocket(int descriptor) {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  connect(descriptor, &nowhere, sizeof nowhere);
}

// Tells TLS records (an alert that was under way) from anything else on a stream.
class RecordSkipper {
 public:
  // How many of `octets` belong to no record.
  size_t Add(std::span<const uint8_t> octets) {
    size_t plain = 0;
    for (const uint8_t octet : octets) {
      if (plain_) {
        ++plain;
      } else if (skip_ != 0) {
        --skip_;
      } else {
        header_.push_back(octet);
        plain += LookAtHeader();
      }
    }
    return plain;
  }

 private:
  size_t LookAtHeader() {
    // RFC 8446 §5.1: type, version 3.x, length.
    const bool record = header_[0] >= 20 && header_[0] <= 23 && (header_.size() < 2 || header_[1] == 3);
    if (!record) {
      plain_ = true;
      return header_.size();
    }
    if (header_.size() == 5) {
      skip_ = size_t{header_[3]} << 8 | header_[4];
      header_.clear();
    }
    return 0;
  }

  std::vector<uint8_t> header_;
  size_t skip_ = 0;
  bool plain_ = false;
};

std::vector<LoopbackAction> AnswerPositively(const LoopbackQuery& query) {
  if (query.message.size() < kHeaderOctets) return {LoopbackAction::Close()};
  return {LoopbackAction::Reply(PositiveAnswerTo(query.message))};
}

// The octets of the QNAME of `message`, uncompressed as queries have it; empty where there is none.
OctetView QuestionName(OctetView message) {
  size_t at = kHeaderOctets;
  while (at < message.size() && message[at] != 0 && message[at] <= kLabelOctetsMax) at += size_t{1} + message[at];
  return at < message.size() && message[at] == 0 ? message.subspan(kHeaderOctets, at + 1 - kHeaderOctets) : OctetView();
}

// The reply to what a resolver asks for its own sake, nullopt for anything else.
std::optional<Octets> AnswerToProbe(OctetView message) {
  static const Octets kLoopCheck = WireName("loop-check.example.com.");
  const OctetView name = QuestionName(message);
  if (name.size() == 1 && message.size() >= kHeaderOctets + 5 && message[kHeaderOctets + 2] == rr_type::kNs) {
    return PositiveAnswerTo(message, 3600, {Ns("ns.root.example.")});
  }
  const auto same = [](uint8_t a, uint8_t b) { return std::tolower(a) == b; };
  if (name.size() > kLoopCheck.size() &&
      std::equal(name.end() - static_cast<std::ptrdiff_t>(kLoopCheck.size()), name.end(), kLoopCheck.begin(), same)) {
    return NxdomainAnswerTo(message, "example.com.");
  }
  return std::nullopt;
}

LoopbackAction ActionOf(LoopbackAction::Kind kind, Octets octets = {}) {
  LoopbackAction action;
  action.kind = kind;
  action.octets = std::move(octets);
  return action;
}

}  // namespace

LoopbackAction LoopbackAction::Reply(const Octets& message) { return ActionOf(Kind::kWrite, Framed(message)); }
LoopbackAction LoopbackAction::ReplyTogether(const std::vector<Octets>& messages) {
  Octets octets;
  for (const Octets& message : messages) AppendFrame(octets, message);
  return ActionOf(Kind::kWrite, std::move(octets));
}
LoopbackAction LoopbackAction::Raw(Octets octets) { return ActionOf(Kind::kWrite, std::move(octets)); }
LoopbackAction LoopbackAction::Close() { return ActionOf(Kind::kClose); }
LoopbackAction LoopbackAction::CloseWithoutNotify() { return ActionOf(Kind::kCloseWithoutNotify); }
LoopbackAction LoopbackAction::Reset() { return ActionOf(Kind::kReset); }
LoopbackAction LoopbackAction::After(std::string event_in) && {
  event = std::move(event_in);
  return std::move(*this);
}
LoopbackAction LoopbackAction::AtNextQuery() && {
  at_next_query = true;
  return std::move(*this);
}

class LoopbackDotServer::Impl {
 public:
  Impl(Script script, Options options)
      : options_(std::move(options)),
        authority_(options_.authority ? options_.authority : std::make_shared<const TestAuthority>()),
        work_(loop_.get_executor()),
        tasks_(loop_),
        script_(std::move(script)),
        accept_(options_.accept) {
    SetCertificate(options_.certificate);
    const int listener = Listen({options_.address, 0});
    endpoint_ = LocalEndpoint(listener);
    StartAccepting(listener);
    thread_ = std::thread(&Impl::Run, this);
  }
  ~Impl() { Stop(); }

  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& ca_file() const { return authority_->ca_file(); }

  void SetScript(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  void SetAccept(LoopbackAccept accept) {
    const std::lock_guard lock(mutex_);
    accept_ = accept;
  }
  void SetCertificate(const CertificateSpec& spec) {
    const TestCertificate certificate = authority_->Issue(spec);
    auto credentials = TlsServerCredentials::Create(certificate.chain, certificate.key, options_.versions);
    if (!credentials.ok()) Fail(MessageOf(credentials.status()));
    const std::lock_guard lock(mutex_);
    credentials_ = *std::move(credentials);
  }

  void SetManner(const LoopbackManner& manner) {
    const std::lock_guard lock(mutex_);
    manner_ = manner;
    random_.seed(manner.seed);
  }
  void SetSilence(LoopbackSilence silence) {
    OnLoop([this, silence] {
      silence_ = silence;
      for (const auto& [number, connection] : connections_) {
        connection->silent = silence != LoopbackSilence::kNone;
        if (!connection->silent) continue;
        connection->due.clear();
        connection->waiting.clear();
        connection->delayed.clear();
      }
    });
  }

  void Fire(const std::string& event) {
    OnLoop([this, event] {
      fired_.insert(event);
      for (const auto& [number, connection] : connections_) ReleaseWaiting(*connection, /*next_query=*/false);
    });
  }
  void StopListening() {
    OnLoop([this] { StopAccepting(); });
  }
  void StartListening() {
    OnLoop([this] {
      if (!listener_) StartAccepting(Listen(endpoint_));
    });
  }
  void CloseAllConnections(LoopbackAction::Kind how) {
    OnLoop([this, how] { CloseAllNow(how); });
  }

  void Stop() {
    if (!thread_.joinable()) return;
    OnLoop([this] {
      stopping_ = true;
      StopAccepting();
      CloseAllNow(LoopbackAction::Kind::kClose);
      for (TlsCanceller* const handshake : handshakes_) handshake->Cancel();
      while (!lingering_.empty()) EndLinger(SocketPtr(*lingering_.begin()));
      work_.reset();
    });
    thread_.join();
  }

  Counters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }
  std::vector<LoopbackQuery> queries() const {
    const std::lock_guard lock(mutex_);
    return queries_;
  }
  bool WaitUntil(const std::function<bool(const Counters&)>& condition, milliseconds patience) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return condition(counters_); });
  }

 private:
  struct Connection {
    Connection(size_t number_in, std::unique_ptr<TlsStream> stream_in, Descriptor socket_in, Executor executor)
        : number(number_in),
          stream(std::move(stream_in)),
          socket(std::move(socket_in)),
          wakeup(executor),
          delay_timer(executor),
          idle_timer(executor) {}
    const size_t number;
    std::unique_ptr<TlsStream> stream;
    Descriptor socket;  // the same socket as the stream's
    Wakeup wakeup;
    std::deque<LoopbackAction> due;
    std::vector<LoopbackAction> waiting;
    std::multimap<std::chrono::steady_clock::time_point, LoopbackAction> delayed;
    SteadyTimer delay_timer;  // until the first of `delayed`
    SteadyTimer idle_timer;
    milliseconds idle_close{0};
    bool silent = false;
    size_t queries = 0;
    bool finishing = false;  // the peer has closed: what is due is written, then that is all
    int tasks = 2;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;
  using SocketPtr = std::shared_ptr<StreamDescriptor>;

  void Run() { loop_.run(); }

  // Runs `work` on the loop's thread and waits for its end.
  void OnLoop(const std::function<void()>& work) {
    if (std::this_thread::get_id() == thread_.get_id()) return work();
    if (!thread_.joinable()) return;
    std::promise<void> done;
    asio::post(loop_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  template <typename Change>
  void Count(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change(counters_);
    }
    changed_.notify_all();
  }

  // --- on the loop's thread ---
  void StartAccepting(int descriptor) {
    listener_ = std::make_shared<StreamDescriptor>(loop_, descriptor);
    tasks_.Spawn(AcceptConnections(this, listener_));
  }

  void StopAccepting() {
    asio::error_code ignored;
    if (listener_) listener_->close(ignored);
    listener_.reset();
  }

  static Task<> AcceptConnections(Impl* self, SocketPtr listener) {
    while (listener->is_open()) {
      co_await listener->async_wait(asio::posix::descriptor_base::wait_read, kAwait);
      while (listener->is_open()) {
        const int accepted = accept4(listener->native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) break;
        self->TakeConnection(accepted);
      }
    }
  }

  void TakeConnection(int accepted) {
    Descriptor socket(accepted);
    size_t number = 0;
    LoopbackAccept accept = LoopbackAccept::kServe;
    Count([&](Counters& counters) {
      number = counters.connections++;
      accept = accept_;
    });
    switch (accept) {
      case LoopbackAccept::kServe:
        tasks_.Spawn(Serve(this, socket.Release(), number));
        return;
      case LoopbackAccept::kGarbage:
        if (send(socket.get(), kGarbage.data(), kGarbage.size(), MSG_NOSIGNAL) < 0) Fail("send");
        [[fallthrough]];
      case LoopbackAccept::kStall:
        held_.push_back(std::move(socket));
        return;
      case LoopbackAccept::kCloseMidway:
        tasks_.Spawn(CloseAfterFirstOctets(this, socket.Release()));
        return;
      case LoopbackAccept::kCloseAtOnce:
        Count([](Counters& counters) { ++counters.closed_connections; });
        return;
    }
  }

  static Task<> CloseAfterFirstOctets(Impl* self, int accepted) {
    const SocketPtr socket = self->Linger(Descriptor(accepted));
    co_await socket->async_wait(asio::posix::descriptor_base::wait_read, kAwait);
    // Read them, so that the close is a FIN.
    std::array<uint8_t, 4096> discarded;
    while (socket->is_open() && recv(socket->native_handle(), discarded.data(), discarded.size(), 0) > 0) {
    }
    self->EndLinger(socket);
    self->Count([](Counters& counters) { ++counters.closed_connections; });
  }

  static Task<> Serve(Impl* self, int accepted, size_t number) {
    Descriptor same_socket(dup(accepted));
    std::shared_ptr<const TlsServerCredentials> credentials;
    {
      const std::lock_guard lock(self->mutex_);
      credentials = self->credentials_;
    }
    TlsCanceller canceller;
    if (self->stopping_) canceller.Cancel();
    self->handshakes_.insert(&canceller);
    auto stream =
        co_await TlsStream::Accept(self->loop_, accepted, std::move(credentials),
                                   Deadline::After(std::chrono::steady_clock::now(), seconds(60)), &canceller);
    self->handshakes_.erase(&canceller);
    if (!stream.ok()) {
      self->Count([](Counters& counters) { ++counters.failed_handshakes; });
      if (!self->stopping_) self->Drain(std::move(same_socket), /*count=*/true);
      self->Count([](Counters& counters) { ++counters.closed_connections; });
      co_return;
    }
    const bool resumed = (*stream)->resumed();
    self->Count([&](Counters& counters) {
      ++counters.handshakes;
      if (resumed) ++counters.resumed_handshakes;
    });
    const auto connection =
        std::make_shared<Connection>(number, *std::move(stream), std::move(same_socket), self->loop_.get_executor());
    self->connections_[number] = connection;
    connection->silent = self->silence_ == LoopbackSilence::kAll;
    {
      const std::lock_guard lock(self->mutex_);
      connection->idle_close = self->manner_.idle_close;
    }
    self->RestartIdleTimer(connection);
    self->tasks_.Spawn(WriteReplies(self, connection));
    co_await ReadQueries(self, connection);
    connection->finishing = true;
    connection->wakeup.Notify();
    self->EndTask(*connection);
  }

  static Task<> ReadQueries(Impl* self, ConnectionPtr connection) {
    FrameReader frames;
    std::vector<uint8_t> record(16'384);
    while (true) {
      const absl::StatusOr<size_t> read = co_await connection->stream->Read(record);
      if (!read.ok() || *read == 0) co_return;
      self->Count([&](Counters& counters) {
        ++counters.records;
        counters.application_octets += *read;
      });
      std::span<const uint8_t> rest(record.data(), *read);
      while (!rest.empty()) {
        const std::span<uint8_t> space = frames.Space();
        const size_t part = std::min(space.size(), rest.size());
        std::copy_n(rest.begin(), part, space.begin());
        frames.Commit(part);
        rest = rest.subspan(part);
        while (const auto message = frames.Next()) self->TakeQuery(connection, *message);
      }
    }
  }

  void TakeQuery(const ConnectionPtr& connection, std::span<const uint8_t> message) {
    RestartIdleTimer(connection);
    if (!options_.script_answers_probes) {
      if (const std::optional<Octets> reply = AnswerToProbe(message)) {
        Count([](Counters& counters) { ++counters.probes; });
        if (!connection->silent) CarryOut(connection, {LoopbackAction::Reply(*reply)});
        return;
      }
    }
    LoopbackQuery query;
    query.message.assign(message.begin(), message.end());
    query.connection = connection->number;
    query.number = connection->queries++;
    Script script;
    bool lost = connection->silent;
    Count([&](Counters& counters) {
      query.total = counters.queries++;
      if (options_.keep_queries) queries_.push_back(query);
      script = script_;
      lost = lost || (manner_.lost_share > 0 && std::bernoulli_distribution(manner_.lost_share)(random_));
      if (lost) ++counters.lost;
    });
    if (!connection->silent) ReleaseWaiting(*connection, /*next_query=*/true);
    if (!lost) CarryOut(connection, script(query));
  }

  void CarryOut(const ConnectionPtr& connection, std::vector<LoopbackAction> actions) {
    const milliseconds delay = DrawDelay();
    for (LoopbackAction& action : actions) {
      const bool waits = action.at_next_query || (!action.event.empty() && !fired_.contains(action.event));
      if (waits) {
        connection->waiting.push_back(std::move(action));
      } else if (delay.count() != 0) {
        connection->delayed.emplace(std::chrono::steady_clock::now() + delay, std::move(action));
      } else {
        connection->due.push_back(std::move(action));
      }
    }
    if (delay.count() != 0) WaitForDelayed(connection);
    connection->wakeup.Notify();
  }

  milliseconds DrawDelay() {
    const std::lock_guard lock(mutex_);
    if (manner_.delay_max.count() == 0) return milliseconds(0);
    return milliseconds(std::uniform_int_distribution(manner_.delay_min.count(), manner_.delay_max.count())(random_));
  }

  // The timers hold their connection by a weak pointer: they end with it.
  void WaitForDelayed(const ConnectionPtr& owner) {
    if (owner->delayed.empty()) return;
    owner->delay_timer.expires_at(owner->delayed.begin()->first);
    owner->delay_timer.async_wait([this, weak = std::weak_ptr(owner)](const asio::error_code& error) {
      const ConnectionPtr connection = weak.lock();
      if (error || !connection) return;
      std::multimap<std::chrono::steady_clock::time_point, LoopbackAction>& delayed = connection->delayed;
      const auto due = delayed.upper_bound(std::chrono::steady_clock::now());
      for (auto action = delayed.begin(); action != due; ++action) connection->due.push_back(std::move(action->second));
      delayed.erase(delayed.begin(), due);
      connection->wakeup.Notify();
      WaitForDelayed(connection);
    });
  }
  void RestartIdleTimer(const ConnectionPtr& owner) {
    if (owner->idle_close.count() == 0) return;
    owner->idle_timer.expires_after(owner->idle_close);
    owner->idle_timer.async_wait([this, weak = std::weak_ptr(owner)](const asio::error_code& error) {
      const ConnectionPtr connection = weak.lock();
      if (!error && connection) CloseNow(*connection, LoopbackAction::Kind::kClose);
    });
  }

  void ReleaseWaiting(Connection& connection, bool next_query) {
    std::vector<LoopbackAction> still;
    for (LoopbackAction& action : connection.waiting) {
      const bool free = action.at_next_query ? next_query : fired_.contains(action.event);
      if (free) {
        connection.due.push_back(std::move(action));
      } else {
        still.push_back(std::move(action));
      }
    }
    connection.waiting = std::move(still);
    connection.wakeup.Notify();
  }

  static Task<> WriteReplies(Impl* self, ConnectionPtr connection) {
    while (!connection->stream->closed()) {
      if (connection->due.empty()) {
        if (connection->finishing) break;
        co_await connection->wakeup.Wait();
        continue;
      }
      const LoopbackAction action = std::move(connection->due.front());
      connection->due.pop_front();
      if (action.kind != LoopbackAction::Kind::kWrite) {
        self->CloseNow(*connection, action.kind);
        break;
      }
      const absl::Status written = co_await connection->stream->Write(action.octets);
      if (!written.ok()) break;
      self->Count([](Counters& counters) { ++counters.replies; });
      self->RestartIdleTimer(connection);
    }
    self->CloseNow(*connection, LoopbackAction::Kind::kClose);
    self->EndTask(*connection);
  }

  void EndTask(Connection& connection) {
    if (--connection.tasks != 0) return;
    connections_.erase(connection.number);
    Count([](Counters& counters) { ++counters.closed_connections; });
  }

  void CloseNow(Connection& connection, LoopbackAction::Kind how) {
    if (connection.stream->closed()) return;
    if (how == LoopbackAction::Kind::kReset) ResetSocket(connection.socket.get());
    // Once nothing can be sent any more, Close() cannot send its close_notify.
    if (how == LoopbackAction::Kind::kCloseWithoutNotify) shutdown(connection.socket.get(), SHUT_WR);
    connection.stream->Close();
    connection.wakeup.Notify();
    if (how == LoopbackAction::Kind::kReset || stopping_) {
      connection.socket = Descriptor();
    } else {
      Drain(std::move(connection.socket), /*count=*/false);
    }
  }

  // Sends a FIN and reads until the peer's: a socket that is closed with unread octets would send a RST, which can
  // take away replies that the peer has not read yet.
  void Drain(Descriptor socket, bool count) {
    shutdown(socket.get(), SHUT_WR);
    tasks_.Spawn(ReadToTheEnd(this, Linger(std::move(socket)), count));
  }
  SocketPtr Linger(Descriptor socket) {
    SocketPtr lingering = std::make_shared<StreamDescriptor>(loop_, socket.Release());
    lingering_.insert(lingering);
    return lingering;
  }
  void EndLinger(const SocketPtr& socket) {
    asio::error_code ignored;
    socket->close(ignored);
    lingering_.erase(socket);
  }
  static Task<> ReadToTheEnd(Impl* self, SocketPtr socket, bool count) {
    std::array<uint8_t, 4096> octets;
    RecordSkipper records;
    while (socket->is_open()) {
      co_await socket->async_wait(asio::posix::descriptor_base::wait_read, kAwait);
      if (!socket->is_open()) co_return;
      const ssize_t received = recv(socket->native_handle(), octets.data(), octets.size(), 0);
      if (received > 0 && count) {
        const size_t plain = records.Add({octets.data(), static_cast<size_t>(received)});
        self->Count([&](Counters& counters) { counters.octets_after_failure += plain; });
      }
      if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) self->EndLinger(socket);
    }
  }

  void CloseAllNow(LoopbackAction::Kind how) {
    const std::map<size_t, ConnectionPtr> connections = connections_;
    for (const auto& [number, connection] : connections) CloseNow(*connection, how);
    for (const Descriptor& socket : held_) {
      if (how == LoopbackAction::Kind::kReset) ResetSocket(socket.get());
      Count([](Counters& counters) { ++counters.closed_connections; });
    }
    held_.clear();
  }

  const Options options_;
  const std::shared_ptr<const TestAuthority> authority_;
  Endpoint endpoint_;
  asio::io_context loop_{1};
  asio::executor_work_guard<Executor> work_;

  // The loop's thread only, once it runs.
  TaskGroup tasks_;
  SocketPtr listener_;
  std::map<size_t, ConnectionPtr> connections_;
  std::set<TlsCanceller*> handshakes_;
  std::set<SocketPtr> lingering_;  // closed by us, or failed; the peer has not closed yet
  std::vector<Descriptor> held_;   // accepted and left alone
  std::set<std::string> fired_;
  bool stopping_ = false;
  LoopbackSilence silence_ = LoopbackSilence::kNone;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_.
  Script script_;
  LoopbackManner manner_;
  std::mt19937_64 random_{1};
  LoopbackAccept accept_;
  std::shared_ptr<const TlsServerCredentials> credentials_;
  Counters counters_;
  std::vector<LoopbackQuery> queries_;

  std::thread thread_;
};

LoopbackDotServer::LoopbackDotServer() : LoopbackDotServer(AnswerPositively) {}
LoopbackDotServer::LoopbackDotServer(Script script) : LoopbackDotServer(std::move(script), Options{}) {}
LoopbackDotServer::LoopbackDotServer(Script script, Options options)
    : impl_(std::make_unique<Impl>(script ? std::move(script) : Script(AnswerPositively), std::move(options))) {}
LoopbackDotServer::~LoopbackDotServer() = default;

uint16_t LoopbackDotServer::port() const { return impl_->endpoint().port; }
Endpoint LoopbackDotServer::endpoint() const { return impl_->endpoint(); }
const std::string& LoopbackDotServer::ca_file() const { return impl_->ca_file(); }
void LoopbackDotServer::SetScript(Script script) { impl_->SetScript(std::move(script)); }
void LoopbackDotServer::SetAccept(LoopbackAccept accept) { impl_->SetAccept(accept); }
void LoopbackDotServer::SetManner(const LoopbackManner& manner) { impl_->SetManner(manner); }
void LoopbackDotServer::SetSilence(LoopbackSilence silence) { impl_->SetSilence(silence); }
void LoopbackDotServer::SetCertificate(const CertificateSpec& certificate) { impl_->SetCertificate(certificate); }
void LoopbackDotServer::Fire(const std::string& event) { impl_->Fire(event); }
void LoopbackDotServer::StopListening() { impl_->StopListening(); }
void LoopbackDotServer::StartListening() { impl_->StartListening(); }
void LoopbackDotServer::CloseAllConnections(LoopbackAction::Kind how) { impl_->CloseAllConnections(how); }
void LoopbackDotServer::Stop() { impl_->Stop(); }
LoopbackDotServer::Counters LoopbackDotServer::counters() const { return impl_->counters(); }
std::vector<LoopbackQuery> LoopbackDotServer::queries() const { return impl_->queries(); }
bool LoopbackDotServer::WaitUntil(const std::function<bool(const Counters&)>& condition, milliseconds patience) const {
  return impl_->WaitUntil(condition, patience);
}
bool LoopbackDotServer::WaitForQueries(uint64_t count) const {
  return WaitUntil([count](const Counters& counters) { return counters.queries >= count; });
}
bool LoopbackDotServer::WaitForConnections(uint64_t count) const {
  return WaitUntil([count](const Counters& counters) { return counters.connections >= count; });
}

}  // namespace dotward
