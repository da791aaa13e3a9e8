#ifndef DOTWARD_UPSTREAM_ROUTE_TABLE_H_
#define DOTWARD_UPSTREAM_ROUTE_TABLE_H_

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <optional>
#include <string>

#include "dns/name.h"
#include "dns/types.h"

namespace dotward {

// Which route a name takes: that of the longest zone which the name is at or below. Names are compared without case
// (RFC 4343). The cost of a look-up follows the labels of the name, not the number of zones.
class RouteTable {
 public:
  // False where the zone has a route already.
  bool Add(const Name& zone, size_t route);
  // `qname` is an uncompressed wire name.
  std::optional<size_t> Find(OctetView qname) const;

 private:
  absl::flat_hash_map<std::string, size_t> routes_;  // by lower-cased wire name
  size_t zone_octets_max_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_ROUTE_TABLE_H_
