#include <gtest/gtest.h>

#include <random>

#include "cache/naive_cache.h"

namespace dotward {
namespace {

class RandomSource {
 public:
  RandomSource(uint64_t seed, size_t numbers) : random_(seed), left_(numbers) {}
  uint64_t Next(uint64_t bound) {
    left_ -= left_ > 0 ? 1 : 0;
    return random_() % bound;
  }
  bool Done() const { return left_ == 0; }

 private:
  std::mt19937_64 random_;
  size_t left_;
};

// How far a run gets with its memory.
enum class Reached : uint8_t { kNothing, kStored, kEvicted };

struct ModelRun {
  uint64_t seed;
  size_t octets_max;
  size_t numbers;  // about ten an operation
  Reached reached;
};

class CacheModelTest : public testing::TestWithParam<ModelRun> {};

TEST_P(CacheModelTest, BehavesAsTheNaiveCacheAfterEachOfManyRandomOperations) {
  const ModelRun& run = GetParam();
  RandomSource source(run.seed, run.numbers);
  CacheComparison comparison(source, run.octets_max, run.seed * 7919);
  EXPECT_EQ(comparison.Run(), "");
  const ResponseCache::Statistics statistics = comparison.statistics();
  EXPECT_EQ(statistics.insertions > 0, run.reached >= Reached::kStored);
  EXPECT_EQ(statistics.evictions > 500 && statistics.expired > 500, run.reached == Reached::kEvicted);
  EXPECT_EQ(comparison.name_limit_reached() > 0, run.octets_max > 100'000);
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, CacheModelTest,
    testing::Values(ModelRun{1, 1'000, 50'000, Reached::kNothing}, ModelRun{2, 4'000, 250'000, Reached::kEvicted},
                    ModelRun{3, 12'000, 500'000, Reached::kEvicted}, ModelRun{4, 30'000, 600'000, Reached::kEvicted},
                    ModelRun{5, 30'000, 600'000, Reached::kEvicted}, ModelRun{6, 60'000, 600'000, Reached::kEvicted},
                    ModelRun{7, 130'000, 500'000, Reached::kEvicted},
                    ModelRun{8, 2'000'000, 250'000, Reached::kStored}));

}  // namespace
}  // namespace dotward
