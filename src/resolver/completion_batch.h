#ifndef DOTWARD_RESOLVER_COMPLETION_BATCH_H_
#define DOTWARD_RESOLVER_COMPLETION_BATCH_H_

#include <asio/io_context.hpp>
#include <vector>

#include "dotward/clock.h"
#include "resolver/resolution.h"

namespace dotward {

// Gives clients' resolutions back to their workers. A worker is woken once for what is found out in one turn of the
// forwarding loop, which a full record of answers makes a long one: woken by the first of them it would compete with
// the rest for the processor. In a long turn it is woken by the first of them after ResolverLimits::kCompletionWait.
// One event loop.
class CompletionBatch {
 public:
  // Both must outlive it, and it must outlive what the loop has still to run.
  CompletionBatch(asio::io_context& loop, const Clock& clock) : loop_(loop), clock_(clock) {}

  void Complete(ResolutionWaiter& waiter, ResolutionPtr resolution);

 private:
  void WakeAll();

  asio::io_context& loop_;
  const Clock& clock_;
  std::vector<CompletionInbox*> unseen_;  // those that have to be woken; each once
  SteadyTime oldest_;                     // of what they have not seen
  bool wakes_at_end_of_turn_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_COMPLETION_BATCH_H_
