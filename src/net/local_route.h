#ifndef DOTWARD_NET_LOCAL_ROUTE_H_
#define DOTWARD_NET_LOCAL_ROUTE_H_

#include <optional>

#include "base/ip_address.h"

namespace dotward {

// The address that this machine would send from to `peer` now: what the route to it and the addresses of its link give.
// nullopt where there is no route, and where the kernel does not say. Sends nothing and does not wait. Thread-safe.
std::optional<IpAddress> LocalAddressTowards(const Endpoint& peer);

}  // namespace dotward

#endif  // DOTWARD_NET_LOCAL_ROUTE_H_
