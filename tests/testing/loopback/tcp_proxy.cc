#include "testing/loopback/tcp_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What one direction of one connection holds before it reads no more, so that a stalled reader slows its writer down.
constexpr size_t kHeldOctetsMax = size_t{1} << 20;
constexpr int kBacklog = 1024;
// The kernel drops SYNs once more connections than this wait to be accepted.
constexpr int kHangingBacklog = 1;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "TcpProxy: %s: %s\n", what, std::strerror(errno));
  std::abort();
}

Descriptor Listen(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Descriptor listener(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener.get(), address.data(), address.size()) != 0) Fail("bind");
  if (listen(listener.get(), kBacklog) != 0) Fail("listen");
  return listener;
}

Descriptor StartConnect(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Descriptor descriptor(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (connect(descriptor.get(), address.data(), address.size()) != 0 && errno != EINPROGRESS && errno != ECONNREFUSED) {
    Fail("connect");
  }
  return descriptor;
}

bool Writable(int descriptor, int timeout) {
  pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
  return poll(&writable, 1, timeout) == 1;
}

bool WouldWait() { return errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS; }

// Closing with this option set sends a RST and drops what is unsent (SO_LINGER with a time of 0).
void Reset(Descriptor& descriptor) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  descriptor = Descriptor();
}

}  // namespace

