#include "dotward/response_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/mutex.h"
#include "cache/entry_table.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// What tells entries apart before their images are looked at: the type, what the client asked of DNSSEC, and as many
// bits of the name's hash as are left. The table takes the hash's lowest bits, the choice of the shard its highest.
//   31..16 QTYPE, 0 for every type | 15 every type | 14 DO | 13 CD | 12..0 hash
class Tag {
 public:
  static constexpr uint32_t kSameNameMask = 0x0000'7fffU;  // DO, CD and hash: the same name as one client sees it
  static constexpr uint32_t kHashMask = 0x0000'1fffU;

  Tag(const CacheKey& key, uint64_t hash)
      : of_name_((key.dnssec_ok ? 0x4000U : 0U) | (key.checking_disabled ? 0x2000U : 0U) |
                 (static_cast<uint32_t>(hash >> 32U) & kHashMask)),
        of_type_(of_name_ | uint32_t{key.qtype} << 16U),
        covered_(key.qtype != rr_type::kDs) {}

  uint32_t of_type() const { return of_type_; }
  uint32_t of_every_type() const { return of_name_ | 0x8000U; }
  bool Answers(uint32_t tag) const { return tag == of_type_ || (covered_ && tag == of_every_type()); }
  bool IsOfSameName(uint32_t tag) const { return (tag & kSameNameMask) == of_name_; }
  static bool IsOfEveryType(uint32_t tag) { return (tag & 0x8000U) != 0; }
  static bool HasDnssecOk(uint32_t tag) { return (tag & 0x4000U) != 0; }
  static bool HasCheckingDisabled(uint32_t tag) { return (tag & 0x2000U) != 0; }
  bool HasSameHash(uint32_t tag) const { return ((tag ^ of_name_) & kHashMask) == 0; }

 private:
  uint32_t of_name_;
  uint32_t of_type_;
  bool covered_;  // by an entry for every type
};

bool IsSameName(OctetView a, OctetView b) {
  // Nearly every client sends lower case.
  return a.size() == b.size() && (std::memcmp(a.data(), b.data(), a.size()) == 0 || EqualIgnoringCase(a, b));
}

// The name lives in the image alone, so the key compares with the question there. A name in wire form says itself where
// it ends: one that begins with the whole of another is that other.
bool IsOfName(const ResponseImage& image, OctetView qname) {
  const OctetView body = image.body();
  return body.size() >= qname.size() + 4 && IsSameName(body.first(qname.size()), qname);
}
bool IsOfNameAndClass(const ResponseImage& image, const CacheKey& key) {
  return IsOfName(image, key.qname) && ReadU16(&image.body()[key.qname.size() + 2]) == key.qclass;
}

bool IsOfQuestion(const ResponseImage& image, const CacheKey& key) {
  return IsOfNameAndClass(image, key) && ReadU16(&image.body()[key.qname.size()]) == key.qtype;
}

// RFC 8020 §2 and RFC 2308 §5: a name that does not exist has no type. Behind an alias it is the alias's target that
// does not exist (RFC 6604 §3), while the name that was asked for does. DS stands apart: it is the parent zone's, and
// so may be another server's.
bool CoversEveryType(const ResponseImage& image, const CacheKey& key) {
  return image.kind() == ResponseKind::kNxDomain && !image.behind_alias() && key.qtype != rr_type::kDs;
}

uint32_t SecondsOf(SteadyTime time) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

// Images that were removed under a lock and are freed after it. What does not fit is freed at once: an insert removes
// more than a few only where a large answer takes the place of many small ones.
template <size_t kCapacity>
class GraveyardOf {
 public:
  void Add(ImagePtr image) {
    if (used_ < images_.size()) images_[used_++] = std::move(image);
  }

 private:
  std::array<ImagePtr, kCapacity> images_;
  size_t used_ = 0;
};
using Graveyard = GraveyardOf<16>;

