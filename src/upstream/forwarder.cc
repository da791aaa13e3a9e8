#include "upstream/forwarder.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/spki_pin.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/name.h"
#include "upstream/datagram_upstream.h"
#include "upstream/race.h"
#include "upstream/stream_upstream.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

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

Forwarder::Forwarder(asio::io_context& loop, const Config& config)
    : loop_(loop), timeouts_(loop), retire_time_(config.query.deadline), tasks_(loop) {}

Forwarder::~Forwarder() = default;

// --- what there is ---

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Create(asio::io_context& loop, const Config& config) {
  std::unique_ptr<Forwarder> forwarder(new Forwarder(loop, config));
  for (const UpstreamConfig& upstream : config.upstreams) {
    ASSIGN_OR_RETURN(Service service, forwarder->MakeService(upstream));
    forwarder->services_.push_back(std::make_unique<Service>(std::move(service)));
  }
  for (const BootstrapConfig& resolver : config.bootstrap) {
    UpstreamConfig upstream;
    upstream.name = StrCat("bootstrap ", resolver.endpoint.ToString());
    upstream.addresses = {resolver.endpoint.address};
    upstream.port = resolver.endpoint.port;
    upstream.protocol = resolver.protocol;
    upstream.auth_name = resolver.auth_name;
    ASSIGN_OR_RETURN(Service service, forwarder->MakeService(upstream));
    forwarder->bootstrap_.push_back(std::make_unique<Service>(std::move(service)));
  }
  for (const std::unique_ptr<Service>& service : forwarder->services_) {
    RETURN_IF_ERROR(forwarder->AddHosts(*service));
  }
  for (const ForwardConfig& zone : config.forward) RETURN_IF_ERROR(forwarder->AddZone(zone));
  forwarder->MakeRoutes();
  return forwarder;
}

absl::StatusOr<Forwarder::Service> Forwarder::MakeService(const UpstreamConfig& config) const {
  Service service;
  service.config = config;
  service.name = std::make_shared<const std::string>(config.name);
  if (config.protocol == UpstreamProtocol::kTls) {
    ASSIGN_OR_RETURN(service.credentials, CredentialsFor(config));
  }
  return service;
}

