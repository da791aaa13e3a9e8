#include "dns/reply.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "dns/extended_errors.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kTtlToRdataOctets = 6;  // TTL and RDLENGTH

uint16_t ReplyFlags(const ReplyContext& context, Rcode rcode, bool authentic_data) {
  unsigned flags =
      header::kQr | header::kRa | (unsigned{context.opcode} << 11U) | (static_cast<unsigned>(rcode) & 0xfU);
  if (context.recursion_desired) flags |= header::kRd;
  if (context.checking_disabled) flags |= header::kCd;
  if (authentic_data && context.authentic_data_wanted) flags |= header::kAd;
  return static_cast<uint16_t>(flags);
}

size_t OptOctets(const ReplyContext& context, size_t option_octets) {
  return context.has_edns ? kOptFixedOctets + option_octets : 0;
}

// Writes our OPT record (RFC 6891 §6.1.2) at `at`, with `options` in it, and returns its length.
size_t WriteOpt(const ReplyContext& context, Rcode rcode, std::initializer_list<OctetView> options,
                std::span<uint8_t> out) {
  size_t option_octets = 0;
  for (const OctetView option : options) option_octets += option.size();
  WireWriter writer(out);
  writer.U8(0);
  writer.U16(rr_type::kOpt);
  writer.U16(context.payload_octets);
  writer.U32(((static_cast<uint32_t>(rcode) >> 4U) << 24U) | (context.dnssec_ok ? kOptDnssecOk : 0));
  writer.U16(static_cast<uint16_t>(option_octets));
  for (const OctetView option : options) writer.Copy(option);
  return writer.size();
}

// How much of an image goes into a reply that cannot hold all of it.
struct Cut {
  size_t end = 0;                    // octets that stay
  size_t ttl_count = 0;              // records that stay
  std::array<uint16_t, 3> counts{};  // the same, a section
};

// What the records of one RRset share; owners are compared expanded, since one name can be written in many ways.
class RrsetKey {
 public:
  RrsetKey() = default;
  RrsetKey(OctetView message, size_t owner_at, uint16_t type) : type_(type) {
    owner_octets_ = ExpandName(message, owner_at, owner_);
  }
  friend bool operator==(const RrsetKey& a, const RrsetKey& b) {
    return a.type_ == b.type_ && EqualIgnoringCase(a.owner(), b.owner());
  }

 private:
  OctetView owner() const { return {owner_.data(), owner_octets_}; }

  std::array<uint8_t, kNameOctetsMax> owner_{};
  size_t owner_octets_ = 0;
  uint16_t type_ = 0;
};

// The largest start of the image that ends between two RRsets and is at most `octets_max` long. RRsets that belong
// together stand together, so that two neighbours of one owner and type are never parted (RFC 2181 §9).
Cut CutBetweenRrsets(const ResponseImage& image, size_t octets_max) {
  const OctetView octets = image.octets();
  const std::span<const uint16_t> ttls = image.ttl_offsets();
  Cut best{.end = kHeaderOctets + image.question().size()};
  Cut cut = best;
  std::array<uint16_t, 3> left = image.counts();
  size_t section = 0;
  RrsetKey previous;
  size_t owner_at = cut.end;
  for (size_t i = 0; i < ttls.size(); ++i) {
    while (left[section] == 0) ++section;
    const size_t ttl_at = ttls[i];
    const RrsetKey current(octets, owner_at, ReadU16(&octets[ttl_at - sizeof(uint32_t)]));
    const bool continues = i > 0 && current == previous;
    if (!continues && cut.end <= octets_max) best = cut;
    if (cut.end > octets_max) return best;  // it only grows: a large answer costs no more than what fits of it
    previous = current;
    --left[section];
    ++cut.counts[section];
    ++cut.ttl_count;
    cut.end = ttl_at + kTtlToRdataOctets + ReadU16(&octets[ttl_at + 4]);
    owner_at = cut.end;
  }
  return cut.end <= octets_max ? cut : best;
}

void WriteCounts(const std::array<uint16_t, 3>& counts, std::span<uint8_t> out) {
  WriteU16(&out[header::kQdCount], 1);
  WriteU16(&out[header::kAnCount], counts[0]);
  WriteU16(&out[header::kNsCount], counts[1]);
  WriteU16(&out[header::kArCount], counts[2]);
}

