#ifndef DOTWARD_ADMIN_HTTP_HOST_H_
#define DOTWARD_ADMIN_HTTP_HOST_H_

#include <string_view>

#include "base/ip_address.h"

namespace dotward {

// Whether a Host header ("127.0.0.1:8953", "[::1]", "localhost") names an endpoint that listens on `bound`: by that
// address, a loopback address, or a localhost name (RFC 6761 §6.3). A web page whose domain was made to point here (DNS
// rebinding) brings its own name along, and must not read. Where `bound` is the wildcard address every address may lead
// here, through a container's port mapping too; no page can lie in that form, so every literal address is good then.
// The port is not looked at: a mapping may have changed it.
bool IsOwnHost(std::string_view host, const IpAddress& bound);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_HTTP_HOST_H_
