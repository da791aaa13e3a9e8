#ifndef DOTWARD_UPSTREAM_H_
#define DOTWARD_UPSTREAM_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/message.h"
#include "dotward/task.h"

namespace dotward {

class Cancellation;

// One question as it is sent: ID, EDNS and padding are the sender's own business.
struct UpstreamQuery {
  Name name;
  uint16_t type = 0;
  uint16_t klass = rr_class::kIn;
  bool dnssec_ok = false;
  bool checking_disabled = false;
  // Where the asker may lose interest before the deadline; may be null. See Upstream::Exchange.
  Cancellation* cancellation = nullptr;
};

// A response that was matched to its query (RFC 5452 §9.1) and parsed. Move-only; `message` borrows from `octets`,
// whose heap block moves along. It is on the heap because each coroutine on the way has room for a response from the
// start, and waits for most of its time.
struct UpstreamResponse {
  Octets octets;
  std::unique_ptr<const Message> message;
  std::shared_ptr<const std::string> upstream;  // its name in the configuration
  SteadyTime received_at;
  bool authenticated = false;  // came over TLS with the server's identity checked
};

// Something that answers questions: a server, a choice among servers, a validator above them. They stack. One event
// loop; not thread-safe.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // A response with any RCODE is a response. A status means that no usable one was obtained: kUnavailable where
  // nothing could be reached, kDeadlineExceeded where nobody answered in time, kDataLoss where what came could not be
  // parsed, kCancelled where the asker has cancelled; its text names the upstream and the cause. Ends by `deadline`,
  // and on the loop's next turn when the query's cancellation is used. `query` must outlive the task.
  virtual Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) = 0;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_H_