size_t ShardCountFor(const ResponseCache::Options& options) {
  constexpr size_t kShardsMax = size_t{1} << 16U;  // as many as the hash has bits for
  const size_t affordable = std::clamp(options.octets_max / Limits::kCacheShardOctetsMin, size_t{1}, kShardsMax);
  return std::bit_floor(std::clamp(options.shards, size_t{1}, affordable));
}

}  // namespace

// Aligned so that two workers on two shards do not share a cache line.
class alignas(64) ResponseCache::Shard {
 public:
  // `octets_max` covers this object too.
  explicit Shard(size_t octets_max) : table_(octets_max - std::min(octets_max, kOwnOctets)) {}

  std::optional<CachedResponse> Lookup(const CacheKey& key, uint64_t hash, SteadyTime now, LookupPurpose purpose) {
    const Tag tag(key, hash);
    const bool counted = purpose == LookupPurpose::kAnswer;
    const MutexLock lock(mutex_);
    const Index index = Find(key, tag, hash);
    if (index == EntryTable::kNone || table_[index].image->Expired(now)) {
      // What has expired stays until its space is wanted or the next insert replaces it.
      if (counted) ++misses_;
      return std::nullopt;
    }
    if (counted) ++hits_;
    CachedResponse found = Take(index, now);
    found.refresh_due = counted && TakeRefresh(index, now);
    // Only what is known of its use changes: a hit never extends an expiry.
    table_.Use(index, SecondsOf(now), counted);
    return found;
  }

  std::optional<CachedResponse> LookupStale(const CacheKey& key, uint64_t hash, SteadyTime now, Duration max_age) {
    const Tag tag(key, hash);
    const MutexLock lock(mutex_);
    const Index index = Find(key, tag, hash);
    if (index == EntryTable::kNone || !table_[index].image->Expired(now) || IsGone(index, now, max_age)) {
      return std::nullopt;
    }
    table_.Use(index, SecondsOf(now), false);
    return Take(index, now);
  }

