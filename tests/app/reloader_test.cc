#include "app/reloader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/blocking_clients.h"
#include "base/strings.h"
#include "testing/loopback/loopback_config.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;

Octets Query(std::string_view name) { return MessageBuilder::Query(0x1001, name, rr_type::kA).WithEdns({}).Build(); }

LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) {
    return std::vector<LoopbackAction>{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}))};
  };
}

class ReloaderTest : public testing::Test {
 protected:
  ~ReloaderTest() override {
    if (reloader_) reloader_->Stop();
    unlink(file_.c_str());
  }

  void AddUpstream(const LoopbackDotServer& server) { AddLoopbackUpstream(server, &config_); }
  void Start() {
    config_.forward[0].policy = UpstreamPolicy::kOrdered;
    auto service = Service::Create(std::make_shared<const Config>(config_), clock_);
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    service_->Start();
    bound_ = service_->listening().front();
    config_.listen[0].endpoint = bound_;
    reloader_ = std::make_unique<Reloader>(*service_, Reloader::Hooks{.load = [this] { return Load(); }});
    reloader_->Start();
  }
  virtual ConfigResult Load() {
    ConfigResult result = LoadConfig(file_);
    // No file can ask for any port that is free, as the test did.
    if (result.ok() && result.config->listen[0].endpoint == bound_) result.config->listen[0].endpoint.port = 0;
    return result;
  }

  void Write(const std::string& text) { std::ofstream(file_) << text; }
  ReloadReport ReloadWith(const Config& config) {
    Write(PrintConfig(config));
    return reloader_->Reload();
  }
  std::string AddressOf(std::string_view name) {
    const auto reply = BlockingClient(service_->listening().front(), SOCK_DGRAM).Ask(Query(name));
    if (!reply) return "no reply";
    return reply->answers.empty() ? StrCat("rcode ", reply->rcode) : reply->answers[0].data_text;
  }

  Config config_ = LoopbackConfig();
  Endpoint bound_;
  const std::string file_ = StrCat(testing::TempDir(), "reloader_", getpid(), ".yaml");
  SystemClock clock_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Reloader> reloader_;
};

TEST_F(ReloaderTest, ARefusedFileChangesNothingAndSaysEverythingThatIsWrong) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  EXPECT_EQ(AddressOf("a.example."), "192.0.2.1");
  Write("workers: none\ncache:\n  sise: 1MiB\n");
  const ReloadReport report = reloader_->Reload();
  EXPECT_FALSE(report.accepted);
  ASSERT_EQ(report.errors.size(), 2U);
  EXPECT_TRUE(report.errors[0].ToString().starts_with(file_ + ":1:10: workers: ")) << report.errors[0].ToString();
  EXPECT_TRUE(report.errors[1].ToString().starts_with(file_ + ":3:3: cache.sise: ")) << report.errors[1].ToString();
  EXPECT_TRUE(report.needs_restart.empty());
  EXPECT_EQ(service_->state()->config->upstreams[0].name, "up0");
  EXPECT_EQ(AddressOf("b.example."), "192.0.2.1");
}

TEST_F(ReloaderTest, AFileOfCasThatHoldsNoneIsRefused) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  Config changed = config_;
  changed.upstreams[0].ca_file = DOTWARD_SOURCE_DIR "/LICENSE";
  const ReloadReport report = ReloadWith(changed);
  EXPECT_FALSE(report.accepted);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_NE(report.errors[0].message.find("has no usable certificate"), std::string::npos);
  EXPECT_EQ(AddressOf("a.example."), "192.0.2.1");
}

TEST_F(ReloaderTest, WhatOnlyARestartCanDoIsNamedWithBothValuesAndTheRestServes) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  Config changed = config_;
  changed.listen[0].endpoint.port = 1;
  changed.workers = 4;
  changed.user = "nobody";
  changed.cache.size_octets = 1 << 20;
  changed.cache.max_ttl = std::chrono::hours(2);
  const ReloadReport report = ReloadWith(changed);
  ASSERT_TRUE(report.accepted);
  EXPECT_EQ(report.needs_restart,
            (std::vector<std::string>{
                "listen: [\"127.0.0.1:0\"] stays until a restart; the new configuration has [\"127.0.0.1:1\"]",
                "workers: 2 stays until a restart; the new configuration has 4",
                "user: \"\" stays until a restart; the new configuration has nobody",
                "cache.size: 64MiB stays until a restart; the new configuration has 1MiB"}));
  EXPECT_EQ(service_->state()->config->cache.max_ttl, std::chrono::hours(2));
  EXPECT_EQ(service_->state()->config->workers, 2U) << "what is in force";
  EXPECT_EQ(AddressOf("a.example."), "192.0.2.1");
  // Until then it is said every time.
  EXPECT_EQ(reloader_->Reload().needs_restart.size(), 4U);
}

TEST_F(ReloaderTest, TheCacheAndTheConnectionStayWhileRoutesAndLimitsChange) {
  LoopbackDotServer first(Says("192.0.2.10"));
  LoopbackDotServer second(Says("192.0.2.20"));
  AddUpstream(first);
  Start();
  EXPECT_EQ(AddressOf("kept.example."), "192.0.2.10");
  AddUpstream(second);
  Config changed = config_;
  changed.forward[0].upstreams = {"up0"};
  changed.forward.push_back({.zone = "corp.example.", .upstreams = {"up1"}});
  changed.cache.max_ttl = std::chrono::seconds(60);
  ASSERT_TRUE(ReloadWith(changed).accepted);
  EXPECT_EQ(AddressOf("kept.example."), "192.0.2.10");
  EXPECT_EQ(AddressOf("a.corp.example."), "192.0.2.20");
  EXPECT_EQ(AddressOf("b.example."), "192.0.2.10");
  EXPECT_EQ(first.counters().handshakes, 1U);
  EXPECT_EQ(first.counters().queries, 2U);
  // New entries follow the new file; what is stored keeps its time.
  const auto ttl_of = [this](std::string_view name) {
    return BlockingClient(service_->listening().front(), SOCK_DGRAM).Ask(Query(name))->answers.at(0).ttl;
  };
  EXPECT_GT(ttl_of("kept.example."), 200U);
  EXPECT_LE(ttl_of("b.example."), 60U);
}

