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
  Checker(const Config& config, const Places& places, ErrorList* errors)
      : config_(config), places_(places), errors_(*errors) {}

  void Run() {
    CheckListen();
    CheckAccess();
    CheckUpstreams();
    CheckForward();
    CheckTtls();
  }

 private:
  const Place* Find(const std::string& path) const {
    const auto found = places_.find(path);
    return found == places_.end() ? nullptr : &found->second;
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

  void CheckUpstreams() {
    std::set<std::string_view> names;
    for (size_t i = 0; i < config_.upstreams.size(); ++i) {
      const UpstreamConfig& upstream = config_.upstreams[i];
      const std::string path = StrCat("upstreams[", i, "]");
      CheckItemsDiffer(path + ".addresses", upstream.addresses, [](const IpAddress& a) { return a.ToString(); });
      if (upstream.name.empty()) continue;
      const Place* name = Find(path + ".name");
      if (!names.insert(upstream.name).second && name != nullptr) {
        errors_.Add(name->value, path + ".name", StrCat(Quote(upstream.name), " is the name of an upstream above"));
      }
    }
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
                    StrCat(Quote(route.zone), " has a route already, at line ", other->second.line));
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

  const Config& config_;
  const Places& places_;
  ErrorList& errors_;
};

}  // namespace

void CrossCheck(const Config& config, const Places& places, ErrorList* errors) {
  Checker(config, places, errors).Run();
}

}  // namespace dotward
