#include "net/netlink_state.h"

#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

#include "base/limits.h"
#include "base/strings.h"
#include "net/network_change.h"
#include "testing/netlink_messages.h"

namespace dotward {
namespace {

constexpr NetworkChange kNothing{};
constexpr NetworkChange kAddresses{.addresses = true};
constexpr NetworkChange kRoutes{.routes = true};
constexpr NetworkChange kLinks{.links = true};
constexpr uint32_t kRunning = IFF_UP | IFF_RUNNING;

class NetlinkStateTest : public ::testing::Test {
 protected:
  NetworkChange Apply(const NetlinkOctets& datagram) { return state_.Apply(datagram).change; }

  NetlinkState state_;
};

TEST(NetworkChangeTest, NamesItsKinds) {
  EXPECT_EQ(kNothing.ToString(), "nothing");
  EXPECT_FALSE(kNothing.any());
  NetworkChange change = kAddresses;
  change |= NetworkChange{.suspended = true, .wall_clock_set = true};
  EXPECT_EQ(change.ToString(), "addresses, suspend, wall clock");
  change |= NetworkChange{.routes = true, .links = true};
  EXPECT_EQ(change.ToString(), "addresses, routes, links, suspend, wall clock");
}

// ---------------------------------------------------------------- addresses

TEST_F(NetlinkStateTest, AddressComesAndGoes) {
  for (const char* const address : {"192.0.2.1", "2001:db8::1"}) {
    EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, address)), kAddresses);
    EXPECT_EQ(Apply(AddressMessage(RTM_DELADDR, 2, address)), kAddresses);
    EXPECT_EQ(Apply(AddressMessage(RTM_DELADDR, 2, address)), kNothing) << "it was gone";
  }
}

TEST_F(NetlinkStateTest, RefreshedLifetimeIsNoChange) {
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1", 0, 3600)), kAddresses);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1", 0, 7200)), kNothing);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1", IFA_F_DEPRECATED, 0)), kNothing);
}

TEST_F(NetlinkStateTest, AddressOnAnotherLinkIsAnother) {
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "fe80::1")), kAddresses);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 3, "fe80::1")), kAddresses);
}

// RFC 4862 §5.4: what may be a duplicate is not used.
TEST_F(NetlinkStateTest, TentativeAddressIsNotThereYet) {
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1", IFA_F_TENTATIVE)), kNothing);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1")), kAddresses);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "2001:db8::1", IFA_F_DADFAILED)), kAddresses);
}

// ---------------------------------------------------------------- links

TEST_F(NetlinkStateTest, LinkCountsByUpAndRunning) {
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, 0)), kNothing) << "it is there, and does nothing";
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, IFF_UP)), kLinks);
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, kRunning)), kLinks);
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, kRunning | IFF_PROMISC)), kNothing);
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, IFF_UP)), kLinks) << "the carrier is lost";
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, 0)), kLinks);
  EXPECT_EQ(Apply(LinkMessage(RTM_DELLINK, 2, 0)), kNothing);
}

TEST_F(NetlinkStateTest, BridgePortIsNoLinkOfItsOwn) {
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, kRunning)), kLinks);
  EXPECT_EQ(Apply(LinkMessage(RTM_DELLINK, 2, kRunning, AF_BRIDGE)), kNothing);
  EXPECT_EQ(Apply(LinkMessage(RTM_DELLINK, 2, kRunning)), kLinks);
}

// The kernel takes routes and addresses away with their link and does not say so.
TEST_F(NetlinkStateTest, WhatComesBackAfterItsLinkWentIsNew) {
  const NetlinkOctets route = RouteMessage(RTM_NEWROUTE, {.gateway = "192.0.2.254"});
  Apply(LinkMessage(RTM_NEWLINK, 2, kRunning));
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "192.0.2.1")), kAddresses);
  EXPECT_EQ(Apply(route), kRoutes);
  EXPECT_EQ(Apply(LinkMessage(RTM_NEWLINK, 2, 0)), kLinks);
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "192.0.2.1")), kNothing) << "a link that is down keeps it";
  EXPECT_EQ(Apply(route), kRoutes);
  Apply(LinkMessage(RTM_DELLINK, 2, 0));
  EXPECT_EQ(Apply(AddressMessage(RTM_NEWADDR, 2, "192.0.2.1")), kAddresses);
  EXPECT_EQ(Apply(route), kRoutes);
  EXPECT_EQ(Apply(AddressMessage(RTM_DELADDR, 2, "192.0.2.1")), kAddresses);
  EXPECT_EQ(Apply(route), kRoutes);
}

