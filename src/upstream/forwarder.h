#ifndef DOTWARD_UPSTREAM_FORWARDER_H_
#define DOTWARD_UPSTREAM_FORWARDER_H_

#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "dotward/config.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "net/tls_credentials.h"
#include "upstream/loop_check.h"
#include "upstream/random_ids.h"
#include "upstream/route.h"
#include "upstream/route_table.h"
#include "upstream/timeouts.h"
#include "upstream/upstream_server.h"

namespace dotward {

class Race;

// The way to the upstreams. A name takes the route of the longest zone that it is in (a DS query that of the zone
// above); a route chooses among the addresses of its upstreams, and a Race asks them. One event loop; not thread-safe.
class Forwarder final : public Upstream {
 public:
  // Reads the CA files; connects to nothing. kInvalidArgument or kFailedPrecondition says which upstream or route is
  // at fault and why.
  static absl::StatusOr<std::unique_ptr<Forwarder>> Create(asio::io_context& loop, const Config& config);
  ~Forwarder() override;

  // Asks each upstream once for a name of this process's own, which shows whether queries to it come back to us, and
  // whether it can be reached at all; looks up upstreams that are given by host name. On the loop's thread.
  void Start();

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override;

  // Addresses, routes or links have changed, or the machine has slept.
  void NetworkChanged();

  // One for each server address, in the order of the configuration. On the loop's thread.
  std::vector<UpstreamSnapshot> Snapshots() const;

  // Fails what waits and takes no more; when Join has ended, nothing of it runs.
  void Close();
  Task<> Join();

 private:
  // One upstream of the configuration, and what is seen of it as a whole.
  struct Service {
    UpstreamConfig config;
    std::shared_ptr<const std::string> name;
    std::shared_ptr<const TlsClientCredentials> credentials;
    std::vector<std::shared_ptr<UpstreamServer>> servers;
    std::shared_ptr<const Route> alone;  // a route with nothing else
    unsigned silent_in_a_row = 0;        // queries that it did not answer in time
    SteadyTime loop_checked_at = SteadyTime::min();
  };
  struct Zone {
    ForwardConfig config;
    std::vector<size_t> services;
    std::shared_ptr<RouteState> state;
    std::shared_ptr<const Route> route;
  };

  explicit Forwarder(asio::io_context& loop);

  absl::Status AddService(const UpstreamConfig& config);
  absl::Status AddZone(const ForwardConfig& config);
  std::shared_ptr<UpstreamServer> MakeServer(const Service& service, const IpAddress& address);
  // After a change of the servers.
  void MakeRoutes();

  const Zone* ZoneOf(const UpstreamQuery& query) const;
  // What the end of a race says about the services that took part.
  void Watch(const Race& race, SteadyTime now);
  void StartLoopCheck(size_t service, SteadyTime now);
  Task<> CheckForLoop(size_t service);
  absl::Status LoopFound(size_t service, SteadyTime now);

  asio::io_context& loop_;
  Timeouts timeouts_;
  RandomIds random_;
  LoopCheck loop_check_;
  std::vector<Service> services_;
  std::vector<Zone> zones_;
  RouteTable table_;
  bool any_silent_ = false;  // some service has silent_in_a_row
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_FORWARDER_H_
