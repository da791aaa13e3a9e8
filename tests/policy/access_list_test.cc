#include "policy/access_list.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {
namespace {

std::vector<IpPrefix> Prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> prefixes;
  for (const char* text : texts) prefixes.push_back(*IpPrefix::Parse(text));
  return prefixes;
}

bool Allows(const AccessList& list, const char* address) { return list.Allows(*IpAddress::Parse(address)); }

TEST(AccessListTest, A1_WhatNoListNamesIsRefused) {
  const AccessList nothing({}, {});
  EXPECT_FALSE(Allows(nothing, "127.0.0.1"));
  EXPECT_FALSE(Allows(nothing, "::1"));
  const std::vector<IpPrefix> allow = Prefixes({"10.0.0.0/8"});
  const AccessList ten(allow, {});
  EXPECT_TRUE(Allows(ten, "10.0.0.0"));
  EXPECT_TRUE(Allows(ten, "10.255.255.255"));
  EXPECT_FALSE(Allows(ten, "9.255.255.255"));
  EXPECT_FALSE(Allows(ten, "11.0.0.0"));
  EXPECT_FALSE(Allows(ten, "::a00:1"));
}

TEST(AccessListTest, A1_MostSpecificPrefixWins) {
  const std::vector<IpPrefix> allow = Prefixes({"10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32", "2001:db8:1:2::/64"});
  const std::vector<IpPrefix> deny = Prefixes({"10.1.0.0/16", "10.1.2.3/32", "2001:db8:1::/48", "2001:db8:1:2::3/128"});
  const AccessList list(allow, deny);
  EXPECT_TRUE(Allows(list, "10.0.255.255"));
  EXPECT_FALSE(Allows(list, "10.1.0.0"));
  EXPECT_FALSE(Allows(list, "10.1.1.255"));
  EXPECT_TRUE(Allows(list, "10.1.2.0"));
  EXPECT_TRUE(Allows(list, "10.1.2.2"));
  EXPECT_FALSE(Allows(list, "10.1.2.3"));
  EXPECT_TRUE(Allows(list, "10.1.2.4"));
  EXPECT_FALSE(Allows(list, "10.1.3.0"));
  EXPECT_TRUE(Allows(list, "10.2.0.0"));
  EXPECT_TRUE(Allows(list, "2001:db8::1"));
  EXPECT_FALSE(Allows(list, "2001:db8:1::1"));
  EXPECT_TRUE(Allows(list, "2001:db8:1:2::1"));
  EXPECT_FALSE(Allows(list, "2001:db8:1:2::3"));
  EXPECT_FALSE(Allows(list, "2001:db9::1"));
}

TEST(AccessListTest, A1_SamePrefixInBothListsIsDenied) {
  const std::vector<IpPrefix> both = Prefixes({"10.0.0.0/8", "fd00::/8", "192.0.2.1"});
  const AccessList list(both, both);
  EXPECT_FALSE(Allows(list, "10.1.2.3"));
  EXPECT_FALSE(Allows(list, "fd00::1"));
  EXPECT_FALSE(Allows(list, "192.0.2.1"));
  // And what is more specific than both still counts, with what is behind it denied again.
  const std::vector<IpPrefix> allow = Prefixes({"10.0.0.0/8", "10.5.0.0/16"});
  const std::vector<IpPrefix> deny = Prefixes({"10.0.0.0/8"});
  const AccessList nested(allow, deny);
  EXPECT_TRUE(Allows(nested, "10.5.1.1"));
  EXPECT_FALSE(Allows(nested, "10.6.0.0"));
}