class TcpProxy::Impl {
 public:
  Impl(const Endpoint& target, const IpAddress& address)
      : target_(target), listener_(Listen({address, 0})), wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    endpoint_ = LocalEndpoint(listener_.get());
    thread_ = std::thread(&Impl::Run, this);
  }
  ~Impl() {
    Command([this] { stopping_ = true; });
    thread_.join();
  }

  const Endpoint& endpoint() const { return endpoint_; }

  // Runs `change` where nothing else looks at the state, and lets the thread see to its consequences.
  template <typename Change>
  void Command(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    const uint64_t one = 1;
    if (write(wakeup_.get(), &one, sizeof one) != sizeof one) Fail("eventfd");
  }

  void SetNewConnections(NewConnections what) {
    Command([&] {
      if (what == new_connections_) return;
      fillers_.clear();
      if (!listener_.is_open()) listener_ = Listen(endpoint_);
      if (new_connections_ == NewConnections::kHang) {
        listen(listener_.get(), kBacklog);
        DropFillers();
      }
      AcceptWaiting();
      new_connections_ = what;
      if (what == NewConnections::kRefuse) listener_ = Descriptor();
      if (what == NewConnections::kHang) FillBacklog();
    });
  }
  void Delay(Direction direction, milliseconds delay) {
    Command([&] { Of(direction).delay = delay; });
  }
  void Drip(Direction direction, milliseconds interval) {
    Command([&] { Of(direction).drip = interval; });
  }
  void StallOpenConnections() {
    Command([&] {
      AcceptWaiting();
      for (Connection& connection : connections_) connection.stalled = true;
    });
  }
  void StallAll(bool stall) {
    Command([&] {
      stall_all_ = stall;
      if (stall) return;
      for (Connection& connection : connections_) connection.stalled = false;
    });
  }
  void CutAll(Cut how) {
    Command([&] {
      if (listener_.is_open() && new_connections_ != NewConnections::kHang) AcceptWaiting();
      for (Connection& connection : connections_) CutNow(connection, how);
    });
  }
  void CutAfter(Direction direction, size_t octets, Cut how) {
    Command([&] { Of(direction).cut = {octets, how}; });
  }
  void CorruptAfter(Direction direction, size_t octets) {
    Command([&] { Of(direction).corrupt_after = octets; });
  }

  Counters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }
  bool WaitUntil(const std::function<bool(const Counters&)>& condition, milliseconds patience) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return condition(counters_); });
  }

 private:
  struct Treatment {
    milliseconds delay{0};
    milliseconds drip{0};
    std::optional<std::pair<size_t, Cut>> cut;
    std::optional<size_t> corrupt_after;
  };
  struct Chunk {
    Clock::time_point due;
    std::vector<uint8_t> octets;
    size_t written = 0;
  };
  struct Pipe {
    std::deque<Chunk> chunks;
    size_t held = 0;
    Clock::time_point next_drip{};
    bool source_ended = false;
    bool sink_ended = false;  // we have sent our FIN
    bool discard = false;     // cut: what still comes is read and thrown away
  };
  struct Connection {
    Descriptor client, server;
    std::array<Pipe, 2> pipes;  // by Direction
    bool stalled = false;
    bool cut = false;

    Descriptor& Source(Direction direction) { return direction == Direction::kToServer ? client : server; }
    Descriptor& Sink(Direction direction) { return direction == Direction::kToServer ? server : client; }
    Pipe& Of(Direction direction) { return pipes[static_cast<size_t>(direction)]; }
    bool is_open() const { return client.is_open(); }
  };
  static constexpr std::array kDirections = {Direction::kToServer, Direction::kToClient};

  Treatment& Of(Direction direction) { return treatments_[static_cast<size_t>(direction)]; }

  // --- new connections ---

  void AcceptWaiting() {
    while (listener_.is_open()) {
      Descriptor accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      ++counters_.connections;
      changed_.notify_all();
      if (new_connections_ == NewConnections::kReset) {
        Reset(accepted);
        continue;
      }
      Connection connection;
      connection.server = StartConnect(target_);
      const int on = 1;
      for (const int end : {accepted.get(), connection.server.get()}) {
        setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      connection.client = std::move(accepted);
      connections_.push_back(std::move(connection));
      ++counters_.open;
    }
  }

  // Connections of our own that are never accepted take up the places of the backlog, until a SYN stays unanswered.
  void FillBacklog() {
    if (listen(listener_.get(), kHangingBacklog) != 0) Fail("listen");
    do {
      fillers_.push_back(StartConnect(endpoint_));
    } while (Writable(fillers_.back().get(), 20) && fillers_.size() < 16);
    // The last one would be accepted as soon as there is room.
    fillers_.pop_back();
  }
  // The fillers are closed; what is left of them in the queue is thrown away, and with them whoever got in between.
  void DropFillers() {
    while (true) {
      Descriptor accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      Reset(accepted);
    }
  }

  // --- forwarding, with mutex_ held ---

  bool Stalled(const Connection& connection) const { return !connection.cut && (stall_all_ || connection.stalled); }

  void Read(Connection& connection, Direction direction, Clock::time_point now) {
    Pipe& pipe = connection.Of(direction);
    std::array<uint8_t, 16'384> octets;
    while (connection.is_open() && !pipe.source_ended && pipe.held < kHeldOctetsMax) {
      const ssize_t got = recv(connection.Source(direction).get(), octets.data(), octets.size(), 0);
      if (got < 0 && WouldWait()) return;
      if (got < 0) return CutNow(connection, Cut::kReset);
      if (got == 0) {
        pipe.source_ended = true;
        return;
      }
      if (pipe.discard) continue;
      pipe.held += static_cast<size_t>(got);
      pipe.chunks.push_back({now + Of(direction).delay, {octets.begin(), octets.begin() + got}});
    }
  }

  void Write(Connection& connection, Direction direction, Clock::time_point now) {
    Pipe& pipe = connection.Of(direction);
    Treatment& treatment = Of(direction);
    while (connection.is_open() && !pipe.chunks.empty()) {
      Chunk& chunk = pipe.chunks.front();
      if (chunk.due > now) return;
      size_t part = chunk.octets.size() - chunk.written;
      if (treatment.drip.count() != 0) {
        if (pipe.next_drip > now) return;
        part = 1;
      }
      if (treatment.cut) part = std::min(part, treatment.cut->first);
      // Up to the octet to corrupt, which goes alone.
      if (treatment.corrupt_after) {
        if (*treatment.corrupt_after == 0) {
          part = std::min<size_t>(part, 1);
          chunk.octets[chunk.written] ^= 0x10;
        } else {
          part = std::min(part, *treatment.corrupt_after);
        }
      }
      const ssize_t put =
          send(connection.Sink(direction).get(), chunk.octets.data() + chunk.written, part, MSG_NOSIGNAL);
      if (put <= 0) {
        if (treatment.corrupt_after && *treatment.corrupt_after == 0) chunk.octets[chunk.written] ^= 0x10;
        if (put < 0 && !WouldWait()) CutNow(connection, Cut::kReset);
        return;
      }
      Forwarded(connection, direction, static_cast<size_t>(put), now);
    }
    if (connection.is_open() && pipe.source_ended && !pipe.sink_ended) {
      shutdown(connection.Sink(direction).get(), SHUT_WR);
      pipe.sink_ended = true;
    }
  }

  void Forwarded(Connection& connection, Direction direction, size_t octets, Clock::time_point now) {
    Pipe& pipe = connection.Of(direction);
    Treatment& treatment = Of(direction);
    Chunk& chunk = pipe.chunks.front();
    chunk.written += octets;
    pipe.held -= octets;
    if (chunk.written == chunk.octets.size()) pipe.chunks.pop_front();
    if (treatment.drip.count() != 0) pipe.next_drip = now + treatment.drip;
    (direction == Direction::kToServer ? counters_.octets_to_server : counters_.octets_to_client) += octets;
    changed_.notify_all();
    if (treatment.corrupt_after) {
      if (*treatment.corrupt_after == 0) {
        treatment.corrupt_after.reset();
      } else {
        *treatment.corrupt_after -= octets;
      }
    }
    if (treatment.cut && (treatment.cut->first -= octets) == 0) {
      const Cut how = treatment.cut->second;
      treatment.cut.reset();
      CutNow(connection, how);
    }
  }

  // Once its descriptors are closed, the thread takes the connection from the list.
  void CutNow(Connection& connection, Cut how) {
    if (!connection.is_open()) return;
    if (how == Cut::kReset) {
      Reset(connection.client);
      Reset(connection.server);
      --counters_.open;
      changed_.notify_all();
      return;
    }
    connection.cut = true;
    for (const Direction direction : kDirections) {
      if (how == Cut::kHalfClose && direction == Direction::kToServer) continue;
      Pipe& pipe = connection.Of(direction);
      if (pipe.sink_ended) continue;
      pipe.chunks.clear();
      pipe.held = 0;
      pipe.discard = true;
      pipe.sink_ended = true;
      shutdown(connection.Sink(direction).get(), SHUT_WR);
    }
  }

  void CloseIfDone(Connection& connection) {
    if (!connection.is_open()) return;
    for (const Pipe& pipe : connection.pipes) {
      if (!pipe.source_ended || !pipe.sink_ended) return;
    }
    connection.client = Descriptor();
    connection.server = Descriptor();
    --counters_.open;
    changed_.notify_all();
  }

  // --- the thread ---

  void Run() {
    std::vector<pollfd> waiting;
    while (true) {
      int timeout = -1;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        Turn(Clock::now());
        waiting.clear();
        timeout = WhatToWaitFor(waiting, Clock::now());
      }
      // A descriptor that another thread closes meanwhile at worst wakes us for nothing: every turn tries everything.
      poll(waiting.data(), waiting.size(), timeout);
      uint64_t count = 0;
      if (read(wakeup_.get(), &count, sizeof count) < 0 && errno != EAGAIN) Fail("eventfd");
    }
  }

  void Turn(Clock::time_point now) {
    if (new_connections_ != NewConnections::kHang) AcceptWaiting();
    for (Connection& connection : connections_) {
      if (Stalled(connection)) continue;
      for (const Direction direction : kDirections) {
        Read(connection, direction, now);
        Write(connection, direction, now);
      }
      CloseIfDone(connection);
    }
    connections_.remove_if([](const Connection& connection) { return !connection.is_open(); });
  }

  // Fills in the descriptors; the result is the milliseconds until something is due, -1 for never.
  int WhatToWaitFor(std::vector<pollfd>& waiting, Clock::time_point now) {
    waiting.push_back({.fd = wakeup_.get(), .events = POLLIN, .revents = 0});
    if (listener_.is_open() && new_connections_ != NewConnections::kHang) {
      waiting.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
    }
    std::optional<Clock::time_point> next;
    for (Connection& connection : connections_) {
      if (Stalled(connection)) continue;
      for (const Direction direction : kDirections) {
        const Pipe& pipe = connection.Of(direction);
        if (!pipe.source_ended && pipe.held < kHeldOctetsMax) {
          waiting.push_back({.fd = connection.Source(direction).get(), .events = POLLIN, .revents = 0});
        }
        if (pipe.chunks.empty()) continue;
        Clock::time_point due = pipe.chunks.front().due;
        if (Of(direction).drip.count() != 0) due = std::max(due, pipe.next_drip);
        if (due > now) {
          next = std::min(next.value_or(due), due);
        } else {
          waiting.push_back({.fd = connection.Sink(direction).get(), .events = POLLOUT, .revents = 0});
        }
      }
    }
    if (!next) return -1;
    return static_cast<int>(std::chrono::ceil<milliseconds>(*next - now).count());
  }

  const Endpoint target_;
  Endpoint endpoint_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_.
  Descriptor listener_;
  NewConnections new_connections_ = NewConnections::kServe;
  std::vector<Descriptor> fillers_;
  std::list<Connection> connections_;
  std::array<Treatment, 2> treatments_;
  bool stall_all_ = false;
  bool stopping_ = false;
  Counters counters_;

  const Descriptor wakeup_;
  std::thread thread_;
};

