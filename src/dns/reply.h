#ifndef DOTWARD_DNS_REPLY_H_
#define DOTWARD_DNS_REPLY_H_

#include <cstdint>
#include <span>

#include "dns/response_image.h"
#include "dns/scan.h"
#include "dns/types.h"

namespace dotward {

// What a reply owes to its query. Borrows the query's octets.
struct ReplyContext {
  uint16_t id = 0;
  uint8_t opcode = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  bool dnssec_ok = false;
  bool authentic_data_wanted = false;  // DO or AD was set (RFC 6840 §5.7)
  bool has_edns = false;
  OctetView question;           // repeated octet for octet; empty where it could not be read
  size_t octets_max = 0;        // the longest reply the client can take
  uint16_t payload_octets = 0;  // what our OPT offers
};

enum class ReplyChannel : uint8_t { kDatagram, kStream };

// `udp_payload_size` is the largest datagram that we send, and what our OPT offers.
ReplyContext MakeReplyContext(const ScannedMessage& query, ReplyChannel channel, uint16_t udp_payload_size);

// Each writes one reply into `out` and returns its length, at most min(out.size(), context.octets_max). `out` has at
// least 512 octets. AA=0, RA=1; RD and CD copied; OPT exactly when the query had one.

// A copy of the image with the client's ID and question, every TTL less `age_seconds`, and an OPT of our own with the
// image's extended errors and `extra` behind them. Where it does not fit: whole RRsets only, TC=1, OPT kept
// (RFC 2181 §9); extended errors go first.
size_t RenderReply(const ResponseImage& image, const ReplyContext& context, uint32_t age_seconds,
                   std::span<const ExtendedError> extra, std::span<uint8_t> out);

// The same for an image that has expired (RFC 8767 §4): every TTL is `answer_ttl`.
size_t RenderStaleReply(const ResponseImage& image, const ReplyContext& context, uint32_t answer_ttl,
                        std::span<const ExtendedError> extra, std::span<uint8_t> out);

// No records: `rcode` and the extended errors.
size_t RenderError(Rcode rcode, std::span<const ExtendedError> errors, const ReplyContext& context,
                   std::span<uint8_t> out);

}  // namespace dotward

#endif  // DOTWARD_DNS_REPLY_H_
