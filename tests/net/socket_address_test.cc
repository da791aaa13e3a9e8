#include "net/socket_address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace dotward {
namespace {

Endpoint Parsed(std::string_view text) { return Endpoint::Parse(text).value(); }

TEST(SocketAddressTest, CarriesAnIpv4EndpointBothWays) {
  const SocketAddress address(Parsed("192.0.2.1:53"));
  EXPECT_EQ(address.family(), AF_INET);
  EXPECT_EQ(address.size(), sizeof(sockaddr_in));
  EXPECT_EQ(address.port(), 53);
  EXPECT_EQ(address.ToEndpoint(), Parsed("192.0.2.1:53"));
}

TEST(SocketAddressTest, CarriesAnIpv6EndpointBothWays) {
  const SocketAddress address(Parsed("[2001:db8::1]:65535"));
  EXPECT_EQ(address.family(), AF_INET6);
  EXPECT_EQ(address.size(), sizeof(sockaddr_in6));
  EXPECT_EQ(address.port(), 65535);
  EXPECT_EQ(address.ToEndpoint(), Parsed("[2001:db8::1]:65535"));
}

TEST(SocketAddressTest, KeepsTheZoneIndexAsScope) {
  std::array<uint8_t, 16> link_local{0xfe, 0x80};
  link_local[15] = 1;
  const Endpoint endpoint{IpAddress::V6(link_local, 7), 853};
  const SocketAddress address(endpoint);
  sockaddr_in6 raw;
  std::memcpy(&raw, address.data(), sizeof(raw));
  EXPECT_EQ(raw.sin6_scope_id, 7U);
  EXPECT_EQ(address.ToEndpoint(), endpoint);
}

TEST(SocketAddressTest, TurnsAMappedAddressIntoIpv4) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(53);
  const std::array<uint8_t, 16> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9};
  std::memcpy(&raw.sin6_addr, mapped.data(), mapped.size());
  SocketAddress address;
  std::memcpy(address.Receive(), &raw, sizeof(raw));
  EXPECT_EQ(address.ToEndpoint(), Parsed("192.0.2.9:53"));
}

TEST(SocketAddressTest, AnUnknownFamilyIsNoAddress) {
  const SocketAddress address;
  EXPECT_EQ(address.family(), AF_UNSPEC);
  EXPECT_EQ(address.port(), 0);
  EXPECT_EQ(address.ToEndpoint(), Endpoint{});
}

TEST(LocalEndpointTest, TellsThePortThatTheKernelChose) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(descriptor, 0);
  const SocketAddress any_port(Endpoint{IpAddress::V4({127, 0, 0, 1}), 0});
  ASSERT_EQ(bind(descriptor, any_port.data(), any_port.size()), 0);
  const Endpoint local = LocalEndpoint(descriptor);
  close(descriptor);
  EXPECT_EQ(local.address, IpAddress::V4({127, 0, 0, 1}));
  EXPECT_NE(local.port, 0);
}

}  // namespace
}  // namespace dotward
