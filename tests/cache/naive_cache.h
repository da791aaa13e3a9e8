#ifndef DOTWARD_TESTS_CACHE_NAIVE_CACHE_H_
#define DOTWARD_TESTS_CACHE_NAIVE_CACHE_H_

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "cache/entry_table.h"
#include "dotward/response_cache.h"

// What the cache must do, written as plainly as possible, and a run of random operations on both. Shared between the
// tests and the fuzz target, and so free of any test framework.

namespace dotward {

// A response of one TXT record with `data_octets` of data that begin with `mark`; its meaning is as it is told.
inline ImagePtr MakeImage(OctetView question, ResponseKind kind, bool behind_alias, uint32_t ttl, size_t data_octets,
                          uint32_t mark, SteadyTime received_at) {
  Octets message = {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
  message.insert(message.end(), question.begin(), question.end());
  const Octets fixed = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0};
  message.insert(message.end(), fixed.begin(), fixed.end());
  message.push_back(static_cast<uint8_t>((data_octets + 5) >> 8U));
  message.push_back(static_cast<uint8_t>((data_octets + 5) & 0xffU));
  message.insert(message.end(), {4, static_cast<uint8_t>(mark >> 24U), static_cast<uint8_t>((mark >> 16U) & 0xffU),
                                 static_cast<uint8_t>((mark >> 8U) & 0xffU), static_cast<uint8_t>(mark & 0xffU)});
  for (size_t left = data_octets; left > 0;) {
    const size_t string = std::min(left - 1, size_t{255});
    message.push_back(static_cast<uint8_t>(string));
    message.insert(message.end(), string, 'x');
    left -= string + 1;
  }
  const absl::StatusOr<Message> parsed = ParseResponse(message);
  if (!parsed.ok()) std::abort();
  Classification classification;
  classification.kind = kind;
  classification.rcode = kind == ResponseKind::kNxDomain ? Rcode::kNxDomain : Rcode::kNoError;
  classification.behind_alias = behind_alias;
  classification.ttl = ttl;
  classification.records.push_back({.keep = true, .ttl = ttl});
  absl::StatusOr<ImagePtr> image = ResponseImage::Build(*parsed, classification, "", received_at);
  if (!image.ok()) std::abort();
  return *std::move(image);
}

inline Octets MakeQuestion(OctetView name, uint16_t type, uint16_t klass) {
  Octets question(name.begin(), name.end());
  question.insert(question.end(), {static_cast<uint8_t>(type >> 8U), static_cast<uint8_t>(type & 0xffU),
                                   static_cast<uint8_t>(klass >> 8U), static_cast<uint8_t>(klass & 0xffU)});
  return question;
}

// One shard's worth of cache: a map, and every choice by looking at all of it.
class NaiveCache {
 public:
  // `fixed_octets` is what the empty cache counts.
  NaiveCache(size_t octets_max, size_t fixed_octets) : octets_max_(octets_max), fixed_octets_(fixed_octets) {}

  const ResponseImage* Lookup(const CacheKey& key, SteadyTime now) {
    auto at = entries_.find(IdOf(key, true));
    if (at == entries_.end()) at = entries_.find(IdOf(key, false));
    if (at == entries_.end() || now >= at->second.image->expires_at()) {
      ++statistics_.misses;
      return nullptr;
    }
    ++statistics_.hits;
    at->second.last_use = ++turn_;
    return at->second.image.get();
  }

  void Insert(const CacheKey& key, ImagePtr image, SteadyTime now) {
    if (image->lifetime_seconds() == 0 || now >= image->expires_at()) return;
    const bool every_type = image->kind() == ResponseKind::kNxDomain && !image->behind_alias();
    if (every_type) {
      while (EraseObsolete(entries_.lower_bound(FirstIdOf(key)), key, now)) {
      }
    }
    EraseObsolete(entries_.find(IdOf(key, true)), key, now);
    EraseObsolete(entries_.find(IdOf(key, false)), key, now);
    for (size_t n = 0; n < Limits::kCacheExpiredPerInsert; ++n) RemoveOneExpired(now);
    if (fixed_octets_ + EntryTable::kBlockOctets + image->memory_octets() > octets_max_) return;

    auto stored_first = entries_.end();
    size_t of_name = 0;
    const std::string name = std::get<0>(IdOf(key, false));
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (std::get<0>(at->first) != name) continue;
      ++of_name;
      if (stored_first == entries_.end() || at->second.stored < stored_first->second.stored) stored_first = at;
    }
    if (of_name >= Limits::kCacheEntriesPerNameMax) {
      Remove(stored_first, now);
      ++name_limit_reached_;
    }

