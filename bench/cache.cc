// What the cache costs by itself: lookups a second in one thread and in two, on one name that everybody asks for and on
// many in random order, an insert, an insert into a full cache, and what the memory alone takes of that. Prints one
// object of JSON.
//
//   bench_cache [--names N] [--rounds N] [--milliseconds N]
//
// Lookups a second are counted by the clock, since threads may wait for each other, the median of --rounds; what they
// take has in it the writing down of the name, some nanoseconds. The other figures are the processor's time.

#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cache/entry_table.h"
#include "dns/response_image.h"
#include "dotward/response_cache.h"

namespace dotward::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kFewNames = 10'000;
// Between two looks at the clock.
constexpr size_t kBatch = 1024;

struct Options {
  size_t names = 1'000'000;
  size_t rounds = 5;
  size_t milliseconds = 200;
};

// A question for the address of number.big.example, 24 octets of text: as bench_load asks.
class Question {
 public:
  Question() {
    constexpr std::string_view kTemplate(
        "\x0c"
        "000000000000"
        "\x03"
        "big"
        "\x07"
        "example"
        "\0"
        "\0\x01\0\x01",
        30);
    static_assert(kTemplate.size() == kOctets);
    std::ranges::copy(kTemplate, octets_.begin());
  }

  CacheKey For(uint64_t number) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (size_t i = kDigits; i > 0 && number != before_; --i) {
      octets_[i] = static_cast<uint8_t>(kHex[(number >> (4 * (kDigits - i))) & 0xf]);
    }
    before_ = number;
    return {.qname = OctetView(octets_).first(kOctets - 4), .qtype = rr_type::kA};
  }
  OctetView octets() const { return octets_; }

 private:
  static constexpr size_t kDigits = 12;
  static constexpr size_t kOctets = 30;
  std::array<uint8_t, kOctets> octets_{};
  uint64_t before_ = 0;
};

