#include "net/network_change.h"

#include <string_view>
#include <utility>

#include "base/strings.h"

namespace dotward {

NetworkChange& NetworkChange::operator|=(const NetworkChange& other) {
  addresses |= other.addresses;
  routes |= other.routes;
  links |= other.links;
  suspended |= other.suspended;
  wall_clock_set |= other.wall_clock_set;
  return *this;
}

std::string NetworkChange::ToString() const {
  std::string text;
  for (const auto& [is_set, name] : {std::pair<bool, std::string_view>(addresses, "addresses"),
                                     {routes, "routes"},
                                     {links, "links"},
                                     {suspended, "suspend"},
                                     {wall_clock_set, "wall clock"}}) {
    if (is_set) StrAppend(&text, text.empty() ? "" : ", ", name);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace dotward
