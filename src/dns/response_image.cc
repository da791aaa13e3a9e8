#include "dns/response_image.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/status_macros.h"
#include "dns/extended_errors.h"
#include "dns/uncompressed_rdata.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kAllocatorOverheadOctets = 8;  // glibc's header of a block
constexpr size_t kAllocatorGranuleOctets = 16;

constexpr size_t kLocalRecordOverheadOctets = 12;  // a pointer as owner, TYPE, CLASS, TTL, RDLENGTH

constexpr uint32_t kTicksPerSecond = 8;
using Ticks = std::chrono::duration<int64_t, std::ratio<1, kTicksPerSecond>>;
constexpr Duration kTick = Ticks(1);

// Rounded down: what is received a moment later than this says is used a moment less.
uint32_t TicksOf(SteadyTime time) {
  return static_cast<uint32_t>(std::chrono::floor<Ticks>(time.time_since_epoch()).count());
}

constexpr size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

using RecordOrder = absl::InlinedVector<uint16_t, 16>;

// The records that are kept, in the response's order but for this: what belongs to one RRset stands together, so that a
// reply can be cut between RRsets (RFC 2181 §9).
RecordOrder OrderOf(const Classification& classification) {
  RecordOrder order;
  for (size_t i = 0; i < classification.records.size(); ++i) {
    if (classification.records[i].keep) order.push_back(static_cast<uint16_t>(i));
  }
  const auto in_place = [&](uint16_t a, uint16_t b) {
    return classification.records[a].rrset < classification.records[b].rrset;
  };
  // Most servers write RRsets in one piece, and sorting allocates.
  if (!std::is_sorted(order.begin(), order.end(), in_place)) std::stable_sort(order.begin(), order.end(), in_place);
  return order;
}

// How many of the first records of the response are the first of the order: these can be copied as they are.
size_t CountVerbatim(const RecordOrder& order) {
  size_t count = 0;
  while (count < order.size() && order[count] == count) ++count;
  return count;
}

}  // namespace

// Collects the parts of an image in scratch buffers, then makes the one allocation.
class ImageBuilder {
 public:
  // The image will have at most `octets_max` octets of message.
  explicit ImageBuilder(size_t octets_max)
      : scratch_(new uint8_t[octets_max]), writer_(std::span(scratch_.get(), octets_max)) {}

  // Copies what is kept of a response. Octets before the first record that is left out or moved are copied as they are;
  // what stands behind it is written anew without compression, since its pointers may lead to what is gone.
  bool CopyResponse(const ScannedMessage& scan, const Classification& classification, const RecordOrder& order) {
    const size_t verbatim_records = CountVerbatim(order);
    const size_t records_start = kHeaderOctets + scan.question.size();
    const size_t verbatim_end = verbatim_records == 0 ? records_start : scan.records[verbatim_records - 1].end;
    writer_.Copy(scan.octets.first(verbatim_end));
    for (const uint16_t i : order) {
      size_t ttl_at = scan.records[i].ttl_offset();
      if (i >= verbatim_records) ttl_at = WriteUncompressed(scan, scan.records[i]);
      if (!writer_.ok()) return false;
      WriteU32(&scratch_[ttl_at], classification.records[i].ttl);
      AddRecord(scan.records[i].section, ttl_at);
    }
    return true;
  }

  // Records that a message has no room for are left out.
  void WriteLocal(OctetView question, std::span<const ResponseImage::LocalRecord> records) {
    writer_.Zeros(kHeaderOctets);
    writer_.Copy(question);
    const uint16_t klass = ReadU16(&question[question.size() - 2]);
    for (const ResponseImage::LocalRecord& record : records) {
      if (writer_.size() + kLocalRecordOverheadOctets + record.rdata.size() > kMessageOctetsMax) continue;
      writer_.U16(kPointerToQuestion);
      writer_.U16(record.type);
      writer_.U16(klass);
      AddRecord(Section::kAnswer, writer_.size());
      writer_.U32(record.ttl);
      writer_.U16(static_cast<uint16_t>(record.rdata.size()));
      writer_.Copy(record.rdata);
    }
  }

