#include "upstream/forwarder.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/name.h"
#include "upstream/datagram_upstream.h"
#include "upstream/race.h"
#include "upstream/stream_upstream.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// The name of a loop check has the number of the service in it, which must fit beside that of the check.
constexpr uint64_t kServiceIds = uint64_t{1} << 24;

uint64_t RandomSeed(RandomIds& random) {
  uint64_t seed = 0;
  for (int i = 0; i < 4; ++i) seed = seed << 16U | random.Next();
  return seed;
}

}  // namespace

// Runs a race over what the forwarder has for the service at that moment.
class Forwarder::Source final : public Upstream {
 public:
  Source(Forwarder& forwarder, const Service& service) : forwarder_(forwarder), service_(service) {}

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override {
    return forwarder_.RunRace(forwarder_.MakeSourceRoute(service_), query, deadline);
  }

 private:
  Forwarder& forwarder_;
  const Service& service_;
};

Forwarder::Forwarder(asio::io_context& loop, std::shared_ptr<const UpstreamPlan> plan)
    : loop_(loop), timeouts_(loop), tasks_(loop) {
  Adopt(std::move(plan));
}

Forwarder::~Forwarder() = default;

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Create(asio::io_context& loop, const Config& config) {
  ASSIGN_OR_RETURN(std::shared_ptr<const UpstreamPlan> plan, UpstreamPlan::Create(config, nullptr));
  return std::make_unique<Forwarder>(loop, std::move(plan));
}

// --- what there is ---

void Forwarder::Adopt(std::shared_ptr<const UpstreamPlan> plan) {
  if (closed_) return;
  const bool hosts_anew = plan_ == nullptr || plan_->bootstrap_is_local != plan->bootstrap_is_local;
  plan_ = std::move(plan);
  ++plans_;
  // Queries of every plan before may still be under way.
  retire_time_ = std::max(retire_time_, plan_->query_deadline);
  Services gone = std::exchange(services_, {});
  services_ = TakeUp(plan_->services, gone);
  Services gone_bootstrap = std::exchange(bootstrap_, {});
  bootstrap_ = TakeUp(plan_->bootstrap, gone_bootstrap);
  zones_ = TakeUpZones(zones_);
  for (const auto& service : services_) UpdateHosts(service, hosts_anew);
  ForEachService([this](Service& service) { UpdateServers(service); });
  MakeRoutes();
  for (const auto& service : gone) RetireService(service);
  for (const auto& service : gone_bootstrap) RetireService(service);
  if (started_) Start();
}

Forwarder::Services Forwarder::TakeUp(const std::vector<UpstreamPlan::Service>& planned, Services& before) {
  Services services;
  for (const UpstreamPlan::Service& wanted : planned) {
    const auto same = std::find_if(before.begin(), before.end(), [&wanted](const auto& service) {
      return service->config.name == wanted.config.name && service->config.protocol == wanted.config.protocol &&
             service->config.port == wanted.config.port && service->config.auth_name == wanted.config.auth_name &&
             service->credentials == wanted.credentials;
    });
    if (same != before.end()) {
      services.push_back(std::move(*same));
      before.erase(same);
    } else {
      const auto made = std::make_shared<Service>();
      made->id = service_ids_++;
      made->name = std::make_shared<const std::string>(wanted.config.name);
      made->credentials = wanted.credentials;
      made->source = std::make_unique<Source>(*this, *made);
      services.push_back(made);
    }
    services.back()->config = wanted.config;
  }
  return services;
}

std::vector<Forwarder::Zone> Forwarder::TakeUpZones(const std::vector<Zone>& before) {
  absl::flat_hash_map<std::string_view, std::shared_ptr<RouteState>> states;
  for (const Zone& zone : before) states.emplace(zone.config.zone, zone.state);
  std::vector<Zone> zones;
  zones.reserve(plan_->zones.size());
  for (const UpstreamPlan::Zone& planned : plan_->zones) {
    Zone& zone = zones.emplace_back();
    zone.config = planned.config;
    // The plan has found it to be a name.
    zone.octets = Name::Parse(planned.config.zone)->wire().size();
    zone.services = planned.services;
    const auto known = states.find(planned.config.zone);
    zone.state = known != states.end() ? known->second : std::make_shared<RouteState>(RandomSeed(random_));
  }
  return zones;
}

