#ifndef DOTWARD_SERVER_TCP_LISTEN_H_
#define DOTWARD_SERVER_TCP_LISTEN_H_

#include <absl/status/statusor.h>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "net/port_sharing.h"

namespace dotward {

// A non-blocking TCP socket that listens at `endpoint`; port 0 lets the kernel choose. Siblings can join it. For the
// errors see BindError.
absl::StatusOr<Descriptor> ListenTcp(const Endpoint& endpoint, PortSharing sharing);

}  // namespace dotward

#endif  // DOTWARD_SERVER_TCP_LISTEN_H_
