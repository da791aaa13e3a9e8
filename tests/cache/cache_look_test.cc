// Looking into a cache from outside the query path: what is stored under a name, walks over all of it, and flushes.

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "base/limits.h"
#include "cache/naive_cache.h"
#include "dns/name.h"
#include "dotward/response_cache.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::seconds;

class CacheLookTest : public testing::Test {
 protected:
  void Insert(std::string_view name, uint16_t type = rr_type::kA, bool dnssec_ok = false,
              bool checking_disabled = false, ResponseKind kind = ResponseKind::kPositive, uint32_t ttl = 300) {
    const Octets wire = WireName(name);
    cache_.Insert({wire, type, rr_class::kIn, dnssec_ok, checking_disabled},
                  MakeImage(MakeQuestion(wire, type, rr_class::kIn), kind, false, ttl, 0, 0, clock_.Now()),
                  clock_.Now());
  }
  std::vector<CacheEntry> EntriesOf(std::string_view name) const {
    return cache_.EntriesOf(WireName(name), clock_.Now());
  }
  bool Has(std::string_view name) { return !EntriesOf(name).empty(); }
  // The names that a walk sees; `between` runs after each of its turns.
  template <typename Between>
  std::multiset<std::string> Walk(Between between) {
    std::multiset<std::string> names;
    CacheCursor cursor;
    for (bool more = true; more;) {
      std::vector<CacheEntry> entries;
      more = cache_.Walk(cursor, entries, clock_.Now());
      EXPECT_LE(entries.size(), Limits::kCacheEntriesPerTurn);
      for (const CacheEntry& entry : entries) names.insert(NameToString(entry.image->qname()));
      between();
    }
    return names;
  }
  static std::string Numbered(int number) { return "n" + std::to_string(number) + ".example."; }

  ManualClock clock_;
  ResponseCache cache_{{.octets_max = size_t{4} << 20U, .shards = 4, .hash_seed = 7}};
};

TEST_F(CacheLookTest, EveryEntryOfANameIsListedWithWhatItIsFor) {
  Insert("www.example.", rr_type::kA);
  Insert("www.example.", rr_type::kAaaa, true);
  Insert("WWW.example.", rr_type::kMx, false, true);
  Insert("www2.example.");
  const std::vector<CacheEntry> entries = EntriesOf("wWw.Example.");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_TRUE(entries[0].checking_disabled && !entries[0].dnssec_ok);
  EXPECT_TRUE(entries[1].dnssec_ok && !entries[1].checking_disabled);
  EXPECT_FALSE(entries[2].dnssec_ok || entries[2].checking_disabled || entries[2].every_type);
}

TEST_F(CacheLookTest, AnNxdomainIsListedAsForEveryType) {
  Insert("gone.example.", rr_type::kA, false, false, ResponseKind::kNxDomain);
  ASSERT_EQ(EntriesOf("gone.example.").size(), 1U);
  EXPECT_TRUE(EntriesOf("gone.example.")[0].every_type);
}

TEST_F(CacheLookTest, LookingCountsAndMovesNothingAndSeesWhatHasExpired) {
  Insert("www.example.", rr_type::kA, false, false, ResponseKind::kPositive, 10);
  clock_.Advance(seconds(20));
  ASSERT_EQ(EntriesOf("www.example.").size(), 1U);
  EXPECT_EQ(EntriesOf("www.example.")[0].unused_seconds, 20U);
  EXPECT_FALSE(Has("other.example."));
  Walk([] {});
  const ResponseCache::Statistics total = cache_.Total(clock_.Now());
  EXPECT_EQ(total.hits + total.misses, 0U);
  EXPECT_EQ(total.lru_age_seconds, 20U);
}

TEST_F(CacheLookTest, AWalkSeesEveryEntryOnce) {
  constexpr int kNames = 1000;
  for (int i = 0; i < kNames; ++i) Insert(Numbered(i));
  const std::multiset<std::string> seen = Walk([] {});
  EXPECT_EQ(seen.size(), size_t{kNames});
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), size_t{kNames});
}

TEST_F(CacheLookTest, AWalkOverAnEmptyCacheEnds) {
  EXPECT_TRUE(Walk([] {}).empty());
}

TEST_F(CacheLookTest, AWalkMissesNothingThatStaysWhileOthersComeAndGo) {
  constexpr int kNames = 1000;
  for (int i = 0; i < kNames; ++i) Insert(Numbered(i));
  int next = 0;
  const std::multiset<std::string> seen = Walk([&] {
    for (int n = 0; n < 20 && next < kNames; ++n, next += 2) cache_.FlushName(WireName(Numbered(next)));
    Insert("late" + std::to_string(next) + ".example.");
  });
  for (int i = 1; i < kNames; i += 2) EXPECT_TRUE(seen.contains(Numbered(i))) << i;
}

TEST_F(CacheLookTest, FlushingANameRemovesAllOfItAndNothingElse) {
  for (int type = 1; type <= 70; ++type) Insert("www.example.", static_cast<uint16_t>(type));
  Insert("www.example.", rr_type::kA, true, true);
  Insert("a.www.example.");
  Insert("example.");
  EXPECT_EQ(cache_.FlushName(WireName("WWW.example.")), Limits::kCacheEntriesPerNameMax);
  EXPECT_FALSE(Has("www.example."));
  EXPECT_TRUE(Has("a.www.example.") && Has("example."));
  EXPECT_EQ(cache_.FlushName(WireName("www.example.")), 0U);
}

TEST_F(CacheLookTest, FlushingAZoneRemovesItsSubtreeAlone) {
  for (int i = 0; i < 500; ++i) Insert(Numbered(i));
  Insert("example.");
  Insert("Deep.er.EXAMPLE.");
  Insert("notexample.");
  Insert("example.test.");
  EXPECT_EQ(cache_.FlushZone(WireName("example.")), 502U);
  EXPECT_TRUE(Has("notexample.") && Has("example.test."));
  EXPECT_EQ(cache_.Total(clock_.Now()).entries, 2U);
}

TEST_F(CacheLookTest, FlushingTheRootRemovesEverythingAndCountsNoEviction) {
  for (int i = 0; i < 2000; ++i) Insert(Numbered(i));
  EXPECT_EQ(cache_.FlushZone(WireName(".")), 2000U);
  const ResponseCache::Statistics total = cache_.Total(clock_.Now());
  EXPECT_EQ(total.entries, 0U);
  EXPECT_EQ(total.evictions + total.expired, 0U);
  Insert("www.example.");
  EXPECT_TRUE(Has("www.example."));
}

// While two threads fill and ask, one walks and one flushes: what is found is always of the name that was asked for.
TEST_F(CacheLookTest, WalksAndFlushesStandBesideQueriesOnOtherThreads) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20'000; ++i) {
        const std::string name = Numbered((i * 7 + thread) % 3000);
        if (i % 2 == 0) Insert(name);
        const Octets wire = WireName(name);
        const auto found = cache_.Lookup({wire, rr_type::kA}, clock_.Now());
        if (found && !EqualIgnoringCase(found->image->qname(), wire)) ++wrong;
      }
      stop = true;
    });
  }
  threads.emplace_back([&] {
    while (!stop) Walk([] {});
  });
  threads.emplace_back([&] {
    while (!stop) cache_.FlushZone(WireName("example."));
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  cache_.FlushZone(WireName("."));
  EXPECT_EQ(cache_.Total(clock_.Now()).entries, 0U);
}

}  // namespace
}  // namespace dotward