  bool Restore(const CacheKey& key, uint64_t hash, ImagePtr image, SteadyTime now) {
    const Tag tag(key, hash);
    const bool every_type = CoversEveryType(*image, key);
    const MutexLock lock(mutex_);
    if (!table_.HasRoomFor(image->memory_octets())) return false;
    size_t of_name = 0;
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone; index = table_.NextOf(index)) {
      const EntryTable::Entry& entry = table_[index];
      const bool concerned = every_type ? tag.IsOfSameName(entry.tag) : tag.Answers(entry.tag);
      if (!IsOfName(*entry.image, key.qname)) continue;
      if ((concerned && IsOfNameAndClass(*entry.image, key)) || ++of_name == Limits::kCacheEntriesPerNameMax) {
        return false;
      }
    }
    table_.Add(hash, every_type ? tag.of_every_type() : tag.of_type(), std::move(image), SecondsOf(now),
               EntryTable::Standing::kNew);
    return true;
  }

  void Insert(const CacheKey& key, uint64_t hash, ImagePtr image, SteadyTime now, Duration stale_max_age) {
    const Tag tag(key, hash);
    const bool every_type = CoversEveryType(*image, key);
    Graveyard removed;  // outlives the lock
    const MutexLock lock(mutex_);
    const bool replaces = RemoveReplaced(key, tag, hash, every_type, now, removed);
    for (size_t n = 0; n < Limits::kCacheExpiredPerInsert && RemoveOneExpired(now, stale_max_age, removed); ++n) {
    }
    if (!table_.CouldHold(image->memory_octets())) return;
    KeepNameWithinLimit(key, tag, hash, now, removed);
    // C11: expired entries go before live ones, then the least useful.
    while (!table_.HasRoomFor(image->memory_octets())) {
      if (!RemoveOneExpired(now, Duration{0}, removed)) Remove(table_.FindLeastUseful(), now, removed);
    }
    table_.Add(hash, every_type ? tag.of_every_type() : tag.of_type(), std::move(image), SecondsOf(now),
               replaces     ? EntryTable::Standing::kInUse
               : every_type ? EntryTable::Standing::kOnTrial  // names can be made up without end (A7)
                            : EntryTable::Standing::kNew);
    ++insertions_;
  }

  std::vector<CacheEntry> EntriesOf(OctetView qname, uint64_t hash, SteadyTime now) const {
    std::vector<CacheEntry> entries;
    entries.reserve(Limits::kCacheEntriesPerNameMax);  // before the lock
    const MutexLock lock(mutex_);
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone; index = table_.NextOf(index)) {
      if (IsOfName(*table_[index].image, qname)) entries.push_back(Describe(index, now));
    }
    return entries;
  }

  // From the last index to the first: what moves into the gap of a removed entry is always the last one, which has been
  // seen, so that nothing is missed.
  void Walk(uint32_t& left, std::vector<CacheEntry>& entries, SteadyTime now) const {
    const MutexLock lock(mutex_);
    left = std::min(left, static_cast<uint32_t>(table_.size()));
    for (size_t n = 0; n < Limits::kCacheEntriesPerTurn && left > 0; ++n) entries.push_back(Describe(--left, now));
  }

  size_t FlushName(OctetView qname, uint64_t hash) {
    GraveyardOf<Limits::kCacheEntriesPerNameMax> removed;
    const MutexLock lock(mutex_);
    size_t count = 0;
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone;) {
      if (IsOfName(*table_[index].image, qname)) {
        removed.Add(table_.Remove(index));
        ++count;
        index = table_.FirstOf(hash);
      } else {
        index = table_.NextOf(index);
      }
    }
    return count;
  }

  // One turn, in the order of Walk: what is stored while it goes on is newer than the wish to forget.
  size_t FlushZone(OctetView zone, uint32_t& left) {
    GraveyardOf<Limits::kCacheEntriesPerTurn> removed;
    const MutexLock lock(mutex_);
    size_t count = 0;
    left = std::min(left, static_cast<uint32_t>(table_.size()));
    for (size_t n = 0; n < Limits::kCacheEntriesPerTurn && left > 0; ++n) {
      if (!IsAtOrBelow(table_[--left].image->qname(), zone)) continue;
      removed.Add(table_.Remove(left));
      ++count;
    }
    return count;
  }

  Statistics Read(SteadyTime now) const {
    const MutexLock lock(mutex_);
    Statistics statistics{.entries = table_.size(),
                          .octets = kOwnOctets + table_.octets(),
                          .hits = hits_,
                          .misses = misses_,
                          .insertions = insertions_,
                          .evictions = evictions_,
                          .expired = expired_,
                          .lru_age_seconds = 0};
    if (table_.size() > 0) statistics.lru_age_seconds = UnusedSeconds(table_.GuessLeastUseful(), now);
    return statistics;
  }

 private:
  using Index = EntryTable::Index;
  static const size_t kOwnOctets;
  static constexpr unsigned kUsesForRefresh = 2;
  static constexpr int kLastPart = 10;

  uint32_t UnusedSeconds(Index index, SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint32_t seconds = (SecondsOf(now) - table_[index].last_used_seconds) & EntryTable::kSecondsMask;
    // Another thread's clock may be ahead.
    return seconds > EntryTable::kSecondsMask / 2 ? 0 : seconds;
  }

  CachedResponse Take(Index index, SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const ImagePtr& image = table_[index].image;
    return {.image = image, .age_seconds = image->AgeSeconds(now)};
  }

  // Whether the entry is worth being fetched anew before it expires. True once.
  bool TakeRefresh(Index index, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const EntryTable::Entry& entry = table_[index];
    if (entry.uses < kUsesForRefresh || entry.marked != 0) return false;
    if (entry.image->TimeLeft(now) * kLastPart > std::chrono::seconds(entry.image->lifetime_seconds())) return false;
    table_.Mark(index);
    return true;
  }

  bool IsGone(Index index, SteadyTime now, Duration stale_max_age) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return table_[index].image->TimeLeft(now) <= -stale_max_age;
  }

  CacheEntry Describe(Index index, SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const EntryTable::Entry& entry = table_[index];
    return {.image = entry.image,
            .dnssec_ok = Tag::HasDnssecOk(entry.tag),
            .checking_disabled = Tag::HasCheckingDisabled(entry.tag),
            .every_type = Tag::IsOfEveryType(entry.tag),
            .unused_seconds = UnusedSeconds(index, now),
            .uses = entry.uses};
  }

  // The entry that answers the key, expired or not. There is never both one for the type and one for every type.
  Index Find(const CacheKey& key, const Tag& tag, uint64_t hash) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone; index = table_.NextOf(index)) {
      if (tag.Answers(table_[index].tag) && IsOfNameAndClass(*table_[index].image, key)) return index;
    }
    return EntryTable::kNone;
  }

  // Removes what a new image makes obsolete. NXDOMAIN ends everything that was known of the name; any other outcome
  // ends the one for its type, and an NXDOMAIN, for it shows that the name exists. Whether there was any.
  bool RemoveReplaced(const CacheKey& key, const Tag& tag, uint64_t hash, bool every_type, SteadyTime now,
                      Graveyard& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    bool any = false;
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone;) {
      const EntryTable::Entry& entry = table_[index];
      const bool concerned = every_type ? tag.IsOfSameName(entry.tag) : tag.Answers(entry.tag);
      if (concerned && IsOfNameAndClass(*entry.image, key)) {
        RemoveObsolete(index, now, removed);
        any = true;
        index = table_.FirstOf(hash);  // indices have moved; a name has few entries, so starting over is cheap
      } else {
        index = table_.NextOf(index);
      }
    }
    return any;
  }

  // All of a name's entries, of whatever class, DO and CD, are in one chain, which every lookup of the name walks: so a
  // client that asks for 65,536 types of a name must not make it long. New entries come first in a chain, so the last
  // one is the first that was stored.
  void KeepNameWithinLimit(const CacheKey& key, const Tag& tag, uint64_t hash, SteadyTime now, Graveyard& removed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    size_t count = 0;
    Index stored_first = EntryTable::kNone;
    for (Index index = table_.FirstOf(hash); index != EntryTable::kNone; index = table_.NextOf(index)) {
      if (tag.HasSameHash(table_[index].tag) && IsOfName(*table_[index].image, key.qname)) {
        ++count;
        stored_first = index;
      }
    }
    if (count >= Limits::kCacheEntriesPerNameMax) Remove(stored_first, now, removed);
  }

  // One that expired at least `ago` ago.
  bool RemoveOneExpired(SteadyTime now, Duration ago, Graveyard& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Index index = table_.soonest_to_expire();
    if (index == EntryTable::kNone || !IsGone(index, now, ago)) return false;
    Remove(index, now, removed);
    return true;
  }

  // Removes an entry to make room.
  void Remove(Index index, SteadyTime now, Graveyard& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++(table_[index].image->Expired(now) ? expired_ : evictions_);
    removed.Add(table_.Remove(index));
  }

  // Removes an entry that something newer is known about: no eviction.
  void RemoveObsolete(Index index, SteadyTime now, Graveyard& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (table_[index].image->Expired(now)) ++expired_;
    removed.Add(table_.Remove(index));
  }

  mutable Mutex mutex_;
  EntryTable table_ ABSL_GUARDED_BY(mutex_);
  uint64_t hits_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t misses_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t insertions_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t evictions_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t expired_ ABSL_GUARDED_BY(mutex_) = 0;
};

