#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <list>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/naive_cache.h"
#include "testing/messages.h"

// Streams as resolvers see them, replayed on the cache and on an exact LRU that may use as many octets.

namespace dotward {
namespace {

using std::chrono::milliseconds;

constexpr size_t kShardOctets = size_t{256} << 10U;

// Draws names by a Zipf law with exponent 1: the n-th is asked for 1/n as often as the first.
class ZipfNames {
 public:
  ZipfNames(size_t names, uint64_t seed) : random_(seed), sums_(names), names_(names) {
    double sum = 0;
    for (size_t n = 0; n < names; ++n) sums_[n] = sum += 1.0 / static_cast<double>(n + 1);
    for (size_t n = 0; n < names; ++n) names_[n] = static_cast<uint32_t>(n);
    next_name_ = static_cast<uint32_t>(names);
  }

  uint32_t Next() {
    const double place = std::uniform_real_distribution<double>(0, sums_.back())(random_);
    return names_[static_cast<size_t>(std::lower_bound(sums_.begin(), sums_.end(), place) - sums_.begin())];
  }

  // Some name of any rank is forgotten, and one that nobody has heard of takes its place.
  void Churn() { names_[random_() % names_.size()] = next_name_++; }

 private:
  std::mt19937_64 random_;
  std::vector<double> sums_;
  std::vector<uint32_t> names_;
  uint32_t next_name_;
};

// What every cache is compared with: exact order of use, exact octets, expiry.
class ExactLru {
 public:
  explicit ExactLru(size_t octets_max) : octets_max_(octets_max) {}

  bool Lookup(const std::string& name, SteadyTime now) {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second->image->Expired(now)) return false;
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return true;
  }

  void Insert(const std::string& name, ImagePtr image) {
    if (const auto found = entries_.find(name); found != entries_.end()) Erase(found->second);
    octets_ += OctetsOf(*image);
    while (octets_ > octets_max_) Erase(std::prev(by_use_.end()));
    by_use_.push_front({name, std::move(image)});
    entries_[name] = by_use_.begin();
  }

 private:
  struct Entry {
    std::string name;
    ImagePtr image;
  };
  static size_t OctetsOf(const ResponseImage& image) {
    return image.memory_octets() + EntryTable::kBlockOctets / EntryTable::kBlockEntries;
  }
  void Erase(std::list<Entry>::iterator entry) {
    octets_ -= OctetsOf(*entry->image);
    entries_.erase(entry->name);
    by_use_.erase(entry);
  }

  const size_t octets_max_;
  size_t octets_ = 0;
  std::list<Entry> by_use_;
  std::unordered_map<std::string, std::list<Entry>::iterator> entries_;
};

struct Hits {
  size_t asked = 0;
  size_t cache = 0;
  size_t lru = 0;
  double ratio() const { return static_cast<double>(cache) / static_cast<double>(asked); }
  double lru_ratio() const { return static_cast<double>(lru) / static_cast<double>(asked); }
};

class CacheReplayTest : public testing::Test {
 protected:
  // As many octets for the LRU as the cache has beside what it is made of when it is empty.
  explicit CacheReplayTest(size_t octets_max = 4 * kShardOctets)
      : cache_({.octets_max = octets_max, .shards = 4, .hash_seed = 11}),
        lru_(octets_max - static_cast<size_t>(cache_.Total(now_).octets)) {}

  static std::string NameOf(uint32_t number) { return "host" + std::to_string(number) + ".example."; }

