#include "upstream/forwarder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/name.h"
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

Forwarder::Forwarder(asio::io_context& loop) : loop_(loop), timeouts_(loop), tasks_(loop) {}

Forwarder::~Forwarder() = default;

// --- what there is ---

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Create(asio::io_context& loop, const Config& config) {
  std::unique_ptr<Forwarder> forwarder(new Forwarder(loop));
  for (const UpstreamConfig& upstream : config.upstreams) RETURN_IF_ERROR(forwarder->AddService(upstream));
  for (const ForwardConfig& zone : config.forward) RETURN_IF_ERROR(forwarder->AddZone(zone));
  forwarder->MakeRoutes();
  return forwarder;
}

absl::Status Forwarder::AddService(const UpstreamConfig& config) {
  Service service;
  service.config = config;
  service.name = std::make_shared<const std::string>(config.name);
  if (config.protocol == UpstreamProtocol::kTls) {
    // Services with the same demands share what they check against.
    for (const Service& other : services_) {
      if (other.credentials != nullptr && other.config.ca_file == config.ca_file) {
        service.credentials = other.credentials;
      }
    }
    if (service.credentials == nullptr) {
      auto created = TlsClientCredentials::Create(config.ca_file);
      if (!created.ok()) {
        return absl::Status(created.status().code(),
                            StrCat("upstream ", config.name, ": ", MessageOf(created.status())));
      }
      service.credentials = *std::move(created);
    }
  }
  for (const IpAddress& address : config.addresses) service.servers.push_back(MakeServer(service, address));
  services_.push_back(std::move(service));
  return absl::OkStatus();
}

std::shared_ptr<UpstreamServer> Forwarder::MakeServer(const Service& service, const IpAddress& address) {
  return std::make_shared<StreamUpstream>(
      loop_, timeouts_,
      StreamUpstream::Options{
          .name = service.name,
          .endpoint = {address, service.config.port},
          .transport = service.config.protocol == UpstreamProtocol::kTls ? QueryTransport::kTls : QueryTransport::kTcp,
          .auth_name = service.config.auth_name,
          .credentials = service.credentials});
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
                                      [&name](const Service& candidate) { return *candidate.name == name; });
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
  for (Service& service : services_) {
    const auto state = std::make_shared<RouteState>(RandomSeed(random_));
    const auto route = std::make_shared<Route>(UpstreamPolicy::kLatency, false, state);
    route->AddUpstream(*service.name, service.servers);
    service.alone = route;
  }
  for (Zone& zone : zones_) {
    const auto route = std::make_shared<Route>(zone.config.policy, zone.config.hedge, zone.state);
    for (const size_t service : zone.services) route->AddUpstream(*services_[service].name, services_[service].servers);
    zone.route = route;
  }
}

void Forwarder::Start() {
  const SteadyTime now = Now();
  for (size_t service = 0; service < services_.size(); ++service) StartLoopCheck(service, now);
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
  // What we asked an upstream has come back to us as somebody's query.
  if (const std::optional<size_t> looping = loop_check_.Recognise(query.name.wire())) {
    if (*looping < services_.size()) co_return LoopFound(*looping, Now());
  }
  const Zone* const zone = ZoneOf(query);
  if (zone == nullptr || zone->route->size() == 0) {
    co_return absl::UnavailableError("no upstream is known for this name");
  }
  const std::shared_ptr<const Route> route = zone->route;
  Race race(loop_, timeouts_, route, query, deadline, Now());
  while (!race.Advance(Now())) co_await race.Sleep();
  Watch(race, Now());
  co_return race.Result();
}

void Forwarder::Watch(const Race& race, SteadyTime now) {
  const auto service_of = [this](const UpstreamServer& server) {
    return std::find_if(services_.begin(), services_.end(),
                        [&server](const Service& service) { return service.name == server.record().name; });
  };
  if (race.end() == Race::End::kAnswered) {
    // Nothing to do on the path of nearly every query.
    if (!any_silent_) return;
    any_silent_ = false;
    for (Service& service : services_) service.silent_in_a_row = 0;
    return;
  }
  race.ForEachSilent([&](const UpstreamServer& server) {
    const auto service = service_of(server);
    if (service == services_.end()) return;
    any_silent_ = true;
    if (++service->silent_in_a_row < Limits::kLoopSuspicion) return;
    StartLoopCheck(static_cast<size_t>(service - services_.begin()), now);
  });
}

// --- loops ---

void Forwarder::StartLoopCheck(size_t service, SteadyTime now) {
  Service& checked = services_[service];
  if (closed_ || checked.alone->size() == 0) return;
  if (now < checked.loop_checked_at + Limits::kLoopCheckInterval) return;
  checked.loop_checked_at = now;
  tasks_.Spawn(CheckForLoop(service));
}

// What comes back is of no interest: a loop shows in Exchange.
Task<> Forwarder::CheckForLoop(size_t service) {
  UpstreamQuery query;
  query.name = loop_check_.NameFor(service);
  query.type = rr_type::kTxt;
  const std::shared_ptr<const Route> route = services_[service].alone;
  const SteadyTime now = Now();
  const Deadline deadline = Deadline::After(now, Limits::kLoopCheckTime);
  Race race(loop_, timeouts_, route, query, deadline, now, Race::Purpose::kOwn);
  while (!race.Advance(Now())) co_await race.Sleep();
}

absl::Status Forwarder::LoopFound(size_t service, SteadyTime now) {
  const Service& looping = services_[service];
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
  for (const Service& service : services_) {
    for (const auto& server : service.servers) server->NetworkChanged(now);
  }
}

std::vector<UpstreamSnapshot> Forwarder::Snapshots() const {
  std::vector<UpstreamSnapshot> snapshots;
  for (const Service& service : services_) {
    for (const auto& server : service.servers) snapshots.push_back(server->Snapshot());
  }
  return snapshots;
}

void Forwarder::Close() {
  closed_ = true;
  for (const Service& service : services_) {
    for (const auto& server : service.servers) server->Close();
  }
  timeouts_.Close();
}

Task<> Forwarder::Join() {
  for (const Service& service : services_) {
    for (const auto& server : service.servers) co_await server->Join();
  }
  co_await tasks_.Join();
  co_await timeouts_.Join();
}

}  // namespace dotward
