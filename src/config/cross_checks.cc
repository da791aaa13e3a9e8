#include "config/cross_checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "base/strings.h"
#include "base/units.h"
#include "config/schema.h"
#include "dns/name.h"

namespace dotward {
namespace {

class Checker {
 public:
  Checker(const Config& config, const Places& places, ErrorList* errors, ErrorList* warnings)
      : config_(config), places_(places), errors_(*errors), warnings_(*warnings) {}

  void Run() {
    CheckListen();
    CheckAccess();
    CheckBootstrap();
    CheckUpstreams();
    CheckForward();
    CheckTtls();
    WarnOfStaleTooLate();
    WarnOfClearText();
  }

 private:
  const Place* Find(const std::string& path) const {
    const auto found = places_.sound.find(path);
    return found == places_.sound.end() ? nullptr : &found->second;
  }

  // Reports each item of the list at `path` that stood in it before.
  template <typename Item, typename Describe>
  void CheckItemsDiffer(const std::string& path, const std::vector<Item>& list, Describe describe) {
    const Place* place = Find(path);
    if (place == nullptr || place->items.size() != list.size()) return;
    std::set<std::string> seen;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string text = describe(list[i]);
      if (!seen.insert(text).second) {
        errors_.Add(place->items[i], StrCat(path, "[", i, "]"), StrCat(Quote(text), " is given twice"));
      }
    }
  }

  void CheckListen() {
    CheckItemsDiffer("listen", config_.listen, [](const ListenConfig& listen) { return listen.endpoint.ToString(); });
    const Place* place = Find("listen");
    if (place == nullptr || place->items.size() != config_.listen.size()) return;
    for (size_t i = 0; i < config_.listen.size(); ++i) {
      if (const std::optional<std::string> problem = OverlapOf(config_.listen, i)) {
        errors_.Add(place->items[i], StrCat("listen[", i, "]"), *problem);
      }
    }
  }

  // Prefixes of one length that both lists have would leave open which of them wins.
  void CheckAccess() {
    const Place* place = Find("access.deny");
    if (place == nullptr || place->items.size() != config_.access.deny.size()) return;
    const std::set<IpPrefix> allowed(config_.access.allow.begin(), config_.access.allow.end());
    for (size_t i = 0; i < config_.access.deny.size(); ++i) {
      const IpPrefix& prefix = config_.access.deny[i];
      if (allowed.contains(prefix)) {
        errors_.Add(place->items[i], StrCat("access.deny[", i, "]"),
                    StrCat(Quote(prefix.ToString()),
                           " is in access.allow as well; the most specific prefix decides, so "
                           "it may be in one of them"));
      }
    }
  }

  void CheckBootstrap() {
    CheckItemsDiffer("bootstrap", config_.bootstrap, [](const BootstrapConfig& resolver) {
      return StrCat(resolver.protocol == UpstreamProtocol::kTls ? "tls://" : "", resolver.endpoint.ToString());
    });
  }

  void CheckUpstreams() {
    std::set<std::string_view> names;
    for (size_t i = 0; i < config_.upstreams.size(); ++i) {
      const UpstreamConfig& upstream = config_.upstreams[i];
      const std::string path = StrCat("upstreams[", i, "]");
      CheckItemsDiffer(path + ".pins", upstream.pins, [](const std::string& pin) { return pin; });
      CheckIdentity(upstream, path, i);
      if (const Place* addresses = Find(path + ".addresses"); addresses && !CanBeResolved(upstream, config_)) {
        errors_.Add(addresses->value, path + ".addresses",
                    "host names need somebody who resolves them; give an IP address here, `bootstrap`, or another "
                    "upstream by its IP addresses");
      }
      if (upstream.name.empty()) continue;
      const Place* name = Find(path + ".name");
      if (!names.insert(upstream.name).second && name != nullptr) {
        errors_.Add(name->value, path + ".name", StrCat(Quote(upstream.name), " is the name of an upstream above"));
      }
    }
  }

