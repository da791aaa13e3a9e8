#ifndef DOTWARD_DNS_CLASSIFY_H_
#define DOTWARD_DNS_CLASSIFY_H_

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <string_view>

#include "dotward/message.h"

namespace dotward {

// Bounds on what an upstream may say about lifetimes; seconds.
struct TtlPolicy {
  uint32_t min_ttl = 0;  // never lifts a TTL of 0
  uint32_t max_ttl = 86'400;
  uint32_t max_negative_ttl = 3'600;
};

enum class ResponseKind : uint8_t {
  kPositive,
  kNxDomain,
  kNoData,
  kReferral,  // a delegation instead of an answer: the server does not recurse for us
  kTruncated,
  kFailure,  // every other RCODE
};
std::string_view ResponseKindToString(ResponseKind kind);

// What a response means for the question it carries.
struct Classification {
  ResponseKind kind = ResponseKind::kFailure;
  Rcode rcode = Rcode::kServFail;
  bool behind_alias = false;
  // Seconds the response may be used; 0 means once, for whoever waits for it now.
  uint32_t ttl = 0;
  // Why ttl is 0, for people; empty otherwise.
  std::string_view not_cacheable_because;
  // Per record of the scan: does it belong to the answer? The chain of CNAME and DNAME from QNAME, the data at its end,
  // its signatures and, in the authority section, the SOA and the proofs of a denial. Everything else is left out, so
  // that a record for another name is never part of any answer (RFC 2181 §5.4.1).
  absl::InlinedVector<bool, 16> keep;

  bool usable() const {
    return kind == ResponseKind::kPositive || kind == ResponseKind::kNxDomain || kind == ResponseKind::kNoData;
  }
};

Classification ClassifyResponse(const Message& response, const TtlPolicy& policy);

}  // namespace dotward

#endif  // DOTWARD_DNS_CLASSIFY_H_
