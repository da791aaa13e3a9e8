#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

TEST(IpAddressTest, ReadsAndWritesBothFamilies) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->ToString(), "192.0.2.1");
  EXPECT_EQ(IpAddress::Parse("2001:DB8:0::1")->ToString(), "2001:db8::1");
  EXPECT_FALSE(IpAddress::Parse("192.0.2").ok());
  EXPECT_FALSE(IpAddress::Parse("example.com").ok());
  EXPECT_FALSE(IpAddress::Parse("").ok());
}

TEST(IpAddressTest, MappedIpv6IsIpv4) {
  EXPECT_EQ(*IpAddress::Parse("::ffff:192.0.2.1"), *IpAddress::Parse("192.0.2.1"));
}

TEST(IpAddressTest, ZoneMustBeAnInterface) {
  EXPECT_NE(IpAddress::Parse("fe80::1%lo")->zone_index(), 0U);
  EXPECT_FALSE(IpAddress::Parse("fe80::1%nosuchif").ok());
}

TEST(IpPrefixTest, ContainsExactlyItsAddresses) {
  const IpPrefix prefix = *IpPrefix::Parse("10.1.128.0/17");
  EXPECT_TRUE(prefix.Contains(*IpAddress::Parse("10.1.128.0")));
  EXPECT_TRUE(prefix.Contains(*IpAddress::Parse("10.1.255.255")));
  EXPECT_FALSE(prefix.Contains(*IpAddress::Parse("10.1.127.255")));
  EXPECT_FALSE(prefix.Contains(*IpAddress::Parse("::a01:8000")));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("255.1.2.3")));
  EXPECT_TRUE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("fe80::1")));
  EXPECT_FALSE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("10.0.0.1")));
}

TEST(IpAddressTest, MaskedKeepsTheFirstBitsAndTheZone) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.255")->Masked(25), *IpAddress::Parse("192.0.2.128"));
  EXPECT_EQ(IpAddress::Parse("192.0.2.255")->Masked(32), *IpAddress::Parse("192.0.2.255"));
  EXPECT_EQ(IpAddress::Parse("192.0.2.255")->Masked(0), *IpAddress::Parse("0.0.0.0"));
  EXPECT_EQ(IpAddress::Parse("2001:db8:0:1ff::1")->Masked(56), *IpAddress::Parse("2001:db8:0:100::"));
  EXPECT_EQ(IpAddress::Parse("fe80::1%1")->Masked(56), *IpAddress::Parse("fe80::%1"));
  EXPECT_NE(IpAddress::Parse("fe80::1%1")->Masked(56), IpAddress::Parse("fe80::1%2")->Masked(56));
}

TEST(IpPrefixTest, RefusesHostBitsAndSaysWhatWasMeant) {
  const auto prefix = IpPrefix::Parse("10.1.2.3/8");
  ASSERT_FALSE(prefix.ok());
  EXPECT_NE(prefix.status().message().find("10.0.0.0/8"), std::string::npos) << prefix.status();
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0/33").ok());
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0/").ok());
  EXPECT_EQ(IpPrefix::Parse("::1")->length, 128);
}

TEST(EndpointTest, ReadsAndWritesBothFamilies) {
  EXPECT_EQ(Endpoint::Parse("127.0.0.1:5300")->ToString(), "127.0.0.1:5300");
  EXPECT_EQ(Endpoint::Parse("[::1]:53")->ToString(), "[::1]:53");
  EXPECT_EQ(Endpoint::Parse("::1", 853)->ToString(), "[::1]:853");
  EXPECT_EQ(Endpoint::Parse("0.0.0.0", 53)->ToString(), "0.0.0.0:53");
}

TEST(EndpointTest, SaysWhatIsMissing) {
  for (const char* text :
       {"127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[::1", "[::1]53", "host:53", ""}) {
    EXPECT_FALSE(Endpoint::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dotward
