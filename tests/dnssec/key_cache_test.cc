#include "dnssec/key_cache.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

Name N(std::string_view text) { return *Name::Parse(text); }
ZonePtr Zone(std::string_view name, Verdict verdict = Verdict::Secure()) {
  return std::make_shared<const ZoneStatus>(ZoneStatus{N(name), std::move(verdict), nullptr});
}

class KeyCacheTest : public ::testing::Test {
 protected:
  KeyCache::Position Locate(std::string_view name, std::string_view top = ".") {
    return cache_.Locate(N(name), N(top), now_);
  }
  SteadyTime now_{std::chrono::hours(1)};
  KeyCache cache_;
};

TEST_F(KeyCacheTest, TheLowestZoneAndTheLowestNameAreTold) {
  EXPECT_EQ(Locate("a.b.example.").zone, nullptr);
  cache_.PutZone(N("."), Zone("."), 60, now_);
  cache_.PutZone(N("Example."), Zone("example."), 60, now_);
  cache_.PutNoCut(N("b.example."), N("example."), KeyCache::Below::kUnknown, 60, now_);
  const KeyCache::Position position = Locate("A.B.example.");
  EXPECT_EQ(position.zone->zone, N("example."));
  EXPECT_EQ(position.lowest, N("b.example."));
  EXPECT_FALSE(position.nothing_below);
  EXPECT_EQ(Locate("www.test.").zone->zone, N("."));
  EXPECT_EQ(Locate("a.b.example.", "b.example.").zone, nullptr);
}

TEST_F(KeyCacheTest, NothingBeginsBelowANameThatDoesNotExist) {
  cache_.PutZone(N("."), Zone("."), 60, now_);
  cache_.PutNoCut(N("no."), N("."), KeyCache::Below::kNothing, 60, now_);
  EXPECT_TRUE(Locate("a.no.").nothing_below);
  EXPECT_FALSE(Locate("yes.").nothing_below);
}

// Its DS was withdrawn, say, and it is not signed any more: its names may be zones now.
TEST_F(KeyCacheTest, WhatAZoneHasSaidEndsWithIt) {
  cache_.PutZone(N("."), Zone("."), 600, now_);
  cache_.PutNoCut(N("b."), N("."), KeyCache::Below::kUnknown, 600, now_);
  cache_.PutZone(N("a.b."), Zone("a.b."), 60, now_);
  cache_.PutNoCut(N("x.a.b."), N("a.b."), KeyCache::Below::kNothing, 600, now_);
  EXPECT_EQ(Locate("y.x.a.b.").lowest, N("x.a.b."));
  EXPECT_TRUE(Locate("y.x.a.b.").nothing_below);
  now_ += std::chrono::seconds(60);
  EXPECT_EQ(Locate("y.x.a.b.").lowest, N("b."));
  EXPECT_FALSE(Locate("y.x.a.b.").nothing_below);
}

TEST_F(KeyCacheTest, EntriesEndWithTheirTimeWithinTheLimits) {
  cache_.PutZone(N("a."), Zone("a."), 0, now_);
  cache_.PutZone(N("b."), Zone("b."), UINT32_MAX, now_);
  cache_.PutZone(N("c."), Zone("c.", Verdict::Insecure()), UINT32_MAX, now_);
  cache_.PutZone(N("d."), Zone("d.", Verdict::Bogus(dnssec_error::kBogus, "")), UINT32_MAX, now_);
  const auto alive = [&](std::string_view name, Duration after) {
    now_ += std::chrono::duration_cast<SteadyTime::duration>(after);
    const bool found = Locate(name).zone != nullptr;
    now_ -= std::chrono::duration_cast<SteadyTime::duration>(after);
    return found;
  };
  const auto lives = [&](std::string_view name, Duration time) {
    return alive(name, time - std::chrono::nanoseconds(1)) && !alive(name, time);
  };
  EXPECT_TRUE(lives("a.", DnssecLimits::kKeyCacheTtlMin));
  EXPECT_TRUE(lives("b.", DnssecLimits::kKeyCacheTtlMax));
  EXPECT_TRUE(lives("c.", DnssecLimits::kInsecureZoneTtlMax));
  EXPECT_TRUE(lives("d.", DnssecLimits::kBogusZoneTime));
}

TEST_F(KeyCacheTest, CutsBelowAZoneAreKnown) {
  cache_.PutZone(N("sub.example."), Zone("sub.example."), 60, now_);
  cache_.PutNoCut(N("in.example."), N("example."), KeyCache::Below::kUnknown, 60, now_);
  EXPECT_TRUE(cache_.KnowsCutBelow(N("example."), N("www.sub.example."), now_));
  EXPECT_TRUE(cache_.KnowsCutBelow(N("example."), N("sub.example."), now_));
  EXPECT_FALSE(cache_.KnowsCutBelow(N("sub.example."), N("www.sub.example."), now_));
  EXPECT_FALSE(cache_.KnowsCutBelow(N("example."), N("in.example."), now_));
}

TEST_F(KeyCacheTest, WhatIsNotInUseGoesWhereItIsFull) {
  for (size_t i = 0; i <= DnssecLimits::kKeyCacheEntriesMax; ++i) {
    const std::string name = StrCat("n", i, ".");
    cache_.PutZone(N(name), Zone(name), 60, now_);
  }
  EXPECT_EQ(cache_.size(), DnssecLimits::kKeyCacheEntriesMax);
  EXPECT_EQ(Locate("n0.").zone, nullptr);
  EXPECT_NE(Locate("n1.").zone, nullptr);
  cache_.PutZone(N("n1."), Zone("n1."), 60, now_);
  EXPECT_EQ(cache_.size(), DnssecLimits::kKeyCacheEntriesMax);
  cache_.Clear();
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(KeyCacheTest, AFloodOfNamesDoesNotPushOutTheZoneItIsIn) {
  cache_.PutZone(N("."), Zone("."), 60, now_);
  cache_.PutZone(N("unused."), Zone("unused."), 60, now_);
  for (size_t i = 0; i < 2 * DnssecLimits::kKeyCacheEntriesMax; ++i) {
    const std::string name = StrCat("n", i, ".");
    ASSERT_NE(Locate(name).zone, nullptr) << name;
    cache_.PutNoCut(N(name), N("."), KeyCache::Below::kUnknown, 60, now_);
  }
  EXPECT_EQ(cache_.ZoneAt(N("unused."), now_), nullptr);
}

TEST_F(KeyCacheTest, MemoryIsBoundedWhateverKeysZonesHave) {
  auto key = std::make_shared<ZoneKeys::Key>();
  key->memory_octets = 1000;
  for (size_t i = 0; i < 1000; ++i) {
    const std::string name = StrCat("n", i, ".");
    const auto keys = std::make_shared<const ZoneKeys>(N(name), std::vector<ZoneKeys::KeyPtr>(32, key));
    cache_.PutZone(N(name), std::make_shared<const ZoneStatus>(ZoneStatus{N(name), Verdict::Secure(), keys}), 60, now_);
  }
  EXPECT_LE(cache_.memory_octets(), DnssecLimits::kKeyCacheOctetsMax);
  EXPECT_GT(cache_.memory_octets(), DnssecLimits::kKeyCacheOctetsMax - 40'000);
  EXPECT_EQ(Locate("n0.").zone, nullptr);
  EXPECT_NE(Locate("n999.").zone, nullptr);
}

}  // namespace
}  // namespace dotward
