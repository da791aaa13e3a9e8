#include "upstream/route_table.h"

#include <absl/strings/string_view.h>

#include <array>

namespace dotward {

bool RouteTable::Add(const Name& zone, size_t route) {
  std::string key;
  for (const uint8_t octet : zone.wire()) key.push_back(static_cast<char>(LowerOctet(octet)));
  if (key.size() > zone_octets_max_) zone_octets_max_ = key.size();
  return routes_.emplace(std::move(key), route).second;
}

std::optional<size_t> RouteTable::Find(OctetView qname) const {
  std::array<char, kNameOctetsMax> lowered;
  for (size_t i = 0; i < qname.size(); ++i) lowered[i] = static_cast<char>(LowerOctet(qname[i]));
  // From the whole name upwards, a label at a time; names longer than any zone need no look-up.
  for (size_t at = 0; at < qname.size(); at += size_t{1} + qname[at]) {
    if (qname.size() - at > zone_octets_max_) continue;
    const auto route = routes_.find(absl::string_view(&lowered[at], qname.size() - at));
    if (route != routes_.end()) return route->second;
  }
  return std::nullopt;
}

}  // namespace dotward
