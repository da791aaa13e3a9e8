#ifndef DOTWARD_CACHE_SNAPSHOT_RESTORER_H_
#define DOTWARD_CACHE_SNAPSHOT_RESTORER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "cache/snapshot_codec.h"
#include "dns/answer_origin.h"
#include "dns/classify.h"
#include "dns/response_image.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"

namespace dotward {

// Makes the records of one snapshot into entries of a cache. A record's age is what the wall clock says: the time
// since it was received, the program's absence included. A wall clock that is behind the file (a machine without a
// battery for it) knows no age: then everything counts as expired at this moment, to be given stale if at all, for an
// age that may be too low must make no answer fresh. Not thread-safe.
class SnapshotRestorer {
 public:
  struct Options {
    TtlPolicy ttl;  // of now
    Duration stale_max_age{0};
    WallTime wall_now;
    SteadyTime now;  // the same moment
  };
  enum class Fate : uint8_t {
    kFresh,
    kStale,     // to be given only where nothing better can be had
    kTooOld,    // even for that
    kUnusable,  // its message is none that an upstream could have sent and we would have stored
  };
  struct Restored {
    Fate fate = Fate::kUnusable;
    ImagePtr image;  // null unless fresh or stale
  };

  SnapshotRestorer(const SnapshotHeader& header, const Options& options);

  // The wall clock is behind the time of writing.
  bool age_unknown() const { return wall_now_ms_ < written_ms_; }
  Restored Restore(const SnapshotRecord& record);
  // What the image is stored under. Borrows from the image.
  static CacheKey KeyOf(const SnapshotRecord& record, const ResponseImage& image);

 private:
  AnswerOrigin OriginOf(const SnapshotRecord& record);

  const Options options_;
  const uint64_t written_ms_;
  const uint64_t wall_now_ms_;
  // The process keeps the texts of every origin for good, so that a file may not bring any number of them.
  std::map<std::pair<std::string, std::string>, AnswerOrigin> origins_;
};

}  // namespace dotward

#endif  // DOTWARD_CACHE_SNAPSHOT_RESTORER_H_