  // The same records as another message of the same outcome has, under another question and without compression.
  bool CopyUnder(OctetView question, const ScannedMessage& scan) {
    qname_ = question.first(question.size() - 4);
    writer_.Zeros(kHeaderOctets);
    writer_.Copy(question);
    for (const RecordEdges& record : scan.records) {
      if (record.type == rr_type::kOpt) continue;  // the extended errors, which go along by themselves
      const size_t ttl_at = WriteUncompressed(scan, record);
      if (!writer_.ok()) return false;
      WriteU32(&scratch_[ttl_at], record.ttl);
      AddRecord(record.section, ttl_at);
    }
    return true;
  }

  ImagePtr Finish(const Classification& classification, std::span<const ExtendedError> errors, AnswerOrigin origin,
                  SteadyTime received_at) {
    return Finish(classification, EncodeExtendedErrors(errors), origin, received_at);
  }

  ImagePtr Finish(const Classification& classification, OctetView error_options, AnswerOrigin origin,
                  SteadyTime received_at) {
    const size_t body_octets = writer_.size() - kHeaderOctets;
    const size_t offsets_at = RoundUp(body_octets, alignof(uint16_t));
    const size_t errors_at = offsets_at + ttl_offsets_.size() * sizeof(uint16_t);
    const size_t end = errors_at + (error_options.empty() ? 0 : sizeof(uint16_t) + error_options.size());
    void* block = std::malloc(sizeof(ResponseImage) + end);
    if (block == nullptr) throw std::bad_alloc();
    auto* image = new (block) ResponseImage();
    auto* data = reinterpret_cast<uint8_t*>(image + 1);
    std::memcpy(data, scratch_.get() + kHeaderOctets, body_octets);
    if (!ttl_offsets_.empty()) {
      std::memcpy(data + offsets_at, ttl_offsets_.data(), ttl_offsets_.size() * sizeof(uint16_t));
    }
    image->flags_ = static_cast<uint8_t>(classification.kind);
    if (classification.authentic_data) image->flags_ |= ResponseImage::kAuthenticData;
    if (classification.behind_alias) image->flags_ |= ResponseImage::kBehindAlias;
    if (!error_options.empty()) {
      image->flags_ |= ResponseImage::kHasErrors;
      WriteU16(data + errors_at, static_cast<uint16_t>(error_options.size()));
      std::memcpy(data + errors_at + sizeof(uint16_t), error_options.data(), error_options.size());
    }
    image->body_octets_ = static_cast<uint16_t>(body_octets);
    image->counts_ = counts_;
    image->rcode_ = static_cast<uint8_t>(classification.rcode);
    image->origin_ = origin;
    image->received_ticks_ = TicksOf(received_at);
    image->lifetime_seconds_ = std::min(classification.ttl, ResponseImage::kLifetimeSecondsMax);
    return ImagePtr::Adopt(image);
  }

 private:
  // Returns where the record's TTL was written.
  size_t WriteUncompressed(const ScannedMessage& scan, const RecordEdges& record) {
    WriteName(scan, record.owner);
    writer_.U16(record.type);
    writer_.U16(record.klass);
    const size_t ttl_at = writer_.size();
    writer_.U32(0);
    const size_t length_at = writer_.size();
    writer_.U16(0);
    const size_t rdata_at = writer_.size();
    WriteUncompressedRdata(scan, record, writer_);
    if (writer_.ok()) WriteU16(&scratch_[length_at], static_cast<uint16_t>(writer_.size() - rdata_at));
    return ttl_at;
  }

  // The owner is most often the question's name: two octets then. Any other is written in full.
  void WriteName(const ScannedMessage& scan, size_t offset) {
    std::array<uint8_t, kNameOctetsMax> expanded;
    const OctetView name(expanded.data(), ExpandName(scan.octets, offset, expanded));
    if (EqualIgnoringCase(name, qname_.empty() ? scan.qname : qname_)) {
      writer_.U16(kPointerToQuestion);
    } else {
      writer_.Copy(name);
    }
  }

