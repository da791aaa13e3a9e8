#ifndef DOTWARD_TESTS_CACHE_SNAPSHOT_OCTETS_H_
#define DOTWARD_TESTS_CACHE_SNAPSHOT_OCTETS_H_

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/snapshot_codec.h"
#include "dns/types.h"

// Snapshot files written by hand, without the program's encoder and without its checksum. Shared between the tests and
// the fuzz target, and so free of any test framework.

namespace dotward {

inline Octets BigEndian(uint64_t value, size_t octets) {
  Octets out(octets);
  for (size_t i = 0; i < octets; ++i) out[i] = static_cast<uint8_t>(value >> (8U * (octets - 1 - i)));
  return out;
}

// CRC-32 as in IEEE 802.3, bit by bit.
inline uint32_t PlainCrc(uint32_t before, OctetView octets) {
  uint32_t crc = ~before;
  for (const uint8_t octet : octets) {
    crc ^= octet;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xedb8'8320U : 0U);
  }
  return ~crc;
}

struct PlainRecord {
  uint8_t flags = 0;
  uint64_t received_ms = 0;
  uint32_t lifetime_seconds = 300;
  std::string_view upstream = "quad9";
  std::string_view server = "9.9.9.9:853";
  Octets message{};

  Octets Build() const {
    Octets out = {flags};
    const auto append = [&out](const auto& part) { out.insert(out.end(), part.begin(), part.end()); };
    append(BigEndian(received_ms, 8));
    append(BigEndian(lifetime_seconds, 4));
    append(BigEndian(upstream.size(), 1));
    append(upstream);
    append(BigEndian(server.size(), 1));
    append(server);
    append(BigEndian(message.size(), 2));
    append(message);
    return out;
  }
};

// A file part by part, with checksums that are right.
class PlainSnapshot {
 public:
  explicit PlainSnapshot(uint64_t written_ms, uint32_t trust = 0, uint32_t version = SnapshotLimits::kVersion) {
    const uint8_t magic[] = {0x9d, 'd', 'o', 't', 'w', 'a', 'r', 'd'};
    Append(magic, kCovered);
    Append(BigEndian(version, 4), kCovered);
    Append(BigEndian(written_ms, 8), kCovered);
    Append(BigEndian(trust, 4), kCovered);
    Append(BigEndian(checksum_, 4), kBare);
  }

  PlainSnapshot& Chunk(std::initializer_list<Octets> records) {
    Octets body;
    for (const Octets& record : records) body.insert(body.end(), record.begin(), record.end());
    records_ += records.size();
    return Part(static_cast<uint32_t>(body.size()), body);
  }
  PlainSnapshot& Part(uint32_t length, const Octets& body) {
    const Octets head = BigEndian(length, 4);
    checksum_ = PlainCrc(PlainCrc(checksum_, head), body);
    Append(head, kBare);
    Append(BigEndian(checksum_, 4), kBare);
    Append(body, kBare);
    return *this;
  }
  PlainSnapshot& End() { return End(records_); }
  PlainSnapshot& End(uint64_t count) { return Part(0, BigEndian(count, 8)); }
  PlainSnapshot& Raw(const Octets& octets) {
    Append(octets, kBare);
    return *this;
  }
  const Octets& octets() const { return octets_; }

 private:
  static constexpr bool kCovered = true, kBare = false;
  void Append(std::span<const uint8_t> part, bool covered) {
    if (covered) checksum_ = PlainCrc(checksum_, part);
    octets_.insert(octets_.end(), part.begin(), part.end());
  }

  Octets octets_;
  uint32_t checksum_ = 0;
  uint64_t records_ = 0;
};

// Gives the octets of a file that stands in memory. Borrows them.
inline SnapshotReader::Source SourceOf(OctetView octets) {
  return [octets](std::span<uint8_t> space) mutable -> absl::StatusOr<size_t> {
    const size_t part = std::min(space.size(), octets.size());
    if (part != 0) std::memcpy(space.data(), octets.data(), part);
    octets = octets.subspan(part);
    return part;
  };
}

struct ReadSnapshotFile {
  absl::Status status;
  SnapshotHeader header;
  uint64_t chunks = 0;
  std::vector<Octets> records;  // each as it stands in the file
};

inline ReadSnapshotFile ReadWhole(OctetView octets) {
  ReadSnapshotFile read;
  SnapshotReader reader(SourceOf(octets));
  const absl::StatusOr<SnapshotHeader> header = reader.ReadHeader();
  read.status = header.status();
  if (!header.ok()) return read;
  read.header = *header;
  while (true) {
    const absl::StatusOr<OctetView> chunk = reader.NextChunk();
    read.status = chunk.status();
    if (!chunk.ok() || chunk->empty()) return read;
    ++read.chunks;
    SnapshotRecord record;
    for (OctetView rest = *chunk; !rest.empty();) {
      const OctetView before = rest;
      if (!TakeRecord(rest, record)) std::abort();  // the reader has looked at it already
      const OctetView octets_of = before.first(before.size() - rest.size());
      read.records.emplace_back(octets_of.begin(), octets_of.end());
    }
  }
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_CACHE_SNAPSHOT_OCTETS_H_