    while (octets(1) + image->memory_octets() > octets_max_) {
      if (RemoveOneExpired(now)) continue;
      auto least = entries_.begin();
      for (auto at = entries_.begin(); at != entries_.end(); ++at) {
        if (at->second.last_use < least->second.last_use) least = at;
      }
      Remove(least, now);
    }
    ++statistics_.insertions;
    ++turn_;
    image_octets_ += image->memory_octets();
    entries_.emplace(IdOf(key, every_type), Entry{std::move(image), turn_, turn_});
  }

  ResponseCache::Statistics statistics() const {
    ResponseCache::Statistics statistics = statistics_;
    statistics.entries = entries_.size();
    statistics.octets = octets(0);
    return statistics;
  }

  size_t name_limit_reached() const { return name_limit_reached_; }

  // The entry at `position` modulo their number, or null.
  const ResponseImage* At(size_t position) const {
    if (entries_.empty()) return nullptr;
    return std::next(entries_.begin(), static_cast<std::ptrdiff_t>(position % entries_.size()))->second.image.get();
  }

 private:
  // Name in lower case, class, DO, CD, every type?, type.
  using Id = std::tuple<std::string, uint16_t, bool, bool, bool, uint16_t>;
  struct Entry {
    ImagePtr image;
    uint64_t last_use = 0;
    uint64_t stored = 0;
  };
  using Entries = std::map<Id, Entry>;

  static Id IdOf(const CacheKey& key, bool every_type) {
    std::string name;
    for (const uint8_t octet : key.qname) name.push_back(static_cast<char>(LowerOctet(octet)));
    return {name, key.qclass, key.dnssec_ok, key.checking_disabled, every_type, every_type ? uint16_t{0} : key.qtype};
  }
  static Id FirstIdOf(const CacheKey& key) {
    Id id = IdOf(key, false);
    std::get<5>(id) = 0;
    return id;
  }

  size_t octets(size_t more_entries) const {
    const size_t blocks = (entries_.size() + more_entries + EntryTable::kBlockEntries - 1) / EntryTable::kBlockEntries;
    return fixed_octets_ + blocks * EntryTable::kBlockOctets + image_octets_;
  }

  bool EraseObsolete(Entries::iterator at, const CacheKey& key, SteadyTime now) {
    if (at == entries_.end()) return false;
    Id id = at->first;
    std::get<4>(id) = false;
    std::get<5>(id) = 0;
    if (id != FirstIdOf(key)) return false;
    if (now >= at->second.image->expires_at()) ++statistics_.expired;
    Erase(at);
    return true;
  }

  bool RemoveOneExpired(SteadyTime now) {
    auto soonest = entries_.begin();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second.image->expires_at() < soonest->second.image->expires_at()) soonest = at;
    }
    if (soonest == entries_.end() || now < soonest->second.image->expires_at()) return false;
    Remove(soonest, now);
    return true;
  }

  void Remove(Entries::iterator at, SteadyTime now) {
    ++(now >= at->second.image->expires_at() ? statistics_.expired : statistics_.evictions);
    Erase(at);
  }

  void Erase(Entries::iterator at) {
    image_octets_ -= at->second.image->memory_octets();
    entries_.erase(at);
  }

  const size_t octets_max_;
  const size_t fixed_octets_;
  size_t image_octets_ = 0;
  size_t name_limit_reached_ = 0;
  uint64_t turn_ = 0;
  Entries entries_;
  ResponseCache::Statistics statistics_;
};

