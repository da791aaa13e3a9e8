#include "cache/snapshot_codec.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// The first octet is in no text, so that none is taken for a snapshot.
constexpr std::array<uint8_t, 8> kMagic = {0x9d, 'd', 'o', 't', 'w', 'a', 'r', 'd'};
constexpr size_t kVersionAt = kMagic.size();
constexpr size_t kWrittenAt = kVersionAt + 4;
constexpr size_t kTrustAt = kWrittenAt + 8;
constexpr size_t kHeaderChecksumAt = kTrustAt + 4;
constexpr size_t kHeaderOctetsOfFile = kHeaderChecksumAt + 4;
constexpr size_t kPartHeadOctets = 8;  // length and checksum
constexpr size_t kLengthOctets = 4;
constexpr size_t kCountOctets = 8;

// Of a record.
constexpr uint8_t kDnssecOk = 1, kCheckingDisabled = 2, kAuthenticData = 4, kFlagsKnown = 7;
constexpr size_t kRecordFixedOctets = 1 + 8 + 4 + 1 + 1 + 2;
constexpr size_t kTextOctetsMax = 255;
static_assert(kRecordFixedOctets + 2 * kTextOctetsMax + kMessageOctetsMax <= SnapshotLimits::kChunkOctetsMax);

uint64_t ReadU64(const uint8_t* at) { return (uint64_t{ReadU32(at)} << 32U) | ReadU32(at + 4); }

void AppendU16(Octets& out, uint16_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8U));
  out.push_back(static_cast<uint8_t>(value));
}
void AppendU32(Octets& out, uint32_t value) {
  AppendU16(out, static_cast<uint16_t>(value >> 16U));
  AppendU16(out, static_cast<uint16_t>(value));
}
void AppendU64(Octets& out, uint64_t value) {
  AppendU32(out, static_cast<uint32_t>(value >> 32U));
  AppendU32(out, static_cast<uint32_t>(value));
}
void AppendOctets(Octets& out, OctetView octets) { out.insert(out.end(), octets.begin(), octets.end()); }
void AppendText(Octets& out, std::string_view text) {
  text = text.substr(0, kTextOctetsMax);
  out.push_back(static_cast<uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

// Goes on with a checksum; that of nothing is 0.
uint32_t Checksum(uint32_t before, OctetView octets) {
  return static_cast<uint32_t>(crc32(before, octets.data(), static_cast<uInt>(octets.size())));
}

absl::Status Torn(uint64_t offset, std::string_view why) {
  return absl::DataLossError(StrCat("it is damaged at octet ", offset, ": ", why));
}

// Reads fields off the front; what is behind the end reads as nothing and turns ok() false.
class FieldReader {
 public:
  explicit FieldReader(OctetView octets) : octets_(octets) {}

  uint8_t U8() { return Has(1) ? Take(1)[0] : uint8_t{0}; }
  uint16_t U16() { return Has(2) ? ReadU16(Take(2).data()) : uint16_t{0}; }
  uint32_t U32() { return Has(4) ? ReadU32(Take(4).data()) : 0; }
  uint64_t U64() { return Has(8) ? ReadU64(Take(8).data()) : 0; }
  OctetView Part(size_t octets) { return Has(octets) ? Take(octets) : OctetView(); }
  std::string_view Text() {
    const OctetView octets = Part(U8());
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
  }

  bool ok() const { return ok_; }
  OctetView rest() const { return octets_; }

 private:
  bool Has(size_t octets) { return ok_ = ok_ && octets <= octets_.size(); }
  OctetView Take(size_t octets) {
    const OctetView part = octets_.first(octets);
    octets_ = octets_.subspan(octets);
    return part;
  }

  OctetView octets_;
  bool ok_ = true;
};

}  // namespace

uint64_t MillisecondsOf(WallTime time) {
  const int64_t milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return milliseconds < 0 ? 0 : static_cast<uint64_t>(milliseconds);
}

SnapshotEncoder::SnapshotEncoder(const SnapshotHeader& header, SteadyTime now) : header_(header), now_(now) {
  AppendOctets(ready_, kMagic);
  AppendU32(ready_, SnapshotLimits::kVersion);
  AppendU64(ready_, header.written_ms);
  AppendU32(ready_, header.trust);
  checksum_ = Checksum(0, ready_);
  AppendU32(ready_, checksum_);
  chunk_.reserve(SnapshotLimits::kChunkOctetsMax);
}

void SnapshotEncoder::Add(const CacheEntry& entry) {
  const ResponseImage& image = *entry.image;
  const Octets message = image.ToMessage();
  if (message.size() > kMessageOctetsMax) return;
  const AnswerOrigin origin = image.origin();
  const size_t octets = kRecordFixedOctets + origin.upstream().size() + origin.server().size() + message.size();
  if (chunk_.size() + octets > SnapshotLimits::kChunkOctetsMax) CloseChunk();
  uint8_t flags = 0;
  if (entry.dnssec_ok) flags |= kDnssecOk;
  if (entry.checking_disabled) flags |= kCheckingDisabled;
  if (image.authentic_data()) flags |= kAuthenticData;
  const auto age_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(image.Age(now_)).count());
  chunk_.push_back(flags);
  AppendU64(chunk_, header_.written_ms - std::min(age_ms, header_.written_ms));
  AppendU32(chunk_, image.lifetime_seconds());
  AppendText(chunk_, origin.upstream());
  AppendText(chunk_, origin.server());
  AppendU16(chunk_, static_cast<uint16_t>(message.size()));
  AppendOctets(chunk_, message);
  ++records_;
}

