#include "net/network_monitor.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "net/descriptor.h"
#include "net/local_route.h"

namespace dotward {
namespace {

using std::chrono::seconds;

constexpr NetworkChange kRoutes{.routes = true};

// Commands of ip(8), one a line, in this thread's network namespace.
void Ip(const std::string& commands) {
  FILE* const pipe = popen("ip -batch -", "w");
  ASSERT_NE(pipe, nullptr);
  EXPECT_GE(fputs(commands.c_str(), pipe), 0);
  EXPECT_EQ(pclose(pipe), 0) << commands;
}

// A link is up some time after it was told to be, and says so to whoever watches by then.
void WaitForLink(const char* name) {
  const Descriptor socket_of_this_network(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  while ((request.ifr_flags & IFF_RUNNING) == 0 && std::chrono::steady_clock::now() < end) {
    ASSERT_EQ(ioctl(socket_of_this_network.get(), SIOCGIFFLAGS, &request), 0) << std::strerror(errno);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Runs `body` on a thread with an empty network of its own: a pair of links, v0 and v1, both up, 10.9.0.1/24 on v0, and
// no IPv6, whose autoconfiguration would go on by itself. Skips where that is not permitted.
class PrivateNetwork {
 public:
  static void Run(const std::function<void()>& body) {
    int error = 0;
    std::thread([&] {
      if (unshare(CLONE_NEWNET) != 0) {
        error = errno;
        return;
      }
      Ip("link add v0 address 02:00:00:00:00:01 type veth peer name v1\n"
         "link set v0 addrgenmode none\nlink set v1 addrgenmode none\n"
         "link set lo up\nlink set v1 up\nlink set v0 up\naddress add 10.9.0.1/24 dev v0\n");
      for (const char* const link : {"lo", "v0", "v1"}) WaitForLink(link);
      body();
    }).join();
    if (error != 0) GTEST_SKIP() << "a network namespace needs root: " << std::strerror(error);
  }
};

// A monitor and what it has told.
struct Watch {
  asio::io_context loop{1};
  std::vector<NetworkChange> told;
  NetworkMonitor monitor{loop, [this](const NetworkChange& change) { told.push_back(change); }};

  // Runs the loop until `count` changes have been told. The patience is a guard against tests that hang.
  void WaitFor(size_t count) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (told.size() < count && std::chrono::steady_clock::now() < end) {
      loop.restart();
      loop.run_one_for(seconds(1));
    }
    ASSERT_GE(told.size(), count);
  }
  // Ends the time in which what comes is folded into one.
  void WaitForQuiet() {
    const auto end = std::chrono::steady_clock::now() + 2 * Limits::kNetworkChangeQuiet;
    loop.restart();
    loop.run_until(end);
  }
};

TEST(NetworkMonitorTest, U6_AddressThatComesOrGoesIsToldOf) {
  PrivateNetwork::Run([] {
    Watch watch;
    ASSERT_TRUE(watch.monitor.watches_network());
    Ip("address add 10.9.9.1/32 dev v0\n");
    watch.WaitFor(1);
    EXPECT_EQ(watch.told[0].ToString(), "addresses");
    watch.WaitForQuiet();
    Ip("address delete 10.9.9.1/32 dev v0\n");
    watch.WaitFor(2);
    EXPECT_EQ(watch.told[1].ToString(), "addresses");
  });
}

TEST(NetworkMonitorTest, U6_RouteThatComesChangesOrGoesIsToldOf) {
  PrivateNetwork::Run([] {
    Watch watch;
    size_t told = 0;
    for (const char* const command :
         {"route add default via 10.9.0.2\n", "route replace default via 10.9.0.3\n",
          "route replace default via 10.9.0.2\n", "route delete default\n", "route add default via 10.9.0.2\n"}) {
      Ip(command);
      watch.WaitFor(++told);
      EXPECT_EQ(watch.told.back(), kRoutes) << command;
      watch.WaitForQuiet();
      EXPECT_EQ(watch.told.size(), told);
    }
  });
}

TEST(NetworkMonitorTest, U6_LinkThatGoesDownOrUpIsToldOf) {
  PrivateNetwork::Run([] {
    Watch watch;
    Ip("link set v0 down\n");
    watch.WaitFor(1);
    EXPECT_TRUE(watch.told[0].links);
    watch.WaitForQuiet();
    const size_t told = watch.told.size();
    Ip("link set v0 up\n");
    watch.WaitFor(told + 1);
    EXPECT_TRUE(watch.told[told].links);
  });
}

TEST(NetworkMonitorTest, U6_LostCarrierIsToldOf) {
  PrivateNetwork::Run([] {
    Watch watch;
    Ip("link set v1 down\n");
    watch.WaitFor(1);
    watch.WaitForQuiet();
    NetworkChange all;
    for (const NetworkChange& change : watch.told) all |= change;
    EXPECT_TRUE(all.links);
  });
}

// The kernel drops the default route with its link and says nothing of it.
TEST(NetworkMonitorTest, U6_RouteThatComesBackAfterItsLinkIsToldOf) {
  PrivateNetwork::Run([] {
    Ip("route add default via 10.9.0.2\n");
    Watch watch;
    Ip("link set v0 down\nlink set v0 up\n");
    watch.WaitFor(1);
    watch.WaitForQuiet();
    const size_t told = watch.told.size();
    Ip("route add default via 10.9.0.2\n");
    watch.WaitFor(told + 1);
    EXPECT_EQ(watch.told.back(), kRoutes);
  });
}

// Notices come in order: when the route at the end has been told of, and alone, everything before was silent.
TEST(NetworkMonitorTest, NoiseIsSilent) {
  PrivateNetwork::Run([] {
    Ip("address add 2001:db8::1/64 dev v0 nodad\n");
    Watch watch;
    Ip("address change 10.9.0.1/24 dev v0 valid_lft 1000 preferred_lft 900\n"
       "address change 2001:db8::1/64 dev v0 valid_lft 1000 preferred_lft 900\n"
       "link set v0 alias another\nlink set v1 txqueuelen 77\nlink set v0 promisc on\n"
       "link add v2 type veth peer name v3\n"
       "route add local 10.9.0.77 dev v0 table local\nroute delete local 10.9.0.77 dev v0 table local\n"
       "route add broadcast 10.9.0.78 dev v0\nroute add multicast 239.1.1.1 dev v0\n"
       "route add 192.0.2.0/24 via 10.9.0.2\n");
    watch.WaitFor(1);
    watch.WaitForQuiet();
    EXPECT_EQ(watch.told, std::vector{kRoutes}) << watch.told[0].ToString();
  });
}

TEST(NetworkMonitorTest, BurstIsToldAtOnceAndOnceMore) {
  PrivateNetwork::Run([] {
    Watch watch;
    std::string burst;
    for (int i = 1; i <= 50; ++i) StrAppend(&burst, "route add 192.0.2.", i, "/32 via 10.9.0.2\n");
    Ip("route add 198.51.100.0/24 via 10.9.0.2\n");
    watch.WaitFor(1);
    Ip(burst + "address add 10.9.9.1/32 dev v0\n");
    watch.WaitFor(2);
    watch.WaitForQuiet();
    ASSERT_EQ(watch.told.size(), 2U);
    EXPECT_EQ(watch.told[1].ToString(), "addresses, routes");
  });
}

TEST(NetworkMonitorTest, LostNoticesCountAsAChangeOfEverything) {
  PrivateNetwork::Run([] {
    Watch watch;
    // More than the socket's buffer holds, while nothing is read.
    std::string flood;
    for (int i = 0; i < 4000; ++i) {
      StrAppend(&flood, i % 2 == 0 ? "route add" : "route delete", " 192.0.2.1/32 via 10.9.0.2\n");
    }
    Ip(flood + "address add 10.9.9.1/32 dev v0\n");
    watch.WaitFor(1);
    watch.WaitForQuiet();
    NetworkChange all;
    for (const NetworkChange& change : watch.told) all |= change;
    EXPECT_EQ(all.ToString(), "addresses, routes, links");
    // What was lost has been learnt: the address is known.
    const size_t told = watch.told.size();
    Ip("address change 10.9.9.1/32 dev v0 valid_lft 1000 preferred_lft 900\nroute add 192.0.2.9/32 via 10.9.0.2\n");
    watch.WaitFor(told + 1);
    EXPECT_EQ(watch.told.back(), kRoutes);
  });
}

TEST(NetworkMonitorTest, MonitorThatIsGoneTellsNothing) {
  PrivateNetwork::Run([] {
    asio::io_context loop;
    bool told = false;
    {
      const NetworkMonitor monitor(loop, [&](const NetworkChange&) { told = true; });
      loop.poll();
      Ip("address add 10.9.9.1/32 dev v0\n");
    }
    loop.restart();
    loop.run();
    EXPECT_FALSE(told);
  });
}

TEST(NetworkMonitorTest, NothingIsToldWhereNothingHappens) {
  PrivateNetwork::Run([] {
    Watch watch;
    watch.WaitForQuiet();
    EXPECT_TRUE(watch.told.empty());
  });
}

TEST(LocalAddressTest, IsThatOfTheRouteAndNothingWithoutOne) {
  PrivateNetwork::Run([] {
    const Endpoint near{*IpAddress::Parse("10.9.0.2"), 853};
    const Endpoint far{*IpAddress::Parse("192.0.2.1"), 853};
    const Endpoint far6{*IpAddress::Parse("2001:db8::1"), 853};
    EXPECT_EQ(LocalAddressTowards(near), *IpAddress::Parse("10.9.0.1"));
    EXPECT_EQ(LocalAddressTowards(far), std::nullopt);
    EXPECT_EQ(LocalAddressTowards(far6), std::nullopt);
    Ip("route add default via 10.9.0.2\naddress add 10.9.9.1/32 dev v0\nroute add 192.0.2.0/24 via 10.9.0.2 src "
       "10.9.9.1\n");
    EXPECT_EQ(LocalAddressTowards(far), *IpAddress::Parse("10.9.9.1"));
    EXPECT_EQ(LocalAddressTowards({*IpAddress::Parse("198.51.100.1"), 853}), *IpAddress::Parse("10.9.0.1"));
  });
}

TEST(LocalAddressTest, IsTheLoopbackAddressTowardsLoopback) {
  EXPECT_EQ(LocalAddressTowards({*IpAddress::Parse("127.0.0.5"), 853}), *IpAddress::Parse("127.0.0.1"));
}

}  // namespace
}  // namespace dotward
