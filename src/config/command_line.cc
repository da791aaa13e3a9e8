#include "config/command_line.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "base/ip_address.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/cross_checks.h"
#include "config/text.h"
#include "config/values.h"

namespace dotward {
namespace {

struct UpstreamUrl {
  UpstreamProtocol protocol = UpstreamProtocol::kTls;
  Server server;
  uint16_t port = 0;
  std::string auth_name;  // with kTls
};

struct Scheme {
  std::string_view text;
  UpstreamProtocol protocol;
};
constexpr std::array kSchemes = {Scheme{"tls://", UpstreamProtocol::kTls}, Scheme{"udp://", UpstreamProtocol::kUdp},
                                 Scheme{"tcp://", UpstreamProtocol::kTcp}};

// ADDRESS, ADDRESS:PORT, HOST or HOST:PORT.
absl::Status ParseHostAndPort(std::string_view text, UpstreamUrl* url) {
  std::string host(text);
  url->port = DefaultPort(url->protocol);
  if (const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text, url->port); endpoint.ok()) {
    host = endpoint->address.ToString();
    url->port = endpoint->port;
  } else if (const size_t colon = text.rfind(':'); colon != std::string_view::npos && text.find(':') == colon) {
    // The port is read in the company of an address, which is known to be sound.
    ASSIGN_OR_RETURN(const Endpoint any, Endpoint::Parse(StrCat("192.0.2.1", text.substr(colon))));
    host = text.substr(0, colon);
    url->port = any.port;
  }
  ASSIGN_OR_RETURN(url->server, ParseServer(host));
  return absl::OkStatus();
}

absl::StatusOr<UpstreamUrl> ParseUpstreamUrl(std::string_view text) {
  constexpr std::string_view kForm =
      "; write tls://ADDRESS#NAME, such as tls://9.9.9.9#dns.quad9.net, or udp://ADDRESS for a server of your own "
      "network";
  const auto fail = [&](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("--upstream ", Quote(text), ": ", why, kForm));
  };
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(),
                                   [text](const Scheme& candidate) { return text.starts_with(candidate.text); });
  if (scheme == kSchemes.end()) return fail("it begins with none of tls://, udp:// and tcp://");
  UpstreamUrl url;
  url.protocol = scheme->protocol;
  std::string_view host = text.substr(scheme->text.size());
  std::optional<std::string_view> name;
  if (const size_t hash = host.find('#'); hash != std::string_view::npos) {
    name = host.substr(hash + 1);
    host = host.substr(0, hash);
  }
  if (host.ends_with('/')) host.remove_suffix(1);
  const absl::Status server = ParseHostAndPort(host, &url);
  if (!server.ok()) return fail(MessageOf(server));
  if (url.protocol != UpstreamProtocol::kTls) {
    if (name) return fail("without TLS nothing proves the name");
    return url;
  }
  // A server that is given by its name proves that name.
  const std::string* host_name = std::get_if<std::string>(&url.server);
  if (!name && host_name != nullptr) name = *host_name;
  if (!name) return fail("the name in the upstream's certificate is missing");
  absl::StatusOr<std::string> auth_name = ParseAuthName(*name);
  if (!auth_name.ok()) return fail(MessageOf(auth_name.status()));
  url.auth_name = *std::move(auth_name);
  return url;
}

// How the log calls an upstream that the command line gives: by the name that it proves, else by where it is.
std::string NameFor(const UpstreamUrl& url, const std::vector<UpstreamConfig>& others) {
  std::string name = url.auth_name;
  if (name.empty()) {
    const IpAddress* address = std::get_if<IpAddress>(&url.server);
    name = address != nullptr ? address->ToString() : std::get<std::string>(url.server);
    // The names of upstreams have no ":" and no "%".
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == ':' || c == '%'; }, '-');
  }
  const auto taken = [&others](const std::string& candidate) {
    return std::any_of(others.begin(), others.end(), [&](const UpstreamConfig& o) { return o.name == candidate; });
  };
  if (!taken(name)) return name;
  name = StrCat(name, "-", url.port);
  std::string numbered = name;
  for (size_t n = 2; taken(numbered); ++n) numbered = StrCat(name, "-", n);
  return numbered;
}

bool Has(const ServerList& list, const Server& server) {
  ServerList copy = list;
  return !AddServer(server, &copy);
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
  for (size_t i = 0; i < listen.size(); ++i) {
    if (const std::optional<std::string> problem = OverlapOf(listen, i)) {
      return absl::InvalidArgumentError(StrCat("--listen: ", *problem));
    }
  }
  if (!listen.empty()) config->listen = std::move(listen);
  return absl::OkStatus();
}

absl::Status ReplaceUpstreams(const std::vector<std::string>& urls, Config* config) {
  std::vector<UpstreamConfig> upstreams;
  for (const std::string& text : urls) {
    ASSIGN_OR_RETURN(const UpstreamUrl url, ParseUpstreamUrl(text));
    // Servers that prove one name are one service; without a name, each is its own.
    auto upstream = std::find_if(upstreams.begin(), upstreams.end(), [&url](const UpstreamConfig& other) {
      if (other.protocol != url.protocol || other.port != url.port) return false;
      return url.protocol == UpstreamProtocol::kTls ? other.auth_name == url.auth_name : Has(other, url.server);
    });
    if (upstream == upstreams.end()) {
      UpstreamConfig added;
      added.name = NameFor(url, upstreams);
      added.protocol = url.protocol;
      added.auth_name = url.auth_name;
      added.port = url.port;
      upstream = upstreams.insert(upstreams.end(), std::move(added));
    }
    if (!AddServer(url.server, &*upstream)) {
      return absl::InvalidArgumentError(StrCat("--upstream: ", Quote(text), " is given twice"));
    }
    const size_t servers = upstream->addresses.size() + upstream->host_names.size();
    if (servers > Limits::kConfigAddressesMax || upstreams.size() > Limits::kConfigUpstreamsMax) {
      return absl::InvalidArgumentError("--upstream: too many are given");
    }
  }
  if (upstreams.empty()) return absl::OkStatus();
  Config replaced = *config;
  replaced.upstreams = std::move(upstreams);
  ForwardConfig route;
  for (const UpstreamConfig& upstream : replaced.upstreams) {
    if (!CanBeResolved(upstream, replaced)) {
      return absl::InvalidArgumentError(
          StrCat("--upstream: nobody resolves ", Quote(upstream.host_names.front()),
                 "; give another upstream by its IP address, or `bootstrap` in the file"));
    }
    route.upstreams.push_back(upstream.name);
  }
  replaced.forward.assign(1, route);
  *config = std::move(replaced);
  return absl::OkStatus();
}

}  // namespace dotward