  // How the server proves who it is (RFC 8310 §5): by name, by pins, or by both, but never not at all.
  void CheckIdentity(const UpstreamConfig& upstream, const std::string& path, size_t number) {
    const Place* upstreams = Find("upstreams");
    if (upstreams == nullptr || number >= upstreams->items.size()) return;  // the built-in ones
    for (const std::string_view leaf : {"", ".protocol", ".auth_name", ".pins", ".pin_only"}) {
      if (places_.unsound.contains(StrCat(path, leaf))) return;
    }
    const auto add = [&](std::string_view leaf, std::string message) {
      const Place* place = Find(StrCat(path, leaf));
      errors_.Add(place != nullptr ? place->value : upstreams->items[number], StrCat(path, leaf), std::move(message));
    };
    if (upstream.protocol != UpstreamProtocol::kTls) {
      const std::string nothing =
          StrCat("is of no use with protocol ",
                 FindKey("upstreams[].protocol")->choices[static_cast<size_t>(upstream.protocol)],
                 ", in which nothing proves who answers; leave it out, or ask over tls");
      if (!upstream.auth_name.empty()) add(".auth_name", nothing);
      if (!upstream.pins.empty()) add(".pins", nothing);
      if (upstream.pin_only) add(".pin_only", nothing);
      if (!upstream.ca_file.empty()) add(".ca_file", nothing);
      return;
    }
    if (upstream.pin_only && upstream.pins.empty()) {
      return add(".pin_only", "is of no use without pins: nothing would be checked; give pins, or leave it out");
    }
    if (!upstream.auth_name.empty() || upstream.pin_only) return;
    if (!upstream.pins.empty()) {
      return add(".auth_name",
                 "is missing: pins are checked in addition to the name; give the name in the upstream's certificate, "
                 "or pin_only: true for pins alone");
    }
    add(".auth_name", "is missing; give the name in the upstream's certificate, such as dns.example");
  }

  void CheckForward() {
    const Place* forward = Find("forward");
    if (forward == nullptr) return;
    std::set<std::string_view> names;
    bool names_complete = !config_.upstreams.empty();
    for (const UpstreamConfig& upstream : config_.upstreams) {
      names.insert(upstream.name);
      // An upstream whose own name is unsound may be the one that is meant.
      if (upstream.name.empty()) names_complete = false;
    }
    std::map<std::string, Position> zones;
    for (size_t i = 0; i < config_.forward.size(); ++i) {
      const ForwardConfig& route = config_.forward[i];
      const std::string path = StrCat("forward[", i, "]");
      CheckItemsDiffer(path + ".upstreams", route.upstreams, [](const std::string& name) { return name; });
      const Place* upstreams = Find(path + ".upstreams");
      if (names_complete && upstreams != nullptr && upstreams->items.size() == route.upstreams.size()) {
        for (size_t j = 0; j < route.upstreams.size(); ++j) {
          CheckUpstreamExists(route.upstreams[j], names, upstreams->items[j], StrCat(path, ".upstreams[", j, "]"));
        }
      }
      const Place* zone = Find(path + ".zone");
      const Position position = zone != nullptr ? zone->value : forward->items[i];
      std::string lowered = route.zone;
      std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                     [](char c) { return static_cast<char>(LowerOctet(static_cast<uint8_t>(c))); });
      const auto [other, added] = zones.emplace(std::move(lowered), position);
      if (!added && !route.zone.empty()) {
        errors_.Add(position, path + ".zone",
                    StrCat(Quote(route.zone), " has a route already, at ", errors_.Refer(other->second, position)));
      }
    }
    // A route whose zone is unsound may be the one.
    if (!zones.contains(".") && !zones.contains("")) {
      errors_.Add(forward->value, "forward", "has no route for zone \".\"; names outside the other zones need one");
    }
  }

  void CheckUpstreamExists(const std::string& name, const std::set<std::string_view>& names, Position position,
                           std::string path) {
    if (names.contains(name)) return;
    const std::string_view nearest = Nearest(name, names);
    std::string known;
    for (const UpstreamConfig& upstream : config_.upstreams) {
      if (known.size() < 120) StrAppend(&known, known.empty() ? "" : ", ", upstream.name);
    }
    errors_.Add(position, std::move(path),
                StrCat("there is no upstream ", Quote(name), "; ",
                       nearest.empty() ? StrCat("there are: ", known) : StrCat("did you mean \"", nearest, "\"?")));
  }

