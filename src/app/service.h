#ifndef DOTWARD_APP_SERVICE_H_
#define DOTWARD_APP_SERVICE_H_

#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "admin/query_log.h"
#include "admin/service_control.h"
#include "admin/statistics.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "dotward/response_cache.h"
#include "policy/policy.h"
#include "server/server.h"

namespace dotward {

// The whole server: cache, policy, the forwarding loop with its upstreams, and the workers with their listeners. The
// list of its members is the assembly.
class Service {
 public:
  // Reads the CA files and binds every listener; nothing runs yet. Fails whole: a server that has half of its addresses
  // never starts. kPermissionDenied, kAlreadyExists and kUnavailable are about addresses, kInvalidArgument and
  // kFailedPrecondition about files that the configuration names.
  static absl::StatusOr<std::unique_ptr<Service>> Create(std::shared_ptr<const Config> config, const Clock& clock);
  ~Service();  // Stop()
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  void Start();

  // Reads no more, answers what has been read (each by its own deadline), then ends every thread. Blocks until then.
  void Stop();

  // --- for those who administer it; thread-safe from Start() on, and of use until the last query is answered ---

  // Both block for one turn of the forwarding loop. Once that has ended, the upstreams are left out.
  StatisticsSnapshot Statistics();
  std::vector<UpstreamSnapshot> Upstreams();
  std::optional<RouteSnapshot> RouteOf(const UpstreamQuery& query);
  // What the policy says of a query from this machine.
  PolicyDecision Decide(const ScannedMessage& query) const;
  // See ServiceControl::Query.
  void Ask(ControlQuery query, std::function<void(ControlAnswer)> done);
  QueryLog& query_log() { return query_log_; }
  ResponseCache& cache() { return cache_; }
  Duration uptime() const { return clock_.Now() - started_at_; }

  // Where it listens, with the ports that the kernel chose.
  const std::vector<Endpoint>& listening() const { return server_->endpoints(); }
  size_t workers() const { return workers_.size(); }
  // Of every thread that serves, for who wants to know whether they turn. They run from Start() to Stop().
  std::vector<asio::io_context*> loops();

 private:
  class ForwardingThread;
  class Worker;

  Service(std::shared_ptr<const Config> config, const Clock& clock, std::unique_ptr<Server> server);

  const std::shared_ptr<const Config> config_;
  const Clock& clock_;
  const SteadyTime started_at_;
  const WallTime started_wall_;
  ResponseCache cache_;
  Policy policy_;  // shows the cache's figures to those who ask for cachesize.bind and its neighbours
  std::unique_ptr<Server> server_;
  QueryLog query_log_;  // every worker has its queue in it
  // Below the workers, since they wait for it: made before them, stopped after them.
  std::unique_ptr<ForwardingThread> forwarding_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool running_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_APP_SERVICE_H_
