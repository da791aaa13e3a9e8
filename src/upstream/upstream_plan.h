#ifndef DOTWARD_UPSTREAM_UPSTREAM_PLAN_H_
#define DOTWARD_UPSTREAM_UPSTREAM_PLAN_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "dotward/config.h"
#include "net/tls_credentials.h"
#include "upstream/route_table.h"

namespace dotward {

// What a configuration says of upstreams and routes, checked, and with everything read that stands in files: a
// Forwarder that takes it up has nothing left to fail at. Immutable, shared between threads; made by whoever may wait
// for files.
struct UpstreamPlan {
  struct Service {
    UpstreamConfig config;
    std::shared_ptr<const TlsClientCredentials> credentials;  // null without TLS
  };
  struct Zone {
    ForwardConfig config;
    std::vector<size_t> services;  // by their numbers
  };

  // Services that demand the same of their servers share their credentials, with each other and with those of `before`
  // (may be null), so that equal pointers mean equal checks and a connection may be kept. kInvalidArgument or
  // kFailedPrecondition says which upstream or route is at fault and why.
  static absl::StatusOr<std::shared_ptr<const UpstreamPlan>> Create(const Config& config, const UpstreamPlan* before);

  std::vector<Service> services;   // in the order of the configuration
  std::vector<Service> bootstrap;  // the resolvers of its bootstrap list
  std::vector<Zone> zones;
  RouteTable table;  // of the zones' numbers
  // Only a resolver of this very machine may lead to this machine.
  bool bootstrap_is_local = false;
  Duration query_deadline{0};
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_UPSTREAM_PLAN_H_