std::shared_ptr<UpstreamServer> Forwarder::MakeServer(const Service& service, const IpAddress& address) {
  StreamUpstream::Options options;
  options.name = service.name;
  options.endpoint = {address, service.config.port};
  options.transport = service.config.protocol == UpstreamProtocol::kTls ? QueryTransport::kTls : QueryTransport::kTcp;
  options.auth_name = service.config.auth_name;
  options.credentials = service.credentials;
  auto stream = std::make_unique<StreamUpstream>(loop_, timeouts_, std::move(options));
  if (service.config.protocol != UpstreamProtocol::kUdp) return stream;
  return std::make_shared<DatagramUpstream>(
      loop_, timeouts_, DatagramUpstream::Options{.name = service.name, .endpoint = {address, service.config.port}},
      std::move(stream));
}

void Forwarder::UpdateHosts(const std::shared_ptr<Service>& service, bool anew) {
  std::list<Host> gone;
  gone.swap(service->hosts);
  for (const std::string& host_name : service->config.host_names) {
    const auto known = std::find_if(gone.begin(), gone.end(),
                                    [&](const Host& host) { return host.resolver->host_name() == host_name; });
    if (known != gone.end() && !anew) {
      service->hosts.splice(service->hosts.end(), gone, known);
    } else {
      AddHost(*service, host_name, known != gone.end() ? known->addresses : std::vector<IpAddress>());
    }
  }
  if (!gone.empty()) tasks_.Spawn(RetireHosts(service, std::move(gone)));
}

void Forwarder::AddHost(Service& service, const std::string& host_name, std::vector<IpAddress> addresses) {
  Host& host = service.hosts.emplace_back();
  host.addresses = std::move(addresses);
  const auto update = [this, &service, &host](const std::vector<IpAddress>& found) {
    if (host.gone) return;
    host.addresses = found;
    UpdateAddresses(service);
  };
  HostResolver::Options options;
  options.host_name = host_name;
  options.loopback = plan_->bootstrap_is_local ? LoopbackAnswers::kAccept : LoopbackAnswers::kRefuse;
  // The plan has found the name to be one.
  host.resolver = *HostResolver::Create(loop_, *service.source, std::move(options), update);
}

void Forwarder::MakeRoutes() {
  ++changes_;
  ForEachService([this](Service& service) { service.alone = MakeAlone(service); });
  for (Zone& zone : zones_) {
    const auto route = std::make_shared<Route>(zone.config.policy, zone.config.hedge, zone.state);
    for (const size_t service : zone.services) {
      route->AddUpstream(*services_[service]->name, services_[service]->servers);
    }
    zone.route = route;
  }
}

std::shared_ptr<const Route> Forwarder::MakeAlone(const Service& service) {
  const auto state = std::make_shared<RouteState>(RandomSeed(random_));
  const auto route = std::make_shared<Route>(UpstreamPolicy::kLatency, false, state);
  route->AddUpstream(*service.name, service.servers);
  return route;
}

// The bootstrap list, or else all the other upstreams, and the addresses that stand beside the name itself.
std::shared_ptr<const Route> Forwarder::MakeSourceRoute(const Service& service) {
  const auto state = std::make_shared<RouteState>(RandomSeed(random_));
  const auto route = std::make_shared<Route>(UpstreamPolicy::kLatency, false, state);
  for (const auto& other : bootstrap_.empty() ? services_ : bootstrap_) {
    std::vector<std::shared_ptr<UpstreamServer>> servers = other->servers;
    if (other.get() == &service) {
      std::erase_if(servers, [&known = service.config.addresses](const auto& server) {
        return std::find(known.begin(), known.end(), server->record().endpoint.address) == known.end();
      });
    }
    route->AddUpstream(*other->name, servers);
  }
  return route;
}

// --- upstreams by host name ---

void Forwarder::UpdateAddresses(Service& service) {
  if (closed_) return;
  UpdateServers(service);
  MakeRoutes();
  if (!started_ || std::exchange(service.started, true)) return;
  for (const auto& known : services_) {
    if (known.get() == &service) StartLoopCheck(known, Now());
  }
}

