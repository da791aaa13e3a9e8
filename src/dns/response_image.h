#ifndef DOTWARD_DNS_RESPONSE_IMAGE_H_
#define DOTWARD_DNS_RESPONSE_IMAGE_H_

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/ref_ptr.h"
#include "dns/classify.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/message.h"

namespace dotward {

class ResponseImage;
using ImagePtr = RefPtr<ResponseImage>;

// A response as the cache keeps it: header, question and records in wire form, without OPT, with the places of its
// TTLs, so that a reply is one copy and a few subtractions. What does not belong to the answer has been left out.
// Immutable, one allocation, safe to share between threads.
class ResponseImage {
 public:
  // Makes the image of a response that was classified as usable. TTLs are made equal within each RRset (RFC 2181 §5.2)
  // and capped. kResourceExhausted where the kept records need more than 65,535 octets without compression.
  static absl::StatusOr<ImagePtr> Build(const Message& response, const Classification& classification,
                                        std::string_view upstream, SteadyTime received_at);

  struct LocalRecord {
    uint16_t type = 0;
    uint32_t ttl = 0;
    Octets rdata;  // uncompressed
  };
  // Makes the image of an answer of our own: `records` are owned by the question's name, in the question's class.
  static ImagePtr BuildLocal(OctetView question, Rcode rcode, std::span<const LocalRecord> records,
                             std::span<const ExtendedError> errors, SteadyTime now);

  // The message without OPT, ID zero; the question's case is that of the query that fetched it.
  OctetView octets() const { return {data(), octet_count_}; }
  // Offsets of the four-octet TTL fields in octets().
  std::span<const uint16_t> ttl_offsets() const;
  // EDNS options with the extended errors that came with the response, ready to append to an OPT record.
  OctetView error_options() const;

  // Who gave the response, by its name in the configuration; empty for an answer of our own. At most 255 octets of it.
  std::string_view upstream() const;

  OctetView question() const;  // QNAME, QTYPE, QCLASS
  OctetView qname() const { return question().first(question().size() - 4); }
  Rcode rcode() const { return static_cast<Rcode>(rcode_); }
  bool authentic_data() const { return authentic_data_; }
  ResponseKind kind() const { return kind_; }
  bool behind_alias() const { return behind_alias_; }  // a CNAME or DNAME stands between the question and the outcome
  SteadyTime received_at() const { return received_at_; }
  SteadyTime expires_at() const { return received_at_ + std::chrono::seconds(lifetime_seconds_); }
  uint32_t lifetime_seconds() const { return lifetime_seconds_; }  // 0: may be used for whoever waits, not stored
  // Whole seconds since it was received; 0 for a clock that runs behind.
  uint32_t AgeSeconds(SteadyTime now) const;
  // Octets of memory that it holds, the allocator's own overhead included.
  size_t memory_octets() const;

  void AddReference() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const;

 private:
  friend class ImageBuilder;
  ResponseImage() = default;
  ~ResponseImage() = default;
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(this + 1); }

  // Behind the object: octets, padding to two, ttl offsets, error options, the upstream's name.
  mutable std::atomic<uint32_t> references_{1};
  uint32_t lifetime_seconds_ = 0;
  SteadyTime received_at_{};
  uint16_t octet_count_ = 0;
  uint16_t ttl_count_ = 0;
  uint16_t error_octets_ = 0;
  uint16_t rcode_ = 0;
  ResponseKind kind_ = ResponseKind::kFailure;
  bool authentic_data_ = false;
  bool behind_alias_ = false;
  uint8_t upstream_octets_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_DNS_RESPONSE_IMAGE_H_
