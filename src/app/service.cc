#include "app/service.h"

#include <pthread.h>
#include <sched.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <future>
#include <new>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "admin/query_recorder.h"
#include "app/anchor_file.h"
#include "app/exit_code.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "config/negative_anchor.h"
#include "dnssec/anchor_keeper.h"
#include "dnssec/validating_upstream.h"
#include "net/network_monitor.h"
#include "resolver/query_coalescer.h"
#include "resolver/resolver.h"
#include "server/server_worker.h"
#include "upstream/forwarder.h"

namespace dotward {
namespace {

using WorkGuard = asio::executor_work_guard<Executor>;

size_t WorkerCount(const Config& config) {
  if (config.workers != 0) return config.workers;
  // The CPUs that this process may use, which may be fewer than the machine has (taskset, a container's cpuset).
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof(usable), &usable) != 0) return std::max(1U, std::thread::hardware_concurrency());
  return static_cast<size_t>(std::max(1, CPU_COUNT(&usable)));
}

uint64_t RandomSeed() {
  uint64_t seed = 0;
  // Cannot fail for so few octets once the system's generator has been seeded, which the call waits for.
  static_cast<void>(!getrandom(&seed, sizeof(seed), 0));
  return seed;
}

uint32_t WholeSeconds(Duration duration) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

ServerIdentity Identity(const ResponseCache& cache, const Clock& clock) {
  ServerIdentity identity;
  identity.hostname = HostName();
  identity.cache_figures = [&cache, &clock] {
    const ResponseCache::Statistics total = cache.Total(clock.Now());
    return CacheFigures{.size = cache.octets_max(),
                        .insertions = total.insertions,
                        .evictions = total.evictions,
                        .hits = total.hits,
                        .misses = total.misses};
  };
  return identity;
}

// How long what has expired may still be given.
Duration StaleMaxAge(const Config& config) {
  return config.cache.stale.enabled ? config.cache.stale.max_age : Duration::zero();
}

QueryCoalescer::Options CoalescerOptions(const Config& config) {
  return {.ttl = {.min_ttl = WholeSeconds(config.cache.min_ttl),
                  .max_ttl = WholeSeconds(config.cache.max_ttl),
                  .max_negative_ttl = WholeSeconds(config.cache.max_negative_ttl)},
          .validated = config.dnssec.validation,
          .trust_upstream_ad = config.dnssec.trust_upstream_ad,
          .failure_ttl = config.cache.failure_ttl,
          .stale_client_timeout = config.cache.stale.client_timeout,
          .query_deadline = config.query.deadline,
          .ask_with_dnssec = config.dnssec.validation,
          .pending = {.waiting_per_client = config.limits.waiting_per_client,
                      .ipv4_prefix = config.limits.client_prefix.ipv4,
                      .ipv6_prefix = config.limits.client_prefix.ipv6,
                      .hash_seed = RandomSeed()}};
}

// Null where nothing is validated.
absl::StatusOr<std::shared_ptr<const TrustAnchors>> AnchorsOf(const Config& config) {
  if (!config.dnssec.validation) return nullptr;
  TrustAnchors anchors = TrustAnchors::BuiltIn();
  if (!config.dnssec.trust_anchors.empty()) {
    absl::StatusOr<TrustAnchors> loaded = TrustAnchors::Load(config.dnssec.trust_anchors);
    if (!loaded.ok()) return absl::FailedPreconditionError(loaded.status().message());
    anchors = *std::move(loaded);
  }
  for (const std::string& text : config.dnssec.negative_trust_anchors) {
    ASSIGN_OR_RETURN(const NegativeAnchor negative, ParseNegativeAnchor(text));
    ASSIGN_OR_RETURN(Name zone, Name::Parse(negative.zone));
    anchors.AddNegative(std::move(zone), negative.end);
  }
  return std::make_shared<const TrustAnchors>(std::move(anchors));
}

