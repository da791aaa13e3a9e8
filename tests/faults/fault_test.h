#ifndef DOTWARD_FAULTS_FAULT_TEST_H_
#define DOTWARD_FAULTS_FAULT_TEST_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/service.h"
#include "faults/client_load.h"
#include "testing/loopback/loopback_config.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/loopback/tcp_proxy.h"
#include "testing/messages.h"

namespace dotward {

// What a busy machine may add to any time that a test claims.
inline constexpr std::chrono::milliseconds kNoise{500};

// The whole server in this process, with its threads and real sockets and every default of the configuration, before
// upstreams and networks that misbehave; clients with a steady load in front of it. The claims are about what clients
// get: each test prints the figures behind them.
class FaultTest : public testing::Test {
 protected:
  using Action = LoopbackAction;
  using Actions = std::vector<LoopbackAction>;
  using Cut = TcpProxy::Cut;
  using Direction = TcpProxy::Direction;
  using NewConnections = TcpProxy::NewConnections;
  using milliseconds = std::chrono::milliseconds;

  FaultTest() : authority_(std::make_shared<const TestAuthority>()) {}

  // A server whose certificate comes from the authority that the configuration names.
  std::unique_ptr<LoopbackDotServer> MakeServer(LoopbackDotServer::Script script = nullptr,
                                                LoopbackDotServer::Options options = {}) {
    options.authority = authority_;
    return std::make_unique<LoopbackDotServer>(std::move(script), std::move(options));
  }

  // One upstream for each endpoint, called up0, up1, … in that order.
  Config MakeConfig(const std::vector<Endpoint>& upstreams) const {
    Config config = LoopbackConfig();
    config.limits.waiting_per_client = 20'000;  // all the load comes from one address
    // The first one carries all the load, so that tests know whom they hit.
    config.forward[0].policy = UpstreamPolicy::kOrdered;
    for (const Endpoint& endpoint : upstreams) AddLoopbackUpstream(endpoint, authority_->ca_file(), &config);
    return config;
  }
  void Start(const Config& config) {
    auto service = Service::Create(std::make_shared<const Config>(config), clock_);
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    service_->Start();
  }
  void Start(const std::vector<Endpoint>& upstreams) { Start(MakeConfig(upstreams)); }

  Endpoint resolver() const { return service_->listening().front(); }
  // Queries one after another, so that what is asked behind them finds everything set up.
  void WarmUp(size_t count = 20) {
    ClientLoad load(resolver(), {.count = count, .in_flight_max = 1, .sockets = 1, .zone = [](size_t number) {
                                   return "warm" + std::to_string(number) + ".example.";
                                 }});
    const ClientReport report = Summarize(load.Finish());
    ASSERT_EQ(report.good, count) << report.ToString();
  }

  // None is lost, none fails, and no client has to wait longer than `longest`.
  static void ExpectUnharmed(const ClientReport& report, milliseconds longest) {
    PrintFigure("clients", report.ToString());
    EXPECT_EQ(report.lost, 0U);
    EXPECT_EQ(report.good, report.sent);
    EXPECT_EQ(report.duplicates, 0U);
    EXPECT_LE(report.longest, longest + kNoise);
  }
  static void PrintServer(const std::string& name, const LoopbackDotServer& server) {
    const LoopbackDotServer::Counters counters = server.counters();
    PrintFigure(name, std::to_string(counters.connections) + " connections, " + std::to_string(counters.handshakes) +
                          " handshakes (" + std::to_string(counters.resumed_handshakes) + " resumed), " +
                          std::to_string(counters.queries) + " queries, " + std::to_string(counters.probes) +
                          " probes");
  }

  SystemClock clock_;
  const std::shared_ptr<const TestAuthority> authority_;
  std::unique_ptr<Service> service_;
};

}  // namespace dotward

#endif  // DOTWARD_FAULTS_FAULT_TEST_H_
