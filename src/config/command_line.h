#ifndef DOTWARD_CONFIG_COMMAND_LINE_H_
#define DOTWARD_CONFIG_COMMAND_LINE_H_

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {

// What the command line says instead of the file. kInvalidArgument says what is wrong with which text; `config` is then
// as it was.

// `dotward run --listen ADDR`: replaces `listen`. An empty list changes nothing.
absl::Status ReplaceListen(const std::vector<std::string>& addresses, Config* config);

// `dotward run --upstream URL`: replaces `upstreams`, and `forward` by a default route to them. A URL is
// tls://SERVER[:PORT]#AUTH_NAME, where a server that is given by host name proves that name by default, or
// udp://SERVER[:PORT] or tcp://SERVER[:PORT]. Those over TLS that agree in port and name are servers of one upstream,
// which bears that name. An empty list changes nothing.
absl::Status ReplaceUpstreams(const std::vector<std::string>& urls, Config* config);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_COMMAND_LINE_H_
