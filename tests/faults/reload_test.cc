// The configuration is replaced again and again while clients ask: what they get must not show it.

#include <fstream>
#include <thread>

#include "app/reloader.h"
#include "base/strings.h"
#include "faults/fault_test.h"

namespace dotward {
namespace {

using std::chrono::steady_clock;

class ReloadUnderLoadTest : public FaultTest {
 protected:
  struct Plan {
    size_t reloads = 0;
    double cached_rate = 0;  // queries a second
    double uncached_rate = 0;
    milliseconds duration{0};
  };

  // A file that differs from one reload to the next in everything but what the first upstream is.
  void WriteConfig(size_t number, const Config& base, const std::vector<Endpoint>& second) {
    Config config = base;
    config.upstreams[1].port = second[number % second.size()].port;
    config.cache.max_ttl = std::chrono::hours(1 + number % 7);
    config.query.deadline = std::chrono::milliseconds(4000 + 10 * (number % 3));
    config.query.udp_payload_size = static_cast<uint16_t>(1232 + number % 2);
    config.limits.tcp_idle = std::chrono::seconds(10 + number % 5);
    config.limits.client_prefix.ipv4 = static_cast<uint8_t>(24 + number % 9);
    config.forward[0].hedge = number % 2 == 0;
    if (number % 4 == 1) config.forward.push_back({.zone = "corp.example.", .upstreams = {"up1"}});
    std::ofstream(file_) << PrintConfig(config);
  }

  ConfigResult Load() const {
    ConfigResult result = LoadConfig(file_);
    // No file can ask for any port that is free, as the test did.
    if (result.ok()) result.config->listen[0].endpoint.port = 0;
    return result;
  }

  void ExpectNobodyNotices(const Plan& plan) {
    const auto server = MakeServer();
    const std::vector<std::unique_ptr<LoopbackDotServer>> others = [this] {
      std::vector<std::unique_ptr<LoopbackDotServer>> made;
      for (int i = 0; i < 2; ++i) made.push_back(MakeServer());
      return made;
    }();
    const std::vector<Endpoint> second = {others[0]->endpoint(), others[1]->endpoint()};
    Config config = MakeConfig({server->endpoint(), second[0]});
    config.cache.size_octets = 512ULL << 20;
    config.log.level = LogLevel::kWarning;
    Start(config);
    config.listen[0].endpoint = resolver();
    Reloader reloader(*service_, {.load = [this] { return Load(); }});
    reloader.Start();

    // The same names again, so that they come from the cache.
    const auto cached_zone = [](size_t number) { return StrCat("c", number, ".example."); };
    ClientLoad::Options cached = ClientLoad::Steady(plan.cached_rate, plan.duration);
    cached.zone = cached_zone;
    cached.in_flight_max = 2000;
    ClientLoad fill(resolver(), {.count = cached.count, .in_flight_max = 500, .zone = cached_zone});
    ASSERT_EQ(Summarize(fill.Finish()).good, cached.count);
    const LoopbackDotServer::Counters before = server->counters();

    ClientLoad::Options uncached = ClientLoad::Steady(plan.uncached_rate, plan.duration);
    uncached.in_flight_max = 2000;
    uncached.zone = [](size_t number) { return StrCat("u", number, ".example."); };
    const steady_clock::time_point begin = steady_clock::now();
    ClientLoad hits(resolver(), cached);
    ClientLoad misses(resolver(), uncached);
    milliseconds longest_reload{0};
    for (size_t i = 1; i <= plan.reloads; ++i) {
      std::this_thread::sleep_until(begin + i * plan.duration / (plan.reloads + 1));
      WriteConfig(i, config, second);
      const steady_clock::time_point reload_begin = steady_clock::now();
      const ReloadReport report = reloader.Reload();
      longest_reload =
          std::max(longest_reload, std::chrono::duration_cast<milliseconds>(steady_clock::now() - reload_begin));
      for (const ConfigError& error : report.errors) ADD_FAILURE() << error.ToString();
      ASSERT_TRUE(report.accepted);
      EXPECT_EQ(report.needs_restart, std::vector<std::string>());
      EXPECT_EQ(service_->state()->config->cache.max_ttl, std::chrono::hours(1 + i % 7));
    }
    const ClientReport hit_report = Summarize(hits.Finish());
    const ClientReport miss_report = Summarize(misses.Finish());
    const auto took = std::chrono::duration<double>(steady_clock::now() - begin).count();
    PrintFigure("queries a second",
                std::to_string(static_cast<int>(static_cast<double>(hit_report.sent + miss_report.sent) / took)));
    PrintFigure("longest reload", longest_reload);
    // Waits are the machine's: they are for the tests of upstreams that misbehave.
    ExpectUnharmed(hit_report, milliseconds(5000));
    ExpectUnharmed(miss_report, milliseconds(5000));
    EXPECT_EQ(hit_report.failed + miss_report.failed, 0U);
    PrintServer("the upstream that did not change", *server);
    EXPECT_EQ(server->counters().handshakes, before.handshakes);
    EXPECT_EQ(server->counters().connections, before.connections);
    // The cache was kept, or the cached names would have been asked again.
    EXPECT_EQ(server->counters().queries - before.queries, uncached.count);
    reloader.Stop();
  }

  const std::string file_ = StrCat(testing::TempDir(), "reload_", getpid(), ".yaml");
};

TEST_F(ReloadUnderLoadTest, U2_AHundredReloadsLoseNothingAndCostNoHandshake) {
  ExpectNobodyNotices({.reloads = 100, .cached_rate = 3000, .uncached_rate = 500, .duration = milliseconds(5000)});
}

TEST_F(ReloadUnderLoadTest, U2_SlowAHundredReloadsUnderTwentyThousandQueriesASecond) {
  ExpectNobodyNotices({.reloads = 100, .cached_rate = 18'000, .uncached_rate = 2000, .duration = milliseconds(20'000)});
}

}  // namespace
}  // namespace dotward