void SnapshotEncoder::Finish() {
  CloseChunk();
  Octets count;
  AppendU64(count, records_);
  AppendPart(count, 0);
}

void SnapshotEncoder::CloseChunk() {
  if (chunk_.empty()) return;
  AppendPart(chunk_, static_cast<uint32_t>(chunk_.size()));
  chunk_.clear();
}

void SnapshotEncoder::AppendPart(OctetView body, uint32_t length) {
  std::array<uint8_t, kLengthOctets> head;
  WriteU32(head.data(), length);
  checksum_ = Checksum(Checksum(checksum_, head), body);
  AppendOctets(ready_, head);
  AppendU32(ready_, checksum_);
  AppendOctets(ready_, body);
}

absl::StatusOr<SnapshotHeader> SnapshotReader::ReadHeader() {
  std::array<uint8_t, kHeaderOctetsOfFile> octets{};
  ASSIGN_OR_RETURN(const size_t got, source_(octets));
  const size_t compared = std::min(got, kMagic.size());
  const bool foreign = !std::equal(octets.begin(), octets.begin() + compared, kMagic.begin());
  // After a loss of power some file systems leave zeros where something was to be.
  const bool blank = std::all_of(octets.begin(), octets.begin() + compared, [](uint8_t octet) { return octet == 0; });
  if (blank) return Torn(0, "nothing has been written there");
  if (foreign) return absl::InvalidArgumentError("it is not a snapshot of dotward");
  offset_ = got;
  if (got < octets.size()) return Torn(got, "it ends in its header");
  const uint32_t version = ReadU32(&octets[kVersionAt]);
  if (version > SnapshotLimits::kVersion) {
    return absl::UnimplementedError(
        StrCat("its version is ", version, ", and this program reads those up to ", SnapshotLimits::kVersion));
  }
  RETURN_IF_ERROR(
      CheckSum(std::span(octets).first(kHeaderChecksumAt), ReadU32(&octets[kHeaderChecksumAt]), 0, "header"));
  const SnapshotHeader header{.written_ms = ReadU64(&octets[kWrittenAt]), .trust = ReadU32(&octets[kTrustAt])};
  if (version == 0 || header.written_ms > SnapshotLimits::kMillisecondsMax) {
    return Torn(kVersionAt, "its header makes no sense");
  }
  return header;
}

absl::StatusOr<OctetView> SnapshotReader::NextChunk() {
  const uint64_t part_offset = offset_;
  std::array<uint8_t, kPartHeadOctets> head{};
  RETURN_IF_ERROR(Fill(head, "between two of its parts"));
  const uint32_t length = ReadU32(head.data());
  const uint32_t checksum = ReadU32(&head[kLengthOctets]);
  checksum_ = Checksum(checksum_, std::span(head).first(kLengthOctets));
  if (length == 0) {
    RETURN_IF_ERROR(ReadEnd(checksum, part_offset));
    return OctetView();
  }
  if (length > SnapshotLimits::kChunkOctetsMax) return Torn(part_offset, "a part is longer than any can be");
  chunk_.resize(length);
  RETURN_IF_ERROR(Fill(chunk_, "in the middle of a part"));
  RETURN_IF_ERROR(CheckSum(chunk_, checksum, part_offset, "part"));
  SnapshotRecord record;
  for (OctetView rest = chunk_; !rest.empty(); ++records_) {
    const size_t at = chunk_.size() - rest.size();
    if (!TakeRecord(rest, record)) return Torn(part_offset + kPartHeadOctets + at, "a record makes no sense");
  }
  return OctetView(chunk_);
}

absl::Status SnapshotReader::Fill(std::span<uint8_t> space, std::string_view part) {
  ASSIGN_OR_RETURN(const size_t got, source_(space));
  offset_ += got;
  return got == space.size() ? absl::OkStatus() : Torn(offset_, StrCat("it ends ", part));
}

absl::Status SnapshotReader::CheckSum(OctetView covered, uint32_t checksum, uint64_t part_offset,
                                      std::string_view part) {
  checksum_ = Checksum(checksum_, covered);
  if (checksum_ == checksum) return absl::OkStatus();
  return Torn(part_offset, StrCat("the checksum of its ", part, " is another"));
}

absl::Status SnapshotReader::ReadEnd(uint32_t checksum, uint64_t part_offset) {
  std::array<uint8_t, kCountOctets> count{};
  RETURN_IF_ERROR(Fill(count, "in its last part"));
  RETURN_IF_ERROR(CheckSum(count, checksum, part_offset, "last part"));
  if (ReadU64(count.data()) != records_) {
    return Torn(part_offset, StrCat("it has ", records_, " records instead of ", ReadU64(count.data())));
  }
  std::array<uint8_t, 1> more{};
  ASSIGN_OR_RETURN(const size_t got, source_(more));
  return got == 0 ? absl::OkStatus() : Torn(offset_, "something stands behind its end");
}

bool TakeRecord(OctetView& records, SnapshotRecord& record) {
  FieldReader fields(records);
  const uint8_t flags = fields.U8();
  record.dnssec_ok = (flags & kDnssecOk) != 0;
  record.checking_disabled = (flags & kCheckingDisabled) != 0;
  record.authentic_data = (flags & kAuthenticData) != 0;
  record.received_ms = fields.U64();
  record.lifetime_seconds = fields.U32();
  record.upstream = fields.Text();
  record.server = fields.Text();
  record.message = fields.Part(fields.U16());
  if (!fields.ok() || (flags & ~kFlagsKnown) != 0 || record.received_ms > SnapshotLimits::kMillisecondsMax) {
    return false;
  }
  records = fields.rest();
  return true;
}

}  // namespace dotward
