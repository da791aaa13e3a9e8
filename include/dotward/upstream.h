#ifndef DOTWARD_UPSTREAM_H_
#define DOTWARD_UPSTREAM_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "dns/answer_origin.h"
#include "dns/extended_errors.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/message.h"
#include "dotward/task.h"

namespace dotward {

class Cancellation;

// How an exchange went, for whoever looks at the slow ones. Filled once it is over; times in microseconds, of the
// attempt that decided it or, where nobody answered, of the last.
struct ExchangeTrace {
  // A response that has more octets is a large one, as few ever are.
  static constexpr size_t kUsualOctets = 4'096;
  void CountResponse(size_t octets) {
    if (octets > kUsualOctets) beyond_usual += static_cast<uint32_t>(octets - kUsualOctets);
  }

  uint32_t total_us = 0;      // of the whole exchange
  uint32_t waited_us = 0;     // until the question was put on a connection: connecting, handshake, a free place
  uint32_t answer_us = 0;     // from there to the answer, or to the end
  uint32_t beyond_usual = 0;  // octets of large responses beyond kUsualOctets, of all exchanges with this trace
  uint8_t attempts = 0;       // servers that were asked
  uint8_t hedges = 0;         // of them, those asked beside another because that one was late
  uint8_t sent_again = 0;     // times that a question was put on another connection, or into another datagram
  bool answered = false;      // by somebody, whatever the answer was
};

// One question as it is sent: ID, EDNS and padding are the sender's own business.
struct UpstreamQuery {
  Name name;
  uint16_t type = 0;
  uint16_t klass = rr_class::kIn;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  // Tells those who ask apart, by hash, for whoever has to share something out among them; 0 where it is for nobody.
  uint16_t asker = 0;
  // Where the asker may lose interest before the deadline; may be null. See Upstream::Exchange.
  Cancellation* cancellation = nullptr;
  // Where to write how it went; may be null.
  ExchangeTrace* trace = nullptr;
  // The upstream, by its name, whose answer cannot be right: another is asked. May be null.
  const std::string* not_from = nullptr;
};

// A response that was matched to its query (RFC 5452 §9.1) and parsed. Move-only; `message` borrows from `octets`,
// whose heap block moves along. It is on the heap because each coroutine on the way has room for a response from the
// start, and waits for most of its time.
struct UpstreamResponse {
  Octets octets;
  std::unique_ptr<const Message> message;
  std::shared_ptr<const std::string> upstream;  // its name in the configuration
  AnswerOrigin origin;                          // the same, and the server of it that was asked
  SteadyTime received_at;
  bool authenticated = false;  // came over TLS with the server's identity checked
  bool judged = false;         // by a validator of ours: its AD bit is our word
  // Of the extended errors in it. kOurs: it was put in the place of a response that a validator of ours found bogus.
  ErrorAuthor error_author = ErrorAuthor::kUpstream;
};

// What is to be known of the way that a question would take, without taking it.
struct RouteCondition {
  // Somebody can be asked. Where not, an exchange fails at once, and is what makes those who can be asked again
  // noticed.
  bool serving = true;
  // Grows whenever a server of the way answers again after trouble, and when the network or the way has changed: what
  // failed under another number says nothing about now.
  uint64_t returns = 0;
  size_t zone_octets = 1;  // of the name of the zone whose way it is; 1 is the root
};

// Something that answers questions: a server, a choice among servers, a validator above them. They stack. One event
// loop; not thread-safe.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // A response with any RCODE is a response. A status means that no usable one was obtained: kUnavailable where
  // nothing could be reached, kDeadlineExceeded where nobody answered in time, kDataLoss where what came could not be
  // parsed, kCancelled where the asker has cancelled, kNotFound where `not_from` leaves nobody to ask, kAborted where
  // the share of `asker` in something scarce was not enough, and another's may be; its text names the upstream and
  // the cause. Ends by `deadline`, and on the loop's next turn when the query's cancellation is used.
  // `query` must outlive the task.
  virtual Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) = 0;

  // Costs no more than finding the way.
  virtual RouteCondition ConditionOf(const UpstreamQuery& /*query*/) const { return {}; }
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_H_
