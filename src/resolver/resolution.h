#ifndef DOTWARD_RESOLVER_RESOLUTION_H_
#define DOTWARD_RESOLVER_RESOLUTION_H_

#include <memory>
#include <utility>
#include <vector>

#include "base/inbox.h"
#include "base/intrusive_list.h"
#include "dns/response_image.h"
#include "dns/types.h"
#include "dotward/upstream.h"
#include "resolver/pending_questions.h"

namespace dotward {

// How a question ended, for everyone who waits for it. Immutable.
struct Resolution {
  ImagePtr image;                     // the answer, or null where there is none
  bool stale = false;                 // the image has expired, and nothing better could be had
  bool bogus = false;                 // there was an answer, and a validator of ours found it forged or broken
  Rcode rcode = Rcode::kServFail;     // without an image: what the client is told
  std::vector<ExtendedError> errors;  // why it is no answer, or a stale one
  ExchangeTrace trace;                // of what was asked upstream for it, if anything was
};
using ResolutionPtr = std::shared_ptr<const Resolution>;

// One client's wait for a resolution. It belongs to a worker, together with the name that its question borrows; from
// Submit until it has been completed, which always happens, it is the forwarding loop's.
class ResolutionWaiter;
struct CompletedWait {
  ResolutionWaiter* waiter;
  ResolutionPtr resolution;
};
using CompletionInbox = Inbox<CompletedWait>;

class ResolutionWaiter : public PendingWaiter {
 public:
  ResolutionWaiter(CompletionInbox& home, const CacheKey& question_in, const IpAddress& client_in, Deadline deadline_in)
      : PendingWaiter(question_in, client_in, deadline_in), home_(home) {}

  // Where it is completed, once, by being pushed: it is the worker's again then, which may end it at any moment.
  CompletionInbox& home() const { return home_; }

  ListHook<ResolutionWaiter> in_worker;  // the worker's

 private:
  CompletionInbox& home_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLUTION_H_
