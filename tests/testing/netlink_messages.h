#ifndef DOTWARD_TESTING_NETLINK_MESSAGES_H_
#define DOTWARD_TESTING_NETLINK_MESSAGES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dotward {

// rtnetlink messages as the kernel writes them, for tests. Each function gives one whole message; a datagram is any
// number of them, one behind the other.
using NetlinkOctets = std::vector<uint8_t>;

NetlinkOctets LinkMessage(uint16_t type, uint32_t index, uint32_t flags, uint8_t family = 0);
// `address` in presentation format; `lifetime` is that of IFA_CACHEINFO, in seconds.
NetlinkOctets AddressMessage(uint16_t type, uint32_t index, const std::string& address, uint32_t flags = 0,
                             uint32_t lifetime = 3600);

struct RouteSpec {
  std::string destination = "0.0.0.0";
  uint8_t length = 0;
  std::string gateway;  // none where it is empty
  uint32_t interface = 2;
  uint32_t table = 254;  // main
  uint8_t kind = 1;      // RTN_UNICAST
  uint32_t flags = 0;    // RTM_F_…
  uint32_t expires = 0;  // of RTA_CACHEINFO
  uint16_t request = 0;  // NLM_F_…
  uint32_t priority = 100;
};
NetlinkOctets RouteMessage(uint16_t type, const RouteSpec& spec);
NetlinkOctets DoneMessage();

}  // namespace dotward

#endif  // DOTWARD_TESTING_NETLINK_MESSAGES_H_