absl::StatusOr<std::shared_ptr<const TlsClientCredentials>> Forwarder::CredentialsFor(
    const UpstreamConfig& config) const {
  // Services with the same demands share what they check against.
  std::shared_ptr<const TlsClientCredentials> shared;
  ForEachService([&](const Service& other) {
    const bool same = other.credentials != nullptr && other.config.ca_file == config.ca_file &&
                      other.config.pins == config.pins && other.config.pin_only == config.pin_only;
    if (same) shared = other.credentials;
  });
  if (shared != nullptr) return shared;
  TlsClientCredentials::Options options;
  options.ca_file = config.ca_file;
  options.pin_only = config.pin_only;
  for (const std::string& text : config.pins) {
    ASSIGN_OR_RETURN(const SpkiPin pin, ParseSpkiPin(text));
    options.pins.push_back(pin);
  }
  auto created = TlsClientCredentials::Create(std::move(options));
  if (created.ok()) return created;
  return absl::Status(created.status().code(), StrCat("upstream ", config.name, ": ", MessageOf(created.status())));
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

absl::Status Forwarder::AddHosts(Service& service) {
  service.source = std::make_unique<Source>(*this, service);
  for (const std::string& host_name : service.config.host_names) {
    Host& host = service.hosts.emplace_back();
    const auto update = [this, &service, &host](const std::vector<IpAddress>& addresses) {
      host.addresses = addresses;
      UpdateServers(service);
    };
    // Only a resolver of this very machine may lead to this machine.
    bool local = !bootstrap_.empty();
    for (const auto& resolver : bootstrap_) local &= resolver->config.addresses.front().IsLoopback();
    HostResolver::Options options;
    options.host_name = host_name;
    options.loopback = local ? LoopbackAnswers::kAccept : LoopbackAnswers::kRefuse;
    ASSIGN_OR_RETURN(host.resolver, HostResolver::Create(loop_, *service.source, std::move(options), update));
  }
  return absl::OkStatus();
}

absl::Status Forwarder::AddZone(const ForwardConfig& config) {
  ASSIGN_OR_RETURN(const Name apex, Name::Parse(config.zone));
  if (!table_.Add(apex, zones_.size())) {
    return absl::InvalidArgumentError(StrCat("forward: zone ", config.zone, " has two routes"));
  }
  Zone zone;
  zone.config = config;
  for (const std::string& name : config.upstreams) {
    const auto service = std::find_if(services_.begin(), services_.end(),
                                      [&name](const auto& candidate) { return *candidate->name == name; });
    if (service == services_.end()) {
      return absl::InvalidArgumentError(StrCat("forward: zone ", config.zone, ": no upstream is called ", name));
    }
    zone.services.push_back(static_cast<size_t>(service - services_.begin()));
  }
  zone.state = std::make_shared<RouteState>(RandomSeed(random_));
  zones_.push_back(std::move(zone));
  return absl::OkStatus();
}

void Forwarder::MakeRoutes() {
  ForEachService([this](Service& service) {
    if (service.servers.empty()) {
      for (const IpAddress& address : service.config.addresses) service.servers.push_back(MakeServer(service, address));
    }
    service.alone = MakeAlone(service);
  });
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

void Forwarder::UpdateServers(Service& service) {
  if (closed_) return;
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
    servers.push_back(kept != service.servers.end() ? std::exchange(*kept, nullptr) : MakeServer(service, address));
  }
  const bool first = service.servers.empty();
  service.servers.swap(servers);
  MakeRoutes();
  if (first) CheckForLoopOf(service);
  for (std::shared_ptr<UpstreamServer>& gone : servers) {
    if (gone != nullptr) tasks_.Spawn(Retire(std::move(gone)));
  }
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
  retiring_.erase(self);
}

void Forwarder::Start() {
  const SteadyTime now = Now();
  for (size_t service = 0; service < services_.size(); ++service) {
    StartLoopCheck(service, now);
    for (const Host& host : services_[service]->hosts) host.resolver->Start();
  }
}

// --- queries ---

// DS records are the parent's (RFC 4035 §2.4): the servers of a zone know nothing of its own.
const Forwarder::Zone* Forwarder::ZoneOf(const UpstreamQuery& query) const {
  OctetView name = query.name.wire();
  if (query.type == rr_type::kDs && name.size() > 1) name = name.subspan(size_t{1} + name[0]);
  const std::optional<size_t> zone = table_.Find(name);
  return zone ? &zones_[*zone] : nullptr;
}

Task<absl::StatusOr<UpstreamResponse>> Forwarder::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const Zone* const zone = ZoneOf(query);
  if (const absl::Status nobody = WhyNotAsk(query, zone); !nobody.ok()) return Refuse(nobody);
  return RunRace(*zone, query, deadline);
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

Task<absl::StatusOr<UpstreamResponse>> Forwarder::RunRace(const Zone& zone, const UpstreamQuery& query,
                                                          Deadline deadline) {
  Race race(loop_, timeouts_, zone.route, query, deadline, Now());
  while (!race.Advance(Now())) co_await race.Sleep();
  Watch(race, zone, Now());
  co_return race.Result();
}

absl::Status Forwarder::WhyNotAsk(const UpstreamQuery& query, const Zone* zone) {
  // What we asked an upstream has come back to us as somebody's query.
  if (const std::optional<size_t> check = loop_check_.Recognise(query.name.wire())) {
    return LoopFound(*check % services_.size(), Now());
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
    Service& service = *services_[index];
    bool silent = false;
    race.ForEachSilent([&](const UpstreamServer& server) { silent |= server.record().name == service.name; });
    const bool banished = std::any_of(service.servers.begin(), service.servers.end(),
                                      [now](const auto& server) { return server->banished(now); });
    if (banished) StartLoopCheck(index, now);
    if (silent) {
      any_silent_ = true;
      if (++service.silent_in_a_row >= Limits::kLoopSuspicion) StartLoopCheck(index, now);
    }
    // Perhaps it has moved.
    const bool lost = std::all_of(service.servers.begin(), service.servers.end(),
                                  [](const auto& server) { return server->failing(); });
    if (!lost) continue;
    for (const Host& host : service.hosts) host.resolver->Refresh();
  }
}

// --- loops ---

void Forwarder::CheckForLoopOf(const Service& service) {
  for (size_t index = 0; index < services_.size(); ++index) {
    if (services_[index].get() == &service) StartLoopCheck(index, Now());
  }
}

void Forwarder::StartLoopCheck(size_t service, SteadyTime now) {
  Service& checked = *services_[service];
  if (closed_ || checked.alone->size() == 0) return;
  if (now < checked.loop_checked_at + Limits::kLoopCheckInterval) return;
  checked.loop_checked_at = now;
  tasks_.Spawn(CheckForLoop(service));
}

// What comes back is of no interest: a loop shows in Exchange.
Task<> Forwarder::CheckForLoop(size_t service) {
  UpstreamQuery query;
  // A name that was asked before may be answered from the upstream's cache.
  query.name = loop_check_.NameFor(service + services_.size() * loop_checks_++);
  query.type = rr_type::kTxt;
  const std::shared_ptr<const Route> route = services_[service]->alone;
  const SteadyTime now = Now();
  const Deadline deadline = Deadline::After(now, Limits::kLoopCheckTime);
  services_[service]->loop_seen = false;
  Race race(loop_, timeouts_, route, query, deadline, now, Race::Purpose::kOwn);
  while (!race.Advance(Now())) co_await race.Sleep();
  // A loop that there was is mended when the name is answered and has not come back.
  if (race.end() != Race::End::kAnswered || services_[service]->loop_seen) co_return;
  for (const auto& server : services_[service]->servers) server->Pardon();
}

absl::Status Forwarder::LoopFound(size_t service, SteadyTime now) {
  Service& looping = *services_[service];
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
