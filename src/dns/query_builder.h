#ifndef DOTWARD_DNS_QUERY_BUILDER_H_
#define DOTWARD_DNS_QUERY_BUILDER_H_

#include <cstdint>
#include <span>

#include "dns/types.h"

namespace dotward {

// The longest query BuildQuery writes: header, question, OPT with padding.
inline constexpr size_t kBuiltQueryOctetsMax = 384;
inline constexpr size_t kQueryPaddingBlock = 128;  // RFC 8467 §4.1

enum class Padding : uint8_t { kNone, kToBlock };
// Whether the server is asked how long it keeps an idle connection (RFC 7828 §3.2.1; never over UDP).
enum class Keepalive : uint8_t { kNone, kAsk };

struct QueryParameters {
  uint16_t id = 0;
  OctetView qname;  // uncompressed wire form; sent as it is
  uint16_t qtype = 0;
  uint16_t qclass = rr_class::kIn;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  uint16_t payload_octets = 1232;
  Padding padding = Padding::kToBlock;
  Keepalive keepalive = Keepalive::kNone;
};

// Writes a query with RD=1, an OPT record, and keepalive and padding (RFC 7828, RFC 7830) as asked into `out` and
// returns its length, a multiple of kQueryPaddingBlock when padded.
size_t BuildQuery(const QueryParameters& parameters, std::span<uint8_t, kBuiltQueryOctetsMax> out);

// True where the response's ID is `id`, QR is set, the OPCODE is QUERY and its question is the query's, names compared
// without case (RFC 5452 §9.1). `qname` is in uncompressed wire form.
bool MatchesQuery(OctetView response, uint16_t id, OctetView qname, uint16_t qtype, uint16_t qclass);

}  // namespace dotward

#endif  // DOTWARD_DNS_QUERY_BUILDER_H_
