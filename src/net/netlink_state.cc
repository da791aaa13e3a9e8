#include "net/netlink_state.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>

#include "base/limits.h"

namespace dotward {
namespace {

using OctetSpan = std::span<const uint8_t>;

constexpr uint32_t kUpAndRunning = IFF_UP | IFF_RUNNING;
constexpr uint8_t kAnyFamily = AF_UNSPEC;

constexpr size_t Aligned(size_t length) { return (length + 3) & ~size_t{3}; }

// Reads a fixed part from the front of `octets`, which loses it; nullopt where it is not all there.
template <typename T>
std::optional<T> TakeHeader(OctetSpan& octets) {
  if (octets.size() < sizeof(T)) return std::nullopt;
  T header;
  std::memcpy(&header, octets.data(), sizeof header);
  octets = octets.subspan(std::min(octets.size(), Aligned(sizeof header)));
  return header;
}

struct Attribute {
  unsigned short type;
  OctetSpan value;

  // Of attributes that hold a number.
  uint32_t Number() const {
    uint32_t number = 0;
    std::memcpy(&number, value.data(), std::min(value.size(), sizeof number));
    return number;
  }
  std::string_view Text() const { return {reinterpret_cast<const char*>(value.data()), value.size()}; }
};

// Cuts the next attribute from the front of `octets`; nullopt at the end, or where a length cannot be true.
std::optional<Attribute> NextAttribute(OctetSpan& octets) {
  rtattr header;
  if (octets.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, octets.data(), sizeof header);
  const size_t length = header.rta_len;
  if (length < sizeof header || length > octets.size()) return std::nullopt;
  const Attribute attribute{static_cast<unsigned short>(header.rta_type & NLA_TYPE_MASK),
                            octets.subspan(sizeof header, length - sizeof header)};
  octets = octets.subspan(std::min(octets.size(), Aligned(length)));
  return attribute;
}

template <typename T>
void AppendNumber(std::string& key, T number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

bool IsInternet(uint8_t family) { return family == AF_INET || family == AF_INET6; }

// Routes that lead somewhere, or refuse to.
bool IsRelevant(const rtmsg& route) {
  if ((route.rtm_flags & RTM_F_CLONED) != 0) return false;
  switch (route.rtm_type) {
    case RTN_UNICAST:
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
    case RTN_THROW:
      return true;
    default:
      return false;
  }
}

}  // namespace

NetlinkNews NetlinkState::Apply(OctetSpan datagram) {
  NetlinkNews news;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    const size_t length = header.nlmsg_len;
    if (length < sizeof header || length > datagram.size()) break;
    const OctetSpan message = datagram.subspan(sizeof header, length - sizeof header);
    datagram = datagram.subspan(std::min(datagram.size(), Aligned(length)));
    switch (header.nlmsg_type) {
      case NLMSG_DONE:
      case NLMSG_ERROR:
        news.dump_ended = true;
        break;
      case RTM_NEWLINK:
      case RTM_DELLINK:
        news.change |= ApplyLink(message, header.nlmsg_type == RTM_NEWLINK);
        break;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        news.change |= ApplyAddress(message, header.nlmsg_type == RTM_NEWADDR);
        break;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        news.change |=
            ApplyRoute(message, header.nlmsg_type == RTM_NEWROUTE, (header.nlmsg_flags & NLM_F_REPLACE) != 0);
        break;
      default:
        break;
    }
  }
  return news;
}

void NetlinkState::Clear() {
  links_.clear();
  addresses_.clear();
  routes_.clear();
}

bool NetlinkState::full() const {
  return std::max({links_.size(), addresses_.size(), routes_.size()}) >= Limits::kNetlinkKnownMax;
}

NetworkChange NetlinkState::ApplyLink(OctetSpan message, bool is_new) {
  const auto link = TakeHeader<ifinfomsg>(message);
  // A bridge tells of its ports in messages of its own family, which say nothing about the link.
  if (!link || link->ifi_family != AF_UNSPEC) return {};
  const auto index = static_cast<uint32_t>(link->ifi_index);
  const uint32_t flags = is_new ? link->ifi_flags & kUpAndRunning : 0;
  if ((flags & IFF_UP) == 0) ForgetRoutesOf(index, kAnyFamily);
  if (!is_new) ForgetAddressesOf(index);
  const auto known = links_.find(index);
  if (flags == (known == links_.end() ? 0 : known->second)) return {};
  if (flags == 0) {
    links_.erase(known);
  } else if (known != links_.end()) {
    known->second = flags;
  } else {
    if (links_.size() >= Limits::kNetlinkKnownMax) return {};
    links_.emplace(index, flags);
  }
  return {.links = true};
}

NetworkChange NetlinkState::ApplyAddress(OctetSpan message, bool is_new) {
  const auto header = TakeHeader<ifaddrmsg>(message);
  if (!header || !IsInternet(header->ifa_family)) return {};
  uint32_t flags = header->ifa_flags;
  OctetSpan own;  // IFA_LOCAL is one's own end where IFA_ADDRESS is the other, on a point-to-point link
  OctetSpan named;
  while (const auto attribute = NextAttribute(message)) {
    if (attribute->type == IFA_LOCAL) own = attribute->value;
    if (attribute->type == IFA_ADDRESS) named = attribute->value;
    if (attribute->type == IFA_FLAGS) flags = attribute->Number();
  }
  if (own.empty()) own = named;
  if (own.size() != (header->ifa_family == AF_INET ? 4U : 16U)) return {};
  std::string key;
  AppendNumber(key, static_cast<uint32_t>(header->ifa_index));
  AppendNumber(key, header->ifa_prefixlen);
  key.append(own.begin(), own.end());
  if (!is_new && header->ifa_family == AF_INET) ForgetRoutesOf(header->ifa_index, AF_INET);
  if (!is_new || (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0) return {.addresses = addresses_.erase(key) != 0};
  if (addresses_.size() >= Limits::kNetlinkKnownMax) return {};
  return {.addresses = addresses_.insert(std::move(key)).second};
}

NetworkChange NetlinkState::ApplyRoute(OctetSpan message, bool is_new, bool replaces) {
  const auto route = TakeHeader<rtmsg>(message);
  if (!route || !IsInternet(route->rtm_family) || !IsRelevant(*route)) return {};
  uint32_t table = route->rtm_table;
  uint32_t priority = 0;
  uint32_t interface = 0;
  OctetSpan destination;
  std::string ways(1, static_cast<char>(route->rtm_type));
  while (const auto attribute = NextAttribute(message)) {
    switch (attribute->type) {
      case RTA_TABLE:
        table = attribute->Number();
        break;
      case RTA_PRIORITY:
        priority = attribute->Number();
        break;
      case RTA_DST:
        destination = attribute->value;
        break;
      case RTA_OIF:
        interface = attribute->Number();
        [[fallthrough]];
      case RTA_GATEWAY:
      case RTA_VIA:
      case RTA_PREFSRC:
      case RTA_MULTIPATH:
      case RTA_NH_ID:
        AppendNumber(ways, attribute->type);
        ways += attribute->Text();
        break;
      default:
        break;  // lifetimes, metrics of the transport, encapsulation
    }
  }
  if (table == RT_TABLE_LOCAL || destination.size() > 16) return {};
  std::string key(1, static_cast<char>(route->rtm_family));
  AppendNumber(key, table);
  AppendNumber(key, priority);
  AppendNumber(key, route->rtm_tos);
  AppendNumber(key, route->rtm_dst_len);
  key.append(destination.begin(), destination.end());
  const Way way{interface, std::hash<std::string>()(ways)};

  const auto known = routes_.find(key);
  if (!is_new) {
    if (known == routes_.end()) return {};
    // An IPv4 route is gone whatever it was last known to be.
    const bool erased = std::erase(known->second, way) != 0;
    const bool gone = known->second.empty() || route->rtm_family == AF_INET;
    if (gone) routes_.erase(known);
    return {.routes = erased || gone};
  }
  if (known == routes_.end()) {
    if (routes_.size() >= Limits::kNetlinkKnownMax && route->rtm_dst_len != 0) return {};
    if (routes_.size() >= 2 * Limits::kNetlinkKnownMax) return {};
    routes_.emplace(std::move(key), std::vector{way});
    return {.routes = true};
  }
  std::vector<Way>& all = known->second;
  if (std::find(all.begin(), all.end(), way) != all.end() && (!replaces || all.size() == 1)) return {};
  if (replaces) all.clear();
  if (all.size() >= Limits::kNetlinkWaysMax) return {};
  all.push_back(way);
  return {.routes = true};
}

void NetlinkState::ForgetRoutesOf(uint32_t interface, uint8_t family) {
  for (auto route = routes_.begin(); route != routes_.end();) {
    const auto hangs_on_it = [&](const Way& way) { return way.interface == interface || way.interface == 0; };
    if (family == kAnyFamily || static_cast<uint8_t>(route->first.front()) == family) {
      std::erase_if(route->second, hangs_on_it);
    }
    route = route->second.empty() ? routes_.erase(route) : std::next(route);
  }
}

void NetlinkState::ForgetAddressesOf(uint32_t interface) {
  std::erase_if(addresses_,
                [&](const std::string& key) { return std::memcmp(key.data(), &interface, sizeof interface) == 0; });
}

}  // namespace dotward
