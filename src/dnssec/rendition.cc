#include "dnssec/rendition.h"

#include <algorithm>

#include "base/limits.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr uint16_t kPayloadOctets = 1232;

void Append16(Octets& octets, size_t value) {
  octets.push_back(static_cast<uint8_t>(value >> 8U));
  octets.push_back(static_cast<uint8_t>(value));
}

void AppendOpt(Octets& octets, const Octets& options) {
  octets.push_back(0);
  Append16(octets, rr_type::kOpt);
  Append16(octets, kPayloadOctets);
  octets.insert(octets.end(), 4, 0);  // extended RCODE, version, flags
  Append16(octets, options.size());
  octets.insert(octets.end(), options.begin(), options.end());
}

Octets OptionOf(const Verdict& verdict) {
  const size_t text = std::min(verdict.text.size(), Limits::kExtendedErrorTextMax);
  Octets option;
  Append16(option, kOptionExtendedError);
  Append16(option, 2 + text);
  Append16(option, static_cast<uint16_t>(verdict.code));
  option.insert(option.end(), verdict.text.begin(), verdict.text.begin() + static_cast<std::ptrdiff_t>(text));
  return option;
}

}  // namespace

bool WriteJudgement(const ScannedMessage& response, const Judgement& judgement, Octets& octets) {
  bool changed = response.authentic_data() != judgement.verdict.secure();
  const uint32_t flags = (response.flags & ~uint32_t{header::kAd}) | (judgement.verdict.secure() ? header::kAd : 0U);
  WriteU16(&octets[header::kFlags], static_cast<uint16_t>(flags));
  for (const Judgement::TtlMax& max : judgement.ttls) {
    WriteU32(&octets[response.records[max.record].ttl_offset()], max.ttl);
    changed = true;
  }
  return changed;
}

bool AddExtendedError(const ScannedMessage& response, const Verdict& verdict, Octets& octets) {
  const Octets option = OptionOf(verdict);
  if (octets.size() + kOptFixedOctets + option.size() > kMessageOctetsMax) return false;
  if (!response.has_edns) {
    AppendOpt(octets, option);
    WriteU16(&octets[header::kArCount], static_cast<uint16_t>(ReadU16(&octets[header::kArCount]) + 1));
    return true;
  }
  const RecordEdges& last = response.records.back();
  if (last.type != rr_type::kOpt) return false;
  WriteU16(&octets[last.rdata - size_t{2}], static_cast<uint16_t>(last.end - last.rdata + option.size()));
  octets.insert(octets.end(), option.begin(), option.end());
  return true;
}

Octets FailureInPlaceOf(const ScannedMessage& response, const Verdict& verdict) {
  Octets octets;
  octets.reserve(kUdpPayloadMin);
  octets.resize(kHeaderOctets);
  WriteU16(&octets[header::kId], response.id);
  const uint32_t kept = response.flags & (header::kRd | header::kCd);
  WriteU16(&octets[header::kFlags],
           static_cast<uint16_t>(kept | header::kQr | header::kRa | static_cast<uint16_t>(Rcode::kServFail)));
  WriteU16(&octets[header::kQdCount], 1);
  WriteU16(&octets[header::kArCount], 1);
  octets.insert(octets.end(), response.question.begin(), response.question.end());
  AppendOpt(octets, OptionOf(verdict));
  return octets;
}

}  // namespace dotward
