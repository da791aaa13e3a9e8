#ifndef DOTWARD_ADMIN_HEALTH_PROBE_H_
#define DOTWARD_ADMIN_HEALTH_PROBE_H_

#include <absl/status/status.h>

#include "base/ip_address.h"
#include "dotward/clock.h"

namespace dotward {

// Asks the server at `listener` over UDP for version.bind in class CH, which it answers by itself whatever state its
// upstreams are in. Blocks for at most `patience`. A wildcard address is asked on the loopback address of its family.
absl::Status ProbeHealth(const Endpoint& listener, Duration patience);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_HEALTH_PROBE_H_