// Runs operations that `source` chooses on a cache and on the naive one and compares everything that can be seen after
// each. Returns what differed, or an empty string. `source.Next(n)` gives a number below n; `source.Done()` ends the
// run.
template <typename Source>
class CacheComparison {
 public:
  CacheComparison(Source& source, size_t octets_max, uint64_t seed)
      : source_(source),
        cache_({.octets_max = octets_max, .shards = 1, .hash_seed = seed}),
        naive_(octets_max, cache_.Total(now_).octets) {}

  std::string Run() {
    std::string difference;
    while (difference.empty() && !source_.Done()) {
      const uint32_t operation = Next(32);
      if (operation == 0) {
        Advance();
      } else if (operation == 1) {
        LookupAroundAnExpiry();
      } else if (operation < 16) {
        Insert();
      } else {
        Lookup(RandomKey(), now_);
      }
      difference = Difference();
    }
    // At the end, every key of the usual pool.
    for (unsigned name = 0; name < kNames && difference.empty(); ++name) {
      for (const uint16_t type : kTypes) {
        for (unsigned bits = 0; bits < 4; ++bits) {
          NameOf(name);
          Lookup({name_, type, rr_class::kIn, (bits & 1U) != 0, (bits & 2U) != 0}, now_);
        }
      }
      difference = Difference();
    }
    return difference;
  }

  // What the run has come to, so that a test can see that it reached what it is for.
  ResponseCache::Statistics statistics() const { return naive_.statistics(); }
  size_t name_limit_reached() const { return naive_.name_limit_reached(); }

 private:
  static constexpr unsigned kNames = 48;
  static constexpr std::array<uint16_t, 6> kTypes = {rr_type::kA, rr_type::kAaaa, rr_type::kTxt, rr_type::kHttps,
                                                     0,           65535};

  uint32_t Next(uint32_t bound) { return static_cast<uint32_t>(source_.Next(bound)); }

  // Names of one to four labels and of one to 255 octets.
  void NameOf(unsigned number) {
    name_.clear();
    if (number == kNames - 1) {
      for (int label = 0; label < 4; ++label) {
        const size_t length = label == 3 ? 61 : 63;
        name_.push_back(static_cast<uint8_t>(length));
        name_.insert(name_.end(), length, 'q');
      }
    } else if (number > 0) {
      for (unsigned label = 0; label <= number % 3; ++label) {
        const std::string text = std::string(number % 11, 'n') + "z" + std::to_string(number);
        name_.push_back(static_cast<uint8_t>(text.size()));
        name_.insert(name_.end(), text.begin(), text.end());
      }
    }
    name_.push_back(0);
  }

  CacheKey RandomKey() {
    // One name in a while gets many types, so that it reaches the limit of entries for a name.
    const bool many_types = Next(4) == 0;
    NameOf(many_types ? 7 : Next(kNames));
    for (uint32_t upper = Next(4) == 0 ? Next(1U << 16U) : 0, at = 0; upper != 0 && at < name_.size();
         upper >>= 1U, ++at) {
      if ((upper & 1U) != 0 && name_[at] >= 'a' && name_[at] <= 'z') name_[at] = static_cast<uint8_t>(name_[at] - 32);
    }
    const auto type = static_cast<uint16_t>(many_types ? 100 + Next(90) : kTypes[Next(kTypes.size())]);
    const uint16_t klass = Next(16) == 0 ? rr_class::kCh : rr_class::kIn;
    return {name_, type, klass, Next(4) == 0, Next(8) == 0};
  }