// What leaves a loop is the end of memory or a fault of ours. Half a server would be worse than none: the process ends
// with the exit code that says why, and whoever supervises it starts it anew.
void RunLoop(asio::io_context& loop) {
  try {
    loop.run();
  } catch (const std::bad_alloc&) {
    Log(LogLevel::kError, "out of memory; lower cache.size or give the process more");
    FlushLog();
    _exit(static_cast<int>(ExitCode::kMemory));
  } catch (const std::exception& error) {
    Log(LogLevel::kError, "unexpected failure", {{"error", error.what()}});
    FlushLog();
    _exit(static_cast<int>(ExitCode::kOther));
  }
}

// Runs `change` on the loop, which must be running, and waits for its end.
template <typename Change>
void OnLoop(asio::io_context& loop, Change change) {
  std::promise<void> done;
  asio::post(loop, [&] {
    change();
    done.set_value();
  });
  done.get_future().wait();
}

std::thread StartThread(asio::io_context& loop, std::string name) {
  std::thread thread([&loop] { RunLoop(loop); });
  name.resize(std::min<size_t>(name.size(), 15));  // the kernel keeps no more
  pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

}  // namespace

// The forwarding loop: one thread that owns coalescing and every upstream connection, so that a question has one
// exchange and an upstream one pool, whatever the number of workers.
class Service::ForwardingThread {
 public:
  ForwardingThread(const Config& config, const Prepared& prepared, ResponseCache& cache, const Clock& clock)
      : query_deadline_(config.query.deadline),
        clock_(clock),
        forwarder_(loop_, prepared.plan),
        validator_(loop_, forwarder_, clock),
        anchor_file_(AnchorFile::PathOf(config)),
        anchors_(loop_, forwarder_, clock,
                 {.trust = [this](std::shared_ptr<const TrustAnchors> anchors) { Trust(std::move(anchors)); },
                  .save = [this](std::string text) { anchor_file_.Write(std::move(text)); }}),
        coalescer_(loop_, validator_, cache, clock, CoalescerOptions(config)) {
    aggressive_nsec_ = config.dnssec.aggressive_nsec;
    denial_ttl_max_ = std::chrono::seconds(WholeSeconds(config.cache.max_negative_ttl));
    Trust(anchors_.Adopt(prepared.anchors, anchor_file_.Read()));
  }

  void Start() {
    asio::post(loop_, [this] {
      network_.emplace(loop_, [this](const NetworkChange& change) { NetworkChanged(change); });
      forwarder_.Start();
      anchors_.Start();
    });
    thread_ = StartThread(loop_, "forwarding");
  }

  // No worker runs any more.
  void Stop() {
    if (!thread_.joinable()) return;  // it could not be started
    {
      const MutexLock lock(asking_);
      winding_down_ = true;
    }
    asio::post(loop_, [this] { stopping_.Spawn(WindDown()); });
    thread_.join();
  }

  QueryCoalescer& coalescer() { return coalescer_; }
  const ValidatingUpstream& validator() const { return validator_; }
  asio::io_context& loop() { return loop_; }

  // The loop runs, and is not told to wind down before this returns.
  void Adopt(const Config& config, const Prepared& prepared) {
    OnLoop(loop_, [&] {
      query_deadline_ = config.query.deadline;
      forwarder_.Adopt(prepared.plan);
      anchor_file_.SetPath(AnchorFile::PathOf(config));
      aggressive_nsec_ = config.dnssec.aggressive_nsec;
      denial_ttl_max_ = std::chrono::seconds(WholeSeconds(config.cache.max_negative_ttl));
      Trust(anchors_.Adopt(prepared.anchors));
      coalescer_.Adopt(CoalescerOptions(config));
    });
  }

  // Denials, chains of trust and failures of the past. Thread-safe.
  void Forget() {
    const MutexLock lock(asking_);
    if (winding_down_) return;
    asio::post(loop_, [this] {
      validator_.Forget();
      coalescer_.ForgetFailures();
    });
  }

  // What `look` finds on the loop; an empty value once the loop winds down. Thread-safe; one asker at a time.
  template <typename Result>
  Result Look(std::function<Result(const Forwarder&, const QueryCoalescer&)> look) {
    const MutexLock lock(asking_);
    if (winding_down_) return Result{};
    std::promise<Result> found;
    asio::post(loop_, [&] { found.set_value(look(forwarder_, coalescer_)); });
    return found.get_future().get();
  }

