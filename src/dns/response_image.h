#ifndef DOTWARD_DNS_RESPONSE_IMAGE_H_
#define DOTWARD_DNS_RESPONSE_IMAGE_H_

#include <absl/status/statusor.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/ref_ptr.h"
#include "dns/answer_origin.h"
#include "dns/classify.h"
#include "dns/extended_errors.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/message.h"

namespace dotward {

class ResponseImage;
using ImagePtr = RefPtr<ResponseImage>;

// A response as the cache keeps it: question and records in wire form, without OPT, with the places of its TTLs, so
// that a reply is one copy and a few subtractions. What does not belong to the answer has been left out. Immutable, one
// allocation, safe to share between threads.
//
// A million of them are kept, so every octet counts: of the header only what differs is stored; times are 32-bit counts
// of an eighth of a second that wrap every seventeen years, and so are only ever compared with each other.
class ResponseImage {
 public:
  // A longer lifetime counts as this one.
  static constexpr uint32_t kLifetimeSecondsMax = 1U << 27U;

  // Makes the image of a response that was classified as usable. TTLs are made equal within each RRset (RFC 2181 §5.2)
  // and capped. kResourceExhausted where the kept records need more than 65,535 octets without compression.
  static absl::StatusOr<ImagePtr> Build(const Message& response, const Classification& classification,
                                        AnswerOrigin origin, SteadyTime received_at,
                                        ErrorAuthor author = ErrorAuthor::kUpstream);

  struct LocalRecord {
    uint16_t type = 0;
    uint32_t ttl = 0;
    Octets rdata;  // uncompressed
  };
  // Makes the image of an answer of our own: `records` are owned by the question's name, in the question's class.
  static ImagePtr BuildLocal(OctetView question, Rcode rcode, std::span<const LocalRecord> records,
                             std::span<const ExtendedError> errors, SteadyTime now);

  // What a stored image was made of, beside its message.
  struct Memory {
    AnswerOrigin origin;
    SteadyTime received_at;
    uint32_t lifetime_seconds = 0;
    bool authentic_data = false;
    DnssecRecords dnssec = DnssecRecords::kKeep;
  };
  // Makes an image anew from the octets that ToMessage() gave, or from any others: they are parsed and judged as if an
  // upstream had sent them. The lifetime is the lower one of what is remembered and what the TTLs say under `policy`.
  // kInvalidArgument names what is wrong, which includes that such a response would not be stored.
  static absl::StatusOr<ImagePtr> Restore(OctetView message, const Memory& memory, const TtlPolicy& policy);
  // The same answer for who did not ask for signatures and proofs (RFC 4035 §3.2.1), with the same times. Null where
  // nothing that may be stored is left.
  ImagePtr WithoutDnssec(SteadyTime now) const;
  // The denial of a name below the one that `nxdomain` denies (RFC 8020 §2): the same records, which prove it as well,
  // and the same times, under another question. Null where that makes the message too long.
  static ImagePtr DenialBelow(const ResponseImage& nxdomain, OctetView question, SteadyTime now);

  // The message without OPT, the question's case that of the query that fetched it. Offsets count from its beginning;
  // the twelve octets of the header are not there (what stands in their place means nothing).
  OctetView octets() const { return {data() - kHeaderOctets, kHeaderOctets + size_t{body_octets_}}; }
  // Question and records.
  OctetView body() const { return {data(), body_octets_}; }
  // How many records the answer, authority and additional sections have.
  const std::array<uint16_t, 3>& counts() const { return counts_; }
  // Offsets of the four-octet TTL fields in octets().
  std::span<const uint16_t> ttl_offsets() const;
  // EDNS options with the extended errors that came with the response, ready to append to an OPT record.
  OctetView error_options() const;
  // A whole message: ID 0, QR and RA set, AD where it is authentic data, TTLs as they were at the beginning, and an OPT
  // record where there are extended errors to carry. For those who look and those who store, not for replies.
  Octets ToMessage() const;

  // Who gave the response; empty for an answer of our own.
  AnswerOrigin origin() const { return origin_; }
  std::string_view upstream() const { return origin_.upstream(); }

  OctetView question() const;  // QNAME, QTYPE, QCLASS
  OctetView qname() const { return question().first(question().size() - 4); }
  Rcode rcode() const { return static_cast<Rcode>(rcode_); }
  bool authentic_data() const { return (flags_ & kAuthenticData) != 0; }
  ResponseKind kind() const { return static_cast<ResponseKind>(flags_ & kKindMask); }
  // A CNAME or DNAME stands between the question and the outcome.
  bool behind_alias() const { return (flags_ & kBehindAlias) != 0; }

  uint32_t lifetime_seconds() const { return lifetime_seconds_; }  // 0: may be used for whoever waits, not stored
  // How long ago it was received, to an eighth of a second; 0 for a clock that runs behind.
  Duration Age(SteadyTime now) const;
  uint32_t AgeSeconds(SteadyTime now) const;  // whole ones
  // Negative once it has expired; zero is expired.
  Duration TimeLeft(SteadyTime now) const;
  bool Expired(SteadyTime now) const { return TicksLeft(now) <= 0; }
  bool ExpiresBefore(const ResponseImage& other) const;
  // Octets of memory that it holds, the allocator's own overhead included.
  size_t memory_octets() const;

  void AddReference() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const;

 private:
  friend class ImageBuilder;
  // Of flags_.
  static constexpr uint8_t kKindMask = 0x0f, kAuthenticData = 0x10, kBehindAlias = 0x20, kHasErrors = 0x40;

  ResponseImage() = default;
  ~ResponseImage() = default;
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(this + 1); }
  int32_t TicksLeft(SteadyTime now) const;
  size_t ErrorsAt() const;  // offset in data()

  // Behind the object: question and records, padding to two, TTL offsets and, where there are errors, their length and
  // their options.
  mutable std::atomic<uint32_t> references_{1};
  uint32_t lifetime_seconds_ = 0;
  uint32_t received_ticks_ = 0;
  uint16_t body_octets_ = 0;
  std::array<uint16_t, 3> counts_{};
  AnswerOrigin origin_;
  uint8_t rcode_ = 0;
  uint8_t flags_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_DNS_RESPONSE_IMAGE_H_
