#include "upstream/upstream_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/spki_pin.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/name.h"

namespace dotward {
namespace {

using Service = UpstreamPlan::Service;
using Credentials = std::shared_ptr<const TlsClientCredentials>;

// The one of `services` whose credentials `wanted` accepts, or null.
template <typename Predicate>
Credentials FindCredentials(const std::vector<Service>& services, Predicate wanted) {
  const auto found = std::find_if(services.begin(), services.end(), [&wanted](const Service& service) {
    return service.credentials != nullptr && wanted(service);
  });
  return found == services.end() ? nullptr : found->credentials;
}

absl::StatusOr<Credentials> ReadCredentials(const UpstreamConfig& config) {
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

absl::StatusOr<Credentials> CredentialsFor(const UpstreamConfig& config, const UpstreamPlan& plan,
                                           const UpstreamPlan* before) {
  // Each file is read once for one plan, so that services that share it see the same content.
  const auto same_demands = [&config](const Service& other) {
    return other.config.ca_file == config.ca_file && other.config.pins == config.pins &&
           other.config.pin_only == config.pin_only;
  };
  for (const auto* services : {&plan.services, &plan.bootstrap}) {
    if (Credentials shared = FindCredentials(*services, same_demands)) return shared;
  }
  ASSIGN_OR_RETURN(Credentials read, ReadCredentials(config));
  if (before == nullptr) return read;
  // What a file holds is what counts, not its name.
  const auto same_checks = [&read](const Service& other) { return other.credentials->ChecksTheSameAs(*read); };
  for (const auto* services : {&before->services, &before->bootstrap}) {
    if (Credentials kept = FindCredentials(*services, same_checks)) return kept;
  }
  return read;
}

absl::StatusOr<Service> MakeService(const UpstreamConfig& config, const UpstreamPlan& plan,
                                    const UpstreamPlan* before) {
  Service service;
  service.config = config;
  if (config.protocol == UpstreamProtocol::kTls) {
    ASSIGN_OR_RETURN(service.credentials, CredentialsFor(config, plan, before));
  }
  for (const std::string& host_name : config.host_names) RETURN_IF_ERROR(Name::Parse(host_name).status());
  return service;
}

UpstreamConfig UpstreamOf(const BootstrapConfig& resolver) {
  UpstreamConfig upstream;
  upstream.name = StrCat("bootstrap ", resolver.endpoint.ToString());
  upstream.addresses = {resolver.endpoint.address};
  upstream.port = resolver.endpoint.port;
  upstream.protocol = resolver.protocol;
  upstream.auth_name = resolver.auth_name;
  return upstream;
}

absl::Status AddZone(const ForwardConfig& config, UpstreamPlan* plan) {
  ASSIGN_OR_RETURN(const Name apex, Name::Parse(config.zone));
  if (!plan->table.Add(apex, plan->zones.size())) {
    return absl::InvalidArgumentError(StrCat("forward: zone ", config.zone, " has two routes"));
  }
  UpstreamPlan::Zone zone;
  zone.config = config;
  for (const std::string& name : config.upstreams) {
    const auto service = std::find_if(plan->services.begin(), plan->services.end(),
                                      [&name](const Service& candidate) { return candidate.config.name == name; });
    if (service == plan->services.end()) {
      return absl::InvalidArgumentError(StrCat("forward: zone ", config.zone, ": no upstream is called ", name));
    }
    zone.services.push_back(static_cast<size_t>(service - plan->services.begin()));
  }
  plan->zones.push_back(std::move(zone));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const UpstreamPlan>> UpstreamPlan::Create(const Config& config,
                                                                         const UpstreamPlan* before) {
  const auto plan = std::make_shared<UpstreamPlan>();
  plan->query_deadline = config.query.deadline;
  for (const UpstreamConfig& upstream : config.upstreams) {
    ASSIGN_OR_RETURN(Service service, MakeService(upstream, *plan, before));
    plan->services.push_back(std::move(service));
  }
  plan->bootstrap_is_local = !config.bootstrap.empty();
  for (const BootstrapConfig& resolver : config.bootstrap) {
    ASSIGN_OR_RETURN(Service service, MakeService(UpstreamOf(resolver), *plan, before));
    plan->bootstrap.push_back(std::move(service));
    plan->bootstrap_is_local &= resolver.endpoint.address.IsLoopback();
  }
  for (const ForwardConfig& zone : config.forward) RETURN_IF_ERROR(AddZone(zone, plan.get()));
  return std::shared_ptr<const UpstreamPlan>(plan);
}

}  // namespace dotward
