#include "app/cache_keeper.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/stable_hash.h"
#include "base/strings.h"
#include "dns/name.h"

namespace dotward {
namespace {

// Of the thread: whatever serves comes first.
constexpr int kNiceness = 19;
// For the last write, in which a million entries fit many times; an impatient supervisor kills after ten seconds.
constexpr std::chrono::seconds kStopTime{5};
// Between lines that say that the same still fails.
constexpr std::chrono::hours kFailureNews{1};

uint32_t WholeSeconds(Duration duration) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

uint64_t WholeMilliseconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

WallTime WallTimeOf(uint64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(static_cast<int64_t>(milliseconds)));
}

// Of what is trusted, and what is not to be judged; without the two lowest bits. It stands in snapshots.
uint32_t DigestOf(const TrustAnchors& anchors) {
  StableHash hash;
  const auto add_zone = [&hash](const Name& zone) {
    for (const uint8_t octet : zone.wire()) hash.Add(LowerOctet(octet));
  };
  for (const TrustAnchors::Anchor& anchor : anchors.anchors()) {
    add_zone(anchor.zone);
    for (const DelegationSigner& signer : anchor.signers) {
      hash.Add(static_cast<uint8_t>(signer.digest.size()));
      for (const uint8_t octet : signer.digest) hash.Add(octet);
    }
    hash.Add(uint8_t{0});
  }
  hash.Add(uint8_t{0});
  for (const TrustAnchors::Negative& negative : anchors.negatives()) add_zone(negative.zone);
  return static_cast<uint32_t>(hash.value() >> 32U) & ~3U;
}

}  // namespace

CacheKeeper::Options CacheKeeper::Options::Of(const Config& config, const TrustAnchors* anchors) {
  // What AD means in an answer, and whether it was checked before it was stored.
  uint32_t trust = (config.dnssec.trust_upstream_ad ? 1U : 0U) | (config.dnssec.validation ? 2U : 0U);
  if (anchors != nullptr) trust |= DigestOf(*anchors);
  return {.path = config.cache.snapshot.path,
          .interval = config.cache.snapshot.interval,
          .ttl = {.min_ttl = WholeSeconds(config.cache.min_ttl),
                  .max_ttl = WholeSeconds(config.cache.max_ttl),
                  .max_negative_ttl = WholeSeconds(config.cache.max_negative_ttl)},
          .trust = trust};
}

CacheKeeper::~CacheKeeper() { EndThread(); }

void CacheKeeper::Start(Options options) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
  to_load_ = !options_.path.empty();
  EnsureThread();
}

void CacheKeeper::Adopt(Options options) {
  {
    const std::lock_guard lock(mutex_);
    options_ = std::move(options);
    adopted_ = true;
    EnsureThread();
  }
  changed_.notify_all();
}

void CacheKeeper::Stop() {
  EndThread();
  Options options;
  {
    const std::lock_guard lock(mutex_);
    options = options_;
  }
  if (!to_load_ && !options.path.empty()) WriteIfChanged(options, Occasion::kStop);
}

CacheFileStatistics CacheKeeper::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

// With mutex_ held.
void CacheKeeper::EnsureThread() {
  if (options_.path.empty() || stopping_ || thread_.joinable()) return;
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "cache keeper");
}

void CacheKeeper::EndThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool CacheKeeper::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void CacheKeeper::Run() {
  // Of this thread alone, as Linux has it. Where it is not allowed, the kernel is fair all the same.
  static_cast<void>(!setpriority(PRIO_PROCESS, 0, kNiceness));
  std::unique_lock lock(mutex_);
  if (to_load_) {
    const Options options = options_;
    lock.unlock();
    Load(options);
    lock.lock();
  }
  while (!stopping_) {
    const auto woken = [this] { return stopping_ || adopted_; };
    if (options_.path.empty()) {
      changed_.wait(lock, woken);
    } else if (!changed_.wait_for(lock, options_.interval, woken)) {
      const Options options = options_;
      lock.unlock();
      WriteIfChanged(options, Occasion::kInterval);
      lock.lock();
    }
    adopted_ = false;
  }
}

