#include "dns/uncompressed_rdata.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "dns/rdata_layout.h"

namespace dotward {
namespace {

size_t SkipName(OctetView octets, size_t at) {
  while (octets[at] != 0) {
    if (octets[at] >= 0xC0) return at + 2;
    at += octets[at] + size_t{1};
  }
  return at + 1;
}

}  // namespace

void WriteUncompressedRdata(const ScannedMessage& message, const RecordEdges& record, WireWriter& writer) {
  const OctetView octets = message.octets;
  const RdataLayout* const layout = FindRdataLayout(record.type);
  size_t at = record.rdata;
  if (layout != nullptr && layout->may_compress) {
    size_t names_at = at + layout->fixed;
    for (unsigned i = 0; i < layout->strings; ++i) names_at += octets[names_at] + size_t{1};
    writer.Copy(octets.subspan(at, names_at - at));
    at = names_at;
    for (unsigned i = 0; i < layout->names; ++i) {
      std::array<uint8_t, kNameOctetsMax> expanded;
      writer.Copy({expanded.data(), ExpandName(octets, at, expanded)});
      at = SkipName(octets, at);
    }
  }
  writer.Copy(octets.subspan(at, record.end - at));
}

Octets UncompressedRdata(const ScannedMessage& message, const RecordEdges& record) {
  const RdataLayout* const layout = FindRdataLayout(record.type);
  const size_t names = layout != nullptr && layout->may_compress ? layout->names : 0;
  Octets rdata(record.end - record.rdata + names * kNameOctetsMax);
  WireWriter writer(rdata);
  WriteUncompressedRdata(message, record, writer);
  // No larger than it is: many are kept.
  return {rdata.begin(), rdata.begin() + static_cast<std::ptrdiff_t>(writer.size())};
}

}  // namespace dotward