TEST_F(NetlinkStateTest, RoutesOfOtherLinksStay) {
  const NetlinkOctets other = RouteMessage(RTM_NEWROUTE, {.gateway = "192.0.2.254", .interface = 3});
  EXPECT_EQ(Apply(other), kRoutes);
  Apply(LinkMessage(RTM_DELLINK, 2, 0));
  EXPECT_EQ(Apply(other), kNothing);
}

// ---------------------------------------------------------------- routes

TEST_F(NetlinkStateTest, RouteComesAndGoes) {
  const RouteSpec v4{.gateway = "192.0.2.254"};
  const RouteSpec v6{.destination = "2001:db8::", .length = 32, .gateway = "fe80::1"};
  for (const RouteSpec& route : {v4, v6}) {
    EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, route)), kRoutes);
    EXPECT_EQ(Apply(RouteMessage(RTM_DELROUTE, route)), kRoutes);
    EXPECT_EQ(Apply(RouteMessage(RTM_DELROUTE, route)), kNothing);
  }
}

TEST_F(NetlinkStateTest, AdvertisedRouteIsRefreshedInSilence) {
  RouteSpec route{.destination = "::", .gateway = "fe80::1", .expires = 1800};
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, route)), kRoutes);
  route.expires = 900;
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, route)), kNothing);
  route.request = NLM_F_REPLACE;
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, route)), kNothing);
  EXPECT_EQ(state_.known(), 1U);
}

TEST_F(NetlinkStateTest, ReplacedRouteCountsThereAndBack) {
  const RouteSpec first{.gateway = "192.0.2.254", .request = NLM_F_REPLACE};
  const RouteSpec second{.gateway = "192.0.2.253", .request = NLM_F_REPLACE};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, first)), kRoutes);
    EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, second)), kRoutes);
  }
  EXPECT_EQ(state_.known(), 1U);
}

TEST_F(NetlinkStateTest, SeveralRoutersAreSeveralWays) {
  const RouteSpec first{.destination = "::", .gateway = "fe80::1"};
  const RouteSpec second{.destination = "::", .gateway = "fe80::2"};
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, first)), kRoutes);
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, second)), kRoutes);
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, first)), kNothing);
  EXPECT_EQ(Apply(RouteMessage(RTM_DELROUTE, first)), kRoutes);
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, second)), kNothing);
}

TEST_F(NetlinkStateTest, ClonesAndLocalAndMulticastRoutesAreNoise) {
  for (const RouteSpec& noise :
       {RouteSpec{.gateway = "192.0.2.254", .flags = RTM_F_CLONED},
        RouteSpec{.destination = "192.0.2.1", .length = 32, .table = RT_TABLE_LOCAL, .kind = RTN_LOCAL},
        RouteSpec{.destination = "192.0.2.1", .length = 32, .table = RT_TABLE_LOCAL},
        RouteSpec{.destination = "ff00::", .length = 8, .kind = RTN_MULTICAST},
        RouteSpec{.destination = "192.0.2.255", .length = 32, .kind = RTN_BROADCAST},
        RouteSpec{.destination = "2001:db8::", .length = 128, .kind = RTN_ANYCAST}}) {
    EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, noise)), kNothing);
    EXPECT_EQ(Apply(RouteMessage(RTM_DELROUTE, noise)), kNothing);
  }
  EXPECT_EQ(state_.known(), 0U);
}

TEST_F(NetlinkStateTest, RouteThatRefusesCounts) {
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, {.destination = "192.0.2.0", .length = 24, .kind = RTN_UNREACHABLE})),
            kRoutes);
}

// ---------------------------------------------------------------- datagrams