TcpProxy::TcpProxy(const Endpoint& target, const IpAddress& address) : impl_(std::make_unique<Impl>(target, address)) {}
TcpProxy::~TcpProxy() = default;
IpAddress TcpProxy::OwnAddress() {
  const auto process = static_cast<uint32_t>(getpid());
  return IpAddress::V4({127, static_cast<uint8_t>(1 + (process >> 16U) % 254), static_cast<uint8_t>(process >> 8U),
                        static_cast<uint8_t>(process)});
}

const Endpoint& TcpProxy::endpoint() const { return impl_->endpoint(); }
void TcpProxy::SetNewConnections(NewConnections what) { impl_->SetNewConnections(what); }
void TcpProxy::Delay(Direction direction, milliseconds delay) { impl_->Delay(direction, delay); }
void TcpProxy::Drip(Direction direction, milliseconds interval) { impl_->Drip(direction, interval); }
void TcpProxy::StallOpenConnections() { impl_->StallOpenConnections(); }
void TcpProxy::StallAll(bool stall) { impl_->StallAll(stall); }
void TcpProxy::CutAll(Cut how) { impl_->CutAll(how); }
void TcpProxy::CutAfter(Direction direction, size_t octets, Cut how) { impl_->CutAfter(direction, octets, how); }
void TcpProxy::CorruptAfter(Direction direction, size_t octets) { impl_->CorruptAfter(direction, octets); }
TcpProxy::Counters TcpProxy::counters() const { return impl_->counters(); }
bool TcpProxy::WaitUntil(const std::function<bool(const Counters&)>& condition, milliseconds patience) const {
  return impl_->WaitUntil(condition, patience);
}

}  // namespace dotward
