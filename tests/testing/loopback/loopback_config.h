#ifndef DOTWARD_TESTS_TESTING_LOOPBACK_LOOPBACK_CONFIG_H_
#define DOTWARD_TESTS_TESTING_LOOPBACK_LOOPBACK_CONFIG_H_

#include <string>
#include <utility>

#include "base/ip_address.h"
#include "dotward/config.h"
#include "testing/loopback/loopback_dot_server.h"

namespace dotward {

// Of a whole server: every default, a port of 127.0.0.1 that the kernel chooses, and nobody to ask yet.
inline Config LoopbackConfig() {
  Config config = DefaultConfig();
  config.dnssec.validation = false;  // nothing here is signed
  config.listen = {{ListenProtocol::kDo53, {IpAddress::V4({127, 0, 0, 1}), 0}}};
  config.workers = 2;
  config.upstreams.clear();
  config.forward = {{}};
  return config;
}

// A LoopbackDotServer, or what stands before one, as the upstream that is called up0, up1, … and has the first route.
inline void AddLoopbackUpstream(const Endpoint& endpoint, const std::string& ca_file, Config* config) {
  UpstreamConfig upstream;
  upstream.name = "up" + std::to_string(config->upstreams.size());
  upstream.addresses = {endpoint.address};
  upstream.port = endpoint.port;
  upstream.auth_name = LoopbackDotServer::auth_name();
  upstream.ca_file = ca_file;
  config->forward[0].upstreams.push_back(upstream.name);
  config->upstreams.push_back(std::move(upstream));
}
inline void AddLoopbackUpstream(const LoopbackDotServer& server, Config* config) {
  AddLoopbackUpstream(server.endpoint(), server.ca_file(), config);
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_TESTING_LOOPBACK_LOOPBACK_CONFIG_H_
