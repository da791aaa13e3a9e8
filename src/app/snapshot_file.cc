#include "app/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cache/snapshot_codec.h"
#include "cache/snapshot_restorer.h"
#include "net/descriptor.h"

namespace dotward {
namespace {

constexpr mode_t kMode = 0600;

absl::Status Refused(std::string_view step, const std::string& path) {
  const int error = errno;
  const std::string text = StrCat(step, " ", path, ": ", std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<Descriptor> Open(const std::string& path, int flags) {
  Descriptor file(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, kMode));
  if (!file.is_open()) return Refused("cannot open", path);
  return file;
}

// A regular file to be read: neither a link, nor a device that never ends.
absl::StatusOr<Descriptor> OpenToRead(const std::string& path) {
  ASSIGN_OR_RETURN(Descriptor file, Open(path, O_RDONLY));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return Refused("cannot look at", path);
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(StrCat(path, " is no regular file"));
  return file;
}

SnapshotReader::Source SourceOf(const Descriptor& file, const std::string& path) {
  return [&file, &path](std::span<uint8_t> space) -> absl::StatusOr<size_t> {
    size_t filled = 0;
    while (filled < space.size()) {
      const ssize_t got = read(file.get(), space.data() + filled, space.size() - filled);
      if (got == 0) break;
      if (got > 0) {
        filled += static_cast<size_t>(got);
      } else if (errno != EINTR) {
        return Refused("cannot read", path);
      }
    }
    return filled;
  };
}

absl::Status WriteAll(const Descriptor& file, const std::string& path, OctetView octets) {
  while (!octets.empty()) {
    const ssize_t taken = write(file.get(), octets.data(), octets.size());
    if (taken > 0) {
      octets = octets.subspan(static_cast<size_t>(taken));
    } else if (taken == 0 || errno != EINTR) {
      return Refused("cannot write", path);
    }
  }
  return absl::OkStatus();
}

// A path that was mistyped must not cost somebody's file.
absl::Status CheckReplaceable(const std::string& path) {
  absl::StatusOr<Descriptor> file = OpenToRead(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  if (absl::IsInvalidArgument(file.status())) return absl::FailedPreconditionError(file.status().message());
  RETURN_IF_ERROR(file.status());
  SnapshotReader reader(SourceOf(*file, path));
  if (!absl::IsInvalidArgument(reader.ReadHeader().status())) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(path, " is not a snapshot of dotward, so it is not replaced; move it away, or choose another path"));
}

absl::Status WriteEntries(const Descriptor& file, const std::string& path, const ResponseCache& cache, SteadyTime now,
                          SnapshotEncoder& encoder, WrittenSnapshot& written, const GiveUp& give_up) {
  const auto write_ready = [&] {
    const absl::Status status = WriteAll(file, path, encoder.ready());
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

// Until it has the snapshot's name, the temporary file is of no use to anybody.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  absl::Status RenameTo(const std::string& path) {
    if (std::rename(path_.c_str(), path.c_str()) != 0) return Refused("cannot rename to", path);
    path_.clear();
    return absl::OkStatus();
  }

 private:
  std::string path_;
};

// Without it, a loss of power could bring back the old name of a file whose octets are safe.
absl::Status SyncFolder(const std::string& folder) {
  Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder that may be written to but not read cannot be asked to; the file is there all the same.
  if (!opened.is_open()) return absl::OkStatus();
  return fsync(opened.get()) == 0 ? absl::OkStatus() : Refused("cannot sync", folder);
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
  const std::string temporary_path = path + ".tmp";
  // What an earlier process left when it was killed.
  if (unlink(temporary_path.c_str()) != 0 && errno != ENOENT) return Refused("cannot remove", temporary_path);
  ASSIGN_OR_RETURN(const Descriptor file, Open(temporary_path, O_WRONLY | O_CREAT | O_EXCL));
  TemporaryFile temporary(temporary_path);
  WrittenSnapshot written;
  written.written_ms = MillisecondsOf(clock.WallNow());
  const SteadyTime now = clock.Now();
  SnapshotEncoder encoder({.written_ms = written.written_ms, .trust = trust}, now);
  RETURN_IF_ERROR(WriteEntries(file, temporary_path, cache, now, encoder, written, give_up));
  written.entries = encoder.records();
  if (fsync(file.get()) != 0) return Refused("cannot sync", temporary_path);
  RETURN_IF_ERROR(temporary.RenameTo(path));
  RETURN_IF_ERROR(SyncFolder(FolderOf(path)));
  return written;
}

absl::StatusOr<LoadedSnapshot> LoadSnapshotFile(const std::string& path, ResponseCache& cache, const Clock& clock,
                                                const TtlPolicy& ttl, uint32_t trust, const GiveUp& give_up) {
  ASSIGN_OR_RETURN(const Descriptor file, OpenToRead(path));
  ASSIGN_OR_RETURN(const SnapshotHeader header, Verify(file, path, give_up));
  if (header.trust != trust) {
    return absl::FailedPreconditionError("it was written while other settings said which answers are authentic");
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return Refused("cannot read", path);
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
