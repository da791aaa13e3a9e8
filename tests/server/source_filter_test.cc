#include "server/source_filter.h"

#include <gtest/gtest.h>

#include <string_view>

namespace dotward {
namespace {

Endpoint From(std::string_view address, uint16_t port) { return {IpAddress::Parse(address).value(), port}; }

TEST(PromiseQ2, NothingIsSentToPortZero) {
  EXPECT_FALSE(MayReplyTo(From("192.0.2.1", 0)));
  EXPECT_FALSE(MayReplyTo(From("2001:db8::1", 0)));
  EXPECT_TRUE(MayReplyTo(From("192.0.2.1", 1)));
  EXPECT_TRUE(MayReplyTo(From("2001:db8::1", 65535)));
}

TEST(AttackX14, NothingIsSentToServicesThatAnswerAnything) {
  for (const uint16_t port : {uint16_t{7}, uint16_t{13}, uint16_t{17}, uint16_t{19}}) {
    EXPECT_FALSE(MayReplyTo(From("192.0.2.1", port))) << port;
    EXPECT_FALSE(MayReplyTo(From("::1", port))) << port;
  }
  // A resolver that forwards to us may well ask from port 53.
  for (const uint16_t port : {uint16_t{6}, uint16_t{8}, uint16_t{18}, uint16_t{20}, uint16_t{53}}) {
    EXPECT_TRUE(MayReplyTo(From("192.0.2.1", port))) << port;
  }
}

TEST(AttackX14, NothingIsSentToAddressesThatAreNoHosts) {
  for (const std::string_view address :
       {"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "ff02::1"}) {
    EXPECT_FALSE(MayReplyTo(From(address, 4711))) << address;
  }
  for (const std::string_view address :
       {"1.0.0.1", "127.0.0.1", "10.255.255.255", "223.255.255.255", "::1", "fe80::1", "2001:db8::1"}) {
    EXPECT_TRUE(MayReplyTo(From(address, 4711))) << address;
  }
}

}  // namespace
}  // namespace dotward
