#ifndef DOTWARD_RESPONSE_CACHE_H_
#define DOTWARD_RESPONSE_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cache/name_hash.h"
#include "dns/response_image.h"
#include "dns/types.h"
#include "dotward/clock.h"

namespace dotward {

// What an answer is stored under. Borrows the name; its case does not matter.
struct CacheKey {
  OctetView qname;  // a whole name in uncompressed wire form
  uint16_t qtype = 0;
  uint16_t qclass = rr_class::kIn;
  bool dnssec_ok = false;
  bool checking_disabled = false;
};

struct CachedResponse {
  ImagePtr image;
  uint32_t age_seconds = 0;
  // It was asked for at least twice before and is in the last tenth of its life: whoever got this should fetch it anew.
  // Said once in a life.
  bool refresh_due = false;
};

// One entry as those see it who look into the cache from outside the query path.
struct CacheEntry {
  ImagePtr image;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  bool every_type = false;      // an NXDOMAIN, which answers every type of the name (RFC 8020 §2)
  uint32_t unused_seconds = 0;  // since it was last used
  unsigned uses = 0;            // how often it has answered; more than EntryTable::kUsesMax counts as that
};

// How far a walk over a cache has come. Belongs to the walker; keeps nothing alive.
struct CacheCursor {
  size_t shard = 0;
  uint32_t entries_left = UINT32_MAX;  // of that shard, those that have not been seen
};

// Why somebody looks. The recheck of a question that was counted as a miss already counts nothing.
enum class LookupPurpose : uint8_t { kAnswer, kRecheck };

// A TTL-aware cache of responses, split into shards with a mutex each and bounded in octets of memory. Positive and
// negative responses are entries alike. Which entries have to go is in EntryTable. Thread-safe.
class ResponseCache {
 public:
  struct Options {
    // Everything counted: images, entries, index, the cache's own objects. A few KiB are needed before anything fits.
    size_t octets_max = 64ULL << 20;
    // Counts as the power of two below, and as less where a shard's share would be under Limits::kCacheShardOctetsMin:
    // a small cache must still be able to hold the longest answer.
    size_t shards = 64;
    uint64_t hash_seed = 0;  // random per process, so that nobody can aim names at one bucket
    // How long after its expiry an entry is kept for LookupStale, while nobody needs its space; 0: no longer than that.
    Duration stale_max_age{0};
  };

  // Counts since the start, except the first two.
  struct Statistics {
    uint64_t entries = 0;  // expired ones that have not been removed yet included
    uint64_t octets = 0;
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t insertions = 0;
    uint64_t evictions = 0;        // live entries that had to go for space ("re-used unexpired cache entries")
    uint64_t expired = 0;          // entries removed because their time was over
    uint64_t lru_age_seconds = 0;  // how long ago the entry that goes next was last used; 0 when empty
  };

  explicit ResponseCache(const Options& options);
  ~ResponseCache();
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  // The response stored under `key` and its age at `now` in whole seconds, or nullopt if there is none or it has
  // expired (at exactly expires_at it has). An NXDOMAIN stored for the name answers every type of it (RFC 8020 §2).
  // Holds one shard's mutex; allocates nothing.
  std::optional<CachedResponse> Lookup(const CacheKey& key, SteadyTime now,
                                       LookupPurpose purpose = LookupPurpose::kAnswer);

  // What is stored under `key` and has expired, no longer ago than the stale_max_age (RFC 8767): to be given only where
  // nothing better can be had. Counts nothing.
  std::optional<CachedResponse> LookupStale(const CacheKey& key, SteadyTime now);
  // From now on. Thread-safe.
  void SetStaleMaxAge(Duration max_age) { stale_max_age_.store(max_age, std::memory_order_relaxed); }
  Duration stale_max_age() const { return stale_max_age_.load(std::memory_order_relaxed); }

  // Stores `image` under `key` in place of what was there; the image must be of the key's question, have a lifetime
  // over 0 and not be expired, else nothing happens. An NXDOMAIN that is about the key's own name (not behind an alias)
  // is stored for every type, and replaces what was stored for the single ones; anything else ends a stored NXDOMAIN.
  // May drop other entries to stay within octets_max: expired ones first, then the least useful. An image that
  // is larger than its shard's share is not stored, but what it would have replaced is gone. One name has at most
  // Limits::kCacheEntriesPerNameMax entries: one more drops the one of that name which was stored first. Removes up to
  // Limits::kCacheExpiredPerInsert entries besides that are too old even to be stale.
  void Insert(const CacheKey& key, ImagePtr image, SteadyTime now);

  // Stores an image of former times, which may have expired but not be too old to be stale: only where nothing is
  // stored that answers the key, and where nothing has to go for it. Whether it was stored. It counts as no insertion.
  bool Restore(const CacheKey& key, ImagePtr image, SteadyTime now);

  // Everything that is stored under the name, of whatever type, class, DO and CD, expired or not; the latest first.
  // Changes no counter and no order of use.
  std::vector<CacheEntry> EntriesOf(OctetView qname, SteadyTime now) const;

  // Goes on with a walk: appends up to Limits::kCacheEntriesPerTurn entries, those of one shard, whose mutex it holds
  // no longer than for these. False where the walk has ended. What is in the cache from the beginning of the walk to
  // its end is seen; what is removed meanwhile may bring others up a second time.
  bool Walk(CacheCursor& cursor, std::vector<CacheEntry>& entries, SteadyTime now) const;

  // Removes what is stored under the name, or under every name at or below the zone (the root: everything), and returns
  // how many entries there were. They count neither as evicted nor as expired. For a zone every shard is looked
  // through, in turns of Limits::kCacheEntriesPerTurn entries that go round, so that no query waits for long.
  size_t FlushName(OctetView qname);
  size_t FlushZone(OctetView zone);

  Statistics Total(SteadyTime now) const;
  std::vector<Statistics> PerShard(SteadyTime now) const;
  size_t octets_max() const { return octets_max_; }

 private:
  class Shard;
  Shard& ShardOf(uint64_t hash) const;

  const size_t octets_max_;
  const NameHasher hasher_;
  std::atomic<Duration> stale_max_age_;
  std::vector<std::unique_ptr<Shard>> shards_;  // a power of two
};

}  // namespace dotward

#endif  // DOTWARD_RESPONSE_CACHE_H_
