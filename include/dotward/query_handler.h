#ifndef DOTWARD_QUERY_HANDLER_H_
#define DOTWARD_QUERY_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ip_address.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

enum class Transport : uint8_t { kUdp, kTcp, kTls };

struct Client {
  Endpoint endpoint;
  Transport transport = Transport::kUdp;
};

enum class Disposition : uint8_t {
  kAnswered,  // the reply is in the buffer
  kDropped,   // nothing is owed
  kLater,     // call Answer
};

struct ImmediateReply {
  Disposition disposition = Disposition::kDropped;
  size_t octets = 0;  // with kAnswered: how much of the buffer is the reply
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

  // The patient face, for a query that got kLater: asks upstream. Ends within the query's deadline. Empty octets mean
  // that nothing is to be sent.
  virtual Task<Octets> Answer(Octets query, Client client, SteadyTime now) = 0;
};

}  // namespace dotward

#endif  // DOTWARD_QUERY_HANDLER_H_
