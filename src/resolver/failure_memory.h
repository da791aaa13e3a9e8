#ifndef DOTWARD_RESOLVER_FAILURE_MEMORY_H_
#define DOTWARD_RESOLVER_FAILURE_MEMORY_H_

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"
#include "cache/name_hash.h"
#include "dns/name.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "resolver/resolution.h"

namespace dotward {

// That a question failed, and what came of it.
struct RememberedFailure {
  ResolutionPtr told;      // what those got who waited for it
  unsigned in_a_row = 0;   // failures, this one included
  SteadyTime failed_at{};  // the last of them
  SteadyTime until{};      // when the question may be asked again
  uint64_t returns = 0;    // RouteCondition::returns when it was asked for the last time
};

// Which questions failed lately, so that they are not asked again and again (RFC 9520): for `ttl` after the first
// failure, twice as long after each one that follows it, up to ResolverLimits::kFailureTtlMax. A question is what
// CacheKey tells apart. It remembers at most ResolverLimits::kFailuresMax of them and lets go of the one that failed
// longest ago. Whether what it remembers still counts, after all that happened to the question's route, is for the
// asker to say. All operations take constant time. Not thread-safe.
class FailureMemory {
 public:
  // `hash_seed` is random per process, so that nobody can aim names at one bucket.
  FailureMemory(Duration ttl, uint64_t hash_seed);
  ~FailureMemory();

  // Counts from the next failure on.
  void SetTtl(Duration ttl) { ttl_ = ttl; }

  // What is remembered of the question, until the next call of anything else; null where that is nothing. It may be
  // asked again where `now` is not before `until`.
  const RememberedFailure* Find(const CacheKey& question) const;
  // The question has failed once more. Where its route returned between the two failures, or much time has passed, it
  // is the first of a row.
  void Remember(const CacheKey& question, ResolutionPtr told, uint64_t returns, SteadyTime now);
  // It was answered.
  void Forget(const CacheKey& question);
  void Clear();

  size_t size() const { return failures_.size(); }

 private:
  struct Entry;
  // Both see names without case, and find by view.
  struct Hash {
    using is_transparent = void;
    NameHasher hasher;
    size_t operator()(const CacheKey& question) const;
    size_t operator()(const std::unique_ptr<Entry>& entry) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<Entry>& a, const std::unique_ptr<Entry>& b) const { return a == b; }
    bool operator()(const std::unique_ptr<Entry>& a, const CacheKey& b) const;
  };
  struct Entry {
    explicit Entry(const CacheKey& question);
    CacheKey question() const;  // borrows the name

    const Name name;
    const uint16_t type;
    const uint16_t klass;
    const bool dnssec_ok;
    const bool checking_disabled;
    RememberedFailure failure;
    ListHook<Entry> by_age;
  };

  static bool RowHasEnded(const Entry& entry, SteadyTime now);
  void Remove(Entry& entry);

  Duration ttl_;
  absl::flat_hash_set<std::unique_ptr<Entry>, Hash, Equal> failures_;
  IntrusiveList<Entry, &Entry::by_age> by_age_;  // by failed_at
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_FAILURE_MEMORY_H_
