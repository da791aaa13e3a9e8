#include "app/snapshot_file.h"

#include <unistd.h>

#include <span>
#include <utility>
#include <vector>

#include "app/state_file.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cache/snapshot_codec.h"
#include "cache/snapshot_restorer.h"

namespace dotward {
namespace {

SnapshotReader::Source SourceOf(const Descriptor& file, const std::string& path) {
  return [&file, &path](std::span<uint8_t> space) { return ReadStateFile(file, path, space); };
}

// A path that was mistyped must not cost somebody's file.
absl::Status CheckReplaceable(const std::string& path) {
  absl::StatusOr<Descriptor> file = OpenStateFile(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  if (absl::IsInvalidArgument(file.status())) return absl::FailedPreconditionError(file.status().message());
  RETURN_IF_ERROR(file.status());
  SnapshotReader reader(SourceOf(*file, path));
  if (!absl::IsInvalidArgument(reader.ReadHeader().status())) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(path, " is not a snapshot of dotward, so it is not replaced; move it away, or choose another path"));
}

absl::Status WriteEntries(FileReplacement& file, const std::string& path, const ResponseCache& cache, SteadyTime now,
                          SnapshotEncoder& encoder, WrittenSnapshot& written, const GiveUp& give_up) {
  const auto write_ready = [&] {
    const absl::Status status = file.Write(encoder.ready());
    written.octets += encoder.ready().size();
    encoder.ClearReady();
    return status;
  };
  const Duration stale_max_age = cache.stale_max_age();
  CacheCursor cursor;
  std::vector<CacheEntry> entries;
  for (bool more = true; more;) {
    if (give_up()) return absl::CancelledError(StrCat("there was no more time to write ", path));
    more = cache.Walk(cursor, entries, now);
    for (const CacheEntry& entry : entries) {
      if (entry.image->TimeLeft(now) > -stale_max_age) encoder.Add(entry);
    }
    entries.clear();
    RETURN_IF_ERROR(write_ready());
  }
  encoder.Finish();
  return write_ready();
}

// Whether the whole file is sound, before anything in it is believed.
absl::StatusOr<SnapshotHeader> Verify(const Descriptor& file, const std::string& path, const GiveUp& give_up) {
  SnapshotReader reader(SourceOf(file, path));
  ASSIGN_OR_RETURN(const SnapshotHeader header, reader.ReadHeader());
  while (true) {
    if (give_up()) return absl::CancelledError(StrCat("reading ", path, " was given up"));
    ASSIGN_OR_RETURN(const OctetView chunk, reader.NextChunk());
    if (chunk.empty()) return header;
  }
}

void Count(const SnapshotRestorer::Restored& restored, bool stored, LoadedSnapshot& loaded) {
  using Fate = SnapshotRestorer::Fate;
  if (restored.fate == Fate::kTooOld) {
    ++loaded.too_old;
  } else if (restored.fate == Fate::kUnusable) {
    ++loaded.unusable;
  } else if (!stored) {
    ++loaded.not_stored;
  } else {
    ++loaded.entries;
    if (restored.fate == Fate::kStale) ++loaded.stale;
  }
}

}  // namespace

absl::StatusOr<WrittenSnapshot> WriteSnapshotFile(const std::string& path, const ResponseCache& cache,
                                                  const Clock& clock, uint32_t trust, const GiveUp& give_up) {
  RETURN_IF_ERROR(CheckReplaceable(path));
  ASSIGN_OR_RETURN(FileReplacement file, FileReplacement::Begin(path));
  WrittenSnapshot written;
  written.written_ms = MillisecondsOf(clock.WallNow());
  const SteadyTime now = clock.Now();
  SnapshotEncoder encoder({.written_ms = written.written_ms, .trust = trust}, now);
  RETURN_IF_ERROR(WriteEntries(file, path, cache, now, encoder, written, give_up));
  written.entries = encoder.records();
  RETURN_IF_ERROR(file.Commit());
  return written;
}

absl::StatusOr<LoadedSnapshot> LoadSnapshotFile(const std::string& path, ResponseCache& cache, const Clock& clock,
                                                const TtlPolicy& ttl, uint32_t trust, const GiveUp& give_up) {
  ASSIGN_OR_RETURN(const Descriptor file, OpenStateFile(path));
  ASSIGN_OR_RETURN(const SnapshotHeader header, Verify(file, path, give_up));
  if (header.trust != trust) {
    return absl::FailedPreconditionError("it was written while other settings said which answers are authentic");
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return absl::UnavailableError(StrCat("cannot read ", path, " again"));
  SnapshotRestorer restorer(
      header, {.ttl = ttl, .stale_max_age = cache.stale_max_age(), .wall_now = clock.WallNow(), .now = clock.Now()});
  LoadedSnapshot loaded;
  loaded.written_ms = header.written_ms;
  loaded.age_unknown = restorer.age_unknown();
  SnapshotReader reader(SourceOf(file, path));
  RETURN_IF_ERROR(reader.ReadHeader().status());
  while (true) {
    if (give_up()) return absl::CancelledError(StrCat("loading ", path, " was given up"));
    ASSIGN_OR_RETURN(const OctetView chunk, reader.NextChunk());
    if (chunk.empty()) break;
    const SteadyTime now = clock.Now();
    SnapshotRecord record;
    for (OctetView rest = chunk; !rest.empty() && TakeRecord(rest, record);) {
      const SnapshotRestorer::Restored restored = restorer.Restore(record);
      const bool stored =
          restored.image && cache.Restore(SnapshotRestorer::KeyOf(record, *restored.image), restored.image, now);
      Count(restored, stored, loaded);
    }
  }
  loaded.octets = reader.offset();
  return loaded;
}

}  // namespace dotward
