#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "cache/naive_cache.h"
#include "testing/messages.h"

namespace dotward {
namespace {

// How often this thread has called operator new.
uint64_t& Allocations() {
  thread_local uint64_t count = 0;
  return count;
}

}  // namespace
}  // namespace dotward

// The whole test program counts; nothing but this file looks. Not inlined: GCC 12 sees overruns in Abseil where it is.
[[gnu::noinline]] void* operator new(size_t octets) {
  ++dotward::Allocations();
  if (void* const memory = std::malloc(octets == 0 ? 1 : octets)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace dotward {
namespace {

TEST(CacheAllocationTest, LookupAllocatesNothing) {
  ResponseCache cache({.octets_max = size_t{1} << 20U, .shards = 4, .hash_seed = 1});
  const SteadyTime now{std::chrono::hours(1)};
  const Octets name = WireName("a.rather.long.name.with.many.labels.example.");
  const Octets other = WireName("other.example.");
  cache.Insert(
      {name, rr_type::kA},
      MakeImage(MakeQuestion(name, rr_type::kA, rr_class::kIn), ResponseKind::kPositive, false, 60, 5'000, 0, now),
      now);
  const uint64_t before = Allocations();
  const bool hit = cache.Lookup({name, rr_type::kA}, now).has_value();
  const bool miss = cache.Lookup({other, rr_type::kA}, now).has_value();
  const bool expired = cache.Lookup({name, rr_type::kA}, now + std::chrono::seconds(60)).has_value();
  EXPECT_EQ(Allocations(), before);
  EXPECT_TRUE(hit);
  EXPECT_FALSE(miss);
  EXPECT_FALSE(expired);
  delete new int;
  EXPECT_EQ(Allocations(), before + 1) << "the count counts";
}

}  // namespace
}  // namespace dotward
