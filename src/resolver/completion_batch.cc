#include "resolver/completion_batch.h"

#include <asio/post.hpp>
#include <utility>

#include "resolver/resolver_limits.h"

namespace dotward {

void CompletionBatch::Complete(ResolutionWaiter& waiter, ResolutionPtr resolution) {
  CompletionInbox& home = waiter.home();
  const SteadyTime now = clock_.Now();
  if (unseen_.empty()) oldest_ = now;
  if (home.PushUnseen({&waiter, std::move(resolution)})) unseen_.push_back(&home);
  if (now - oldest_ >= ResolverLimits::kCompletionWait) return WakeAll();
  if (unseen_.empty() || std::exchange(wakes_at_end_of_turn_, true)) return;
  // Behind everything that the loop has to run already.
  asio::post(loop_, [this] {
    wakes_at_end_of_turn_ = false;
    WakeAll();
  });
}

void CompletionBatch::WakeAll() {
  for (CompletionInbox* const inbox : unseen_) inbox->Wake();
  unseen_.clear();
}

}  // namespace dotward
