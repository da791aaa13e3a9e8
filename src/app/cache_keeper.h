#ifndef DOTWARD_APP_CACHE_KEEPER_H_
#define DOTWARD_APP_CACHE_KEEPER_H_

#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "admin/statistics.h"
#include "app/snapshot_file.h"
#include "dns/classify.h"
#include "dnssec/trust_anchors.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "dotward/response_cache.h"

namespace dotward {

// Carries a cache over restarts: a thread of low priority loads the snapshot while the server serves already, and
// writes it every interval in which something was stored or removed; Stop writes it once more. What goes wrong with the
// file costs a line of the log and a count. Without a path there is no thread.
class CacheKeeper {
 public:
  struct Options {
    std::string path;  // empty: none
    Duration interval{0};
    TtlPolicy ttl;
    uint32_t trust = 0;  // see SnapshotHeader
    // `anchors` are those of the configuration; null where nothing is validated.
    static Options Of(const Config& config, const TrustAnchors* anchors);
  };

  // Both must outlive it.
  CacheKeeper(ResponseCache& cache, const Clock& clock) : cache_(cache), clock_(clock) {}
  ~CacheKeeper();  // without Stop, nothing more is written
  CacheKeeper(const CacheKeeper&) = delete;
  CacheKeeper& operator=(const CacheKeeper&) = delete;

  // Loads what is there, once.
  void Start(Options options);
  // Goes on with other options; another file is written when the interval is over, and not read. Thread-safe.
  void Adopt(Options options);
  // Ends the thread, then writes what is new, in a bounded time: where that is over the former file stays. So it does
  // where loading has not ended: it has more than the cache.
  void Stop();

  CacheFileStatistics statistics() const;  // thread-safe

 private:
  enum class Occasion : uint8_t { kInterval, kStop };
  // What of the cache tells whether something has changed.
  struct Mark {
    uint64_t insertions = 0;
    uint64_t entries = 0;
  };

  void EnsureThread();
  void EndThread();
  void Run();
  bool stopping() const;
  void Load(const Options& options);
  void WriteIfChanged(const Options& options, Occasion occasion);
  void NoteWritten(const Options& options, const WrittenSnapshot& written, Duration took);
  void NoteFailure(const Options& options, const absl::Status& status);

  ResponseCache& cache_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Options options_;                 // guarded by mutex_
  bool adopted_ = false;            // guarded by mutex_; other options than the thread has seen
  bool stopping_ = false;           // guarded by mutex_
  CacheFileStatistics statistics_;  // guarded by mutex_
  std::thread thread_;              // guarded by mutex_ until it is joined

  // Of the thread; of Stop once it has ended.
  bool to_load_ = true;
  Mark mark_;              // of the cache as the file has it
  std::string mark_path_;  // whose
  bool told_written_ = false;
  std::string failure_;  // that was told last; empty since it worked
  SteadyTime failure_told_at_{};
};

}  // namespace dotward

#endif  // DOTWARD_APP_CACHE_KEEPER_H_
