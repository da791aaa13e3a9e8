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

// Whether the signatures and denial proofs of a response are part of its answer (the query had DO), or are left out
// unless they were asked for by type (RFC 4035 §3.2.1).
enum class DnssecRecords : uint8_t { kKeep, kLeaveOut };

enum class ResponseKind : uint8_t {
  kPositive,
  kNxDomain,
  kNoData,
  kReferral,  // a delegation instead of an answer: the server does not recurse for us
  kTruncated,
  kFailure,  // every other RCODE, and responses that contradict themselves
};
std::string_view ResponseKindToString(ResponseKind kind);

// What a response means for the question it carries.
struct Classification {
  ResponseKind kind = ResponseKind::kFailure;
  Rcode rcode = Rcode::kServFail;
  bool behind_alias = false;
  // The response's AD bit. Whoever does not trust the upstream's word clears it before an image is built.
  bool authentic_data = false;
  // Seconds the response may be used; 0 means once, for whoever waits for it now.
  uint32_t ttl = 0;
  // Why ttl is 0, for people; empty otherwise.
  std::string_view not_cacheable_because;

  // Per record of the scan.
  struct RecordFate {
    // Does it belong to the answer? The chain of CNAME and DNAME from QNAME, the data at its end, its signatures and,
    // in the authority section, the SOA and the proofs of a denial. Everything else is left out, so that a record for
    // another name is never part of any answer (RFC 2181 §5.4.1).
    bool keep = false;
    // The TTL it is given: within the policy, the lowest of its RRset (RFC 2181 §5.2); of the SOA of a negative
    // response, the negative TTL (RFC 2308 §5).
    uint32_t ttl = 0;
    // Of a kept record: the first record of its RRset, signatures counted apart for each type that they cover.
    uint16_t rrset = 0;
  };
  absl::InlinedVector<RecordFate, 8> records;

  bool usable() const {
    return kind == ResponseKind::kPositive || kind == ResponseKind::kNxDomain || kind == ResponseKind::kNoData;
  }
};

Classification ClassifyResponse(const Message& response, const TtlPolicy& policy,
                                DnssecRecords dnssec = DnssecRecords::kKeep);

}  // namespace dotward

#endif  // DOTWARD_DNS_CLASSIFY_H_
