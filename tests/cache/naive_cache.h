#ifndef DOTWARD_TESTS_CACHE_NAIVE_CACHE_H_
#define DOTWARD_TESTS_CACHE_NAIVE_CACHE_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
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

// One shard's worth of cache: a list, and every choice by looking at all of it.
class NaiveCache {
 public:
  // `fixed_octets` is what the empty cache counts.
  NaiveCache(size_t octets_max, size_t fixed_octets) : octets_max_(octets_max), fixed_octets_(fixed_octets) {}

  struct Found {
    const ResponseImage* image = nullptr;
    bool refresh_due = false;
  };
  Found Lookup(const CacheKey& key, SteadyTime now) {
    Entry* const entry = Find(key);
    if (entry == nullptr || entry->image->Expired(now)) {
      ++statistics_.misses;
      return {};
    }
    ++statistics_.hits;
    const bool last_tenth = entry->image->TimeLeft(now) <= std::chrono::seconds(entry->image->lifetime_seconds()) / 10;
    const bool due = last_tenth && entry->uses >= 2 && !entry->refreshed;
    entry->refreshed |= due;
    ++entry->uses;
    return {Use(entry), due};
  }

  const ResponseImage* LookupStale(const CacheKey& key, SteadyTime now) {
    Entry* const entry = Find(key);
    if (entry == nullptr || !entry->image->Expired(now) || IsGone(*entry, now, stale_max_age)) return nullptr;
    return Use(entry);
  }

  void Insert(const CacheKey& key, ImagePtr image, SteadyTime now) {
    if (image->lifetime_seconds() == 0 || image->Expired(now)) return;
    const bool every_type = IsEveryType(key, *image);
    bool replaces = false;
    for (size_t n = entries_.size(); n-- > 0;) {
      const bool covered = entries_[n].id.every_type && key.qtype != rr_type::kDs;
      if (!entries_[n].id.IsOfSameName(IdOf(key, false))) continue;
      if (!every_type && !covered && entries_[n].id != IdOf(key, false)) continue;
      if (entries_[n].image->Expired(now)) ++statistics_.expired;
      Erase(n);
      replaces = true;
    }
    for (size_t n = 0; n < Limits::kCacheExpiredPerInsert; ++n) RemoveOneExpired(now, stale_max_age);
    if (fixed_octets_ + EntryTable::kBlockOctets + image->memory_octets() > octets_max_) return;

    if (CountOfName(key) >= Limits::kCacheEntriesPerNameMax) {
      size_t first = entries_.size();
      for (size_t n = 0; n < entries_.size(); ++n) {
        if (entries_[n].id.name != IdOf(key, false).name) continue;
        if (first == entries_.size() || entries_[n].number < entries_[first].number) first = n;
      }
      Remove(first, now);
      ++name_limit_reached_;
    }
    while (octets(1) + image->memory_octets() > octets_max_) {
      if (!RemoveOneExpired(now, Duration{0})) Remove(LeastUseful(), now);
    }
    ++statistics_.insertions;
    Add(IdOf(key, every_type), std::move(image), replaces, every_type && !replaces);
  }

  bool Restore(const CacheKey& key, ImagePtr image, SteadyTime now) {
    const bool every_type = IsEveryType(key, *image);
    if (image->TimeLeft(now) <= -stale_max_age || octets(1) + image->memory_octets() > octets_max_) return false;
    for (const Entry& entry : entries_) {
      const bool covered = entry.id.every_type && key.qtype != rr_type::kDs;
      if (!entry.id.IsOfSameName(IdOf(key, false))) continue;
      if (every_type || covered || entry.id == IdOf(key, false)) return false;
    }
    if (CountOfName(key) >= Limits::kCacheEntriesPerNameMax) return false;
    Add(IdOf(key, every_type), std::move(image), false, false);
    return true;
  }

  size_t FlushAll() {
    const size_t count = entries_.size();
    while (!entries_.empty()) Erase(0);
    return count;
  }
  size_t FlushName(OctetView qname) {
    size_t count = 0;
    for (size_t n = entries_.size(); n-- > 0;) {
      if (entries_[n].id.name != IdOf({qname, 0}, false).name) continue;
      Erase(n);
      ++count;
    }
    return count;
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
    return entries_.empty() ? nullptr : entries_[position % entries_.size()].image.get();
  }
  // Whether an entry expires at the same moment, so that which of the two goes first is nobody's promise.
  bool HasOneThatExpiresWith(const ResponseImage& image) const {
    for (const Entry& entry : entries_) {
      if (!entry.image->ExpiresBefore(image) && !image.ExpiresBefore(*entry.image)) return true;
    }
    return false;
  }

  Duration stale_max_age{0};