void CacheKeeper::Load(const Options& options) {
  const SteadyTime begun = std::chrono::steady_clock::now();
  const Mark before = {.insertions = cache_.Total(clock_.Now()).insertions, .entries = 0};
  const absl::StatusOr<LoadedSnapshot> loaded =
      LoadSnapshotFile(options.path, cache_, clock_, options.ttl, options.trust, [this] { return stopping(); });
  if (absl::IsCancelled(loaded.status())) return;
  to_load_ = false;
  if (absl::IsNotFound(loaded.status())) {
    Log(LogLevel::kInfo, "there is no snapshot of the cache yet", {{"file", options.path}});
    return;
  }
  if (!loaded.ok()) {
    Log(LogLevel::kWarning, "the snapshot of the cache is ignored as a whole, and the cache begins empty",
        {{"file", options.path}, {"error", MessageOf(loaded.status())}});
    const std::lock_guard lock(mutex_);
    ++statistics_.failures;
    return;
  }
  mark_ = {.insertions = before.insertions, .entries = cache_.Total(clock_.Now()).entries};
  mark_path_ = options.path;
  if (loaded->age_unknown) {
    Log(LogLevel::kWarning, "the clock is behind the snapshot of the cache, so all of its answers count as expired",
        {{"file", options.path}});
  }
  Log(LogLevel::kInfo, "the cache was loaded from its snapshot",
      {{"file", options.path},
       {"entries", loaded->entries},
       {"stale", loaded->stale},
       {"too_old", loaded->too_old},
       {"unusable", loaded->unusable},
       {"not_stored", loaded->not_stored},
       {"ms", WholeMilliseconds(std::chrono::steady_clock::now() - begun)}});
  const std::lock_guard lock(mutex_);
  statistics_.entries = loaded->entries;
  statistics_.octets = loaded->octets;
  statistics_.written_at = WallTimeOf(loaded->written_ms);
}

void CacheKeeper::WriteIfChanged(const Options& options, Occasion occasion) {
  const SteadyTime begun = std::chrono::steady_clock::now();
  const ResponseCache::Statistics total = cache_.Total(clock_.Now());
  // What has expired is removed when something else is stored, so that fewer entries are flushed ones.
  const bool same = total.insertions == mark_.insertions && total.entries >= mark_.entries;
  if (same && (mark_path_ == options.path || total.entries == 0)) return;
  const auto give_up = [&] {
    return occasion == Occasion::kInterval ? stopping() : std::chrono::steady_clock::now() >= begun + kStopTime;
  };
  const absl::StatusOr<WrittenSnapshot> written =
      WriteSnapshotFile(options.path, cache_, clock_, options.trust, give_up);
  // Stop is going to write instead.
  if (absl::IsCancelled(written.status()) && occasion == Occasion::kInterval) return;
  if (!written.ok()) return NoteFailure(options, written.status());
  mark_ = {.insertions = total.insertions, .entries = total.entries};
  mark_path_ = options.path;
  NoteWritten(options, *written, std::chrono::steady_clock::now() - begun);
}

void CacheKeeper::NoteWritten(const Options& options, const WrittenSnapshot& written, Duration took) {
  const bool works_again = !std::exchange(failure_, "").empty();
  if (works_again) Log(LogLevel::kInfo, "the snapshot of the cache can be written again", {{"file", options.path}});
  const bool first = !std::exchange(told_written_, true);
  Log(first ? LogLevel::kInfo : LogLevel::kDebug, "the cache was written to its snapshot",
      {{"file", options.path},
       {"entries", written.entries},
       {"bytes", written.octets},
       {"ms", WholeMilliseconds(took)}});
  const std::lock_guard lock(mutex_);
  statistics_.entries = written.entries;
  statistics_.octets = written.octets;
  statistics_.written_at = WallTimeOf(written.written_ms);
}

void CacheKeeper::NoteFailure(const Options& options, const absl::Status& status) {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::string failure(MessageOf(status));
  if (failure != failure_ || now >= failure_told_at_ + kFailureNews) {
    Log(LogLevel::kWarning, "the snapshot of the cache cannot be written, so a restart would lose what is new",
        {{"file", options.path}, {"error", failure}});
    failure_told_at_ = now;
    failure_ = std::move(failure);
  }
  const std::lock_guard lock(mutex_);
  ++statistics_.failures;
}

}  // namespace dotward