ImagePtr BuildImage(OctetView question, SteadyTime now) {
  constexpr uint32_t kTtl = 1U << 20U;  // longer than this runs
  const ResponseImage::LocalRecord record{.type = rr_type::kA, .ttl = kTtl, .rdata = {192, 0, 2, 1}};
  return ResponseImage::BuildLocal(question, Rcode::kNoError, std::span(&record, 1), {}, now);
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

double NanosecondsBetween(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::nano>(end - start).count();
}

// Of the processor, for this thread alone.
double ThreadNanoseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Stores the names [first, first + count); nanoseconds an insert, without what it takes to make the image.
double Fill(ResponseCache& cache, uint64_t first, size_t count, SteadyTime now) {
  std::vector<std::pair<Question, ImagePtr>> batch;
  double nanoseconds = 0;
  for (size_t done = 0; done < count; done += batch.size()) {
    batch.clear();
    while (batch.size() < std::min(kBatch, count - done)) {
      Question question;
      question.For(first + done + batch.size());
      batch.emplace_back(question, BuildImage(question.octets(), now));
    }
    const double before = ThreadNanoseconds();
    for (auto& [question, image] : batch) {
      const OctetView octets = question.octets();
      cache.Insert({.qname = octets.first(octets.size() - 4), .qtype = rr_type::kA}, std::move(image), now);
    }
    nanoseconds += ThreadNanoseconds() - before;
  }
  return nanoseconds / static_cast<double>(count);
}

struct Counted {
  double a_second = 0;
  double found = 0;  // part of them
};

// Lookups of random ones of the first `names` names, for as long as is said, in one thread.
Counted LookUp(ResponseCache& cache, size_t names, uint64_t seed, std::chrono::milliseconds time, SteadyTime now) {
  std::mt19937_64 random(seed);
  Question question;
  size_t lookups = 0;
  size_t found = 0;
  const Clock::time_point start = Clock::now();
  Clock::time_point end = start;
  for (; end - start < time; end = Clock::now(), lookups += kBatch) {
    for (size_t n = 0; n < kBatch; ++n) {
      const uint64_t number = names == 1 ? 0 : ((random() >> 32U) * names) >> 32U;
      if (cache.Lookup(question.For(number), now)) ++found;
    }
  }
  return {.a_second = static_cast<double>(lookups) * 1e9 / NanosecondsBetween(start, end),
          .found = static_cast<double>(found) / static_cast<double>(lookups)};
}

// The sum of all threads.
Counted LookUpTogether(ResponseCache& cache, size_t names, size_t threads, const Options& options, SteadyTime now) {
  std::vector<double> rates;
  double found = 1;
  for (size_t round = 0; round < options.rounds; ++round) {
    std::vector<Counted> counted(threads);
    std::barrier start(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> running;
    for (size_t n = 0; n < threads; ++n) {
      running.emplace_back([&, n] {
        start.arrive_and_wait();
        counted[n] =
            LookUp(cache, names, round * threads + n + 1, std::chrono::milliseconds(options.milliseconds), now);
      });
    }
    for (std::thread& thread : running) thread.join();
    double sum = 0;
    for (const Counted& one : counted) {
      sum += one.a_second;
      found = std::min(found, one.found);
    }
    rates.push_back(sum);
  }
  return {.a_second = Median(std::move(rates)), .found = found};
}

// Memory as a hit goes through it, and nothing else: a bucket, the entry that it leads to, which is written to, the
// image of the entry from its beginning to its end, of which a reference is taken and given back. Each place is known
// only when the one before it has been read. What is read decides with a counter which bucket is next, so that there is
// no cycle that would fit into the processor's caches.
class Touches {
 public:
  static constexpr size_t kPlaces = 3;

  Touches(size_t names, size_t image_octets) : buckets_(std::bit_ceil(names)) {
    std::mt19937_64 random(1);
    for (size_t n = 0; n < names; ++n) {
      if (n % EntryTable::kBlockEntries == 0) blocks_.push_back(std::make_unique<Block>());
      auto image = std::make_unique<uint8_t[]>(image_octets);
      const uint64_t value = random();
      std::memcpy(&image[sizeof(uint32_t)], &value, sizeof(value));
      blocks_.back()->entries[n % EntryTable::kBlockEntries].image = std::move(image);
    }
    std::vector<uint32_t> order(names);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::shuffle(order, random);
    for (size_t n = 0; n < buckets_.size(); ++n) buckets_[n] = order[n % names];
    image_octets_ = image_octets;
  }

  // Nanoseconds of one hit's share.
  double Measure(const Options& options) {
    std::vector<double> rounds;
    uint64_t value = 0;
    uint64_t count = 0;
    for (size_t round = 0; round < options.rounds; ++round) {
      const uint64_t before = count;
      const Clock::time_point start = Clock::now();
      const double spent = ThreadNanoseconds();
      while (Clock::now() - start < std::chrono::milliseconds(options.milliseconds)) {
        for (size_t n = 0; n < kBatch; ++n) value = Touch(value + ++count);
      }
      rounds.push_back((ThreadNanoseconds() - spent) / static_cast<double>(count - before));
    }
    sink_.store(value, std::memory_order_relaxed);
    return Median(std::move(rounds));
  }

 private:
  struct Entry {
    std::unique_ptr<uint8_t[]> image;
    std::array<uint8_t, sizeof(EntryTable::Entry) - sizeof(image)> rest{};
  };
  struct Block {
    std::array<Entry, EntryTable::kBlockEntries> entries;
    std::array<uint32_t, EntryTable::kBlockEntries> heap{};
  };

  uint64_t Touch(uint64_t number) {
    constexpr uint64_t kGolden = 0x9e3779b97f4a7c15U;
    const size_t entry = buckets_[((number * kGolden) >> 32U) & (buckets_.size() - 1)];
    Entry& found = blocks_[entry / EntryTable::kBlockEntries]->entries[entry % EntryTable::kBlockEntries];
    found.rest[0] = static_cast<uint8_t>(number);
    uint8_t* const image = found.image.get();
    const std::atomic_ref<uint32_t> references(*reinterpret_cast<uint32_t*>(image));
    references.fetch_add(1, std::memory_order_relaxed);
    uint64_t value = 0;
    std::memcpy(&value, image + sizeof(uint32_t), sizeof(value));
    value += image[image_octets_ - 1];
    references.fetch_sub(1, std::memory_order_acq_rel);
    return value;
  }

  std::vector<uint32_t> buckets_;
  std::vector<std::unique_ptr<Block>> blocks_;
  size_t image_octets_ = 0;
  std::atomic<uint64_t> sink_{0};  // so that the reads are for something
};

int Measure(const Options& options) {
  const SteadyTime now = Clock::now();
  constexpr size_t kOctetsPlenty = 256;  // a name
  constexpr size_t kShards = 64;         // as the server has them
  constexpr uint64_t kSeed = 0x646f7477617264;
  auto cache = std::make_unique<ResponseCache>(
      ResponseCache::Options{.octets_max = options.names * kOctetsPlenty, .shards = kShards, .hash_seed = kSeed});
  const double insert_ns = Fill(*cache, 0, options.names, now);
  const ResponseCache::Statistics full = cache->Total(now);
  if (full.entries != options.names) {
    std::fprintf(stderr, "bench_cache: of %zu names %zu are in the cache\n", options.names, size_t{full.entries});
    return 2;
  }
  std::printf("{\"names\": %zu, \"counted_octets_an_entry\": %.1f, \"insert_ns\": %.1f,\n \"lookups\": [",
              options.names, static_cast<double>(full.octets) / static_cast<double>(full.entries), insert_ns);
  bool all_found = true;
  const char* comma = "";
  for (const size_t names : {size_t{1}, std::min(kFewNames, options.names), options.names}) {
    for (const size_t threads : {size_t{1}, size_t{2}}) {
      const Counted counted = LookUpTogether(*cache, names, threads, options, now);
      all_found = all_found && counted.found == 1;
      std::printf("%s\n  {\"names\": %zu, \"threads\": %zu, \"a_second\": %.0f}", comma, names, threads,
                  counted.a_second);
      comma = ",";
    }
  }
  const size_t image_octets = BuildImage(Question().octets(), now)->memory_octets() - sizeof(size_t);
  cache.reset();

  // A full one: every insert has to look for what goes.
  ResponseCache small({.octets_max = full.octets / 4, .shards = kShards, .hash_seed = kSeed});
  Fill(small, 0, options.names / 2, now);
  const uint64_t evicted_before = small.Total(now).evictions;
  const double evict_ns = Fill(small, options.names / 2, options.names / 2, now);
  const uint64_t evicted = small.Total(now).evictions - evicted_before;
  std::printf("\n ],\n \"insert_evicting_ns\": %.1f, \"evictions_an_insert\": %.3f,\n \"memory\": [", evict_ns,
              static_cast<double>(evicted) / static_cast<double>(options.names / 2));
  comma = "";
  for (const size_t names : {std::min(kFewNames, options.names), options.names}) {
    std::printf("%s\n  {\"names\": %zu, \"places\": %zu, \"ns\": %.1f}", comma, names, Touches::kPlaces,
                Touches(names, image_octets).Measure(options));
    comma = ",";
  }
  std::printf("\n ]}\n");
  if (!all_found) std::fprintf(stderr, "bench_cache: not every name was found\n");
  return all_found ? 0 : 2;
}

bool ParseNumber(std::string_view text, size_t min, size_t max, size_t& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && out >= min && out <= max;
}

int Main(std::span<char*> arguments) {
  Options options;
  bool good = arguments.size() % 2 == 0;
  for (size_t i = 0; good && i < arguments.size(); i += 2) {
    const std::string_view key = arguments[i];
    const std::string_view value = arguments[i + 1];
    if (key == "--names") {
      good = ParseNumber(value, 1000, 10'000'000, options.names);
    } else if (key == "--rounds") {
      good = ParseNumber(value, 1, 1000, options.rounds);
    } else if (key == "--milliseconds") {
      good = ParseNumber(value, 1, 60'000, options.milliseconds);
    } else {
      good = false;
    }
  }
  if (!good) {
    std::fprintf(stderr, "usage: bench_cache [--names N] [--rounds N] [--milliseconds N]\n");
    return 1;
  }
  return Measure(options);
}

}  // namespace
}  // namespace dotward::bench

int main(int count, char** arguments) {
  return dotward::bench::Main(std::span(arguments, static_cast<size_t>(count)).subspan(1));
}
