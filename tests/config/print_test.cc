#include <gtest/gtest.h>

#include <string>

#include "dotward/config.h"

namespace dotward {
namespace {

// What reading the printed configuration and printing that gives.
std::string Again(const std::string& printed) {
  const ConfigResult result = ParseConfig(printed, "printed");
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.ToString();
  return result.ok() ? PrintConfig(*result.config) : "";
}

TEST(PrintConfigTest, DefaultsReadAsTheSame) {
  const std::string printed = PrintConfig(DefaultConfig());
  EXPECT_EQ(Again(printed), printed);
}

TEST(PrintConfigTest, EveryValueSurvives) {
  const std::string text = R"(listen: ["0.0.0.0:1", "[fe80::1%1]:53"]
workers: 256
user: "yes"
tls_server:
  certificate: ""
  key: ""
access:
  allow: []
  deny: ["::/0"]
  refuse_with: drop
upstreams:
  - name: "1.5"
    addresses: ["2001:db8::1"]
    port: 1
    protocol: tls
    auth_name: a_b.example
    pins: []
    pin_only: false
    ca_file: ""
  - name: "null"
    addresses: [192.0.2.1, 192.0.2.2]
    port: 65535
    protocol: tls
    auth_name: b.example
    pins: []
    pin_only: false
    ca_file: ""
  - name: plain
    addresses: [192.0.2.1, dns.example, "null"]
    port: 53
    protocol: udp
    auth_name: ""
    pins: []
    pin_only: false
    ca_file: ""
  - name: pinned
    addresses: ["on"]
    port: 853
    protocol: tls
    auth_name: ""
    pins: ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    pin_only: true
    ca_file: ""
bootstrap: ["192.0.2.1:53", "tls://[2001:db8::1]:853#dns.example"]
forward:
  - zone: "."
    upstreams: ["1.5"]
    policy: ordered
    hedge: false
  - zone: "a\\032b\".example."
    upstreams: ["null", "1.5"]
    policy: sharded
    hedge: true
query:
  deadline: 1m
  udp_payload_size: 512
  any: forward
cache:
  size: 1536KiB
  min_ttl: 90s
  max_ttl: 7d
  max_negative_ttl: 0s
  failure_ttl: 1001ms
  prefetch: false
  stale:
    enabled: false
    client_timeout: 0s
    answer_ttl: 1h
    max_age: 30d
  snapshot:
    path: ""
    interval: 10s
dnssec:
  validation: off
  trust_upstream_ad: false
  trust_anchors: ""
  negative_trust_anchors: [corp.example., "lab.example. until 2027-01-31T00:00:00Z"]
  aggressive_nsec: false
limits:
  client_rate: 0
  client_burst: 1
  client_prefix:
    ipv4: 1
    ipv6: 128
  slip: 100
  cookies: false
  waiting_per_client: 1
  tcp_connections: 1
  tcp_connections_per_client: 1
  tcp_idle: 1s
local:
  hosts_files: []
  records: []
  block_lists: []
  block_with: null_address
  special_names: false
  rebind_protection: false
  rebind_allow: []
log:
  level: debug
  format: json
  file: "/a b/\"ü\": # \\n"
  queries:
    enabled: false
    file: "- x"
    sample: 0.001
    client_address: prefix
admin:
  socket: "/tmp/a b.sock"
  http: ""
)";
  EXPECT_EQ(Again(text), text);
}

TEST(PrintConfigTest, AListThatIsTooLongForOneLineGetsALineForEachItem) {
  Config config = DefaultConfig();
  config.access.deny.clear();
  for (uint8_t i = 0; i < 20; ++i) config.access.deny.push_back({IpAddress::V4({192, 0, 2, i}), 32});
  const std::string printed = PrintConfig(config);
  EXPECT_NE(printed.find("  deny:\n    - 192.0.2.0/32\n    - 192.0.2.1/32\n"), std::string::npos) << printed;
  EXPECT_EQ(Again(printed), printed);
}

}  // namespace
}  // namespace dotward
