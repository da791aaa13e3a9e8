#ifndef DOTWARD_TESTS_UPSTREAM_FORWARDER_FIXTURE_H_
#define DOTWARD_TESTS_UPSTREAM_FORWARDER_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "testing/loopback/loopback_dot_server.h"
#include "upstream/forwarder.h"
#include "upstream_fixture.h"

namespace dotward {

// Several servers under one CA, and a forwarder before them.
class ForwarderFixture : public UpstreamFixture {
 protected:
  ~ForwarderFixture() override {
    if (forwarder_ == nullptr) return;
    forwarder_->Close();
    bool joined = false;
    TaskGroup joiner(loop_);
    joiner.Spawn(JoinForwarder(joined));
    EXPECT_TRUE(RunUntil([&] { return joined && joiner.running() == 0; })) << "something still runs after Close";
  }

  LoopbackDotServer& AddServer(LoopbackDotServer::Script script, LoopbackAccept accept = LoopbackAccept::kServe) {
    LoopbackDotServer::Options options;
    options.authority = authority_;
    options.accept = accept;
    return *servers_.emplace_back(std::make_unique<LoopbackDotServer>(std::move(script), options));
  }
  // One upstream a server, called "u0", "u1" and so on.
  void AddUpstream(uint16_t port, std::vector<IpAddress> addresses = {IpAddress::V4({127, 0, 0, 1})}) {
    UpstreamConfig upstream;
    upstream.name = StrCat("u", config_.upstreams.size());
    upstream.addresses = std::move(addresses);
    upstream.port = port;
    upstream.auth_name = "dns.test";
    upstream.ca_file = authority_->ca_file();
    config_.upstreams.push_back(upstream);
  }
  void AddRoute(std::string zone, std::vector<std::string> upstreams) {
    ForwardConfig forward;
    forward.zone = std::move(zone);
    forward.upstreams = std::move(upstreams);
    forward.policy = policy_;
    forward.hedge = hedge_;
    config_.forward.push_back(forward);
  }
  // The default route to every server, in order.
  Forwarder& Forward(std::vector<LoopbackDotServer::Script> scripts) {
    std::vector<std::string> names;
    for (auto& script : scripts) AddUpstream(AddServer(std::move(script)).port());
    for (const UpstreamConfig& upstream : config_.upstreams) names.push_back(upstream.name);
    AddRoute(".", names);
    return Create();
  }
  Forwarder& Create() {
    auto created = Forwarder::Create(loop_, config_);
    EXPECT_TRUE(created.ok()) << created.status();
    forwarder_ = *std::move(created);
    return *forwarder_;
  }
  uint64_t QueriesAt(size_t server) const { return servers_[server]->counters().queries; }
  std::string AnswerOf(const Asked& asked) const {
    return asked.answered() ? MustReadMessage((*asked.result)->octets).answers.at(0).data_text : asked.text();
  }

  std::shared_ptr<const TestAuthority> authority_ = std::make_shared<const TestAuthority>();
  std::vector<std::unique_ptr<LoopbackDotServer>> servers_;
  Config config_;
  UpstreamPolicy policy_ = UpstreamPolicy::kOrdered;  // of the routes that are added
  bool hedge_ = false;
  std::unique_ptr<Forwarder> forwarder_;

 private:
  Task<> JoinForwarder(bool& joined) {
    co_await forwarder_->Join();
    joined = true;
  }
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_UPSTREAM_FORWARDER_FIXTURE_H_
