#include "cache/name_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "dns/name.h"

namespace dotward {
namespace {

uint64_t HashOf(const NameHasher& hasher, std::string_view text) {
  return hasher({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// The values are those of CPython 3.11, whose hash of octets is SipHash-1-3, with both halves of the key zero.
TEST(NameHasherTest, IsSipHash13) {
  const NameHasher hasher(0, 0);
  EXPECT_EQ(HashOf(hasher, "a"), 0x407448d2b89b1813U);
  EXPECT_EQ(HashOf(hasher, "abc"), 0xc03bc3a0042630f2U);
  EXPECT_EQ(HashOf(hasher, "1234567"), 0xa33d651594fdae81U);
  EXPECT_EQ(HashOf(hasher, "12345678"), 0x3489982430560a87U);
  EXPECT_EQ(HashOf(hasher, "123456789"), 0x0fbc0f0007965fcfU);
  EXPECT_EQ(HashOf(hasher, "www.example.com"), 0xb8215502bb4c7791U);
}

TEST(NameHasherTest, IgnoresTheCaseOfLettersAndOfNothingElse) {
  const NameHasher hasher(42);
  for (size_t length = 1; length <= 17; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        Octets name(length, 'm');
        name[at] = static_cast<uint8_t>(value);
        Octets lowered = name;
        lowered[at] = LowerOctet(lowered[at]);
        Octets other = name;
        other[at] ^= 0x20U;
        ASSERT_EQ(hasher(name), hasher(lowered)) << length << ' ' << at << ' ' << value;
        ASSERT_EQ(hasher(name) == hasher(other), LowerOctet(name[at]) == LowerOctet(other[at])) << value;
      }
    }
  }
}

TEST(NameHasherTest, DependsOnEveryOctetAndOnTheLength) {
  const NameHasher hasher(7);
  std::set<uint64_t> seen;
  for (size_t length = 0; length <= 255; ++length) seen.insert(hasher(Octets(length, 0)));
  EXPECT_EQ(seen.size(), 256U);
  const Octets name(255, 'a');
  for (size_t at = 0; at < name.size(); ++at) {
    Octets other = name;
    other[at] = 'b';
    EXPECT_NE(hasher(name), hasher(other)) << at;
  }
}

TEST(NameHasherTest, AnotherSeedPutsNamesIntoOtherBuckets) {
  const NameHasher a(1);
  const NameHasher b(2);
  size_t same_bucket = 0;
  for (uint8_t i = 0; i < 200; ++i) {
    const Octets name = {3, i, 'x', 'y', 0};
    EXPECT_NE(a(name), b(name));
    if ((a(name) & 0xfffU) == (b(name) & 0xfffU)) ++same_bucket;
  }
  EXPECT_LE(same_bucket, 2U);
}

// Names that differ in few bits, as an attacker would choose them, spread over all buckets of every part of the hash
// that is used: the lowest bits (buckets), the middle (tags), the highest (shards).
TEST(NameHasherTest, SpreadsSimilarNames) {
  const NameHasher hasher(3);
  for (const unsigned shift : {0U, 32U, 48U}) {
    std::vector<unsigned> buckets(64);
    for (unsigned i = 0; i < 6400; ++i) {
      const Octets name = {4, static_cast<uint8_t>(i >> 8U), static_cast<uint8_t>(i & 0xffU), 0, 0, 0};
      ++buckets[(hasher(name) >> shift) & 63U];
    }
    EXPECT_GT(*std::min_element(buckets.begin(), buckets.end()), 50U) << shift;
    EXPECT_LT(*std::max_element(buckets.begin(), buckets.end()), 160U) << shift;
  }
}

}  // namespace
}  // namespace dotward