TEST_F(ReloaderTest, WhoMayAskChangesAtOnceForOpenConnectionsToo) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  BlockingClient open(service_->listening().front(), SOCK_STREAM);
  ASSERT_TRUE(open.Ask(Query("a.example.")));
  Config changed = config_;
  changed.access.deny = {*IpPrefix::Parse("127.0.0.1/32")};
  ASSERT_TRUE(ReloadWith(changed).accepted);
  const auto refused = open.Ask(Query("a.example."));
  ASSERT_TRUE(refused) << "the connection was kept";
  EXPECT_EQ(refused->rcode, 5);
  EXPECT_EQ(AddressOf("a.example."), "rcode 5");
  ASSERT_TRUE(ReloadWith(config_).accepted);
  EXPECT_EQ(open.Ask(Query("a.example."))->rcode, 0);
}

TEST_F(ReloaderTest, ALoweredLimitOfConnectionsPutsNobodyOutAndLetsNobodyIn) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  std::vector<std::unique_ptr<BlockingClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<BlockingClient>(service_->listening().front(), SOCK_STREAM));
    ASSERT_TRUE(clients.back()->Ask(Query("a.example.")));
  }
  Config changed = config_;
  changed.limits.tcp_connections_per_client = 2;
  changed.limits.client_prefix.ipv4 = 24;
  ASSERT_TRUE(ReloadWith(changed).accepted);
  for (const auto& client : clients) EXPECT_TRUE(client->Ask(Query("a.example.")));
  changed.limits.tcp_connections = 3;
  ASSERT_TRUE(ReloadWith(changed).accepted);
  EXPECT_FALSE(BlockingClient(service_->listening().front(), SOCK_STREAM).Ask(Query("a.example.")));
  ASSERT_TRUE(ReloadWith(config_).accepted);
  EXPECT_TRUE(BlockingClient(service_->listening().front(), SOCK_STREAM).Ask(Query("a.example.")));
}

TEST_F(ReloaderTest, TheLogsLevelChangesAtOnceAndALogThatCannotBeOpenedRefusesAll) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  Config changed = config_;
  changed.log.level = LogLevel::kError;
  ASSERT_TRUE(ReloadWith(changed).accepted);
  EXPECT_FALSE(LogEnabled(LogLevel::kWarning));
  changed.log.file = "/nonexistent/dotward.log";
  changed.cache.max_ttl = std::chrono::hours(2);
  const ReloadReport refused = ReloadWith(changed);
  EXPECT_FALSE(refused.accepted);
  ASSERT_EQ(refused.errors.size(), 1U);
  EXPECT_NE(refused.errors[0].message.find("/nonexistent/dotward.log"), std::string::npos);
  EXPECT_EQ(service_->state()->config->cache.max_ttl, config_.cache.max_ttl);
  ASSERT_TRUE(ReloadWith(config_).accepted);
  EXPECT_TRUE(LogEnabled(LogLevel::kInfo));
}

TEST_F(ReloaderTest, EveryReloadIsRefusedWhenTheServerDoesNotRun) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  Write(PrintConfig(config_));
  service_->Stop();
  EXPECT_FALSE(reloader_->Reload().accepted);
  reloader_->Stop();
  const ReloadReport stopped = reloader_->Reload();
  EXPECT_FALSE(stopped.accepted);
  EXPECT_EQ(stopped.errors.size(), 1U);
}

// Holds each load until it is let through.
class ReloaderFoldTest : public ReloaderTest {
 protected:
  ConfigResult Load() override {
    std::unique_lock lock(mutex_);
    ++loads_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return passes_ > 0; });
    --passes_;
    return ReloaderTest::Load();
  }
  void WaitForLoad(int number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return loads_ >= number; });
  }
  void LetThrough(int count) {
    const std::lock_guard lock(mutex_);
    passes_ += count;
    changed_.notify_all();
  }
  int loads() {
    const std::lock_guard lock(mutex_);
    return loads_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int loads_ = 0;
  int passes_ = 0;
};

TEST_F(ReloaderFoldTest, RequestsThatComeWhileOneRunsShareTheNext) {
  LoopbackDotServer server;
  AddUpstream(server);
  Start();
  Write(PrintConfig(config_));
  reloader_->Request();
  WaitForLoad(1);
  // The running one may have read the file already: these have to see what it says now.
  for (int i = 0; i < 5; ++i) reloader_->Request();
  std::vector<std::future<ReloadReport>> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(std::async(std::launch::async, [this] { return reloader_->Reload(); }));
  }
  LetThrough(1);
  WaitForLoad(2);
  LetThrough(100);
  for (auto& report : waiting) EXPECT_TRUE(report.get().accepted);
  // A thread that came late has asked for a third one; five signals never make five.
  EXPECT_LE(loads(), 3);
  EXPECT_GE(loads(), 2);
}

}  // namespace
}  // namespace dotward