 private:
  struct Id {
    std::string name;  // in lower case
    uint16_t klass = 0;
    bool dnssec_ok = false;
    bool checking_disabled = false;
    bool every_type = false;
    uint16_t type = 0;

    friend bool operator==(const Id&, const Id&) = default;
    bool IsOfSameName(const Id& other) const {
      return std::tie(name, klass, dnssec_ok, checking_disabled) ==
             std::tie(other.name, other.klass, other.dnssec_ok, other.checking_disabled);
    }
  };
  struct Entry {
    Id id;
    ImagePtr image;
    bool used_since = false;  // the hand has passed
    bool on_trial = false;
    uint64_t number = 0;
    unsigned uses = 0;
    bool refreshed = false;
  };

  static Id IdOf(const CacheKey& key, bool every_type) {
    std::string name;
    for (const uint8_t octet : key.qname) name.push_back(static_cast<char>(LowerOctet(octet)));
    return {name, key.qclass, key.dnssec_ok, key.checking_disabled, every_type, every_type ? uint16_t{0} : key.qtype};
  }
  static bool IsEveryType(const CacheKey& key, const ResponseImage& image) {
    return image.kind() == ResponseKind::kNxDomain && !image.behind_alias() && key.qtype != rr_type::kDs;
  }

  Entry* Find(const CacheKey& key) {
    for (Entry& entry : entries_) {
      if (entry.id == IdOf(key, false) || (key.qtype != rr_type::kDs && entry.id == IdOf(key, true))) return &entry;
    }
    return nullptr;
  }

  size_t CountOfName(const CacheKey& key) const {
    size_t count = 0;
    for (const Entry& entry : entries_) count += entry.id.name == IdOf(key, false).name ? size_t{1} : size_t{0};
    return count;
  }

  size_t octets(size_t more_entries) const {
    const size_t blocks = (entries_.size() + more_entries + EntryTable::kBlockEntries - 1) / EntryTable::kBlockEntries;
    return fixed_octets_ + blocks * EntryTable::kBlockOctets + image_octets_;
  }

  // An entry is used: nothing of it is on trial any more.
  const ResponseImage* Use(Entry* entry) {
    entry->used_since = true;
    if (entry->on_trial) {
      entry->on_trial = false;
      const auto at = entries_.begin() + (entry - entries_.data());
      std::rotate(at, at + 1, entries_.end());
      return entries_.back().image.get();
    }
    return entry->image.get();
  }

  // The next established entry from `n` on, or their end.
  size_t NextEstablished(size_t n) const {
    while (n < entries_.size() && entries_[n].on_trial) ++n;
    return n;
  }

  size_t LeastUseful() {
    size_t trials = 0;
    size_t at = entries_.size();
    for (size_t n = 0; n < entries_.size(); ++n) {
      trials += entries_[n].on_trial ? size_t{1} : size_t{0};
      if (entries_[n].number == hand_) at = n;
    }
    if (trials * EntryTable::kTrialsPart > entries_.size() || trials == entries_.size()) {
      size_t first = 0;
      while (!entries_[first].on_trial) ++first;
      return first;
    }
    while (true) {
      if (at == entries_.size()) at = NextEstablished(0);
      hand_ = entries_[at].number;
      if (!entries_[at].used_since) return at;
      entries_[at].used_since = false;
      at = NextEstablished(at + 1);
    }
  }

  static bool IsGone(const Entry& entry, SteadyTime now, Duration ago) { return entry.image->TimeLeft(now) <= -ago; }

  bool RemoveOneExpired(SteadyTime now, Duration ago) {
    size_t soonest = 0;
    for (size_t n = 0; n < entries_.size(); ++n) {
      if (entries_[n].image->ExpiresBefore(*entries_[soonest].image)) soonest = n;
    }
    if (entries_.empty() || !IsGone(entries_[soonest], now, ago)) return false;
    Remove(soonest, now);
    return true;
  }

  void Remove(size_t n, SteadyTime now) {
    ++(entries_[n].image->Expired(now) ? statistics_.expired : statistics_.evictions);
    Erase(n);
  }