  void AddRecord(Section section, size_t ttl_at) {
    ttl_offsets_.push_back(static_cast<uint16_t>(ttl_at));
    ++counts_[static_cast<size_t>(section)];
  }

  std::unique_ptr<uint8_t[]> scratch_;  // not cleared: all that is used is written
  WireWriter writer_;
  absl::InlinedVector<uint16_t, 16> ttl_offsets_;
  std::array<uint16_t, 3> counts_{};
  OctetView qname_;  // of the image, where it is not that of the message
};

absl::StatusOr<ImagePtr> ResponseImage::Build(const Message& response, const Classification& classification,
                                              AnswerOrigin origin, SteadyTime received_at, ErrorAuthor author) {
  const RecordOrder order = OrderOf(classification);
  // Only what is written anew can grow.
  ImageBuilder builder(CountVerbatim(order) == order.size() ? response.octets().size() : kMessageOctetsMax);
  if (!builder.CopyResponse(response.scan(), classification, order)) {
    return absl::ResourceExhaustedError("the response does not fit a message without name compression");
  }
  return builder.Finish(classification, ExtendedErrorsOf(response.scan(), origin.upstream(), author), origin,
                        received_at);
}

ImagePtr ResponseImage::BuildLocal(OctetView question, Rcode rcode, std::span<const LocalRecord> records,
                                   std::span<const ExtendedError> errors, SteadyTime now) {
  size_t octets_max = kHeaderOctets + question.size();
  for (const LocalRecord& record : records) octets_max += kLocalRecordOverheadOctets + record.rdata.size();
  ImageBuilder builder(std::min(octets_max, kMessageOctetsMax));
  builder.WriteLocal(question, records);
  Classification classification;
  classification.rcode = rcode;
  if (rcode == Rcode::kNoError) {
    classification.kind = records.empty() ? ResponseKind::kNoData : ResponseKind::kPositive;
  } else if (rcode == Rcode::kNxDomain) {
    classification.kind = ResponseKind::kNxDomain;
  }
  classification.ttl = records.empty() ? 0 : records.front().ttl;
  for (const LocalRecord& record : records) classification.ttl = std::min(classification.ttl, record.ttl);
  return builder.Finish(classification, errors, {}, now);
}

absl::StatusOr<ImagePtr> ResponseImage::Restore(OctetView message, const Memory& memory, const TtlPolicy& policy) {
  ASSIGN_OR_RETURN(const Message parsed, ParseResponse(message));
  Classification classification = ClassifyResponse(parsed, policy, memory.dnssec);
  if (!classification.usable()) return absl::InvalidArgumentError("the message answers nothing");
  classification.ttl = std::min(classification.ttl, memory.lifetime_seconds);
  if (classification.ttl == 0) return absl::InvalidArgumentError("the message may not be stored");
  classification.authentic_data = memory.authentic_data;
  const RecordOrder order = OrderOf(classification);
  ImageBuilder builder(CountVerbatim(order) == order.size() ? message.size() : kMessageOctetsMax);
  if (!builder.CopyResponse(parsed.scan(), classification, order)) {
    return absl::InvalidArgumentError("the message does not fit without name compression");
  }
  return builder.Finish(classification, StoredErrorsOf(parsed.scan()), memory.origin, memory.received_at);
}

ImagePtr ResponseImage::WithoutDnssec(SteadyTime now) const {
  constexpr TtlPolicy kAsTheyAre{.min_ttl = 0, .max_ttl = INT32_MAX, .max_negative_ttl = INT32_MAX};
  const Memory memory{.origin = origin_,
                      .received_at = now - Age(now),
                      .lifetime_seconds = lifetime_seconds_,
                      .authentic_data = authentic_data(),
                      .dnssec = DnssecRecords::kLeaveOut};
  return Restore(ToMessage(), memory, kAsTheyAre).value_or(nullptr);
}

