#ifndef DOTWARD_APP_SNAPSHOT_FILE_H_
#define DOTWARD_APP_SNAPSHOT_FILE_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "dns/classify.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"

namespace dotward {

// Asked between two short turns of work; once it says true, the work ends with kCancelled and leaves no trace.
using GiveUp = std::function<bool()>;

struct WrittenSnapshot {
  uint64_t entries = 0;
  uint64_t octets = 0;
  uint64_t written_ms = 0;  // since 1970
};

// Writes what is in the cache and of use (fresh, or to be given stale) to the file at `path`, which it replaces as a
// whole (see FileReplacement). Holds one shard of the cache for a few entries at a time, and a chunk in memory. For
// `trust`, see SnapshotHeader.
//
// kFailedPrecondition: something else stands there, which is left alone. kNotFound and kUnavailable: see
// FileReplacement.
absl::StatusOr<WrittenSnapshot> WriteSnapshotFile(const std::string& path, const ResponseCache& cache,
                                                  const Clock& clock, uint32_t trust, const GiveUp& give_up);

struct LoadedSnapshot {
  uint64_t entries = 0;     // that are in the cache now
  uint64_t stale = 0;       // of these, those that had expired
  uint64_t too_old = 0;     // to be given even stale
  uint64_t unusable = 0;    // that were no answers
  uint64_t not_stored = 0;  // for want of space, or because something newer was there
  uint64_t octets = 0;
  uint64_t written_ms = 0;   // since 1970
  bool age_unknown = false;  // see SnapshotRestorer
};

// Puts what the file at `path` has into the cache, beside what is there and in place of nothing. The file is read
// twice: before the first entry of it is believed, all of it has been found whole.
//
// kNotFound: there is no such file. kUnavailable: it cannot be read. The others say why it is ignored as a whole, and
// where: kInvalidArgument: it is something else; kUnimplemented: of a newer version; kDataLoss: torn or damaged;
// kFailedPrecondition: written while another `trust` was.
absl::StatusOr<LoadedSnapshot> LoadSnapshotFile(const std::string& path, ResponseCache& cache, const Clock& clock,
                                                const TtlPolicy& ttl, uint32_t trust, const GiveUp& give_up);

}  // namespace dotward

#endif  // DOTWARD_APP_SNAPSHOT_FILE_H_
