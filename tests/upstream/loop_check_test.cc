#include "upstream/loop_check.h"

#include <gtest/gtest.h>

#include "testing/messages.h"

namespace dotward {
namespace {

TEST(LoopCheckTest, X15_RecognisesItsOwnNamesInAnyCase) {
  const LoopCheck check;
  for (const size_t upstream : {0U, 7U, 255U}) {
    const Name made = check.NameFor(upstream);
    Octets name(made.wire().begin(), made.wire().end());
    ASSERT_GT(name.size(), 20U);
    EXPECT_EQ(check.Recognise(name), upstream);
    for (uint8_t& octet : name) {
      if (octet >= 'a' && octet <= 'z') octet = static_cast<uint8_t>(octet - 'a' + 'A');
    }
    EXPECT_EQ(check.Recognise(name), upstream);
  }
}

TEST(LoopCheckTest, X15_RecognisesNoOtherNames) {
  const LoopCheck check, other;
  const Name name = check.NameFor(3);
  const Octets own(name.wire().begin(), name.wire().end());
  EXPECT_EQ(other.Recognise(own), std::nullopt) << "that of another process";
  EXPECT_EQ(check.Recognise(Octets(own.begin() + 1 + own[0], own.end())), std::nullopt);
  EXPECT_EQ(check.Recognise(Join({Octets{1, 'x'}, own})), std::nullopt);
  EXPECT_EQ(check.Recognise(WireName(".")), std::nullopt);
  EXPECT_EQ(check.Recognise(WireName("www.loop-check.example.com.")), std::nullopt);
  for (size_t at = 0; at + 1 < own.size(); ++at) {
    Octets changed = own;
    changed[at] ^= 0x03;
    EXPECT_NE(check.Recognise(changed), std::optional<size_t>(3)) << "octet " << at;
  }
}

}  // namespace
}  // namespace dotward
