#include "dns/response_image.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "dns/extended_errors.h"
#include "dns/rdata_layout.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kAllocatorOverheadOctets = 8;  // glibc's header of a block
constexpr size_t kAllocatorGranuleOctets = 16;

constexpr size_t kLocalRecordOverheadOctets = 12;  // a pointer as owner, TYPE, CLASS, TTL, RDLENGTH

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

  ImagePtr Finish(Rcode rcode, std::span<const ExtendedError> errors, std::string_view upstream,
                  SteadyTime received_at) {
    FinishHeader(rcode);
    upstream = upstream.substr(0, UINT8_MAX);
    const Octets options = EncodeExtendedErrors(errors);
    const size_t offsets_at = RoundUp(writer_.size(), alignof(uint16_t));
    const size_t errors_at = offsets_at + ttl_offsets_.size() * sizeof(uint16_t);
    const size_t upstream_at = errors_at + options.size();
    void* block = std::malloc(sizeof(ResponseImage) + upstream_at + upstream.size());
    if (block == nullptr) throw std::bad_alloc();
    auto* image = new (block) ResponseImage();
    auto* data = reinterpret_cast<uint8_t*>(image + 1);
    std::memcpy(data, scratch_.get(), writer_.size());
    if (!ttl_offsets_.empty()) {
      std::memcpy(data + offsets_at, ttl_offsets_.data(), ttl_offsets_.size() * sizeof(uint16_t));
    }
    if (!options.empty()) std::memcpy(data + errors_at, options.data(), options.size());
    if (!upstream.empty()) std::memcpy(data + upstream_at, upstream.data(), upstream.size());
    image->upstream_octets_ = static_cast<uint8_t>(upstream.size());
    image->octet_count_ = static_cast<uint16_t>(writer_.size());
    image->ttl_count_ = static_cast<uint16_t>(ttl_offsets_.size());
    image->error_octets_ = static_cast<uint16_t>(options.size());
    image->rcode_ = static_cast<uint16_t>(rcode);
    image->received_at_ = received_at;
    image_ = image;
    return ImagePtr::Adopt(image);
  }

  ImagePtr Finish(const Classification& classification, std::span<const ExtendedError> errors,
                  std::string_view upstream, SteadyTime received_at) {
    ImagePtr image = Finish(classification.rcode, errors, upstream, received_at);
    image_->lifetime_seconds_ = classification.ttl;
    image_->kind_ = classification.kind;
    image_->authentic_data_ = classification.authentic_data;
    image_->behind_alias_ = classification.behind_alias;
    return image;
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
    WriteRdata(scan, record);
    if (writer_.ok()) WriteU16(&scratch_[length_at], static_cast<uint16_t>(writer_.size() - rdata_at));
    return ttl_at;
  }

  // The owner is most often the question's name: two octets then. Any other is written in full.
  void WriteName(const ScannedMessage& scan, size_t offset) {
    std::array<uint8_t, kNameOctetsMax> expanded;
    const OctetView name(expanded.data(), ExpandName(scan.octets, offset, expanded));
    if (EqualIgnoringCase(name, scan.qname)) {
      writer_.U16(kPointerToQuestion);
    } else {
      writer_.Copy(name);
    }
  }

  void WriteRdata(const ScannedMessage& scan, const RecordEdges& record) {
    const OctetView octets = scan.octets;
    const RdataLayout* layout = FindRdataLayout(record.type);
    size_t at = record.rdata;
    if (layout != nullptr && layout->may_compress) {
      size_t names_at = at + layout->fixed;
      for (unsigned i = 0; i < layout->strings; ++i) names_at += octets[names_at] + size_t{1};
      writer_.Copy(octets.subspan(at, names_at - at));
      at = names_at;
      for (unsigned i = 0; i < layout->names; ++i) {
        std::array<uint8_t, kNameOctetsMax> expanded;
        writer_.Copy({expanded.data(), ExpandName(octets, at, expanded)});
        at = SkipName(octets, at);
      }
    }
    writer_.Copy(octets.subspan(at, record.end - at));
  }

  static size_t SkipName(OctetView octets, size_t at) {
    while (octets[at] != 0) {
      if (octets[at] >= 0xC0) return at + 2;
      at += octets[at] + size_t{1};
    }
    return at + 1;
  }

  void AddRecord(Section section, size_t ttl_at) {
    ttl_offsets_.push_back(static_cast<uint16_t>(ttl_at));
    ++counts_[static_cast<size_t>(section)];
  }

  void FinishHeader(Rcode rcode) {
    WriteU16(&scratch_[header::kId], 0);
    // AA is clear: the answer comes from a cache. The other flags are the client's or are set for each reply.
    WriteU16(&scratch_[header::kFlags],
             static_cast<uint16_t>(header::kQr | header::kRa | (static_cast<unsigned>(rcode) & 0xfU)));
    WriteU16(&scratch_[header::kQdCount], 1);
    WriteU16(&scratch_[header::kAnCount], counts_[0]);
    WriteU16(&scratch_[header::kNsCount], counts_[1]);
    WriteU16(&scratch_[header::kArCount], counts_[2]);
  }

  std::unique_ptr<uint8_t[]> scratch_;  // not cleared: all that is used is written
  WireWriter writer_;
  absl::InlinedVector<uint16_t, 16> ttl_offsets_;
  std::array<uint16_t, 3> counts_{};
  ResponseImage* image_ = nullptr;
};

absl::StatusOr<ImagePtr> ResponseImage::Build(const Message& response, const Classification& classification,
                                              std::string_view upstream, SteadyTime received_at) {
  const RecordOrder order = OrderOf(classification);
  // Only what is written anew can grow.
  ImageBuilder builder(CountVerbatim(order) == order.size() ? response.octets().size() : kMessageOctetsMax);
  if (!builder.CopyResponse(response.scan(), classification, order)) {
    return absl::ResourceExhaustedError("the response does not fit a message without name compression");
  }
  return builder.Finish(classification, ExtendedErrorsOf(response.scan(), upstream), upstream, received_at);
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

std::span<const uint16_t> ResponseImage::ttl_offsets() const {
  const uint8_t* at = data() + RoundUp(octet_count_, alignof(uint16_t));
  return {reinterpret_cast<const uint16_t*>(at), ttl_count_};
}

OctetView ResponseImage::error_options() const {
  return {data() + RoundUp(octet_count_, alignof(uint16_t)) + ttl_count_ * sizeof(uint16_t), error_octets_};
}

std::string_view ResponseImage::upstream() const {
  const OctetView errors = error_options();
  return {reinterpret_cast<const char*>(errors.data() + errors.size()), upstream_octets_};
}

OctetView ResponseImage::question() const {
  size_t end = kHeaderOctets;
  while (data()[end] != 0) end += data()[end] + size_t{1};
  return octets().subspan(kHeaderOctets, end + 1 + 4 - kHeaderOctets);
}

uint32_t ResponseImage::AgeSeconds(SteadyTime now) const {
  if (now <= received_at_) return 0;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - received_at_).count();
  return static_cast<uint32_t>(std::min<int64_t>(age, UINT32_MAX));
}

size_t ResponseImage::memory_octets() const {
  const size_t used = sizeof(ResponseImage) + RoundUp(octet_count_, alignof(uint16_t)) + ttl_count_ * sizeof(uint16_t) +
                      error_octets_ + upstream_octets_;
  return RoundUp(used + kAllocatorOverheadOctets, kAllocatorGranuleOctets);
}

void ResponseImage::Release() const {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~ResponseImage();
  std::free(const_cast<ResponseImage*>(this));
}

}  // namespace dotward
