#include "admin/http_host.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

IpAddress Address(std::string_view text) { return *IpAddress::Parse(text); }

TEST(HttpHostTest, LocalhostNamesAndLoopbackAddressesAreOurs) {
  for (const char* host : {"localhost", "LocalHost:8953", "localhost.", "status.localhost:1", "127.0.0.1",
                           "127.8.9.1:80", "[::1]", "[::1]:8953"}) {
    EXPECT_TRUE(IsOwnHost(host, Address("192.0.2.1"))) << host;
  }
}

TEST(HttpHostTest, TheBoundAddressIsOursAndItsNeighbourIsNot) {
  EXPECT_TRUE(IsOwnHost("192.0.2.1:8953", Address("192.0.2.1")));
  EXPECT_FALSE(IsOwnHost("192.0.2.2:8953", Address("192.0.2.1")));
  EXPECT_TRUE(IsOwnHost("[2001:DB8::0:1]:8953", Address("2001:db8::1")));
  EXPECT_FALSE(IsOwnHost("[2001:db8::2]", Address("2001:db8::1")));
}

TEST(HttpHostTest, EveryLiteralAddressMayLeadToAWildcardButNoName) {
  for (const char* bound : {"0.0.0.0", "::"}) {
    EXPECT_TRUE(IsOwnHost("203.0.113.7:8953", Address(bound)));
    EXPECT_TRUE(IsOwnHost("[2001:db8::7]", Address(bound)));
    EXPECT_FALSE(IsOwnHost("router.example:8953", Address(bound)));
  }
}

TEST(HttpHostTest, ForeignAndMalformedHostsAreNotOurs) {
  for (const char* host :
       {"", ":", ":8953", "rebound.example", "localhost.example", "notlocalhost", "127.0.0.1.example", "127.0.0.1:x",
        "127.0.0.1:123456", "127.0.0.1:80:80", "[::1", "[127.0.0.1]", "[::1]x", "::1", "127.1", "0x7f000001",
        "localhost/", "user@127.0.0.1", " 127.0.0.1"}) {
    EXPECT_FALSE(IsOwnHost(host, Address("0.0.0.0"))) << host;
  }
  // RFC 3986 §3.2.3: an empty port is the default one.
  EXPECT_TRUE(IsOwnHost("[::1]:", Address("0.0.0.0")));
}

}  // namespace
}  // namespace dotward
