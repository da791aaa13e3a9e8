#include "app/cache_keeper.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "app/snapshot_fixture.h"
#include "base/strings.h"
#include "dnssec/trust_anchors.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Polls, since the keeper's thread tells nobody what it has done.
template <typename Condition>
bool Within(Duration patience, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

class CacheKeeperTest : public SnapshotTest {
 protected:
  CacheKeeper::Options Options(Duration interval = hours(1)) const {
    return {.path = path(), .interval = interval, .ttl = {}, .trust = 0};
  }
  // What a keeper has loaded or written is told after the file is there.
  static bool AwaitEntries(const CacheKeeper& keeper, uint64_t entries) {
    return Within(seconds(20), [&] { return keeper.statistics().entries == entries; });
  }
};

TEST_F(CacheKeeperTest, WhatIsWrittenAtStopIsLoadedAtStart) {
  {
    CacheKeeper keeper(cache_, clock_);
    keeper.Start(Options(milliseconds(1)));
    Fill(100);
    ASSERT_TRUE(AwaitEntries(keeper, 100));
    Insert(cache_, 1000);
    keeper.Stop();
    EXPECT_EQ(keeper.statistics().entries, 101U);
    EXPECT_EQ(keeper.statistics().octets, std::filesystem::file_size(path()));
    EXPECT_EQ(keeper.statistics().written_at, clock_.WallNow());
  }
  clock_.Advance(seconds(7));
  ResponseCache after(NewCache());
  CacheKeeper keeper(after, clock_);
  keeper.Start(Options());
  ASSERT_TRUE(AwaitEntries(keeper, 101));
  EXPECT_EQ(Lookup(after, 1000)->age_seconds, 7U);
  EXPECT_EQ(keeper.statistics().written_at, clock_.WallNow() - seconds(7));
  EXPECT_EQ(keeper.statistics().failures, 0U);
}

TEST_F(CacheKeeperTest, NothingIsWrittenWhereNothingHasChanged) {
  Fill(10);
  CacheKeeper keeper(cache_, clock_);
  keeper.Start(Options(milliseconds(1)));
  ASSERT_TRUE(AwaitEntries(keeper, 10));
  std::filesystem::remove(path());
  keeper.Stop();
  EXPECT_TRUE(Files().empty());
}

TEST_F(CacheKeeperTest, NothingIsWrittenAfterALoadAlone) {
  {
    CacheKeeper keeper(cache_, clock_);
    keeper.Start(Options(milliseconds(1)));
    Fill(10);
    ASSERT_TRUE(AwaitEntries(keeper, 10));
    keeper.Stop();
  }
  ResponseCache after(NewCache());
  CacheKeeper keeper(after, clock_);
  keeper.Start(Options(milliseconds(1)));
  ASSERT_TRUE(AwaitEntries(keeper, 10));
  std::filesystem::remove(path());
  keeper.Stop();
  EXPECT_TRUE(Files().empty());
}

TEST_F(CacheKeeperTest, WhatWasFlushedIsGoneFromTheFile) {
  CacheKeeper keeper(cache_, clock_);
  keeper.Start(Options(milliseconds(1)));
  Fill(10);
  ASSERT_TRUE(AwaitEntries(keeper, 10));
  ASSERT_EQ(cache_.FlushName(WireName(NameOf(3))), 1U);
  EXPECT_TRUE(AwaitEntries(keeper, 9));
  ASSERT_EQ(cache_.FlushZone(WireName(".")), 9U);
  EXPECT_TRUE(AwaitEntries(keeper, 0));
}

TEST_F(CacheKeeperTest, AnEmptyCacheMakesNoFile) {
  CacheKeeper keeper(cache_, clock_);
  keeper.Start(Options());
  keeper.Stop();
  EXPECT_TRUE(Files().empty());
}

TEST_F(CacheKeeperTest, WithoutAPathThereIsNoThreadAndNoFile) {
  CacheKeeper keeper(cache_, clock_);
  keeper.Start({});
  Fill(10);
  keeper.Stop();
  EXPECT_TRUE(Files().empty());
}

TEST_F(CacheKeeperTest, AReloadMayNameAPathAndAnother) {
  CacheKeeper keeper(cache_, clock_);
  keeper.Start({});
  Fill(10);
  keeper.Adopt(Options(milliseconds(1)));
  ASSERT_TRUE(AwaitEntries(keeper, 10));
  CacheKeeper::Options other = Options(milliseconds(1));
  other.path = (folder() / "other").string();
  keeper.Adopt(other);
  EXPECT_TRUE(Within(seconds(20), [&] { return std::filesystem::exists(other.path); })) << "though nothing is new";
}

TEST_F(CacheKeeperTest, AReloadMayTakeThePathAway) {
  CacheKeeper keeper(cache_, clock_);
  keeper.Start(Options());
  Fill(10);
  keeper.Adopt({});
  keeper.Stop();
  EXPECT_TRUE(Files().empty());
}

TEST_F(CacheKeeperTest, AFileThatIsIgnoredCountsAndIsReplaced) {
  std::ofstream(path(), std::ios::binary) << "\x9d"
                                             "dotw";
  CacheKeeper keeper(cache_, clock_);
  keeper.Start(Options(milliseconds(1)));
  ASSERT_TRUE(Within(seconds(20), [&] { return keeper.statistics().failures == 1; }));
  Fill(10);
  EXPECT_TRUE(AwaitEntries(keeper, 10));
  EXPECT_EQ(keeper.statistics().failures, 1U);
}

TEST_F(CacheKeeperTest, AFailureIsCountedAndOverWhenItIsOver) {
  CacheKeeper::Options options = Options(milliseconds(1));
  options.path = (folder() / "later" / "cache").string();
  CacheKeeper keeper(cache_, clock_);
  testing::internal::CaptureStderr();
  keeper.Start(options);
  Fill(10);
  const bool failed = Within(seconds(20), [&] { return keeper.statistics().failures >= 5; });
  std::filesystem::create_directory(folder() / "later");
  const bool written = AwaitEntries(keeper, 10);
  keeper.Stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(failed);
  EXPECT_TRUE(written);
  const size_t first = log.find("the snapshot of the cache cannot be written");
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("the snapshot of the cache cannot be written", first + 1), std::string::npos) << log;
  EXPECT_NE(log.find("the snapshot of the cache can be written again"), std::string::npos) << log;
}

