#include "base/stable_hash.h"

#include <gtest/gtest.h>

#include <array>

namespace dotward {
namespace {

uint64_t HashOf(std::string_view text) {
  StableHash hash;
  hash.Add(text);
  return hash.value();
}

// From draft-eastlake-fnv, appendix C. Files that were written hold such values.
TEST(StableHashTest, IsFnv1aAndStaysIt) {
  EXPECT_EQ(HashOf(""), 0xcbf29ce484222325U);
  EXPECT_EQ(HashOf("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(HashOf("foobar"), 0x85944171f73967e8U);
}

TEST(StableHashTest, PartsAndOctetsAreHashedAsTheWhole) {
  StableHash hash;
  hash.Add("foo");
  for (const uint8_t octet : std::to_array<uint8_t>({0x62, 0x61, 0x72})) hash.Add(octet);
  EXPECT_EQ(hash.value(), HashOf("foobar"));
}

TEST(StableHashTest, ASeedMakesItAnother) { EXPECT_EQ(StableHash(1).value(), HashOf("") ^ 1U); }

}  // namespace
}  // namespace dotward