  void CheckTtls() {
    if (config_.cache.min_ttl <= config_.cache.max_ttl) return;
    const Place* min_ttl = Find("cache.min_ttl");
    const Place* max_ttl = Find("cache.max_ttl");
    const Position position = min_ttl != nullptr ? min_ttl->value : max_ttl != nullptr ? max_ttl->value : Position{};
    errors_.Add(position, min_ttl != nullptr ? "cache.min_ttl" : "cache.max_ttl",
                StrCat("min_ttl ", FormatDuration(config_.cache.min_ttl), " is above max_ttl ",
                       FormatDuration(config_.cache.max_ttl)));
  }

  // A query ends by its deadline, stale answer or not.
  void WarnOfStaleTooLate() {
    const auto& stale = config_.cache.stale;
    if (!stale.enabled || stale.client_timeout < config_.query.deadline) return;
    const Place* timeout = Find("cache.stale.client_timeout");
    const Place* deadline = Find("query.deadline");
    const Position position = timeout != nullptr ? timeout->value : deadline != nullptr ? deadline->value : Position{};
    warnings_.Add(position, timeout != nullptr ? "cache.stale.client_timeout" : "query.deadline",
                  StrCat("client_timeout ", FormatDuration(stale.client_timeout), " is not below query.deadline ",
                         FormatDuration(config_.query.deadline),
                         ": stale answers are given only where the upstreams have failed"));
  }

  // At the route where there is one, at the upstream's protocol where everything goes to all upstreams.
  void WarnOfClearText() {
    std::optional<std::string> warning = ClearTextWarning(config_);
    if (!warning) return;
    for (size_t i = 0; i < config_.forward.size(); ++i) {
      const std::string path = StrCat("forward[", i, "].upstreams");
      if (const Place* place = Find(path); place != nullptr && config_.forward[i].zone == ".") {
        return warnings_.Add(place->value, path, *std::move(warning));
      }
    }
    for (size_t i = 0; i < config_.upstreams.size(); ++i) {
      const std::string path = StrCat("upstreams[", i, "].protocol");
      if (const Place* place = Find(path); place && config_.upstreams[i].protocol != UpstreamProtocol::kTls) {
        return warnings_.Add(place->value, path, *std::move(warning));
      }
    }
  }

  const Config& config_;
  const Places& places_;
  ErrorList& errors_;
  ErrorList& warnings_;
};

}  // namespace

void CrossCheck(const Config& config, const Places& places, ErrorList* errors, ErrorList* warnings) {
  Checker(config, places, errors, warnings).Run();
}

std::optional<std::string> ClearTextWarning(const Config& config) {
  std::string names;
  for (const ForwardConfig& route : config.forward) {
    if (route.zone != ".") continue;
    for (const UpstreamConfig& upstream : config.upstreams) {
      const bool plain = upstream.protocol != UpstreamProtocol::kTls;
      if (!plain || std::find(route.upstreams.begin(), route.upstreams.end(), upstream.name) == route.upstreams.end()) {
        continue;
      }
      StrAppend(&names, names.empty() ? "" : ", ", upstream.name);
    }
  }
  if (names.empty()) return std::nullopt;
  return StrCat("queries for every name go in the clear to ", names,
                "; whoever is on the way can read and change them: ask over tls where the server can");
}

std::optional<std::string> OverlapOf(const std::vector<ListenConfig>& listen, size_t index) {
  const Endpoint& narrow = listen[index].endpoint;
  if (narrow.address.IsUnspecified()) return std::nullopt;
  for (const ListenConfig& other : listen) {
    const Endpoint& wide = other.endpoint;
    const bool covered =
        wide.address.IsUnspecified() && wide.port == narrow.port && wide.address.is_v4() == narrow.address.is_v4();
    if (!covered) continue;
    return StrCat(Quote(narrow.ToString()), " is an address of ", Quote(wide.ToString()),
                  ", which serves it already; drop one of them");
  }
  return std::nullopt;
}

bool CanBeResolved(const UpstreamConfig& upstream, const Config& config) {
  return !upstream.addresses.empty() || upstream.host_names.empty() || !config.bootstrap.empty() ||
         std::any_of(config.upstreams.begin(), config.upstreams.end(),
                     [](const UpstreamConfig& other) { return !other.addresses.empty(); });
}

}  // namespace dotward
