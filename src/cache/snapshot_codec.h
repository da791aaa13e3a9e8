#ifndef DOTWARD_CACHE_SNAPSHOT_CODEC_H_
#define DOTWARD_CACHE_SNAPSHOT_CODEC_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"

// The octets of a file that carries a cache over a restart; all numbers are big-endian.
//
//   header   magic 8 | version 4 | written at 8 | trust 4 | checksum 4
//   chunk    length 4 | checksum 4 | `length` octets of whole records
//   end      0 4 | checksum 4 | number of records 8, and nothing behind it
//   record   flags 1 | received at 8 | lifetime 4 | length 1 and upstream | length 1 and server | length 2 and message
//
// Times are milliseconds since 1970, lifetimes seconds. A checksum is the CRC-32 of everything in the file up to the
// end of its part, checksums left out: parts that are missing, moved or of another file do not go unnoticed. It finds
// accidents; what a record says is still read as if an enemy had written it.

namespace dotward {

struct SnapshotLimits {
  static constexpr uint32_t kVersion = 1;
  // Records of one chunk. A message of 65,535 octets fits with what stands around it.
  static constexpr size_t kChunkOctetsMax = size_t{66} << 10;
  // Upstreams and servers that the records of one file may name; those of more are told without.
  static constexpr size_t kOriginsMax = 256;
  static constexpr uint64_t kMillisecondsMax = 253'402'300'799'999;  // the end of the year 9999
};

struct SnapshotHeader {
  uint64_t written_ms = 0;
  // What made the writer believe its answers: a number of the caller's. Another one today means that they are not to be
  // believed for the same reasons.
  uint32_t trust = 0;
};

// One entry as it stands in a file. Borrows from the chunk.
struct SnapshotRecord {
  bool dnssec_ok = false;
  bool checking_disabled = false;
  bool authentic_data = false;
  uint64_t received_ms = 0;
  uint32_t lifetime_seconds = 0;
  std::string_view upstream;
  std::string_view server;
  OctetView message;
};

// Of a time before 1970: 0.
uint64_t MillisecondsOf(WallTime time);

// Makes the octets of a file. Not thread-safe.
class SnapshotEncoder {
 public:
  // `now` is the same moment as `header.written_ms`.
  SnapshotEncoder(const SnapshotHeader& header, SteadyTime now);

  // An entry that does not fit a record (its message is close to 65,535 octets and has extended errors) is left out.
  void Add(const CacheEntry& entry);
  void Finish();

  // What is ready to be written: the header, whole chunks, at last the end. Valid until the next call of another
  // function.
  OctetView ready() const { return ready_; }
  void ClearReady() { ready_.clear(); }
  uint64_t records() const { return records_; }

 private:
  void CloseChunk();
  void AppendPart(OctetView body, uint32_t length);

  const SnapshotHeader header_;
  const SteadyTime now_;
  Octets ready_;
  Octets chunk_;
  uint32_t checksum_ = 0;
  uint64_t records_ = 0;
};

// Reads a file part by part, in one pass with one chunk in memory. Not thread-safe.
class SnapshotReader {
 public:
  // Fills `space` with the octets that follow; fewer only at the end of the file. kUnavailable where it cannot be read.
  using Source = std::function<absl::StatusOr<size_t>(std::span<uint8_t> space)>;
  explicit SnapshotReader(Source source) : source_(std::move(source)) {}

  // First. kInvalidArgument: this is no snapshot, but something of somebody else's. kUnimplemented: one of a newer
  // version. kDataLoss: it is torn or damaged; the message says where and how. Or the source's error.
  absl::StatusOr<SnapshotHeader> ReadHeader();
  // The records of the next chunk, never empty and each of them sound by its framing, until ReadHeader or NextChunk is
  // called again; empty at the end of a file that is whole. kDataLoss and the source's error as above.
  absl::StatusOr<OctetView> NextChunk();

  uint64_t records() const { return records_; }  // in the chunks so far
  uint64_t offset() const { return offset_; }    // of what is read next

 private:
  absl::Status Fill(std::span<uint8_t> space, std::string_view part);
  absl::Status CheckSum(OctetView covered, uint32_t checksum, uint64_t part_offset, std::string_view part);
  absl::Status ReadEnd(uint32_t checksum, uint64_t part_offset);

  Source source_;
  Octets chunk_;
  uint32_t checksum_ = 0;
  uint64_t records_ = 0;
  uint64_t offset_ = 0;
};

// Takes the first record off `records`; false where they do not begin with a sound one.
bool TakeRecord(OctetView& records, SnapshotRecord& record);

}  // namespace dotward

#endif  // DOTWARD_CACHE_SNAPSHOT_CODEC_H_
