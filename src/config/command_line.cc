#include "config/command_line.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/ip_address.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/text.h"
#include "config/values.h"

namespace dotward {
namespace {

constexpr uint16_t kTlsPort = 853;

struct UpstreamUrl {
  Endpoint endpoint;
  std::string auth_name;
};

absl::StatusOr<UpstreamUrl> ParseUpstreamUrl(std::string_view url) {
  constexpr std::string_view kForm = "; write tls://ADDRESS#NAME, such as tls://9.9.9.9#dns.quad9.net";
  constexpr std::string_view kScheme = "tls://";
  const auto fail = [&](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("--upstream ", Quote(url), ": ", why, kForm));
  };
  std::string_view rest = url;
  if (!rest.starts_with(kScheme)) return fail("upstreams are asked over TLS alone");
  rest.remove_prefix(kScheme.size());
  const size_t hash = rest.find('#');
  if (hash == std::string_view::npos) return fail("the name in the upstream's certificate is missing");
  const absl::StatusOr<std::string> auth_name = ParseAuthName(rest.substr(hash + 1));
  if (!auth_name.ok()) return fail(MessageOf(auth_name.status()));
  std::string_view host = rest.substr(0, hash);
  if (host.ends_with('/')) host.remove_suffix(1);
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(host, kTlsPort);
  if (!endpoint.ok()) return fail(MessageOf(endpoint.status()));
  const absl::StatusOr<IpAddress> address = ParseUpstreamAddress(endpoint->address.ToString());
  if (!address.ok()) return fail(MessageOf(address.status()));
  return UpstreamUrl{*endpoint, *auth_name};
}

}  // namespace

absl::Status ReplaceListen(const std::vector<std::string>& addresses, Config* config) {
  std::vector<ListenConfig> listen;
  for (const std::string& text : addresses) {
    const absl::StatusOr<ListenConfig> parsed = ParseListenAddress(text);
    if (!parsed.ok()) return absl::InvalidArgumentError(StrCat("--listen: ", MessageOf(parsed.status())));
    const bool twice = std::any_of(listen.begin(), listen.end(),
                                   [&](const ListenConfig& other) { return other.endpoint == parsed->endpoint; });
    if (twice) return absl::InvalidArgumentError(StrCat("--listen: ", Quote(text), " is given twice"));
    listen.push_back(*parsed);
  }
  if (!listen.empty()) config->listen = std::move(listen);
  return absl::OkStatus();
}

absl::Status ReplaceUpstreams(const std::vector<std::string>& urls, Config* config) {
  std::vector<UpstreamConfig> upstreams;
  for (const std::string& text : urls) {
    ASSIGN_OR_RETURN(UpstreamUrl url, ParseUpstreamUrl(text));
    auto upstream = std::find_if(upstreams.begin(), upstreams.end(), [&url](const UpstreamConfig& other) {
      return other.auth_name == url.auth_name && other.port == url.endpoint.port;
    });
    if (upstream == upstreams.end()) {
      const bool named = std::any_of(upstreams.begin(), upstreams.end(),
                                     [&url](const UpstreamConfig& other) { return other.name == url.auth_name; });
      UpstreamConfig added;
      added.name = named ? StrCat(url.auth_name, "-", url.endpoint.port) : url.auth_name;
      added.auth_name = url.auth_name;
      added.port = url.endpoint.port;
      upstream = upstreams.insert(upstreams.end(), std::move(added));
    }
    std::vector<IpAddress>& addresses = upstream->addresses;
    if (std::find(addresses.begin(), addresses.end(), url.endpoint.address) != addresses.end()) {
      return absl::InvalidArgumentError(StrCat("--upstream: ", Quote(text), " is given twice"));
    }
    addresses.push_back(url.endpoint.address);
    if (addresses.size() > Limits::kConfigAddressesMax || upstreams.size() > Limits::kConfigUpstreamsMax) {
      return absl::InvalidArgumentError("--upstream: too many are given");
    }
  }
  if (upstreams.empty()) return absl::OkStatus();
  ForwardConfig route;
  for (const UpstreamConfig& upstream : upstreams) route.upstreams.push_back(upstream.name);
  config->forward.assign(1, route);
  config->upstreams = std::move(upstreams);
  return absl::OkStatus();
}

}  // namespace dotward
