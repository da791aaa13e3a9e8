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
#include "admin/slow_queries.h"
#include "admin/statistics.h"
#include "app/cache_keeper.h"
#include "base/mutex.h"
#include "dnssec/chain_walker.h"
#include "dnssec/trust_anchors.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "dotward/response_cache.h"
#include "policy/policy.h"
#include "resolver/query_coalescer.h"
#include "resolver/serving_state.h"
#include "server/server.h"
#include "upstream/forwarder.h"
#include "upstream/upstream_plan.h"

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

  // What a configuration makes of the running server, ready to be swapped in: nothing of it can fail any more.
  struct Prepared {
    std::shared_ptr<const ServingState> state;
    std::shared_ptr<const UpstreamPlan> plan;
    std::shared_ptr<const TrustAnchors> anchors;  // null where nothing is validated
  };
  // Reads the files that `config` names; touches nothing that serves. Says what Create would say. Thread-safe.
  absl::StatusOr<Prepared> Prepare(std::shared_ptr<const Config> config) const;
  // Every loop takes it up between two of its turns, the forwarding loop first: a route that a worker may count on is
  // there, whatever the worker answers by. `listen`, `workers`, `user` and `cache.size` must be what they were. Blocks
  // for a turn of each loop; kUnavailable where the server does not run. Thread-safe.
  absl::Status Adopt(Prepared prepared);

  // --- for those who administer it; thread-safe from Start() on, and of use until the last query is answered ---

  // These block for one turn of the forwarding loop. Once that has ended, the upstreams are left out.
  StatisticsSnapshot Statistics();
  std::vector<UpstreamSnapshot> Upstreams();
  // What would become of a question that neither policy nor cache answers.
  struct Outlook {
    std::optional<RouteSnapshot> route;
    QueryCoalescer::Outlook question;
    size_t zone_octets = 1;  // see RouteCondition
    // Where answers are validated: of the question's name, and of other names that were asked for, in their order.
    std::optional<TrustChain> chain;
    std::vector<TrustChain> other_chains;
  };
  Outlook OutlookOf(const UpstreamQuery& query, const std::vector<Name>& other_names = {});
  // What the workers answer by, but for the moment in which a reload swaps it.
  std::shared_ptr<const ServingState> state() const;
  // See ServiceControl::Query.
  void Ask(ControlQuery query, std::function<void(ControlAnswer)> done);
  QueryLog& query_log() { return query_log_; }
  SlowQueries& slow_queries() { return slow_queries_; }
  ResponseCache& cache() { return cache_; }
  // Removes from the cache what is stored under the name, or at and below it, and forgets every denial, chain of trust
  // and failure that could stand in for it. Returns how many answers there were.
  enum class FlushWhat : uint8_t { kName, kZone };
  uint64_t Flush(const Name& name, FlushWhat what);
  Duration uptime() const { return clock_.Now() - started_at_; }

  // Where it listens, with the ports that the kernel chose.
  const std::vector<Endpoint>& listening() const { return server_->endpoints(); }
  size_t workers() const { return workers_.size(); }
  // Of every thread that serves, for who wants to know whether they turn. They run from Start() to Stop().
  std::vector<asio::io_context*> loops();

 private:
  std::shared_ptr<const TrustAnchors> anchors() const;

  class ForwardingThread;
  class Worker;

  Service(const std::shared_ptr<const Config>& config, const Clock& clock, std::unique_ptr<Server> server);

  const Clock& clock_;
  const SteadyTime started_at_;
  const WallTime started_wall_;
  ResponseCache cache_;
  CacheKeeper keeper_;             // begins when everything else serves, ends when nothing does
  const ServerIdentity identity_;  // shows the cache's figures to those who ask for cachesize.bind and its neighbours
  mutable Mutex current_;          // taken for a moment; never by a loop
  std::shared_ptr<const ServingState> state_ ABSL_GUARDED_BY(current_);
  std::shared_ptr<const UpstreamPlan> plan_ ABSL_GUARDED_BY(current_);
  std::shared_ptr<const TrustAnchors> anchors_ ABSL_GUARDED_BY(current_);
  std::unique_ptr<Server> server_;
  QueryLog query_log_;  // every worker has its queue in it
  SlowQueries slow_queries_;
  // Below the workers, since they wait for it: made before them, stopped after them.
  std::unique_ptr<ForwardingThread> forwarding_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Mutex changing_;  // held while the whole server takes a step: starts to run, adopts, begins to stop
  bool running_ ABSL_GUARDED_BY(changing_) = false;
};

}  // namespace dotward

#endif  // DOTWARD_APP_SERVICE_H_