  void Erase(size_t n) {
    if (entries_[n].number == hand_) {
      const size_t next = NextEstablished(n + 1);
      hand_ = next == entries_.size() ? 0 : entries_[next].number;
    }
    image_octets_ -= entries_[n].image->memory_octets();
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(n));
  }

  void Add(Id id, ImagePtr image, bool in_use, bool on_trial) {
    image_octets_ += image->memory_octets();
    entries_.push_back({.id = std::move(id),
                        .image = std::move(image),
                        .used_since = in_use,
                        .on_trial = on_trial,
                        .number = ++numbers_});
  }

  const size_t octets_max_;
  const size_t fixed_octets_;
  size_t image_octets_ = 0;
  size_t name_limit_reached_ = 0;
  std::vector<Entry> entries_;  // the oldest first
  uint64_t numbers_ = 0;
  uint64_t hand_ = 0;  // the number of the entry it is at; 0: at the oldest that is established
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
      } else if (operation == 2) {
        if (Next(16) == 0) Reload();
        if (Next(16) == 0) Flush();
        if (Next(16) == 0) ChangeStaleMaxAge();
      } else if (operation < 6) {
        LookupStale(RandomKey());
      } else if (operation < 18) {
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
  static constexpr std::array<uint16_t, 6> kTypes = {rr_type::kA,     rr_type::kAaaa, rr_type::kTxt,
                                                     rr_type::kHttps, rr_type::kDs,   65535};

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
    constexpr std::array<unsigned, 8> kSteps = {1, 2, 7, 8, 12, 40, 80, 1'600};
    now_ += std::chrono::milliseconds(125 * kSteps[Next(kSteps.size())]);
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
    SteadyTime received_at = now_ - std::chrono::seconds(Next(4) == 0 ? Next(4) : 0);
    const bool behind_alias = Next(4) == 0;
    const uint32_t ttl = kTtls[Next(kTtls.size())];
    const size_t data = size == 0 ? 0 : Next(size);
    ImagePtr image;
    // No two images expire at the same moment, so that which expired entry goes first is certain.
    do {
      image = MakeImage(MakeQuestion(key.qname, key.qtype, key.qclass), kind, behind_alias, ttl, data, 0, received_at);
      received_at -= std::chrono::milliseconds(125);
    } while (naive_.HasOneThatExpiresWith(*image));
    cache_.Insert(key, image, now_);
    naive_.Insert(key, std::move(image), now_);
  }

  void Lookup(const CacheKey& key, SteadyTime now) {
    const std::optional<CachedResponse> found = cache_.Lookup(key, now);
    const NaiveCache::Found expected = naive_.Lookup(key, now);
    Compare(found, expected.image, now);
    if (found && found->refresh_due != expected.refresh_due) lookup_difference_ = "another moment to fetch it anew";
  }

  void LookupStale(const CacheKey& key) { Compare(cache_.LookupStale(key, now_), naive_.LookupStale(key, now_), now_); }

  void Compare(const std::optional<CachedResponse>& found, const ResponseImage* expected, SteadyTime now) {
    if ((found ? found->image.get() : nullptr) != expected) {
      lookup_difference_ = expected == nullptr ? "an answer where there is none"
                           : found             ? "another answer"
                                               : "no answer where there is one";
    } else if (found && found->age_seconds != expected->AgeSeconds(now)) {
      lookup_difference_ = "another age";
    }
  }

  static CacheKey KeyOf(const ResponseImage& image, bool dnssec_ok, bool checking_disabled) {
    const OctetView question = image.question();
    return {image.qname(), static_cast<uint16_t>(question[question.size() - 4] << 8U | question[question.size() - 3]),
            static_cast<uint16_t>(question[question.size() - 2] << 8U | question[question.size() - 1]), dnssec_ok,
            checking_disabled};
  }

  void LookupAroundAnExpiry() {
    const ResponseImage* image = naive_.At(Next(1U << 16U));
    if (image == nullptr) return;
    const CacheKey key = KeyOf(*image, Next(2) == 0, Next(4) == 0);
    const SteadyTime expiry = now_ + image->TimeLeft(now_);
    Lookup(key, expiry - std::chrono::milliseconds(125));
    Lookup(key, expiry);
  }

  // Everything is forgotten and brought back, as over a restart.
  void Reload() {
    std::vector<CacheEntry> entries;
    for (CacheCursor cursor; cache_.Walk(cursor, entries, now_);) {
    }
    if (cache_.FlushZone(Octets{0}) != naive_.FlushAll()) lookup_difference_ = "another number flushed";
    for (const CacheEntry& entry : entries) {
      const CacheKey key = KeyOf(*entry.image, entry.dnssec_ok, entry.checking_disabled);
      if (cache_.Restore(key, entry.image, now_) != naive_.Restore(key, entry.image, now_)) {
        lookup_difference_ = "another entry restored";
      }
    }
  }

  void Flush() {
    const CacheKey key = RandomKey();
    if (cache_.FlushName(key.qname) != naive_.FlushName(key.qname)) lookup_difference_ = "another number flushed";
  }

  void ChangeStaleMaxAge() {
    constexpr std::array<std::chrono::seconds, 4> kAges{std::chrono::seconds(0), std::chrono::seconds(2),
                                                        std::chrono::seconds(300), std::chrono::hours(24)};
    naive_.stale_max_age = kAges[Next(kAges.size())];
    cache_.SetStaleMaxAge(naive_.stale_max_age);
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
