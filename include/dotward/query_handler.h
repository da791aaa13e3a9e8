#ifndef DOTWARD_QUERY_HANDLER_H_
#define DOTWARD_QUERY_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/ip_address.h"
#include "dns/types.h"
#include "dotward/clock.h"

namespace dotward {

enum class Transport : uint8_t { kUdp, kTcp, kTls };

struct Client {
  Endpoint endpoint;
  Transport transport = Transport::kUdp;
};

enum class Disposition : uint8_t {
  kAnswered,  // the reply is in the buffer
  kDropped,   // nothing is owed
  kLater,     // call AnswerLater or AnswerNever
};

struct ImmediateReply {
  Disposition disposition = Disposition::kDropped;
  size_t octets = 0;  // with kAnswered: how much of the buffer is the reply
};

// The way back of one reply that takes time: made by whoever listens, held by the handler meanwhile.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  // Once, on the loop's thread. Copies the octets. Empty octets mean that nothing is to be sent.
  virtual void Send(OctetView reply) = 0;
};

// Octets in, octets out: the seam between what listens and what answers. One handler serves one worker's loop and is
// called on its thread only.
class QueryHandler {
 public:
  virtual ~QueryHandler() = default;

  // The fast face: answers from what is at hand, without suspending or blocking. Any octets are allowed as `query`.
  // `now` is when the query was read. `buffer` holds the longest reply the transport can carry; it is never
  // overrun: a reply that does not fit has TC=1.
  virtual ImmediateReply AnswerNow(OctetView query, const Client& client, SteadyTime now,
                                   std::span<uint8_t> buffer) = 0;

  // The patient face, for a query that got kLater: asks upstream, and gives the reply to `sink` within the query's
  // deadline, never inside the call. Not a coroutine, because thousands may wait, each for most of its time. A handler
  // that ends before its queries, which it may when the loop runs no more, drops their sinks.
  virtual void AnswerLater(OctetView query, const Client& client, SteadyTime now, std::unique_ptr<ReplySink> sink) = 0;
  // In its place: whoever listens has no room for another query that waits, and sends nothing.
  virtual void AnswerNever() {}
};

}  // namespace dotward

#endif  // DOTWARD_QUERY_HANDLER_H_