ImagePtr ResponseImage::DenialBelow(const ResponseImage& nxdomain, OctetView question, SteadyTime now) {
  const Octets message = nxdomain.ToMessage();
  ScannedMessage scan;
  if (ScanMessage(message, MessageSide::kResponse, scan) != ScanFault::kNone) return nullptr;
  ImageBuilder builder(kMessageOctetsMax);
  if (!builder.CopyUnder(question, scan)) return nullptr;
  Classification classification;
  classification.kind = nxdomain.kind();
  classification.rcode = nxdomain.rcode();
  classification.authentic_data = nxdomain.authentic_data();
  classification.behind_alias = nxdomain.behind_alias();
  classification.ttl = nxdomain.lifetime_seconds_;
  return builder.Finish(classification, nxdomain.error_options(), nxdomain.origin_, now - nxdomain.Age(now));
}

std::span<const uint16_t> ResponseImage::ttl_offsets() const {
  const uint8_t* at = data() + RoundUp(body_octets_, alignof(uint16_t));
  return {reinterpret_cast<const uint16_t*>(at), size_t{counts_[0]} + counts_[1] + counts_[2]};
}

size_t ResponseImage::ErrorsAt() const {
  return RoundUp(body_octets_, alignof(uint16_t)) + ttl_offsets().size() * sizeof(uint16_t);
}

OctetView ResponseImage::error_options() const {
  if ((flags_ & kHasErrors) == 0) return {};
  const uint8_t* at = data() + ErrorsAt();
  return {at + sizeof(uint16_t), ReadU16(at)};
}

Octets ResponseImage::ToMessage() const {
  const OctetView options = error_options();
  Octets message(kHeaderOctets + body_octets_ + (options.empty() ? 0 : kOptFixedOctets + options.size()));
  WireWriter writer(message);
  writer.U16(0);
  writer.U16(static_cast<uint16_t>(header::kQr | header::kRa | (authentic_data() ? header::kAd : 0U) | rcode_));
  writer.U16(1);
  writer.U16(counts_[0]);
  writer.U16(counts_[1]);
  writer.U16(static_cast<uint16_t>(counts_[2] + (options.empty() ? 0 : 1)));
  writer.Copy(body());
  if (options.empty()) return message;
  writer.U8(0);
  writer.U16(rr_type::kOpt);
  writer.U16(kUdpPayloadMin);
  writer.U32(0);
  writer.U16(static_cast<uint16_t>(options.size()));
  writer.Copy(options);
  return message;
}

OctetView ResponseImage::question() const {
  size_t end = 0;
  while (data()[end] != 0) end += data()[end] + size_t{1};
  return body().first(end + 1 + 4);
}

Duration ResponseImage::Age(SteadyTime now) const {
  return kTick * std::max(int32_t{0}, static_cast<int32_t>(TicksOf(now) - received_ticks_));
}

uint32_t ResponseImage::AgeSeconds(SteadyTime now) const {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(Age(now)).count());
}

int32_t ResponseImage::TicksLeft(SteadyTime now) const {
  return static_cast<int32_t>(received_ticks_ + lifetime_seconds_ * kTicksPerSecond - TicksOf(now));
}

Duration ResponseImage::TimeLeft(SteadyTime now) const { return kTick * TicksLeft(now); }

bool ResponseImage::ExpiresBefore(const ResponseImage& other) const {
  const uint32_t end = received_ticks_ + lifetime_seconds_ * kTicksPerSecond;
  const uint32_t other_end = other.received_ticks_ + other.lifetime_seconds_ * kTicksPerSecond;
  return static_cast<int32_t>(end - other_end) < 0;
}

size_t ResponseImage::memory_octets() const {
  const size_t used =
      sizeof(ResponseImage) + ErrorsAt() + ((flags_ & kHasErrors) == 0 ? 0 : sizeof(uint16_t) + error_options().size());
  return RoundUp(used + kAllocatorOverheadOctets, kAllocatorGranuleOctets);
}

void ResponseImage::Release() const {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~ResponseImage();
  std::free(const_cast<ResponseImage*>(this));
}

}  // namespace dotward