// With the padding that its alignment takes from the allocator, and the pointer to it.
const size_t ResponseCache::Shard::kOwnOctets = AllocationOctets(sizeof(Shard) + alignof(Shard)) + sizeof(void*);

ResponseCache::ResponseCache(const Options& options)
    : octets_max_(options.octets_max), hasher_(options.hash_seed), stale_max_age_(options.stale_max_age) {
  const size_t shards = ShardCountFor(options);
  shards_.reserve(shards);
  for (size_t n = 0; n < shards; ++n) shards_.push_back(std::make_unique<Shard>(options.octets_max / shards));
}

ResponseCache::~ResponseCache() = default;

ResponseCache::Shard& ResponseCache::ShardOf(uint64_t hash) const {
  return *shards_[static_cast<size_t>(hash >> 48U) & (shards_.size() - 1)];
}

std::optional<CachedResponse> ResponseCache::Lookup(const CacheKey& key, SteadyTime now, LookupPurpose purpose) {
  const uint64_t hash = hasher_(key.qname);
  return ShardOf(hash).Lookup(key, hash, now, purpose);
}

std::optional<CachedResponse> ResponseCache::LookupStale(const CacheKey& key, SteadyTime now) {
  const uint64_t hash = hasher_(key.qname);
  return ShardOf(hash).LookupStale(key, hash, now, stale_max_age_.load(std::memory_order_relaxed));
}

