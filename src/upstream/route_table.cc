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
  // A suffix that is longer than any zone needs no look-up.
  while (qname.size() > zone_octets_max_) {
    if (qname.size() <= 1) return std::nullopt;
    qname = qname.subspan(size_t{1} + qname[0]);
  }
  std::array<char, kNameOctetsMax> lowered;
  for (size_t i = 0; i < qname.size(); ++i) lowered[i] = static_cast<char>(LowerOctet(qname[i]));
  // From the longest suffix to the root, a label at a time.
  for (size_t at = 0; at < qname.size(); at += size_t{1} + qname[at]) {
    const auto route = routes_.find(absl::string_view(&lowered[at], qname.size() - at));
    if (route != routes_.end()) return route->second;
  }
  return std::nullopt;
}

}  // namespace dotward
