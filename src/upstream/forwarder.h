#ifndef DOTWARD_UPSTREAM_FORWARDER_H_
#define DOTWARD_UPSTREAM_FORWARDER_H_

#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/await.h"
#include "dotward/config.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "net/tls_credentials.h"
#include "upstream/host_resolver.h"
#include "upstream/loop_check.h"
#include "upstream/random_ids.h"
#include "upstream/route.h"
#include "upstream/timeouts.h"
#include "upstream/upstream_plan.h"
#include "upstream/upstream_server.h"

namespace dotward {

class Race;

// Which way a name goes, for people.
struct RouteSnapshot {
  std::string zone;
  UpstreamPolicy policy = UpstreamPolicy::kLatency;
  bool hedge = false;
  std::vector<std::string> upstreams;  // in the order of the configuration
  absl::Status status;                 // not OK where nobody can be asked: no address is known of any
};

// The way to the upstreams. A name takes the route of the longest zone that it is in (a DS query that of the zone
// above); a route chooses among the addresses of its upstreams, and a Race asks them. One event loop; not thread-safe.
class Forwarder final : public Upstream {
 public:
  // Connects to nothing.
  Forwarder(asio::io_context& loop, std::shared_ptr<const UpstreamPlan> plan);
  // The same with a plan of its own, which reads the CA files: see UpstreamPlan::Create for what may be wrong.
  static absl::StatusOr<std::unique_ptr<Forwarder>> Create(asio::io_context& loop, const Config& config);
  ~Forwarder() override;

  // Asks each upstream once for a name of this process's own, which shows whether queries to it come back to us, and
  // whether it can be reached at all; looks up upstreams that are given by host name. On the loop's thread.
  void Start();

  // Takes another plan up. Servers whose upstream is the same in name, protocol, port, authentication name and
  // credentials (by pointer) keep their connections and all that is known of them. The others are retired: queries that
  // they have may end, new ones do not come. Does nothing after Close. On the loop's thread.
  void Adopt(std::shared_ptr<const UpstreamPlan> plan);

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override;
  RouteCondition ConditionOf(const UpstreamQuery& query) const override;

  // The same with all other upstreams left out, whatever the routes say. kNotFound where none has that name.
  Task<absl::StatusOr<UpstreamResponse>> ExchangeWith(std::string upstream, const UpstreamQuery& query,
                                                      Deadline deadline);
  // The route that a question would take; nullopt where there is none.
  std::optional<RouteSnapshot> RouteOf(const UpstreamQuery& query) const;

  // Addresses, routes or links have changed, or the machine has slept.
  void NetworkChanged();

  // One for each server address, in the order of the configuration. On the loop's thread.
  std::vector<UpstreamSnapshot> Snapshots() const;
  // The counts of the addresses that upstreams have had and have no more, one for each upstream that has any: host
  // names change, and what an upstream has been asked in all must not shrink. Nothing but name and counts is set.
  std::vector<UpstreamSnapshot> FormerSnapshots() const;

  // Fails what waits and takes no more; when Join has ended, nothing of it runs.
  void Close();
  Task<> Join();

 private:
  // Asks the servers of one route, whatever they are at the time: where host names are looked up.
  class Source;
  // The addresses that one host name has.
  struct Host {
    std::unique_ptr<HostResolver> resolver;
    std::vector<IpAddress> addresses;
    bool started = false;
    bool gone = false;  // what it still finds is of no interest
  };
  // One upstream of the configuration, or a resolver of its bootstrap list, and what is seen of it as a whole.
  struct Service {
    uint64_t id = 0;  // never given again
    bool started = false;
    UpstreamConfig config;
    std::shared_ptr<const std::string> name;
    std::shared_ptr<const TlsClientCredentials> credentials;
    std::vector<std::shared_ptr<UpstreamServer>> servers;
    std::shared_ptr<const Route> alone;  // a route with nothing else
    unsigned silent_in_a_row = 0;        // queries that it did not answer in time
    SteadyTime loop_checked_at = SteadyTime::min();
    bool loop_seen = false;  // since the check that was begun last
    // Of those that are given by host name.
    std::unique_ptr<Source> source;
    std::list<Host> hosts;
  };
  using Services = std::vector<std::shared_ptr<Service>>;
  struct Zone {
    ForwardConfig config;
    size_t octets = 1;  // of its name in wire form
    std::vector<size_t> services;
    std::shared_ptr<RouteState> state;
    std::shared_ptr<const Route> route;
  };
  // A zone as a race remembers it, which may end under another plan.
  struct ZoneReference {
    uint32_t number = 0;
    uint32_t plan = 0;
  };
  // A server that is in no route any more, with the queries that it still has.
  struct Retiring {
    Retiring(std::shared_ptr<UpstreamServer> server_in, Executor executor)
        : server(std::move(server_in)), closing(executor) {}
    std::shared_ptr<UpstreamServer> server;
    Wakeup closing;
  };