void ResponseCache::Insert(const CacheKey& key, ImagePtr image, SteadyTime now) {
  if (!image || image->lifetime_seconds() == 0 || image->Expired(now) || !IsOfQuestion(*image, key)) return;
  const uint64_t hash = hasher_(key.qname);
  ShardOf(hash).Insert(key, hash, std::move(image), now, stale_max_age_.load(std::memory_order_relaxed));
}

bool ResponseCache::Restore(const CacheKey& key, ImagePtr image, SteadyTime now) {
  if (!image || image->lifetime_seconds() == 0 || !IsOfQuestion(*image, key)) return false;
  if (image->TimeLeft(now) <= -stale_max_age_.load(std::memory_order_relaxed)) return false;
  const uint64_t hash = hasher_(key.qname);
  return ShardOf(hash).Restore(key, hash, std::move(image), now);
}

std::vector<CacheEntry> ResponseCache::EntriesOf(OctetView qname, SteadyTime now) const {
  const uint64_t hash = hasher_(qname);
  return ShardOf(hash).EntriesOf(qname, hash, now);
}

bool ResponseCache::Walk(CacheCursor& cursor, std::vector<CacheEntry>& entries, SteadyTime now) const {
  if (cursor.shard >= shards_.size()) return false;
  entries.reserve(entries.size() + Limits::kCacheEntriesPerTurn);
  shards_[cursor.shard]->Walk(cursor.entries_left, entries, now);
  if (cursor.entries_left == 0) cursor = {.shard = cursor.shard + 1};
  return cursor.shard < shards_.size();
}

size_t ResponseCache::FlushName(OctetView qname) {
  const uint64_t hash = hasher_(qname);
  return ShardOf(hash).FlushName(qname, hash);
}

size_t ResponseCache::FlushZone(OctetView zone) {
  std::vector<uint32_t> left(shards_.size(), UINT32_MAX);
  size_t removed = 0;
  for (bool more = true; more;) {
    more = false;
    for (size_t n = 0; n < shards_.size(); ++n) {
      if (left[n] == 0) continue;
      removed += shards_[n]->FlushZone(zone, left[n]);
      more |= left[n] != 0;
    }
  }
  return removed;
}

ResponseCache::Statistics ResponseCache::Total(SteadyTime now) const {
  Statistics total;
  for (const Statistics& shard : PerShard(now)) {
    total.entries += shard.entries;
    total.octets += shard.octets;
    total.hits += shard.hits;
    total.misses += shard.misses;
    total.insertions += shard.insertions;
    total.evictions += shard.evictions;
    total.expired += shard.expired;
    total.lru_age_seconds = std::max(total.lru_age_seconds, shard.lru_age_seconds);
  }
  return total;
}

std::vector<ResponseCache::Statistics> ResponseCache::PerShard(SteadyTime now) const {
  std::vector<Statistics> statistics;
  statistics.reserve(shards_.size());
  for (const std::unique_ptr<Shard>& shard : shards_) statistics.push_back(shard->Read(now));
  return statistics;
}

}  // namespace dotward
