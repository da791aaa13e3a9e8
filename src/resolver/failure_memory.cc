#include "resolver/failure_memory.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <utility>

#include "resolver/resolver_limits.h"

namespace dotward {

FailureMemory::Entry::Entry(const CacheKey& question)
    : name(Name::FromWire(question.qname)),
      type(question.qtype),
      klass(question.qclass),
      dnssec_ok(question.dnssec_ok),
      checking_disabled(question.checking_disabled) {}

CacheKey FailureMemory::Entry::question() const { return {name.wire(), type, klass, dnssec_ok, checking_disabled}; }

size_t FailureMemory::Hash::operator()(const CacheKey& question) const {
  return absl::HashOf(hasher(question.qname), question.qtype, question.qclass, question.dnssec_ok,
                      question.checking_disabled);
}

size_t FailureMemory::Hash::operator()(const std::unique_ptr<Entry>& entry) const { return (*this)(entry->question()); }

bool FailureMemory::Equal::operator()(const std::unique_ptr<Entry>& a, const CacheKey& b) const {
  return a->type == b.qtype && a->klass == b.qclass && a->dnssec_ok == b.dnssec_ok &&
         a->checking_disabled == b.checking_disabled && EqualIgnoringCase(a->name.wire(), b.qname);
}

FailureMemory::FailureMemory(Duration ttl, uint64_t hash_seed) : ttl_(ttl), failures_(0, Hash{NameHasher(hash_seed)}) {}

FailureMemory::~FailureMemory() = default;

const RememberedFailure* FailureMemory::Find(const CacheKey& question) const {
  // Of nearly every question there is nothing, and most of the time of none.
  if (failures_.empty()) return nullptr;
  const auto found = failures_.find(question);
  return found == failures_.end() ? nullptr : &(*found)->failure;
}

void FailureMemory::Remember(const CacheKey& question, ResolutionPtr told, uint64_t returns, SteadyTime now) {
  auto found = failures_.find(question);
  if (found == failures_.end()) {
    found = failures_.insert(std::make_unique<Entry>(question)).first;
  } else {
    by_age_.Remove(**found);
  }
  Entry& entry = **found;
  RememberedFailure& failure = entry.failure;
  const bool first = failure.in_a_row == 0 || failure.returns != returns || RowHasEnded(entry, now);
  Duration interval = ttl_;
  if (!first) interval = std::max<Duration>(ttl_, 2 * (failure.until - failure.failed_at));
  interval = std::min<Duration>(interval, ResolverLimits::kFailureTtlMax);
  failure.told = std::move(told);
  failure.in_a_row = first ? 1 : failure.in_a_row + 1;
  failure.failed_at = now;
  failure.until = now + std::chrono::duration_cast<SteadyTime::duration>(interval);
  failure.returns = returns;
  by_age_.PushBack(entry);

  if (by_age_.size() > ResolverLimits::kFailuresMax) Remove(*by_age_.front());
  for (size_t i = 0; i < ResolverLimits::kFailuresClearedAtOnce && RowHasEnded(*by_age_.front(), now); ++i) {
    Remove(*by_age_.front());
  }
}

void FailureMemory::Forget(const CacheKey& question) {
  if (failures_.empty()) return;
  const auto found = failures_.find(question);
  if (found != failures_.end()) Remove(**found);
}

void FailureMemory::Clear() {
  by_age_ = {};
  failures_.clear();
}

bool FailureMemory::RowHasEnded(const Entry& entry, SteadyTime now) {
  return now >= entry.failure.until + ResolverLimits::kFailureRowEnds;
}

void FailureMemory::Remove(Entry& entry) {
  by_age_.Remove(entry);
  failures_.erase(failures_.find(entry.question()));
}

}  // namespace dotward