NetlinkOctets Joined(std::initializer_list<NetlinkOctets> parts) {
  NetlinkOctets all;
  for (const NetlinkOctets& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

NetlinkOctets SomeOfEach() {
  return Joined({LinkMessage(RTM_NEWLINK, 2, kRunning), AddressMessage(RTM_NEWADDR, 2, "2001:db8::1"),
                 RouteMessage(RTM_NEWROUTE, {.gateway = "192.0.2.254"}), DoneMessage()});
}

TEST_F(NetlinkStateTest, OneDatagramHoldsSeveralMessages) {
  const NetlinkNews news = state_.Apply(SomeOfEach());
  EXPECT_EQ(news.change, (NetworkChange{.addresses = true, .routes = true, .links = true}));
  EXPECT_TRUE(news.dump_ended);
  EXPECT_FALSE(state_.Apply(LinkMessage(RTM_NEWLINK, 2, 0)).dump_ended);
}

TEST_F(NetlinkStateTest, ClearedStateKnowsNothing) {
  Apply(SomeOfEach());
  EXPECT_EQ(state_.known(), 3U);
  state_.Clear();
  EXPECT_EQ(state_.known(), 0U);
  EXPECT_TRUE(Apply(SomeOfEach()).any());
}

// A copy of exactly its size lets the address sanitizer see a read behind the end.
TEST_F(NetlinkStateTest, CutDatagramIsReadUpToTheCut) {
  const NetlinkOctets whole = SomeOfEach();
  for (size_t length = 0; length < whole.size(); ++length) {
    NetlinkState state;
    const NetlinkOctets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(state.Apply(cut).dump_ended) << length;
  }
}

TEST_F(NetlinkStateTest, LengthsThatLieEndTheDatagram) {
  for (const uint32_t length : {0U, 1U, 15U, 0x7fff'ffffU, 0xffff'ffffU}) {
    NetlinkOctets datagram = SomeOfEach();
    std::memcpy(datagram.data(), &length, sizeof length);
    EXPECT_EQ(state_.Apply(datagram).change, kNothing) << length;
  }
}

TEST_F(NetlinkStateTest, AttributesThatLieAreNotRead) {
  const NetlinkOctets sound = AddressMessage(RTM_NEWADDR, 2, "2001:db8::1");
  constexpr size_t kFirstAttribute = sizeof(nlmsghdr) + sizeof(ifaddrmsg);
  for (const uint16_t length : std::initializer_list<uint16_t>{0, 3, 5, 0xffff}) {
    NetlinkOctets datagram = sound;
    std::memcpy(&datagram[kFirstAttribute], &length, sizeof length);
    EXPECT_EQ(state_.Apply(datagram).change, kNothing) << length;
  }
}

TEST_F(NetlinkStateTest, AnythingIsSurvived) {
  std::mt19937 random(1);
  const NetlinkOctets sound = SomeOfEach();
  for (int i = 0; i < 20'000; ++i) {
    NetlinkOctets datagram = sound;
    for (int flips = 0; flips < 4; ++flips) datagram[random() % datagram.size()] = static_cast<uint8_t>(random());
    state_.Apply(datagram);
  }
  EXPECT_LE(state_.known(), 4 * Limits::kNetlinkKnownMax);
}

TEST_F(NetlinkStateTest, MemoryIsBounded) {
  for (uint32_t i = 0; i < 3 * Limits::kNetlinkKnownMax; ++i) {
    const std::string address = StrCat("10.", i >> 16 & 0xff, ".", i >> 8 & 0xff, ".", i & 0xff);
    Apply(LinkMessage(RTM_NEWLINK, i + 2, kRunning));
    Apply(AddressMessage(RTM_NEWADDR, 2, address));
    Apply(RouteMessage(RTM_NEWROUTE, {.destination = address, .length = 32}));
  }
  EXPECT_TRUE(state_.full());
  EXPECT_EQ(state_.known(), 3 * Limits::kNetlinkKnownMax);
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, {.destination = "192.0.2.1", .length = 32})), kNothing);
  EXPECT_EQ(Apply(RouteMessage(RTM_NEWROUTE, {.gateway = "10.0.0.1"})), kRoutes) << "a default route still counts";
  for (uint32_t metric = 0; metric < 2 * Limits::kNetlinkKnownMax; ++metric) {
    Apply(RouteMessage(RTM_NEWROUTE, {.gateway = "10.0.0.1", .priority = metric + 1000}));
  }
  EXPECT_EQ(state_.known(), 4 * Limits::kNetlinkKnownMax);
}

TEST_F(NetlinkStateTest, WaysOfOneRouteAreBounded) {
  size_t noticed = 0;
  for (size_t i = 0; i < 2 * Limits::kNetlinkWaysMax; ++i) {
    noticed += Apply(RouteMessage(RTM_NEWROUTE, {.destination = "::", .gateway = StrCat("fe80::", i + 1)})).routes;
  }
  EXPECT_EQ(noticed, Limits::kNetlinkWaysMax);
}

}  // namespace
}  // namespace dotward
