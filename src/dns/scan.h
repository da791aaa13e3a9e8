#ifndef DOTWARD_DNS_SCAN_H_
#define DOTWARD_DNS_SCAN_H_

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <string_view>

#include "dns/types.h"

namespace dotward {

// What is wrong with a message. Each has a file of its name under tests/data/malformed.
enum class ScanFault : uint8_t {
  kNone,
  kShortHeader,           // fewer than 12 octets
  kQuestionCount,         // QDCOUNT is not 1 (RFC 9619)
  kNameCut,               // a name runs past the message
  kNameTooLong,           // over 255 octets
  kLabelType,             // a label type other than 00 and 11
  kPointerForward,        // a pointer that does not point backward, behind the header
  kPointerTarget,         // a pointer to octets that hold no name: TYPE to RDLENGTH of a record, QTYPE, QCLASS
  kPointerLimit,          // more pointers in one name than Limits::kNamePointersMax
  kQuestionCompressed,    // the first name of a message has nothing to point at
  kRecordCut,             // a record runs past the message, or the counts promise more than there is
  kRecordLimit,           // a query with more records than Limits::kQueryRecordsMax
  kTrailingOctets,        // octets behind the last record
  kAddressLength,         // A that is not 4 octets, AAAA that is not 16
  kRdataName,             // a name in RDATA that does not fit it
  kOptOwner,              // OPT whose owner is not the root (RFC 6891 §6.1.2)
  kOptOutsideAdditional,  // RFC 6891 §6.1.1
  kTwoOpts,               // RFC 6891 §6.1.1
  kOptionCut,             // an EDNS option that runs past the RDATA
  kTsigMisplaced,         // TSIG that is not the last additional record, or two of them (RFC 8945 §5.1)
  kStringBomb,  // strings × RDLENGTH over Limits::kModelOctetsMax: the parse would cost far more than the octets
  kModel,       // RDATA that does not fit its type, most often found by ldns
};
std::string_view ScanFaultToString(ScanFault fault);

enum class Section : uint8_t { kAnswer, kAuthority, kAdditional };

// Where one resource record lies, as offsets into the message.
struct RecordEdges {
  uint16_t owner = 0;  // first octet of the owner name
  uint16_t fixed = 0;  // TYPE, CLASS, TTL, RDLENGTH: ten octets
  uint16_t rdata = 0;
  uint16_t end = 0;  // one past the RDATA
  uint16_t type = 0;
  uint16_t klass = 0;
  uint32_t ttl = 0;  // as sent, RFC 8767 §4 not yet applied
  Section section = Section::kAnswer;

  uint16_t ttl_offset() const { return static_cast<uint16_t>(fixed + 4); }
};

// The OPT record (RFC 6891) and what its options said that we act on.
struct Edns {
  uint16_t payload_octets = 0;  // as sent; below 512 counts as 512
  uint8_t extended_rcode = 0;   // the upper eight bits
  uint8_t version = 0;
  bool dnssec_ok = false;
  bool has_cookie = false;     // option 10, RFC 7873
  bool has_keepalive = false;  // option 11, RFC 7828
  bool has_padding = false;    // option 12, RFC 7830
  OctetView options;           // the RDATA, borrowed from the message
};

// What one linear pass finds. Borrows the octets.
struct ScannedMessage {
  OctetView octets;
  uint16_t id = 0;
  uint16_t flags = 0;  // the header's second word
  bool has_header = false;
  bool has_question = false;  // the question below was read whole, even where a later fault was found
  OctetView question;         // QNAME, QTYPE, QCLASS as sent
  OctetView qname;            // uncompressed, case as sent
  uint16_t qtype = 0;
  uint16_t qclass = 0;
  bool has_edns = false;
  bool needs_no_model = false;  // sound, but over kModelOctetsMax: ldns must not parse it
  Edns edns;
  absl::InlinedVector<RecordEdges, 4> records;  // OPT and TSIG included

  bool is_response() const { return (flags & 0x8000U) != 0; }
  uint8_t opcode() const { return static_cast<uint8_t>((flags >> 11U) & 0xfU); }
  bool truncated() const { return (flags & 0x0200U) != 0; }
  bool recursion_desired() const { return (flags & 0x0100U) != 0; }
  bool authentic_data() const { return (flags & 0x0020U) != 0; }
  bool checking_disabled() const { return (flags & 0x0010U) != 0; }
  Rcode rcode() const { return static_cast<Rcode>((flags & 0xfU) | (uint32_t{edns.extended_rcode} << 4U)); }
};

enum class MessageSide : uint8_t { kQuery, kResponse };

// Walks the message once: bounds, names, sections, EDNS options, the layout of RDATA that holds names. Work is linear
// in the octets, bounded by Limits. Fills `scan` as far as it came, so that a FORMERR can still carry the ID and the
// question. Allocates nothing for a message with at most four records. Borrows `octets`.
ScanFault ScanMessage(OctetView octets, MessageSide side, ScannedMessage& scan);

// Writes the uncompressed form of the name at `offset` of a scanned message into `out` (255 octets) and returns its
// length. `offset` must be that of a name which the scan has accepted.
size_t ExpandName(OctetView message, size_t offset, std::span<uint8_t, kNameOctetsMax> out);

// Calls `visit(option_code, option_octets)` for each option of an OPT's RDATA that the scan has accepted.
template <typename Visitor>
void ForEachOption(OctetView options, Visitor visit) {
  while (options.size() >= 4) {
    const auto code = static_cast<uint16_t>((options[0] << 8U) | options[1]);
    const auto length = static_cast<size_t>((options[2] << 8U) | options[3]);
    visit(code, options.subspan(4, length));
    options = options.subspan(4 + length);
  }
}

}  // namespace dotward

#endif  // DOTWARD_DNS_SCAN_H_
