// Whatever stands in a snapshot's file: it is read in bounded memory, cut in any way it reads the same, and what comes
// into the cache is an answer that could have come from an upstream, within its bounds. The first octet chooses how the
// rest is taken: as a whole file, or as the records of one chunk whose checksums are right, so that a fuzzer gets past
// them.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "cache/snapshot_codec.h"
#include "cache/snapshot_octets.h"
#include "cache/snapshot_restorer.h"
#include "dns/scan.h"

namespace {

using namespace dotward;

constexpr uint64_t kWritten = 1'790'000'000'000;
constexpr SteadyTime kNow{std::chrono::hours(1)};
constexpr std::chrono::hours kStaleMaxAge{24};

void Check(bool claim) {
  if (!claim) std::abort();
}

Octets FileOf(std::span<const uint8_t> input, uint8_t choice) {
  const Octets octets(input.begin(), input.end());
  if ((choice & 1U) == 0) return octets;
  // Whether the count at the end is right: the reader says how many records there are.
  PlainSnapshot file(kWritten);
  if (!octets.empty()) file.Part(static_cast<uint32_t>(octets.size()), octets);
  uint64_t records = 0;
  SnapshotRecord record;
  for (OctetView rest = octets; !rest.empty() && TakeRecord(rest, record);) ++records;
  return file.End(records).octets();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const Octets file = FileOf({data + 1, size - 1}, choice);
  SnapshotReader reader(SourceOf(file));
  const absl::StatusOr<SnapshotHeader> header = reader.ReadHeader();
  if (!header.ok()) return 0;
  // Before the file was written, or up to an hour and a half after it.
  const std::chrono::milliseconds wall_now(kWritten + (choice >> 1U) * 42U * 1000 - 42'000);
  SnapshotRestorer restorer(*header,
                            {.ttl = {}, .stale_max_age = kStaleMaxAge, .wall_now = WallTime(wall_now), .now = kNow});
  ResponseCache cache({.octets_max = size_t{1} << 20U, .shards = 1, .stale_max_age = kStaleMaxAge});
  while (true) {
    const absl::StatusOr<OctetView> chunk = reader.NextChunk();
    if (!chunk.ok() || chunk->empty()) break;
    Check(chunk->size() <= SnapshotLimits::kChunkOctetsMax);
    SnapshotRecord record;
    for (OctetView rest = *chunk; !rest.empty();) {
      Check(TakeRecord(rest, record));
      SnapshotRestorer::Restored restored = restorer.Restore(record);
      const bool kept =
          restored.fate == SnapshotRestorer::Fate::kFresh || restored.fate == SnapshotRestorer::Fate::kStale;
      Check(kept == static_cast<bool>(restored.image));
      if (!kept) continue;
      const ResponseImage& image = *restored.image;
      Check(image.lifetime_seconds() > 0 && image.lifetime_seconds() <= record.lifetime_seconds);
      Check(image.Expired(kNow) == (restored.fate == SnapshotRestorer::Fate::kStale));
      Check(!restorer.age_unknown() || image.Expired(kNow));
      ScannedMessage scan;
      Check(ScanMessage(image.ToMessage(), MessageSide::kResponse, scan) == ScanFault::kNone);
      const CacheKey key = SnapshotRestorer::KeyOf(record, image);
      if (!cache.Restore(key, restored.image, kNow)) continue;
      if (image.Expired(kNow)) {
        Check(cache.LookupStale(key, kNow).has_value());
      } else {
        Check(cache.Lookup(key, kNow).has_value());
      }
    }
  }
  Check(cache.Total(kNow).octets <= cache.octets_max());
  return 0;
}
