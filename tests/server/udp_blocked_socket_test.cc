#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <array>
#include <cstring>
#include <string>

#include "server/fake_query_handler.h"
#include "server/loopback_clients.h"
#include "server/udp_listener.h"

// A UDP socket on loopback can always be written, so these tests make a network of their own: an Ethernet on which
// nobody answers ARP, so that the kernel keeps what is sent and charges the socket for it.

namespace dotward {
namespace {

bool Control(int descriptor, unsigned long request, ifreq& interface) {
  return ioctl(descriptor, request, &interface) == 0;
}

// The test's thread is in a network namespace of its own for as long as this lives.
class PrivateNetwork {
 public:
  PrivateNetwork() : home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (!home_.is_open() || unshare(CLONE_NEWNET) != 0) return;
    entered_ = true;
    ethernet_ = Descriptor(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    raw_ = Descriptor(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    ready_ = ethernet_.is_open() && any.is_open() && raw_.is_open() && MakeEthernet(any.get()) && Up(any.get(), "lo");
  }
  ~PrivateNetwork() {
    if (entered_ && setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  PrivateNetwork(const PrivateNetwork&) = delete;
  PrivateNetwork& operator=(const PrivateNetwork&) = delete;

  bool ready() const { return ready_; }

  // Lets a query come from a neighbour who is not there.
  void SendFromNeighbour(const Endpoint& to, std::string_view text) const {
    std::string datagram(sizeof(iphdr) + sizeof(udphdr) + text.size(), '\0');
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.saddr = inet_addr("192.0.2.2");
    std::memcpy(&ip.daddr, to.address.octets().data(), sizeof(ip.daddr));
    udphdr udp{};
    udp.uh_sport = htons(4711);
    udp.uh_dport = htons(to.port);
    udp.uh_ulen = htons(static_cast<uint16_t>(sizeof(udp) + text.size()));
    std::memcpy(datagram.data(), &ip, sizeof(ip));
    std::memcpy(datagram.data() + sizeof(ip), &udp, sizeof(udp));
    std::memcpy(datagram.data() + sizeof(ip) + sizeof(udp), text.data(), text.size());
    const SocketAddress address({to.address, 0});
    ASSERT_EQ(sendto(raw_.get(), datagram.data(), datagram.size(), 0, address.data(), address.size()),
              static_cast<ssize_t>(datagram.size()))
        << std::strerror(errno);
  }

 private:
  static ifreq Named(const char* name) {
    ifreq interface {};
    std::strncpy(interface.ifr_name, name, IFNAMSIZ - 1);
    return interface;
  }
  static bool Up(int any, const char* name) {
    ifreq interface = Named(name);
    interface.ifr_flags = IFF_UP | IFF_RUNNING;
    return Control(any, SIOCSIFFLAGS, interface);
  }
  static bool SetAddress(int any, unsigned long request, const char* text) {
    ifreq interface = Named("silent");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr(text);
    std::memcpy(&interface.ifr_addr, &address, sizeof(address));
    return Control(any, request, interface);
  }
  bool MakeEthernet(int any) {
    ifreq interface = Named("silent");
    interface.ifr_flags = IFF_TAP | IFF_NO_PI;
    return Control(ethernet_.get(), TUNSETIFF, interface) && SetAddress(any, SIOCSIFADDR, "192.0.2.1") &&
           SetAddress(any, SIOCSIFNETMASK, "255.255.255.0") && Up(any, "silent");
  }

  Descriptor home_;
  bool entered_ = false;
  Descriptor ethernet_;
  Descriptor raw_;
  bool ready_ = false;
};

Task<> StopAndMark(UdpListener& listener, bool& stopped) {
  co_await listener.Stop();
  stopped = true;
}

class UdpBlockedSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!network_.ready()) GTEST_SKIP() << "a network of its own takes privileges and /dev/net/tun";
    UdpSocket socket = UdpSocket::Bind(EndpointAt("192.0.2.1", 0), PortSharing::kExclusive).value();
    const int little = 8192;  // some four replies
    ASSERT_EQ(setsockopt(socket.descriptor(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    listener_ = std::make_unique<UdpListener>(context_, std::move(socket), statistics_);
    listener_->Start();
  }
  const Endpoint& server() const { return listener_->local(); }

  PrivateNetwork network_;
  asio::io_context loop_;
  FakeQueryHandler handler_;
  SystemClock clock_;
  ListenerContext context_{loop_, handler_, clock_};
  UdpStatistics statistics_;
  std::unique_ptr<UdpListener> listener_;
  TaskGroup stoppers_{loop_};
};

TEST_F(UdpBlockedSocketTest, RepliesWaitForTheSocketOnlySoLongAndServingGoesOn) {
  for (int i = 0; i < 30; ++i) network_.SendFromNeighbour(server(), "big 1000 ");
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil(loop_, [&] { return statistics_.dropped_blocked.value() > 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, Limits::kUdpSendTime);
  EXPECT_EQ(statistics_.queries.value(), 30U);
  EXPECT_GT(statistics_.replies.value(), 0U);
  EXPECT_EQ(statistics_.replies.value() + statistics_.dropped_blocked.value(), 30U);
  network_.SendFromNeighbour(server(), "big 1000 ");
  EXPECT_TRUE(RunUntil(loop_, [&] { return statistics_.queries.value() == 31; }));
}

TEST_F(UdpBlockedSocketTest, LaterRepliesBehindOnesThatWaitedInVainAreDroppedWithThem) {
  for (int i = 0; i < 300; ++i) {
    network_.SendFromNeighbour(server(), "later");
    if (i % 50 == 49) {
      ASSERT_TRUE(RunUntil(loop_, [&] { return handler_.waiting() == static_cast<size_t>(i) + 1; }));
    }
  }
  handler_.ReleaseAllWith(Octets(1000));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(RunUntil(loop_, [&] { return context_.pending.taken() == 0; }));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4 * Limits::kUdpSendTime) << "not once for each 64 of them";
  EXPECT_EQ(statistics_.replies.value() + statistics_.dropped_blocked.value(), 300U);
}

TEST_F(UdpBlockedSocketTest, StopEndsWhileRepliesWaitForTheSocket) {
  for (int i = 0; i < 30; ++i) network_.SendFromNeighbour(server(), "big 1000 ");
  network_.SendFromNeighbour(server(), "later");
  ASSERT_TRUE(RunUntil(loop_, [&] { return statistics_.replies.value() > 0; }));
  bool stopped = false;
  stoppers_.Spawn(StopAndMark(*listener_, stopped));
  ASSERT_TRUE(RunUntil(loop_, [&] {
    handler_.ReleaseAllWith(Octets(1000));
    return stopped;
  }));
  EXPECT_EQ(statistics_.replies.value() + statistics_.dropped_blocked.value(), 31U);
}

}  // namespace
}  // namespace dotward
