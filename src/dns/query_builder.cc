#include "dns/query_builder.h"

#include "dns/name.h"
#include "dns/wire.h"

namespace dotward {

size_t BuildQuery(const QueryParameters& parameters, std::span<uint8_t, kBuiltQueryOctetsMax> out) {
  const bool padded = parameters.padding == Padding::kToBlock;
  const size_t keepalive_octets = parameters.keepalive == Keepalive::kAsk ? 4 : 0;
  const size_t plain_octets = kHeaderOctets + parameters.qname.size() + 4 + kOptFixedOctets + keepalive_octets +
                              (padded ? size_t{4} : size_t{0});
  const size_t padding_octets = (kQueryPaddingBlock - plain_octets % kQueryPaddingBlock) % kQueryPaddingBlock;

  WireWriter writer(out);
  writer.U16(parameters.id);
  // AD in a query asks to be told whether the answer is authentic (RFC 6840 §5.7). It is always asked for, because what
  // is cached serves clients that want to know as well as those that do not.
  writer.U16(
      static_cast<uint16_t>(header::kRd | header::kAd | (parameters.checking_disabled ? header::kCd : uint16_t{0})));
  writer.U16(1);
  writer.U16(0);
  writer.U16(0);
  writer.U16(1);
  writer.Copy(parameters.qname);
  writer.U16(parameters.qtype);
  writer.U16(parameters.qclass);
  writer.U8(0);
  writer.U16(rr_type::kOpt);
  writer.U16(parameters.payload_octets);
  writer.U32(parameters.dnssec_ok ? kOptDnssecOk : 0);
  writer.U16(static_cast<uint16_t>(keepalive_octets + (padded ? 4 + padding_octets : 0)));
  if (keepalive_octets != 0) {
    writer.U16(kOptionTcpKeepalive);
    writer.U16(0);
  }
  if (padded) {
    writer.U16(kOptionPadding);
    writer.U16(static_cast<uint16_t>(padding_octets));
    writer.Zeros(padding_octets);
  }
  return writer.size();
}

bool MatchesQuery(OctetView response, uint16_t id, OctetView qname, uint16_t qtype, uint16_t qclass) {
  if (response.size() < kHeaderOctets + qname.size() + 4) return false;
  const uint16_t flags = ReadU16(&response[header::kFlags]);
  const bool is_query_response = (flags & header::kQr) != 0 && ((flags >> 11U) & 0xfU) == opcode::kQuery;
  if (ReadU16(response.data()) != id || !is_query_response || ReadU16(&response[header::kQdCount]) != 1) return false;
  // The name is compared without case, type and class are not letters.
  const uint8_t* const type = &response[kHeaderOctets + qname.size()];
  return EqualIgnoringCase(response.subspan(kHeaderOctets, qname.size()), qname) && ReadU16(type) == qtype &&
         ReadU16(type + 2) == qclass;
}

}  // namespace dotward
