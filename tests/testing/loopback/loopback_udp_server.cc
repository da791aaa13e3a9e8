#include "testing/loopback/loopback_udp_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "net/descriptor.h"
#include "net/socket_address.h"
#include "testing/messages.h"

namespace dotward {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "LoopbackUdpServer: %s: %s\n", what, std::strerror(errno));
  std::abort();
}

Descriptor Bind(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Descriptor descriptor(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor.is_open()) Fail("socket");
  // Room for what a test sends at once.
  const int octets = 8 << 20;
  setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  if (bind(descriptor.get(), address.data(), address.size()) != 0) Fail("bind");
  return descriptor;
}

bool IsProbe(const Octets& message) {
  // A question for the root's name: one zero octet, then NS.
  return message.size() >= kHeaderOctets + 5 && message[kHeaderOctets] == 0 && message[kHeaderOctets + 1] == 0 &&
         message[kHeaderOctets + 2] == rr_type::kNs;
}

}  // namespace

LoopbackReply LoopbackReply::To(const Endpoint& endpoint) && {
  to = endpoint;
  return std::move(*this);
}

LoopbackReply LoopbackReply::FromElsewhere() && {
  from_elsewhere = true;
  return std::move(*this);
}

class LoopbackUdpServer::Impl {
 public:
  Impl(Script script, const IpAddress& address)
      : script_(std::move(script)), elsewhere_(Bind({address, 0})), wake_(eventfd(0, EFD_CLOEXEC)) {
    if (!wake_.is_open()) Fail("eventfd");
    socket_ = Bind({address, 0});
    endpoint_ = LocalEndpoint(socket_.get());
    thread_ = std::thread([this] { Serve(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    Wake();
    thread_.join();
  }

  // The serving thread closes and opens the socket itself, between two reads.
  void Listen(bool listen) {
    std::unique_lock lock(mutex_);
    wanted_listening_ = listen;
    Wake();
    changed_.wait(lock, [&] { return listening_ == listen; });
  }

  const Endpoint& endpoint() const { return endpoint_; }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Script script_;
  bool answer_probes_ = true;
  Counters counters_;
  std::vector<LoopbackDatagram> queries_;

 private:
  void Wake() const {
    const uint64_t one = 1;
    if (write(wake_.get(), &one, sizeof one) != sizeof one) Fail("write");
  }

  void Serve() {
    while (true) {
      std::array<pollfd, 2> waiting = {pollfd{wake_.get(), POLLIN, 0}, pollfd{socket_.get(), POLLIN, 0}};
      if (poll(waiting.data(), socket_.is_open() ? 2 : 1, -1) < 0 && errno != EINTR) Fail("poll");
      if (waiting[0].revents != 0) {
        uint64_t ignored = 0;
        if (read(wake_.get(), &ignored, sizeof ignored) != sizeof ignored) Fail("read");
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        if (wanted_listening_ != listening_) {
          socket_ = wanted_listening_ ? Bind(endpoint_) : Descriptor();
          listening_ = wanted_listening_;
          changed_.notify_all();
          continue;
        }
      }
      if (socket_.is_open() && waiting[1].revents != 0) ServeOne();
    }
  }

  void ServeOne() {
    std::array<uint8_t, 65'536> buffer;
    SocketAddress from;
    socklen_t size = SocketAddress::kCapacity;
    const ssize_t octets = recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, from.Receive(), &size);
    if (octets < 0) return;  // an ICMP error about a client that has gone
    LoopbackDatagram datagram;
    datagram.message.assign(buffer.begin(), buffer.begin() + octets);
    datagram.client = from.ToEndpoint();
    datagram.received_at = std::chrono::steady_clock::now();
    Script script;
    {
      const std::lock_guard lock(mutex_);
      if (IsProbe(datagram.message)) {
        ++counters_.probes;
        const bool answer = answer_probes_;
        changed_.notify_all();
        if (answer) Send(LoopbackReply(PositiveAnswerTo(datagram.message, 3600, {Ns("ns.root.example.")})), from);
        return;
      }
      datagram.number = counters_.queries++;
      queries_.push_back(datagram);
      script = script_;
    }
    for (const LoopbackReply& reply : script(datagram)) Send(reply, from);
    changed_.notify_all();
  }

  void Send(const LoopbackReply& reply, const SocketAddress& asker) {
    const SocketAddress to = reply.to.port != 0 ? SocketAddress(reply.to) : asker;
    const int descriptor = reply.from_elsewhere ? elsewhere_.get() : socket_.get();
    // A client that has gone is an error that the next read or write would report; it means nothing here.
    (void)!sendto(descriptor, reply.octets.data(), reply.octets.size(), 0, to.data(), to.size());
  }

  Endpoint endpoint_;
  Descriptor elsewhere_;
  Descriptor wake_;
  Descriptor socket_;  // the thread's own once it runs
  bool stopping_ = false;
  bool wanted_listening_ = true;
  bool listening_ = true;
  std::thread thread_;
};

LoopbackUdpServer::LoopbackUdpServer()
    : LoopbackUdpServer(
          [](const LoopbackDatagram& query) { return std::vector<LoopbackReply>{PositiveAnswerTo(query.message)}; }) {}
LoopbackUdpServer::LoopbackUdpServer(Script script, IpAddress address)
    : impl_(std::make_unique<Impl>(std::move(script), address)) {}
LoopbackUdpServer::~LoopbackUdpServer() = default;

LoopbackUdpServer::Script LoopbackUdpServer::Silence() {
  return [](const LoopbackDatagram&) { return std::vector<LoopbackReply>(); };
}

Endpoint LoopbackUdpServer::endpoint() const { return impl_->endpoint(); }

void LoopbackUdpServer::SetScript(Script script) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->script_ = std::move(script);
}

void LoopbackUdpServer::AnswerProbes(bool answer) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->answer_probes_ = answer;
}

void LoopbackUdpServer::StopListening() { impl_->Listen(false); }
void LoopbackUdpServer::StartListening() { impl_->Listen(true); }

LoopbackUdpServer::Counters LoopbackUdpServer::counters() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->counters_;
}

std::vector<LoopbackDatagram> LoopbackUdpServer::queries() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->queries_;
}

bool LoopbackUdpServer::WaitForQueries(uint64_t count, std::chrono::milliseconds patience) const {
  std::unique_lock lock(impl_->mutex_);
  return impl_->changed_.wait_for(lock, patience, [&] { return impl_->counters_.queries >= count; });
}

}  // namespace dotward
