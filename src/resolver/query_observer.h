#ifndef DOTWARD_RESOLVER_QUERY_OBSERVER_H_
#define DOTWARD_RESOLVER_QUERY_OBSERVER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "dns/reply.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/query_handler.h"
#include "dotward/upstream.h"

namespace dotward {

// What a reply was made from.
enum class AnswerSource : uint8_t {
  kCache,
  kStale,      // the cache, past its time (RFC 8767)
  kUpstream,   // somebody was asked for it, or it was given up
  kLocal,      // answered here, without cache and upstream
  kRefused,    // by policy, or RD=0 and not in the cache
  kMalformed,  // FORMERR, NOTIMP, BADVERS
};

// One query that got its reply. Borrows everything; nothing of it may be kept.
struct AnsweredQuery {
  const Client& client;
  const ReplyContext& query;  // its question, flags and EDNS
  AnswerSource source;
  Rcode rcode;
  OctetView reply;
  std::span<const ExtendedError> errors;  // of a reply without an image, or with a stale one
  const ResponseImage* image;             // what was rendered; may be null
  SteadyTime received_at;
  Duration duration;           // from there to the reply
  const ExchangeTrace* trace;  // of what was asked upstream; null where nobody waited for that
};

// Whoever wants to know of every reply. Called on the worker's thread for each: it must not block, and what it costs,
// every query costs. One observer a worker.
class QueryObserver {
 public:
  virtual ~QueryObserver() = default;
  virtual void Answered(const AnsweredQuery& query) = 0;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_OBSERVER_H_
