#include "net/network_monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <array>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "base/await.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/descriptor.h"
#include "net/netlink_state.h"
#include "net/suspend_detector.h"

namespace dotward {
namespace {

constexpr unsigned kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
// What is not told of in order to be noticed, but because notices of every kind may have been lost.
constexpr NetworkChange kEverything{.addresses = true, .routes = true, .links = true};

Duration TimeOf(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Descriptor OpenNetlink(unsigned groups) {
  Descriptor descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!descriptor.is_open()) return {};
  if (bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return descriptor;
}

enum class Received : uint8_t { kDatagram, kForeign, kLost, kNothing };

// One datagram into `buffer`, of which `datagram` becomes the part that is filled.
Received ReceiveFrom(int descriptor, std::span<uint8_t> buffer, std::span<const uint8_t>& datagram) {
  sockaddr_nl sender{};
  iovec piece{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  ssize_t received = -1;
  do {
    received = recvmsg(descriptor, &header, 0);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return errno == ENOBUFS ? Received::kLost : Received::kNothing;
  if ((header.msg_flags & MSG_TRUNC) != 0) return Received::kLost;
  // Other programs can write to our socket; only the kernel is number 0.
  if (sender.nl_pid != 0) return Received::kForeign;
  datagram = buffer.first(static_cast<size_t>(received));
  return Received::kDatagram;
}

// Asks the kernel for all it has of one kind. The answers to a dump are made while they are read, so that nothing waits
// here. What cannot be learnt is taken for a change when it is first told of, which does no harm.
void LearnKind(uint16_t type, std::span<uint8_t> buffer, NetlinkState& state) {
  const Descriptor descriptor = OpenNetlink(0);
  if (!descriptor.is_open()) return;
  struct {
    nlmsghdr header;
    rtgenmsg kind;
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.kind);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.kind.rtgen_family = AF_UNSPEC;
  if (send(descriptor.get(), &request, request.header.nlmsg_len, 0) < 0) return;
  while (!state.full()) {
    std::span<const uint8_t> datagram;
    const Received received = ReceiveFrom(descriptor.get(), buffer, datagram);
    if (received == Received::kForeign) continue;
    if (received != Received::kDatagram || state.Apply(datagram).dump_ended) return;
  }
}

// Far enough that it never comes, near enough for the kernel's arithmetic: the year 2200.
constexpr itimerspec kNever{{0, 0}, {7'258'118'400, 0}};
constexpr int kUntilTheClockIsSet = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;

Descriptor OpenClockWatch() {
  Descriptor descriptor(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!descriptor.is_open()) return {};
  if (timerfd_settime(descriptor.get(), kUntilTheClockIsSet, &kNever, nullptr) != 0) return {};
  return descriptor;
}

}  // namespace

class NetworkMonitor::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, OnChange on_change)
      : executor_(loop.get_executor()),
        on_change_(std::move(on_change)),
        netlink_(loop),
        clock_(loop),
        quiet_(executor_),
        suspend_(TimeOf(CLOCK_BOOTTIME), TimeOf(CLOCK_MONOTONIC)) {}

  void Start() {
    // Notices first and the dump after them: what happens between the two is in both, and known the second time.
    if (Take(OpenNetlink(kGroups), netlink_, "changes of the network are not noticed")) {
      buffer_.resize(Limits::kNetlinkDatagramOctets);
      Learn();
      WaitForNotices();
    }
    if (Take(OpenClockWatch(), clock_, "a suspend or a new wall clock is not noticed at once")) WaitForClock();
  }

  void Stop() {
    on_change_ = nullptr;
    asio::error_code ignored;
    netlink_.close(ignored);
    clock_.close(ignored);
    quiet_.cancel();
  }

  bool watches_network() const { return netlink_.is_open(); }

 private:
  using AsioDescriptor = asio::posix::basic_stream_descriptor<Executor>;
  enum class Event : uint8_t { kNotices, kClock, kQuietEnded };
  // What the loop calls, so that nothing holds the monitor alive.
  struct On {
    Event event;
    std::weak_ptr<Impl> impl;
    void operator()(const asio::error_code& error) const {
      const std::shared_ptr<Impl> alive = impl.lock();
      if (!error && alive != nullptr && alive->on_change_) alive->Handle(event);
    }
  };

  static bool Take(Descriptor opened, AsioDescriptor& target, std::string_view consequence) {
    asio::error_code error;
    if (opened.is_open()) {
      target.assign(opened.get(), error);
      if (!error) {
        opened.Release();
        return true;
      }
    } else {
      error = asio::error_code(errno, asio::error::get_system_category());
    }
    Log(LogLevel::kInfo, "this system does not let the network be watched",
        {{"consequence", consequence}, {"reason", error.message()}});
    return false;
  }

  void Handle(Event event) {
    switch (event) {
      case Event::kNotices:
        ReadNotices();
        break;
      case Event::kClock:
        ReadClock();
        break;
      case Event::kQuietEnded:
        EndQuiet();
        break;
    }
  }

  void WaitForNotices() { netlink_.async_wait(AsioDescriptor::wait_read, On{Event::kNotices, weak_from_this()}); }
  void WaitForClock() { clock_.async_wait(AsioDescriptor::wait_read, On{Event::kClock, weak_from_this()}); }

  void Learn() {
    state_.Clear();
    for (const uint16_t type : {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE}) LearnKind(type, buffer_, state_);
  }

  void ReadNotices() {
    NetworkChange change;
    for (size_t reads = 0; reads < Limits::kNetlinkReadsPerTurn; ++reads) {
      std::span<const uint8_t> datagram;
      const Received received = ReceiveFrom(netlink_.native_handle(), buffer_, datagram);
      if (received == Received::kNothing) break;
      if (received == Received::kDatagram) change |= state_.Apply(datagram).change;
      if (received == Received::kLost) {
        change |= kEverything;
        lost_ = true;
      }
    }
    // The network comes back with a wake-up, perhaps ahead of the clock's own notice.
    change.suspended = HasSlept();
    // What is left ends the wait at once, after the loop's other work.
    WaitForNotices();
    Tell(change);
  }

  void ReadClock() {
    uint64_t expirations = 0;
    const bool set = read(clock_.native_handle(), &expirations, sizeof expirations) < 0 && errno == ECANCELED;
    timerfd_settime(clock_.native_handle(), kUntilTheClockIsSet, &kNever, nullptr);
    WaitForClock();
    if (!set) return;
    // After a suspend the wall clock has been set too, to where it belongs.
    const bool slept = HasSlept();
    Tell({.suspended = slept, .wall_clock_set = !slept});
  }

  bool HasSlept() { return suspend_.Observe(TimeOf(CLOCK_BOOTTIME), TimeOf(CLOCK_MONOTONIC)); }

  void Tell(const NetworkChange& change) {
    if (!change.any()) return;
    if (is_quiet_) {
      waiting_ |= change;
      return;
    }
    BeginQuiet();
    on_change_(change);
  }

  void BeginQuiet() {
    is_quiet_ = true;
    quiet_.expires_after(Limits::kNetworkChangeQuiet);
    quiet_.async_wait(On{Event::kQuietEnded, weak_from_this()});
  }

  void EndQuiet() {
    is_quiet_ = false;
    // Once a burst and not once a loss: whoever floods us with notices shall not make us read everything each time.
    if (std::exchange(lost_, false)) Learn();
    Tell(std::exchange(waiting_, {}));
  }

  const Executor executor_;
  OnChange on_change_;  // empty once stopped
  AsioDescriptor netlink_;
  AsioDescriptor clock_;
  SteadyTimer quiet_;
  std::vector<uint8_t> buffer_;
  NetlinkState state_;
  SuspendDetector suspend_;
  bool is_quiet_ = false;  // a change was told less than kNetworkChangeQuiet ago
  bool lost_ = false;      // notices, since the state was last learnt
  NetworkChange waiting_;
};

NetworkMonitor::NetworkMonitor(asio::io_context& loop, OnChange on_change)
    : impl_(std::make_shared<Impl>(loop, std::move(on_change))) {
  impl_->Start();
}

NetworkMonitor::~NetworkMonitor() { impl_->Stop(); }

bool NetworkMonitor::watches_network() const { return impl_->watches_network(); }

}  // namespace dotward