  void Ask(ControlQuery query, std::function<void(ControlAnswer)> done) {
    const MutexLock lock(asking_);
    if (winding_down_) {
      ControlAnswer stopping;
      stopping.status = absl::UnavailableError("the server is stopping");
      return done(std::move(stopping));
    }
    asio::post(loop_, [this, query = std::move(query), done = std::move(done)]() mutable {
      questions_.Spawn(Exchange(std::move(query), std::move(done)));
    });
  }

 private:
  void Trust(std::shared_ptr<const TrustAnchors> anchors) {
    validator_.Adopt(
        {.anchors = std::move(anchors), .aggressive_nsec = aggressive_nsec_, .denial_ttl_max = denial_ttl_max_});
  }

  void NetworkChanged(const NetworkChange& change) {
    Log(LogLevel::kInfo, "the network has changed, so every upstream connection is tried",
        {{"change", change.ToString()}});
    forwarder_.NetworkChanged();
  }

  // A question that somebody asks by hand: past coalescing and cache.
  Task<> Exchange(ControlQuery asked, std::function<void(ControlAnswer)> done) {
    UpstreamQuery query;
    query.name = std::move(asked.name);
    query.type = asked.type;
    query.dnssec_ok = asked.dnssec_ok;
    query.checking_disabled = asked.checking_disabled;
    const SteadyTime begun = clock_.Now();
    const Deadline deadline = Deadline::After(begun, query_deadline_);
    Task<absl::StatusOr<UpstreamResponse>> exchange =
        asked.upstream.empty() ? forwarder_.Exchange(query, deadline)
                               : forwarder_.ExchangeWith(std::move(asked.upstream), query, deadline);
    absl::StatusOr<UpstreamResponse> response = co_await std::move(exchange);
    ControlAnswer answer;
    answer.status = response.status();
    answer.took = clock_.Now() - begun;
    if (response.ok()) {
      answer.upstream = *response->upstream;
      answer.authenticated = response->authenticated;
      answer.response = std::move(response->octets);
    }
    done(std::move(answer));
  }

  Task<> WindDown() {
    network_.reset();
    forwarder_.Close();
    anchors_.Close();
    validator_.Close();
    co_await coalescer_.Join();
    co_await questions_.Join();
    co_await anchors_.Join();
    co_await validator_.Join();
    co_await forwarder_.Join();
    work_.reset();
  }

  Duration query_deadline_;  // of questions that are asked by hand
  const Clock& clock_;
  Mutex asking_;
  bool winding_down_ ABSL_GUARDED_BY(asking_) = false;  // what is posted from now on may never run
  asio::io_context loop_{1};
  WorkGuard work_{loop_.get_executor()};
  Forwarder forwarder_;
  ValidatingUpstream validator_;
  bool aggressive_nsec_ = true;
  std::chrono::seconds denial_ttl_max_{0};
  AnchorFile anchor_file_;
  AnchorKeeper anchors_;  // follows what is configured
  QueryCoalescer coalescer_;
  std::optional<NetworkMonitor> network_;
  TaskGroup questions_{loop_};
  TaskGroup stopping_{loop_};
  std::thread thread_;
};

// One client-facing thread: its loop, its resolver, its sockets.
class Service::Worker {
 public:
  Worker(size_t number, Service& service)
      : number_(number),
        recorder_(service.query_log_.queue(number), service.slow_queries_, service.clock_),
        resolver_(loop_, service.state(), service.cache_, service.forwarding_->coalescer(), service.clock_, &recorder_),
        listeners_(service.server_->MakeWorker(number, loop_, resolver_, service.clock_)) {}

  void Start() {
    listeners_->Start();
    thread_ = StartThread(loop_, "worker " + std::to_string(number_));
  }

  // As of ForwardingThread.
  void Adopt(const std::shared_ptr<const ServingState>& state) {
    OnLoop(loop_, [&] {
      resolver_.Adopt(state);
      listeners_->SetPatience(Server::PatienceOf(*state->config));
    });
  }

