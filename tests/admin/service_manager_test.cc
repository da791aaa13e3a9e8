#include "admin/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/strings.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A supervisor of systemd's protocol: the socket that NOTIFY_SOCKET names, in the abstract name space.
class ServiceManagerTest : public ::testing::Test {
 protected:
  ServiceManagerTest() : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::string name = StrCat("dotward-test-", getpid());
    sockaddr_un address{.sun_family = AF_UNIX};
    name.copy(&address.sun_path[1], name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", StrCat("@", name).c_str(), 1);
  }
  ~ServiceManagerTest() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(socket_);
  }

  // What has been told so far.
  std::vector<std::string> Told() const {
    std::vector<std::string> told;
    std::array<char, 512> buffer{};
    while (true) {
      const ssize_t octets = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (octets < 0) return told;
      told.emplace_back(buffer.data(), static_cast<size_t>(octets));
    }
  }

  const int socket_;
  asio::io_context loop_{1};
};

TEST_F(ServiceManagerTest, TellsEachStep) {
  ServiceManager manager(loop_);
  manager.Ready("serving on 127.0.0.1:53");
  EXPECT_THAT(Told(), ElementsAre("READY=1\nSTATUS=serving on 127.0.0.1:53"));
  manager.Reloading(SteadyTime(std::chrono::seconds(12)));
  EXPECT_THAT(Told(), ElementsAre("RELOADING=1\nMONOTONIC_USEC=12000000\nSTATUS=reading the configuration"));
  manager.Stopping("answering what is in flight");
  EXPECT_THAT(Told(), ElementsAre("STOPPING=1\nWATCHDOG_USEC=0\nSTATUS=answering what is in flight"));
}

TEST_F(ServiceManagerTest, StatusIsOneLine) {
  ServiceManager(loop_).Ready("fine\nMAINPID=1");
  EXPECT_THAT(Told(), ElementsAre("READY=1\nSTATUS=fine"));
}

TEST_F(ServiceManagerTest, WithoutASupervisorNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  ServiceManager manager(loop_);
  manager.Ready("serving");
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(ServiceManagerTest, WithoutAWatchdogNothingIsProbedAndTheLoopIsNotKeptRunning) {
  ServiceManager manager(loop_);
  EXPECT_EQ(manager.watchdog(), Duration(0));
  bool probed = false;
  manager.StartWatchdog([&](const auto&) { probed = true; });
  loop_.run();
  EXPECT_FALSE(probed);
}

TEST_F(ServiceManagerTest, PingsTwiceInTheTimeWhileProbesComeBack) {
  setenv("WATCHDOG_USEC", "20000", 1);
  ServiceManager manager(loop_);
  EXPECT_EQ(manager.watchdog(), Duration(milliseconds(20)));
  int probes = 0;
  manager.StartWatchdog([&](const auto& turned) {
    turned();
    if (++probes == 3) manager.StopWatchdog();
  });
  const SteadyTime start = std::chrono::steady_clock::now();
  loop_.run();
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));  // two halves lie between three probes
  EXPECT_THAT(Told(), ElementsAre("WATCHDOG=1", "WATCHDOG=1"));           // not after it was stopped
}

TEST_F(ServiceManagerTest, ProbeThatDoesNotComeBackEndsThePingsAndIsNotRepeated) {
  setenv("WATCHDOG_USEC", "4000", 1);
  ServiceManager manager(loop_);
  std::vector<std::function<void()>> under_way;
  manager.StartWatchdog([&](std::function<void()> turned) { under_way.push_back(std::move(turned)); });
  loop_.run_for(milliseconds(40));
  EXPECT_THAT(Told(), IsEmpty());
  ASSERT_EQ(under_way.size(), 1U);
  // It was only late.
  under_way.front()();
  loop_.run_for(milliseconds(40));
  EXPECT_THAT(Told(), ElementsAre("WATCHDOG=1"));
  EXPECT_EQ(under_way.size(), 2U);
  manager.StopWatchdog();
  loop_.run();
}

TEST_F(ServiceManagerTest, ProbeMayComeBackWhenTheManagerIsGone) {
  setenv("WATCHDOG_USEC", "4000", 1);
  std::function<void()> late;
  {
    ServiceManager manager(loop_);
    manager.StartWatchdog([&](std::function<void()> turned) { late = std::move(turned); });
  }
  late();
  loop_.run();
  EXPECT_THAT(Told(), IsEmpty());
}

TEST(ProbeLoopsTest, ComesBackWhenEveryLoopHasTurned) {
  asio::io_context one(1);
  asio::io_context two(1);
  int turned = 0;
  ProbeLoops({&one, &two}, [&] { ++turned; });
  EXPECT_EQ(turned, 0);
  one.run();
  EXPECT_EQ(turned, 0);
  two.run();
  EXPECT_EQ(turned, 1);
}

}  // namespace
}  // namespace dotward
