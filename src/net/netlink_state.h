#ifndef DOTWARD_NET_NETLINK_STATE_H_
#define DOTWARD_NET_NETLINK_STATE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "net/network_change.h"

namespace dotward {

// What a netlink datagram (rtnetlink(7)) has brought.
struct NetlinkNews {
  NetworkChange change;
  bool dump_ended = false;  // NLMSG_DONE or NLMSG_ERROR
};

// The links, addresses and routes that the kernel has told of, so that what it merely repeats is told from what is new:
// a router's advertisements refresh the lifetimes of addresses and routes all day long. Does no I/O, and trusts no
// length that it reads: the work is bounded by the datagram, the memory by Limits::kNetlinkKnownMax. Not thread-safe.
//
// What counts:
//   links      UP or RUNNING has changed
//   addresses  the set of usable ones has: a tentative one (RFC 4862 §5.4) is not usable yet
//   routes     the set of unicast and refusing ones has; not the table `local`, not multicast, not cached clones
class NetlinkState {
 public:
  // Takes every message of `datagram`, up to the first whose length cannot be true.
  NetlinkNews Apply(std::span<const uint8_t> datagram);
  // Knows nothing any more: notices were lost, and what follows is a dump.
  void Clear();
  // No more can be remembered of one kind. From then on, new ones of it are noticed only where they are default
  // routes.
  bool full() const;
  size_t known() const { return links_.size() + addresses_.size() + routes_.size(); }

 private:
  // One way out; several of them share a destination and a metric under IPv6, one has all next hops of an IPv4 route.
  struct Way {
    uint32_t interface;  // 0: several
    size_t hash;         // of all that makes it different from others
    bool operator==(const Way&) const = default;
  };

  NetworkChange ApplyLink(std::span<const uint8_t> message, bool is_new);
  NetworkChange ApplyAddress(std::span<const uint8_t> message, bool is_new);
  NetworkChange ApplyRoute(std::span<const uint8_t> message, bool is_new, bool replaces);
  // The kernel drops what hangs on a link or an address without a word.
  void ForgetRoutesOf(uint32_t interface, uint8_t family);
  void ForgetAddressesOf(uint32_t interface);

  std::map<uint32_t, uint32_t> links_;  // by index: IFF_UP and IFF_RUNNING; those with neither are not here
  std::set<std::string> addresses_;
  std::map<std::string, std::vector<Way>> routes_;  // the key begins with the family
};

}  // namespace dotward

#endif  // DOTWARD_NET_NETLINK_STATE_H_
