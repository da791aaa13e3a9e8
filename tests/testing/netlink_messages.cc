#include "testing/netlink_messages.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>

namespace dotward {
namespace {

template <typename T>
void Append(NetlinkOctets& octets, const T& part) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(&part);
  octets.insert(octets.end(), begin, begin + sizeof part);
  octets.resize((octets.size() + 3) & ~size_t{3});
}

void AppendAttribute(NetlinkOctets& octets, uint16_t type, const NetlinkOctets& value) {
  const rtattr header{static_cast<uint16_t>(sizeof(rtattr) + value.size()), type};
  Append(octets, header);
  octets.insert(octets.end(), value.begin(), value.end());
  octets.resize((octets.size() + 3) & ~size_t{3});
}
template <typename T>
void AppendValue(NetlinkOctets& octets, uint16_t type, const T& value) {
  NetlinkOctets part(sizeof value);
  std::memcpy(part.data(), &value, sizeof value);
  AppendAttribute(octets, type, part);
}

NetlinkOctets Address(const std::string& text) {
  NetlinkOctets octets(text.find(':') == std::string::npos ? 4 : 16);
  inet_pton(octets.size() == 4 ? AF_INET : AF_INET6, text.c_str(), octets.data());
  return octets;
}

NetlinkOctets Message(uint16_t type, uint16_t flags, const NetlinkOctets& body) {
  NetlinkOctets message;
  Append(message, nlmsghdr{static_cast<uint32_t>(sizeof(nlmsghdr) + body.size()), type, flags, 0, 0});
  message.insert(message.end(), body.begin(), body.end());
  return message;
}

}  // namespace

NetlinkOctets LinkMessage(uint16_t type, uint32_t index, uint32_t flags, uint8_t family) {
  NetlinkOctets body;
  ifinfomsg link{};
  link.ifi_family = family;
  link.ifi_index = static_cast<int>(index);
  link.ifi_flags = flags;
  Append(body, link);
  AppendAttribute(body, IFLA_IFNAME, {'v', '0', 0});
  return Message(type, 0, body);
}

NetlinkOctets AddressMessage(uint16_t type, uint32_t index, const std::string& address, uint32_t flags,
                             uint32_t lifetime) {
  const NetlinkOctets octets = Address(address);
  NetlinkOctets body;
  ifaddrmsg header{};
  header.ifa_family = octets.size() == 4 ? AF_INET : AF_INET6;
  header.ifa_prefixlen = octets.size() == 4 ? 24 : 64;
  header.ifa_flags = static_cast<uint8_t>(flags);
  header.ifa_index = index;
  Append(body, header);
  AppendAttribute(body, IFA_ADDRESS, octets);
  AppendValue(body, IFA_CACHEINFO, ifa_cacheinfo{lifetime, lifetime, lifetime, lifetime});
  AppendValue(body, IFA_FLAGS, flags);
  return Message(type, 0, body);
}

NetlinkOctets RouteMessage(uint16_t type, const RouteSpec& spec) {
  const NetlinkOctets destination = Address(spec.destination);
  NetlinkOctets body;
  rtmsg header{};
  header.rtm_family = destination.size() == 4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = spec.length;
  header.rtm_table = static_cast<uint8_t>(spec.table);
  header.rtm_type = spec.kind;
  header.rtm_flags = spec.flags;
  Append(body, header);
  AppendValue(body, RTA_TABLE, spec.table);
  if (spec.length != 0) AppendAttribute(body, RTA_DST, destination);
  AppendValue(body, RTA_PRIORITY, spec.priority);
  if (!spec.gateway.empty()) AppendAttribute(body, RTA_GATEWAY, Address(spec.gateway));
  AppendValue(body, RTA_OIF, spec.interface);
  rta_cacheinfo lifetime{};
  lifetime.rta_expires = static_cast<int>(spec.expires);
  AppendValue(body, RTA_CACHEINFO, lifetime);
  return Message(type, spec.request, body);
}

NetlinkOctets DoneMessage() { return Message(NLMSG_DONE, NLM_F_MULTI, NetlinkOctets(4)); }

}  // namespace dotward