template <typename TtlOf>
size_t WriteReply(const ResponseImage& image, const ReplyContext& context, std::span<const ExtendedError> extra,
                  std::span<uint8_t> out, bool authentic_data, TtlOf ttl_of) {
  const size_t octets_max = std::min(out.size(), context.octets_max);
  OctetView own_errors = image.error_options();
  Octets extra_errors;
  if (!extra.empty()) extra_errors = EncodeExtendedErrors(extra);
  size_t end = image.octets().size();
  if (end + OptOctets(context, own_errors.size() + extra_errors.size()) > octets_max) {
    own_errors = {};
    extra_errors.clear();
  }
  const size_t opt_octets = OptOctets(context, own_errors.size() + extra_errors.size());

  std::array<uint16_t, 3> counts = image.counts();
  std::span<const uint16_t> ttls = image.ttl_offsets();
  uint16_t flags = ReplyFlags(context, image.rcode(), authentic_data);
  if (end + opt_octets > octets_max) {
    const Cut cut = CutBetweenRrsets(image, octets_max - opt_octets);
    end = cut.end;
    ttls = ttls.first(cut.ttl_count);
    counts = cut.counts;
    flags |= header::kTc;
  }
  std::memcpy(out.data() + kHeaderOctets, image.body().data(), end - kHeaderOctets);
  if (context.has_edns) ++counts[2];
  WriteU16(&out[header::kId], context.id);
  WriteU16(&out[header::kFlags], flags);
  WriteCounts(counts, out);
  // The names are equal but for their case, so that the client's question fits in place of the image's; its type may
  // differ where one NXDOMAIN answers for every type.
  std::memcpy(&out[kHeaderOctets], context.question.data(), context.question.size());
  for (const uint16_t offset : ttls) WriteU32(&out[offset], ttl_of(ReadU32(&out[offset])));
  if (context.has_edns) end += WriteOpt(context, image.rcode(), {own_errors, extra_errors}, out.subspan(end));
  return end;
}

}  // namespace

ReplyContext MakeReplyContext(const ScannedMessage& query, ReplyChannel channel, uint16_t udp_payload_size) {
  ReplyContext context;
  context.id = query.id;
  context.opcode = query.opcode();
  context.recursion_desired = query.recursion_desired();
  context.checking_disabled = query.checking_disabled();
  context.has_edns = query.has_edns;
  context.dnssec_ok = query.has_edns && query.edns.dnssec_ok;
  context.authentic_data_wanted = context.dnssec_ok || query.authentic_data();
  if (query.has_question) context.question = query.question;
  context.payload_octets = udp_payload_size;
  if (channel == ReplyChannel::kStream) {
    context.octets_max = kMessageOctetsMax;
  } else {
    const size_t offered = query.has_edns ? query.edns.payload_octets : kUdpPayloadMin;
    context.octets_max = std::max(kUdpPayloadMin, std::min<size_t>(offered, udp_payload_size));
  }
  return context;
}

size_t RenderReply(const ResponseImage& image, const ReplyContext& context, uint32_t age_seconds,
                   std::span<const ExtendedError> extra, std::span<uint8_t> out) {
  return WriteReply(image, context, extra, out, image.authentic_data(),
                    [age_seconds](uint32_t ttl) { return ttl > age_seconds ? ttl - age_seconds : 0; });
}

size_t RenderStaleReply(const ResponseImage& image, const ReplyContext& context, uint32_t answer_ttl,
                        std::span<const ExtendedError> extra, std::span<uint8_t> out) {
  // Its signatures may have run out with it.
  return WriteReply(image, context, extra, out, false, [answer_ttl](uint32_t) { return answer_ttl; });
}

size_t RenderError(Rcode rcode, std::span<const ExtendedError> errors, const ReplyContext& context,
                   std::span<uint8_t> out) {
  const size_t octets_max = std::min(out.size(), context.octets_max);
  WireWriter writer(out);
  writer.U16(context.id);
  writer.U16(ReplyFlags(context, rcode, false));
  writer.U16(context.question.empty() ? 0 : 1);
  writer.U16(0);
  writer.U16(0);
  writer.U16(context.has_edns ? 1 : 0);
  writer.Copy(context.question);
  if (!context.has_edns) return writer.size();
  Octets options = EncodeExtendedErrors(errors);
  if (writer.size() + OptOctets(context, options.size()) > octets_max) options.clear();
  return writer.size() + WriteOpt(context, rcode, {options}, out.subspan(writer.size()));
}

}  // namespace dotward