  void Advance() {
    constexpr std::array<unsigned, 8> kSteps10ms = {0, 1, 99, 100, 150, 500, 1000, 20'000};
    now_ += std::chrono::milliseconds(10 * kSteps10ms[Next(kSteps10ms.size())]);
  }

  void Insert() {
    const CacheKey key = RandomKey();
    constexpr std::array<uint32_t, 8> kTtls = {0, 1, 10, 60, 300, 3'600, 86'400, 0x7fff'ffff};
    const uint32_t size_class = Next(256);
    const uint32_t size = size_class < 2 ? 60'000 : size_class < 16 ? 4'000 : size_class < 200 ? 100 : 0;
    const uint32_t kind_class = Next(32);
    const ResponseKind kind = kind_class < 2   ? ResponseKind::kNxDomain
                              : kind_class < 3 ? ResponseKind::kFailure
                              : kind_class < 8 ? ResponseKind::kNoData
                                               : ResponseKind::kPositive;
    // A nanosecond an insert, while everything else is in steps of ten milliseconds: no two images expire at the same
    // moment, so which expired entry goes first is certain.
    now_ += std::chrono::nanoseconds(1);
    const SteadyTime received_at = now_ - std::chrono::seconds(Next(4) == 0 ? Next(4) : 0);
    ImagePtr image = MakeImage(MakeQuestion(key.qname, key.qtype, key.qclass), kind, Next(4) == 0,
                               kTtls[Next(kTtls.size())], size == 0 ? 0 : Next(size), 0, received_at);
    cache_.Insert(key, image, now_);
    naive_.Insert(key, std::move(image), now_);
  }

  void Lookup(const CacheKey& key, SteadyTime now) {
    const std::optional<CachedResponse> found = cache_.Lookup(key, now);
    const ResponseImage* expected = naive_.Lookup(key, now);
    if ((found ? found->image.get() : nullptr) != expected) {
      lookup_difference_ = expected == nullptr ? "an answer where there is none"
                           : found             ? "another answer"
                                               : "no answer where there is one";
    } else if (found && found->age_seconds != AgeOf(*expected, now)) {
      lookup_difference_ = "another age";
    }
  }

  static uint32_t AgeOf(const ResponseImage& image, SteadyTime now) {
    if (now < image.received_at()) return 0;
    return static_cast<uint32_t>((now - image.received_at()) / std::chrono::seconds(1));
  }

  void LookupAroundAnExpiry() {
    const ResponseImage* image = naive_.At(Next(1U << 16U));
    if (image == nullptr) return;
    const OctetView question = image->question();
    const CacheKey key{image->qname(),
                       static_cast<uint16_t>(question[question.size() - 4] << 8U | question[question.size() - 3]),
                       static_cast<uint16_t>(question[question.size() - 2] << 8U | question[question.size() - 1]),
                       Next(2) == 0, Next(4) == 0};
    const SteadyTime expiry = image->expires_at();
    Lookup(key, expiry - std::chrono::nanoseconds(1));
    Lookup(key, expiry);
  }

  std::string Difference() const {
    if (!lookup_difference_.empty()) return lookup_difference_;
    const ResponseCache::Statistics a = cache_.Total(now_);
    const ResponseCache::Statistics b = naive_.statistics();
    const auto differ = [](const char* what, uint64_t is, uint64_t should) {
      return std::string(what) + " " + std::to_string(is) + ", expected " + std::to_string(should);
    };
    // Only a bound that is too small even for the empty cache cannot be kept.
    if (a.entries > 0 && a.octets > cache_.octets_max())
      return differ("octets over the bound:", a.octets, cache_.octets_max());
    if (a.entries != b.entries) return differ("entries", a.entries, b.entries);
    if (a.octets != b.octets) return differ("octets", a.octets, b.octets);
    if (a.hits != b.hits) return differ("hits", a.hits, b.hits);
    if (a.misses != b.misses) return differ("misses", a.misses, b.misses);
    if (a.insertions != b.insertions) return differ("insertions", a.insertions, b.insertions);
    if (a.evictions != b.evictions) return differ("evictions", a.evictions, b.evictions);
    if (a.expired != b.expired) return differ("expired", a.expired, b.expired);
    return {};
  }

  Source& source_;
  SteadyTime now_{std::chrono::hours(24)};
  ResponseCache cache_;
  NaiveCache naive_;
  Octets name_;  // of the key that was made last
  std::string lookup_difference_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_CACHE_NAIVE_CACHE_H_
