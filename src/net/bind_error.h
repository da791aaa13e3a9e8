#ifndef DOTWARD_NET_BIND_ERROR_H_
#define DOTWARD_NET_BIND_ERROR_H_

#include <absl/status/status.h>

#include <string_view>

#include "base/ip_address.h"

namespace dotward {

enum class SocketKind : uint8_t { kUdp, kTcp };

// Why `call` on a socket for `endpoint` failed with the errno `error`, and what an operator can do about it:
//   kPermissionDenied  the port is privileged; the text has the remedies
//   kAlreadyExists     another program has the address and port; the text has who that usually is and how to see it
//   kResourceExhausted no descriptor or no memory is left
//   kUnavailable       anything else, such as an address that this machine does not have
absl::Status BindError(const Endpoint& endpoint, SocketKind kind, std::string_view call, int error);

}  // namespace dotward

#endif  // DOTWARD_NET_BIND_ERROR_H_