void Forwarder::UpdateServers(Service& service) {
  std::vector<IpAddress> wanted = service.config.addresses;
  for (const Host& host : service.hosts) {
    for (const IpAddress& address : host.addresses) {
      const bool known = std::find(wanted.begin(), wanted.end(), address) != wanted.end();
      if (!known && wanted.size() < Limits::kConfigAddressesMax) wanted.push_back(address);
    }
  }
  std::vector<std::shared_ptr<UpstreamServer>> servers;
  for (const IpAddress& address : wanted) {
    const auto kept = std::find_if(service.servers.begin(), service.servers.end(), [&address](const auto& server) {
      return server != nullptr && server->record().endpoint.address == address;
    });
    if (kept != service.servers.end()) {
      servers.push_back(std::exchange(*kept, nullptr));
      continue;
    }
    servers.push_back(MakeServer(service, address));
    // Nobody knows yet where this address leads.
    service.started = false;
    service.loop_checked_at = SteadyTime::min();
  }
  service.servers.swap(servers);
  for (std::shared_ptr<UpstreamServer>& gone : servers) {
    if (gone != nullptr) tasks_.Spawn(Retire(std::move(gone)));
  }
}

// Its queries may end; nobody finds it any more.
void Forwarder::RetireService(const std::shared_ptr<Service>& service) {
  std::list<Host> hosts;
  hosts.swap(service->hosts);
  if (!hosts.empty()) tasks_.Spawn(RetireHosts(service, std::move(hosts)));
  for (std::shared_ptr<UpstreamServer>& server : service->servers) tasks_.Spawn(Retire(std::move(server)));
  service->servers.clear();
}

// What a host name's resolver asks by, and whom it tells, is the service's.
Task<> Forwarder::RetireHosts([[maybe_unused]] std::shared_ptr<Service> service, std::list<Host> hosts) {
  for (Host& host : hosts) {
    host.gone = true;
    host.resolver->Close();
  }
  for (const Host& host : hosts) co_await host.resolver->Join();
}

// No new query comes to it; when the youngest that it may have is over, it is closed.
Task<> Forwarder::Retire(std::shared_ptr<UpstreamServer> server) {
  retiring_.emplace_back(server, loop_.get_executor());
  const auto self = std::prev(retiring_.end());
  Timeout timeout(timeouts_, self->closing);
  timeout.Set(Now() + retire_time_);
  if (!closed_) co_await self->closing.Wait();
  server->Close();
  co_await server->Join();
  AddCounts(former_[*server->record().name], server->Snapshot());
  retiring_.erase(self);
}

void Forwarder::Start() {
  started_ = true;
  const SteadyTime now = Now();
  for (const auto& service : services_) {
    if (!std::exchange(service->started, true)) StartLoopCheck(service, now);
    for (Host& host : service->hosts) {
      if (!std::exchange(host.started, true)) host.resolver->Start();
    }
  }
}

// --- queries ---

// DS records are the parent's (RFC 4035 §2.4): the servers of a zone know nothing of its own.
bool Forwarder::HasOther(const Route& route, const std::string& upstream) {
  return std::ranges::any_of(route.groups(), [&](const Route::Group& group) {
    return group.begin != group.end && *route.server(group.begin).record().name != upstream;
  });
}

const Forwarder::Zone* Forwarder::ZoneOf(const UpstreamQuery& query) const {
  OctetView name = query.name.wire();
  if (query.type == rr_type::kDs && name.size() > 1) name = name.subspan(size_t{1} + name[0]);
  const std::optional<size_t> zone = plan_->table.Find(name);
  return zone ? &zones_[*zone] : nullptr;
}

Task<absl::StatusOr<UpstreamResponse>> Forwarder::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const Zone* const zone = ZoneOf(query);
  if (const absl::Status nobody = WhyNotAsk(query, zone); !nobody.ok()) return Refuse(nobody);
  if (query.not_from != nullptr && !HasOther(*zone->route, *query.not_from)) {
    return Refuse(absl::NotFoundError(StrCat("no upstream but ", *query.not_from, " for this name")));
  }
  const ZoneReference reference{static_cast<uint32_t>(zone - zones_.data()), plans_};
  return RunRace(reference, query, deadline);
}

RouteCondition Forwarder::ConditionOf(const UpstreamQuery& query) const {
  const Zone* const zone = ZoneOf(query);
  if (zone == nullptr) return {.serving = false, .returns = changes_};
  RouteCondition condition{.serving = false, .returns = changes_, .zone_octets = zone->octets};
  const SteadyTime now = Now();
  for (size_t i = 0; i < zone->route->size(); ++i) {
    const UpstreamServer& server = zone->route->server(i);
    condition.serving |= !server.failing() && !server.banished(now);
    condition.returns += server.returns();
  }
  return condition;
}

