#ifndef DOTWARD_RESOLVER_RESOLUTION_H_
#define DOTWARD_RESOLVER_RESOLUTION_H_

#include <memory>
#include <utility>
#include <vector>

#include "base/await.h"
#include "base/inbox.h"
#include "dns/response_image.h"
#include "dns/types.h"
#include "dotward/task.h"
#include "resolver/pending_questions.h"

namespace dotward {

// How a question ended, for everyone who waits for it. Immutable.
struct Resolution {
  ImagePtr image;                     // the answer, or null where there is none
  Rcode rcode = Rcode::kServFail;     // without an image: what the client is told
  std::vector<ExtendedError> errors;  // without an image
};
using ResolutionPtr = std::shared_ptr<const Resolution>;

// One client's wait for a resolution. It lives on the worker's loop, inside the coroutine that waits, together with the
// name that its question borrows; from Submit until it has been completed, which always happens, it is the forwarding
// loop's.
class ResolutionWaiter;
struct CompletedWait {
  ResolutionWaiter* waiter;
  ResolutionPtr resolution;
};
using CompletionInbox = Inbox<CompletedWait>;

class ResolutionWaiter final : public PendingWaiter {
 public:
  ResolutionWaiter(Executor executor, CompletionInbox& home, const CacheKey& question_in, const IpAddress& client_in,
                   Deadline deadline_in)
      : PendingWaiter(question_in, client_in, deadline_in), spot_(executor), home_(home) {}

  // On the worker's loop, for `co_await waiter.Completed()` in a Task, once and before anything else has a turn on the
  // loop since Submit; then the resolution is there.
  auto Completed() { return spot_.Park(); }
  const Resolution& resolution() const { return *resolution_; }
  static void Deliver(std::vector<CompletedWait>& batch) {
    for (CompletedWait& wait : batch) {
      wait.waiter->resolution_ = std::move(wait.resolution);
      wait.waiter->spot_.Resume();
    }
  }
  // Thread-safe, once: the waiter is the worker's again, which may end it at any moment.
  void Complete(ResolutionPtr resolution) { home_.Push({this, std::move(resolution)}); }

 private:
  ParkingSpot spot_;
  ResolutionPtr resolution_;
  CompletionInbox& home_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLUTION_H_