  // A client asks; a miss is fetched.
  void Ask(uint32_t number, Hits& hits, uint32_t ttl) {
    const std::string text = NameOf(number);
    const Octets name = WireName(text);
    const CacheKey key{name, rr_type::kA};
    ++hits.asked;
    const bool in_cache = cache_.Lookup(key, now_).has_value();
    const bool in_lru = lru_.Lookup(text, now_);
    hits.cache += in_cache ? size_t{1} : size_t{0};
    hits.lru += in_lru ? size_t{1} : size_t{0};
    if (in_cache && in_lru) return;
    const ImagePtr image =
        MakeImage(MakeQuestion(name, rr_type::kA, rr_class::kIn), ResponseKind::kPositive, false, ttl, 20, 0, now_);
    if (!in_cache) cache_.Insert(key, image, now_);
    if (!in_lru) lru_.Insert(text, image);
  }

  // Somebody asks for a name that does not exist, and never asks for it again.
  void AskInVain(uint32_t number) {
    const std::string text = "r" + std::to_string(number) + ".flood.example.";
    const Octets name = WireName(text);
    const CacheKey key{name, rr_type::kA};
    ASSERT_FALSE(cache_.Lookup(key, now_));
    const ImagePtr image =
        MakeImage(MakeQuestion(name, rr_type::kA, rr_class::kIn), ResponseKind::kNxDomain, false, 900, 20, 0, now_);
    cache_.Insert(key, image, now_);
    lru_.Insert(text, image);
  }

  SteadyTime now_{std::chrono::hours(24)};
  ResponseCache cache_;
  ExactLru lru_;
};

TEST_F(CacheReplayTest, HitsAsOftenAsAnExactLruOfTheSameOctetsOnZipfWithChurn) {
  ZipfNames names(40'000, 1);
  Hits warming;
  Hits hits;
  for (int n = 0; n < 600'000; ++n) {
    Ask(names.Next(), n < 100'000 ? warming : hits, 86'400);
    if (n % 20 == 0) names.Churn();
  }
  std::printf("churn: cache %.4f, exact LRU %.4f\n", hits.ratio(), hits.lru_ratio());
  EXPECT_GT(hits.ratio(), hits.lru_ratio() - 0.01);
  EXPECT_GT(hits.lru_ratio(), 0.3) << "the stream has something to cache";
  EXPECT_LT(hits.lru_ratio(), 0.9) << "and does not fit";
}

TEST_F(CacheReplayTest, HitsAsOftenAsAnExactLruWhereAnswersExpire) {
  ZipfNames names(40'000, 2);
  Hits warming;
  Hits hits;
  constexpr std::array<uint32_t, 6> kTtls = {20, 60, 300, 300, 3'600, 86'400};
  for (int n = 0; n < 600'000; ++n) {
    const uint32_t name = names.Next();
    Ask(name, n < 100'000 ? warming : hits, kTtls[name % kTtls.size()]);
    if (n % 20 == 0) names.Churn();
    now_ += milliseconds(2);
  }
  std::printf("expiry: cache %.4f, exact LRU %.4f\n", hits.ratio(), hits.lru_ratio());
  EXPECT_GT(hits.ratio(), hits.lru_ratio() - 0.01);
}

TEST_F(CacheReplayTest, A7_RandomSubdomainFloodCostsTheOthersTwoPointsOfTheHitRatioAtMost) {
  ZipfNames names(40'000, 3);
  Hits warming;
  Hits before;
  Hits during;
  uint32_t flood = 0;
  for (int n = 0; n < 390'000; ++n) {
    Ask(names.Next(), n < 200'000 ? warming : n < 350'000 ? before : during, 3'600);
    // Ten times as many as there are good queries.
    for (int vain = 0; n >= 350'000 && vain < 10; ++vain) AskInVain(flood++);
    if (n % 100 == 0) names.Churn();
    now_ += milliseconds(1);
  }
  std::printf("flood: cache %.4f -> %.4f, exact LRU %.4f -> %.4f\n", before.ratio(), during.ratio(), before.lru_ratio(),
              during.lru_ratio());
  EXPECT_GT(during.ratio(), before.ratio() - 0.02);
  EXPECT_LT(during.lru_ratio(), before.lru_ratio() - 0.05) << "a flood that an LRU feels";
}

}  // namespace
}  // namespace dotward
