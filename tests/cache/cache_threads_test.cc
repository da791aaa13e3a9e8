#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>

#include "cache/naive_cache.h"
#include "dns/wire.h"
#include "testing/messages.h"

namespace dotward {
namespace {

constexpr unsigned kThreads = 4;
constexpr int kOperations = 40'000;

// Everything that tells one key from another, as a number that its images carry.
struct NumberedKey {
  unsigned number;
  Octets name = WireName("n" + std::to_string(number / 16) + ".example.");

  CacheKey key() const {
    const auto type = static_cast<uint16_t>(1 + (number & 3U));
    return {name, type, rr_class::kIn, (number & 4U) != 0, (number & 8U) != 0};
  }
};

uint32_t MarkOf(const ResponseImage& image, const Octets& name) {
  const OctetView mark = image.body().subspan(name.size() + 4 + 12 + 1, 4);
  return uint32_t{mark[0]} << 24U | uint32_t{mark[1]} << 16U | uint32_t{mark[2]} << 8U | uint32_t{mark[3]};
}

// Threads insert, find and evict the same names in few shards, while one reads the figures, walks over everything,
// flushes and brings back what it saw.
TEST(CacheThreadsTest, EveryHitIsAnAnswerToItsKeyAndMemoryStaysWithinTheBound) {
  ResponseCache cache(
      {.octets_max = size_t{256} << 10U, .shards = 2, .hash_seed = 99, .stale_max_age = std::chrono::seconds(10)});
  std::atomic<int64_t> milliseconds{0};
  std::atomic<unsigned> running{kThreads};
  std::atomic<uint64_t> wrong{0};
  const auto now = [&milliseconds] {
    return SteadyTime(std::chrono::hours(1)) + std::chrono::milliseconds(milliseconds.fetch_add(1));
  };

  const auto check = [&](const NumberedKey& key, const std::optional<CachedResponse>& found) {
    if (!found) return;
    const uint32_t mark = MarkOf(*found->image, key.name);
    if (mark != key.number && mark != (0x8000'0000U | (key.number & ~3U))) ++wrong;
  };
  const auto work = [&](unsigned thread) {
    std::mt19937 random(thread);
    for (int i = 0; i < kOperations; ++i) {
      const NumberedKey key{static_cast<unsigned>(random() % 6000)};
      if (random() % 3 == 0) {
        // An NXDOMAIN stands for its name whatever the type, so its mark leaves the type out.
        const bool nxdomain = random() % 16 == 0;
        const uint32_t mark = nxdomain ? 0x8000'0000U | (key.number & ~3U) : key.number;
        const SteadyTime at = now();
        cache.Insert(key.key(),
                     MakeImage(MakeQuestion(key.name, key.key().qtype, rr_class::kIn),
                               nxdomain ? ResponseKind::kNxDomain : ResponseKind::kPositive, false,
                               static_cast<uint32_t>(1 + random() % 60), random() % 400, mark, at),
                     at);
      } else if (random() % 8 == 0) {
        check(key, cache.LookupStale(key.key(), now()));
      } else {
        check(key, cache.Lookup(key.key(), now()));
      }
    }
    --running;
  };
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < kThreads; ++thread) threads.emplace_back(work, thread);
  uint64_t readings = 0;
  uint64_t restored = 0;
  while (running > 0) {
    std::vector<CacheEntry> entries;
    for (CacheCursor cursor; cache.Walk(cursor, entries, now());) {
    }
    if (readings % 4 == 0) cache.FlushZone(WireName(readings % 8 == 0 ? "example." : "n7.example."));
    for (const CacheEntry& entry : entries) {
      const OctetView question = entry.image->question();
      const CacheKey key{entry.image->qname(), ReadU16(&question[question.size() - 4]), rr_class::kIn, entry.dnssec_ok,
                         entry.checking_disabled};
      restored += cache.Restore(key, entry.image, now()) ? uint64_t{1} : uint64_t{0};
    }
    if (!entries.empty()) cache.FlushName(entries.front().image->qname());
    for (const ResponseCache::Statistics& shard : cache.PerShard(now())) {
      if (shard.octets > cache.octets_max() / 2) ++wrong;
    }
    ++readings;
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(readings, 0U);
  EXPECT_GT(restored, 0U);
  const ResponseCache::Statistics total = cache.Total(now());
  EXPECT_GT(total.hits, 1'000U);
  EXPECT_GT(total.evictions, 1'000U);
  EXPECT_GT(total.expired, 1'000U);
  EXPECT_EQ(total.octets <= cache.octets_max(), true);
}

}  // namespace
}  // namespace dotward