  // The services of the plan, those of `before` where they are the same; the others are left in it.
  Services TakeUp(const std::vector<UpstreamPlan::Service>& planned, Services& before);
  // The zones of the plan; each remembers what the zone of that name did.
  std::vector<Zone> TakeUpZones(const std::vector<Zone>& before);
  // Gives the service the host names of its configuration. With `anew` none of their resolvers is kept.
  void UpdateHosts(const std::shared_ptr<Service>& service, bool anew);
  void AddHost(Service& service, const std::string& host_name, std::vector<IpAddress> addresses);
  std::shared_ptr<UpstreamServer> MakeServer(const Service& service, const IpAddress& address);
  // After a change of the servers.
  void MakeRoutes();
  std::shared_ptr<const Route> MakeAlone(const Service& service);
  std::shared_ptr<const Route> MakeSourceRoute(const Service& service);

  // Makes the servers that are new, keeps those that stay, and retires those that are gone.
  void UpdateServers(Service& service);
  // The addresses of a host name have changed.
  void UpdateAddresses(Service& service);
  Task<> Retire(std::shared_ptr<UpstreamServer> server);
  void RetireService(const std::shared_ptr<Service>& service);
  Task<> RetireHosts(std::shared_ptr<Service> service, std::list<Host> hosts);
  // Calls `visit` for every service there is, bootstrap resolvers included.
  template <typename Visitor>
  void ForEachService(Visitor visit) const {
    for (const auto& service : services_) visit(*service);
    for (const auto& service : bootstrap_) visit(*service);
  }

  Task<absl::StatusOr<UpstreamResponse>> RunRace(std::shared_ptr<const Route> route, const UpstreamQuery& query,
                                                 Deadline deadline);
  static bool HasOther(const Route& route, const std::string& upstream);
  const Zone* ZoneOf(const UpstreamQuery& query) const;
  Task<absl::StatusOr<UpstreamResponse>> RunRace(ZoneReference zone, const UpstreamQuery& query, Deadline deadline);
  static Task<absl::StatusOr<UpstreamResponse>> Refuse(absl::Status why);
  // OK where the zone's upstreams are to be asked.
  absl::Status WhyNotAsk(const UpstreamQuery& query, const Zone* zone);
  absl::Status NobodyToAsk(const Zone& zone) const;
  static std::string NoAddressOf(const Service& service);
  // What the end of a race says about the services that took part.
  void Watch(const Race& race, const Zone& zone, SteadyTime now);
  void StartLoopCheck(const std::shared_ptr<Service>& service, SteadyTime now);
  Task<> CheckForLoop(std::shared_ptr<Service> service);
  absl::Status LoopFound(uint64_t check, SteadyTime now);

  asio::io_context& loop_;
  Timeouts timeouts_;
  RandomIds random_;
  LoopCheck loop_check_;
  uint64_t loop_checks_ = 0;  // made
  uint64_t service_ids_ = 0;  // given
  Duration retire_time_{0};   // no query is older
  std::shared_ptr<const UpstreamPlan> plan_;
  uint32_t plans_ = 0;  // taken up
  Services services_;
  Services bootstrap_;
  std::list<Retiring> retiring_;
  std::map<std::string, UpstreamSnapshot> former_;  // by upstream: the counts of its servers that have ended
  std::vector<Zone> zones_;
  uint64_t changes_ = 0;     // of the network, and of what the routes are made of
  bool any_silent_ = false;  // some service has silent_in_a_row
  bool started_ = false;
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_FORWARDER_H_