TEST(AccessListTest, A1_PrefixesOfLengthZeroAndAtBothEndsOfTheAddresses) {
  const std::vector<IpPrefix> allow = Prefixes({"0.0.0.0/0", "::/0"});
  const std::vector<IpPrefix> deny =
      Prefixes({"0.0.0.0/32", "255.255.255.255/32", "128.0.0.0/1", "::/128", "ffff::/16"});
  const AccessList list(allow, deny);
  EXPECT_FALSE(Allows(list, "0.0.0.0"));
  EXPECT_TRUE(Allows(list, "0.0.0.1"));
  EXPECT_TRUE(Allows(list, "127.255.255.255"));
  EXPECT_FALSE(Allows(list, "128.0.0.0"));
  EXPECT_FALSE(Allows(list, "255.255.255.255"));
  EXPECT_FALSE(Allows(list, "::"));
  EXPECT_TRUE(Allows(list, "::1"));
  EXPECT_TRUE(Allows(list, "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(Allows(list, "ffff::"));
  EXPECT_FALSE(Allows(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(AccessListTest, A1_MappedAddressIsItsIpv4AndTheInterfaceDoesNotMatter) {
  const std::vector<IpPrefix> allow = Prefixes({"10.0.0.0/8", "fe80::/10"});
  const AccessList list(allow, {});
  EXPECT_TRUE(Allows(list, "::ffff:10.1.2.3"));
  EXPECT_FALSE(Allows(list, "::ffff:11.1.2.3"));
  EXPECT_TRUE(list.Allows(IpAddress::V6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 7)));
}

TEST(AccessListTest, A1_DefaultListHoldsPrivateNetworksAlone) {
  const Config config = DefaultConfig();
  const AccessList list(config.access.allow, config.access.deny);
  for (const char* address : {"127.0.0.1", "::1", "10.1.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                              "169.254.1.1", "100.64.0.1", "fd12::1", "fe80::1"}) {
    EXPECT_TRUE(Allows(list, address)) << address;
  }
  for (const char* address : {"8.8.8.8", "172.32.0.0", "192.169.0.1", "100.128.0.0", "2001:db8::1", "fec0::1"}) {
    EXPECT_FALSE(Allows(list, address)) << address;
  }
}

// The definition, written down.
bool AllowsByLookingAtAll(std::span<const IpPrefix> allow, std::span<const IpPrefix> deny, const IpAddress& client) {
  int allowed = -1;
  int denied = -1;
  for (const IpPrefix& prefix : allow) {
    if (prefix.Contains(client)) allowed = std::max(allowed, int{prefix.length});
  }
  for (const IpPrefix& prefix : deny) {
    if (prefix.Contains(client)) denied = std::max(denied, int{prefix.length});
  }
  return allowed > denied;
}

IpAddress Masked(const IpAddress& address, unsigned length) {
  std::array<uint8_t, 16> octets{};
  for (size_t i = 0; i < address.octets().size(); ++i) {
    const unsigned bits = length > 8 * i ? std::min(8U, length - static_cast<unsigned>(8 * i)) : 0;
    octets[i] = static_cast<uint8_t>(address.octets()[i] & static_cast<uint8_t>(0xff00U >> bits));
  }
  return address.is_v4() ? IpAddress::V4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::V6(octets);
}

TEST(AccessListTest, A1_AgreesWithTheDefinitionOnRandomLists) {
  std::mt19937 random(1);
  // Few different octets, so that prefixes nest and meet.
  const auto octet = [&random] {
    constexpr std::array<uint8_t, 6> kOctets = {0x00, 0x01, 0x80, 0x7f, 0xfe, 0xff};
    return kOctets[random() % kOctets.size()];
  };
  const auto address = [&]() -> IpAddress {
    if (random() % 2 == 0) return IpAddress::V4({octet(), octet(), octet(), octet()});
    std::array<uint8_t, 16> octets{};
    octets[0] = octet();
    for (const size_t i : {1U, 2U, 13U, 14U, 15U}) octets[i] = octet();
    return IpAddress::V6(octets);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<IpPrefix> lists[2];
    for (unsigned i = 0; i < random() % 60; ++i) {
      const IpAddress base = address();
      const auto length = static_cast<uint8_t>(random() % (base.octets().size() * 8 + 1));
      const IpPrefix prefix{Masked(base, length), length};
      lists[random() % 2].push_back(prefix);
      if (random() % 8 == 0) lists[random() % 2].push_back(prefix);
    }
    const AccessList list(lists[0], lists[1]);
    for (int i = 0; i < 200; ++i) {
      const IpAddress client = address();
      ASSERT_EQ(list.Allows(client), AllowsByLookingAtAll(lists[0], lists[1], client))
          << client.ToString() << " in round " << round;
    }
  }
}

TEST(AccessListTest, A1_HundredThousandPrefixesAreLookedUpAsQuicklyAsFew) {
  std::vector<IpPrefix> allow;
  std::vector<IpPrefix> deny;
  for (uint32_t i = 0; i < 50'000; ++i) {
    const auto high = static_cast<uint8_t>(1 + i / 256 / 256);
    const auto middle = static_cast<uint8_t>((i / 256) % 256);
    const auto low = static_cast<uint8_t>(i % 256);
    allow.push_back({IpAddress::V4({high, middle, low, 0}), 24});
    deny.push_back({IpAddress::V4({high, middle, low, 128}), 25});
  }
  const AccessList list(allow, deny);
  // A million lookups: seconds if each looked at all prefixes, far less than one by bisection. No clock is read; the
  // test's own time limit would tell.
  size_t allowed = 0;
  for (uint32_t i = 0; i < 1'024'000; ++i) {
    const uint32_t n = i * 7919 % 50'000;
    if (list.Allows(IpAddress::V4({1, static_cast<uint8_t>((n / 256) % 256), static_cast<uint8_t>(n % 256),
                                   static_cast<uint8_t>(i % 256)}))) {
      ++allowed;
    }
  }
  EXPECT_EQ(allowed, 512'000U);
}

}  // namespace
}  // namespace dotward