Task<absl::StatusOr<UpstreamResponse>> Forwarder::ExchangeWith(std::string upstream, const UpstreamQuery& query,
                                                               Deadline deadline) {
  const auto service = std::find_if(services_.begin(), services_.end(),
                                    [&upstream](const auto& candidate) { return *candidate->name == upstream; });
  if (service == services_.end()) return Refuse(absl::NotFoundError(StrCat("no upstream is called ", upstream)));
  if ((*service)->alone->size() == 0) return Refuse(absl::UnavailableError(NoAddressOf(**service)));
  return RunRace((*service)->alone, query, deadline);
}

std::optional<RouteSnapshot> Forwarder::RouteOf(const UpstreamQuery& query) const {
  const Zone* const zone = ZoneOf(query);
  if (zone == nullptr) return std::nullopt;
  RouteSnapshot snapshot;
  snapshot.zone = zone->config.zone;
  snapshot.policy = zone->config.policy;
  snapshot.hedge = zone->config.hedge;
  snapshot.upstreams = zone->config.upstreams;
  if (zone->route->size() == 0) snapshot.status = NobodyToAsk(*zone);
  return snapshot;
}

// Kept apart, so that what waits has nothing in its frame but the race.
Task<absl::StatusOr<UpstreamResponse>> Forwarder::Refuse(absl::Status why) { co_return why; }

Task<absl::StatusOr<UpstreamResponse>> Forwarder::RunRace(ZoneReference zone, const UpstreamQuery& query,
                                                          Deadline deadline) {
  Race race(loop_, timeouts_, zones_[zone.number].route, query, deadline, Now());
  while (!race.Advance(Now())) co_await race.Sleep();
  // What was asked under another plan says nothing of this one's upstreams.
  if (zone.plan == plans_) Watch(race, zones_[zone.number], Now());
  if (query.trace != nullptr) {
    const uint32_t before = query.trace->beyond_usual;
    *query.trace = race.Trace(Now());
    query.trace->beyond_usual += before;
  }
  co_return race.Result();
}

absl::Status Forwarder::WhyNotAsk(const UpstreamQuery& query, const Zone* zone) {
  // What we asked an upstream has come back to us as somebody's query.
  if (const std::optional<size_t> check = loop_check_.Recognise(query.name.wire())) {
    return LoopFound(*check, Now());
  }
  if (zone == nullptr) return absl::UnavailableError("no upstream is configured for this name");
  return zone->route->size() == 0 ? NobodyToAsk(*zone) : absl::OkStatus();
}

// Who has no address yet has a host name that could not be resolved.
absl::Status Forwarder::NobodyToAsk(const Zone& zone) const {
  std::string why;
  for (const size_t service : zone.services) {
    const std::string of_service = NoAddressOf(*services_[service]);
    if (!of_service.empty()) StrAppend(&why, why.empty() ? "" : "; ", of_service);
  }
  return absl::UnavailableError(why);
}

std::string Forwarder::NoAddressOf(const Service& service) {
  std::string why;
  for (const Host& host : service.hosts) {
    StrAppend(&why, why.empty() ? "" : "; ", *service.name, ": no address is known for ", host.resolver->host_name());
    if (!host.resolver->last_error().ok()) StrAppend(&why, " (", MessageOf(host.resolver->last_error()), ")");
  }
  return why;
}

Task<absl::StatusOr<UpstreamResponse>> Forwarder::RunRace(std::shared_ptr<const Route> route,
                                                          const UpstreamQuery& query, Deadline deadline) {
  Race race(loop_, timeouts_, std::move(route), query, deadline, Now(), Race::Purpose::kOwn);
  while (!race.Advance(Now())) co_await race.Sleep();
  co_return race.Result();
}

void Forwarder::Watch(const Race& race, const Zone& zone, SteadyTime now) {
  if (race.end() == Race::End::kAnswered) {
    // Nothing to do on the path of nearly every query.
    if (!any_silent_) return;
    any_silent_ = false;
    for (const auto& service : services_) service->silent_in_a_row = 0;
    return;
  }
  for (const size_t index : zone.services) {
    const std::shared_ptr<Service>& watched = services_[index];
    Service& service = *watched;
    bool silent = false;
    race.ForEachSilent([&](const UpstreamServer& server) { silent |= server.record().name == service.name; });
    const bool banished = std::any_of(service.servers.begin(), service.servers.end(),
                                      [now](const auto& server) { return server->banished(now); });
    if (banished) StartLoopCheck(watched, now);
    if (silent) {
      any_silent_ = true;
      if (++service.silent_in_a_row >= Limits::kLoopSuspicion) StartLoopCheck(watched, now);
    }
    // Perhaps it has moved.
    const bool lost = std::all_of(service.servers.begin(), service.servers.end(),
                                  [](const auto& server) { return server->failing(); });
    if (!lost) continue;
    for (const Host& host : service.hosts) host.resolver->Refresh();
  }
}