TEST_F(CacheKeeperTest, AStopBeforeTheLoadHasEndedLeavesTheFile) {
  {
    CacheKeeper keeper(cache_, clock_);
    keeper.Start(Options(milliseconds(1)));
    Fill(20'000);
    ASSERT_TRUE(AwaitEntries(keeper, 20'000));
    keeper.Stop();
  }
  const uint64_t size = std::filesystem::file_size(path());
  ResponseCache after(NewCache());
  Insert(after, 99'999);
  CacheKeeper keeper(after, clock_);
  keeper.Start(Options());
  keeper.Stop();
  // Either it was given up, and the file is as it was, or it had ended, and one more is in it.
  const bool ended = keeper.statistics().entries != 0;
  EXPECT_EQ(std::filesystem::file_size(path()) > size, ended);
}

TEST_F(CacheKeeperTest, OptionsAreThoseOfTheConfiguration) {
  Config config = DefaultConfig();
  config.cache.snapshot.path = "/var/lib/dotward/cache.snapshot";
  config.cache.max_negative_ttl = seconds(77);
  config.dnssec.trust_upstream_ad = false;
  const CacheKeeper::Options options = CacheKeeper::Options::Of(config, nullptr);
  EXPECT_EQ(options.path, config.cache.snapshot.path);
  EXPECT_EQ(options.interval, config.cache.snapshot.interval);
  EXPECT_EQ(options.ttl.max_negative_ttl, 77U);
  config.dnssec.trust_upstream_ad = true;
  EXPECT_NE(CacheKeeper::Options::Of(config, nullptr).trust, options.trust);
}

// What was secure by one key, or not judged at all, is not taken for what is secure by another.
TEST_F(CacheKeeperTest, R4_TrustIsThatOfTheAnchorsThemselves) {
  const Config config = DefaultConfig();
  const auto trust = [&](const TrustAnchors& anchors) { return CacheKeeper::Options::Of(config, &anchors).trust; };
  const auto parsed = [](std::string_view text) { return *TrustAnchors::Parse(text, "anchors"); };
  const std::string one(64, 'a');
  const std::string other = one.substr(1) + "b";
  const uint32_t first = trust(parsed(StrCat("example. IN DS 1 13 2 ", one, "\n")));
  EXPECT_EQ(trust(parsed(StrCat("; the same\nEXAMPLE. 300 IN DS 1 13 2 ", one, "\n"))), first);
  EXPECT_NE(trust(parsed(StrCat("example. IN DS 1 13 2 ", other, "\n"))), first);
  EXPECT_NE(trust(parsed(StrCat("test. IN DS 1 13 2 ", one, "\n"))), first);
  EXPECT_NE(trust(TrustAnchors::BuiltIn()), first);
  TrustAnchors with_negative = parsed(StrCat("example. IN DS 1 13 2 ", one, "\n"));
  with_negative.AddNegative(*Name::Parse("sub.example."), std::nullopt);
  EXPECT_NE(trust(with_negative), first);
  EXPECT_EQ(trust(with_negative) & 3U, first & 3U) << "the lowest two bits say whether there was validation at all";
}

}  // namespace
}  // namespace dotward