  // Begins to stop; Join waits for the end. Apart, so that all workers wind down side by side.
  void BeginStop() {
    asio::post(loop_, [this] { stopping_.Spawn(WindDown()); });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

  const QueryStatistics& statistics() const { return resolver_.statistics(); }
  asio::io_context& loop() { return loop_; }

 private:
  Task<> WindDown() {
    co_await listeners_->Stop();
    work_.reset();
  }

  const size_t number_;
  asio::io_context loop_{1};
  WorkGuard work_{loop_.get_executor()};
  QueryRecorder recorder_;
  Resolver resolver_;
  std::unique_ptr<ServerWorker> listeners_;
  TaskGroup stopping_{loop_};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<Service>> Service::Create(std::shared_ptr<const Config> config, const Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Bind(*config, WorkerCount(*config)));
  std::unique_ptr<Service> service(new Service(config, clock, std::move(server)));
  ASSIGN_OR_RETURN(Prepared prepared, service->Prepare(config));
  {
    const MutexLock lock(service->current_);
    service->state_ = std::move(prepared.state);
    service->plan_ = prepared.plan;
    service->anchors_ = prepared.anchors;
  }
  service->forwarding_ = std::make_unique<ForwardingThread>(*config, prepared, service->cache_, clock);
  const absl::Status logging = service->query_log_.Apply(QueryLog::Options::Of(*config));
  if (!logging.ok()) return absl::FailedPreconditionError(logging.message());
  for (size_t i = 0; i < service->server_->workers(); ++i) {
    service->workers_.push_back(std::make_unique<Worker>(i, *service));
  }
  return service;
}

Service::Service(const std::shared_ptr<const Config>& config, const Clock& clock, std::unique_ptr<Server> server)
    : clock_(clock),
      started_at_(clock.Now()),
      started_wall_(clock.WallNow()),
      cache_(
          {.octets_max = config->cache.size_octets, .hash_seed = RandomSeed(), .stale_max_age = StaleMaxAge(*config)}),
      keeper_(cache_, clock),
      identity_(Identity(cache_, clock_)),
      server_(std::move(server)),
      query_log_(server_->workers(), clock_),
      slow_queries_(QueryLog::Options::Of(*config).privacy) {}

Service::~Service() { Stop(); }

void Service::Start() {
  const MutexLock lock(changing_);
  running_ = true;
  forwarding_->Start();
  for (const auto& worker : workers_) worker->Start();
  keeper_.Start(CacheKeeper::Options::Of(*state()->config, anchors().get()));
}

void Service::Stop() {
  {
    const MutexLock lock(changing_);
    if (!std::exchange(running_, false)) return;
  }
  for (const auto& worker : workers_) worker->BeginStop();
  for (const auto& worker : workers_) worker->Join();
  forwarding_->Stop();
  keeper_.Stop();
}

std::vector<asio::io_context*> Service::loops() {
  std::vector<asio::io_context*> loops{&forwarding_->loop()};
  for (const auto& worker : workers_) loops.push_back(&worker->loop());
  return loops;
}

absl::StatusOr<Service::Prepared> Service::Prepare(std::shared_ptr<const Config> config) const {
  std::shared_ptr<const UpstreamPlan> before;
  std::shared_ptr<const TrustAnchors> anchors_before;
  {
    const MutexLock lock(current_);
    before = plan_;
    anchors_before = anchors_;
  }
  Prepared prepared;
  ASSIGN_OR_RETURN(prepared.plan, UpstreamPlan::Create(*config, before.get()));
  ASSIGN_OR_RETURN(prepared.anchors, AnchorsOf(*config));
  // What is known of zones may stay where the anchors are the same.
  if (prepared.anchors && anchors_before && *prepared.anchors == *anchors_before) prepared.anchors = anchors_before;
  prepared.state = std::make_shared<const ServingState>(std::move(config), identity_);
  return prepared;
}

absl::Status Service::Adopt(Prepared prepared) {
  const MutexLock lock(changing_);
  if (!running_) return absl::UnavailableError("the server is stopping");
  const Config& config = *prepared.state->config;
  cache_.SetStaleMaxAge(StaleMaxAge(config));
  // What was not judged, or by others' keys, is not to be taken for what is.
  const bool judged_otherwise = (prepared.anchors != nullptr && prepared.anchors != anchors()) ||
                                state()->config->dnssec.trust_upstream_ad != config.dnssec.trust_upstream_ad;
  forwarding_->Adopt(config, prepared);
  if (judged_otherwise) cache_.FlushZone(Name().wire());
  for (const auto& worker : workers_) worker->Adopt(prepared.state);
  server_->SetLimits(config);
  keeper_.Adopt(CacheKeeper::Options::Of(config, prepared.anchors.get()));
  const MutexLock current_lock(current_);
  state_ = std::move(prepared.state);
  plan_ = std::move(prepared.plan);
  anchors_ = std::move(prepared.anchors);
  return absl::OkStatus();
}

std::shared_ptr<const ServingState> Service::state() const {
  const MutexLock lock(current_);
  return state_;
}

std::shared_ptr<const TrustAnchors> Service::anchors() const {
  const MutexLock lock(current_);
  return anchors_;
}

StatisticsSnapshot Service::Statistics() {
  const SteadyTime now = clock_.Now();
  StatisticsSnapshot snapshot;
  snapshot.at = clock_.WallNow();
  snapshot.started_at = started_wall_;
  snapshot.uptime = now - started_at_;
  snapshot.cache_octets_max = cache_.octets_max();
  snapshot.cache = cache_.Total(now);
  snapshot.shards = cache_.PerShard(now);
  snapshot.cache_file = keeper_.statistics();
  for (const auto& worker : workers_) AddTo(snapshot.queries, worker->statistics());
  AddExchanges(forwarding_->coalescer().statistics(), snapshot);
  AddValidations(forwarding_->validator().statistics(), snapshot);
  snapshot.udp = server_->udp_totals();
  snapshot.streams = server_->stream_totals();
  const QueryLog::Statistics lines = query_log_.statistics();
  snapshot.query_log = {{"written", lines.written}, {"dropped", lines.dropped}, {"lost", lines.lost}};
  using Both = std::pair<std::vector<UpstreamSnapshot>, std::vector<UpstreamSnapshot>>;
  std::tie(snapshot.upstreams, snapshot.former_upstreams) = forwarding_->Look<Both>(
      [](const Forwarder& all, const QueryCoalescer&) { return Both(all.Snapshots(), all.FormerSnapshots()); });
  return snapshot;
}

uint64_t Service::Flush(const Name& name, FlushWhat what) {
  const uint64_t flushed = what == FlushWhat::kName ? cache_.FlushName(name.wire()) : cache_.FlushZone(name.wire());
  forwarding_->Forget();
  return flushed;
}

std::vector<UpstreamSnapshot> Service::Upstreams() {
  return forwarding_->Look<std::vector<UpstreamSnapshot>>(
      [](const Forwarder& all, const QueryCoalescer&) { return all.Snapshots(); });
}

Service::Outlook Service::OutlookOf(const UpstreamQuery& query, const std::vector<Name>& other_names) {
  const SteadyTime now = clock_.Now();
  return forwarding_->Look<Outlook>([&](const Forwarder& forwarder, const QueryCoalescer& coalescer) {
    Outlook outlook{.route = forwarder.RouteOf(query), .question = coalescer.OutlookOf(query, now)};
    const ValidatingUpstream& validator = forwarding_->validator();
    outlook.zone_octets = validator.ConditionOf(query).zone_octets;
    if (!validator.validates()) return outlook;
    outlook.chain = validator.walker().KnownChain(query.name);
    for (const Name& name : other_names) outlook.other_chains.push_back(validator.walker().KnownChain(name));
    return outlook;
  });
}

void Service::Ask(ControlQuery query, std::function<void(ControlAnswer)> done) {
  forwarding_->Ask(std::move(query), std::move(done));
}

}  // namespace dotward