// --- loops ---

void Forwarder::StartLoopCheck(const std::shared_ptr<Service>& service, SteadyTime now) {
  if (closed_ || service->alone->size() == 0) return;
  if (now < service->loop_checked_at + Limits::kLoopCheckInterval) return;
  service->loop_checked_at = now;
  tasks_.Spawn(CheckForLoop(service));
}

// What comes back is of no interest: a loop shows in Exchange.
Task<> Forwarder::CheckForLoop(std::shared_ptr<Service> service) {
  UpstreamQuery query;
  // A name that was asked before may be answered from the upstream's cache.
  query.name = loop_check_.NameFor(service->id % kServiceIds + kServiceIds * loop_checks_++);
  query.type = rr_type::kTxt;
  const std::shared_ptr<const Route> route = service->alone;
  const SteadyTime now = Now();
  const Deadline deadline = Deadline::After(now, Limits::kLoopCheckTime);
  service->loop_seen = false;
  Race race(loop_, timeouts_, route, query, deadline, now, Race::Purpose::kOwn);
  while (!race.Advance(Now())) co_await race.Sleep();
  // A loop that there was is mended when the name is answered and has not come back.
  if (race.end() != Race::End::kAnswered || service->loop_seen) co_return;
  for (const auto& server : service->servers) server->Pardon();
}

absl::Status Forwarder::LoopFound(uint64_t check, SteadyTime now) {
  const auto found = std::find_if(services_.begin(), services_.end(), [check](const auto& service) {
    return service->id % kServiceIds == check % kServiceIds;
  });
  // It was asked before a reload dropped it.
  if (found == services_.end()) return absl::FailedPreconditionError("forwarding loop: over a former upstream");
  Service& looping = **found;
  looping.loop_seen = true;
  const absl::Status why = absl::FailedPreconditionError(StrCat(
      "forwarding loop: upstream ", *looping.name,
      " sends what it is asked back to this server; correct the address of the upstream, or what it forwards to"));
  bool news = false;
  for (const auto& server : looping.servers) {
    news |= !server->banished(now);
    server->Banish(now + Limits::kLoopRest, why);
  }
  if (news) Log(LogLevel::kError, "forwarding loop", {{"upstream", *looping.name}, {"error", MessageOf(why)}});
  return why;
}

// --- the whole ---

void Forwarder::NetworkChanged() {
  const SteadyTime now = Now();
  ++changes_;
  ForEachService([now](const Service& service) {
    for (const auto& server : service.servers) server->NetworkChanged(now);
    for (const Host& host : service.hosts) host.resolver->NetworkChanged();
  });
}

std::vector<UpstreamSnapshot> Forwarder::Snapshots() const {
  std::vector<UpstreamSnapshot> snapshots;
  for (const auto& service : services_) {
    for (const auto& server : service->servers) snapshots.push_back(server->Snapshot());
  }
  return snapshots;
}

std::vector<UpstreamSnapshot> Forwarder::FormerSnapshots() const {
  std::map<std::string, UpstreamSnapshot> all = former_;
  for (const Retiring& retiring : retiring_) {
    AddCounts(all[*retiring.server->record().name], retiring.server->Snapshot());
  }
  std::vector<UpstreamSnapshot> snapshots;
  for (auto& [name, counts] : all) {
    counts.name = name;
    snapshots.push_back(std::move(counts));
  }
  return snapshots;
}

void Forwarder::Close() {
  closed_ = true;
  ForEachService([](const Service& service) {
    for (const auto& server : service.servers) server->Close();
    for (const Host& host : service.hosts) host.resolver->Close();
  });
  for (Retiring& retiring : retiring_) retiring.closing.Notify();
  timeouts_.Close();
}

Task<> Forwarder::Join() {
  std::vector<const Service*> all;
  ForEachService([&all](const Service& service) { all.push_back(&service); });
  for (const Service* service : all) {
    for (const Host& host : service->hosts) co_await host.resolver->Join();
    for (const auto& server : service->servers) co_await server->Join();
  }
  co_await tasks_.Join();
  co_await timeouts_.Join();
}

}  // namespace dotward
