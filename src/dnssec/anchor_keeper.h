#ifndef DOTWARD_DNSSEC_ANCHOR_KEEPER_H_
#define DOTWARD_DNSSEC_ANCHOR_KEEPER_H_

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/await.h"
#include "dnssec/anchor_tracker.h"
#include "dnssec/trust_anchors.h"
#include "dotward/clock.h"
#include "dotward/task.h"
#include "dotward/upstream.h"

namespace dotward {

// Looks at the keys of the trust anchors' zones from time to time and has their changes followed (RFC 5011 §2.3): as
// often as half of the time that the keys may be kept, but no more than each hour. One event loop; not thread-safe.
class AnchorKeeper {
 public:
  struct Hooks {
    // What is trusted from now on.
    std::function<void(std::shared_ptr<const TrustAnchors>)> trust;
    // What has to be there after a restart. Must not block.
    std::function<void(std::string)> save;
  };

  // All must outlive it.
  AnchorKeeper(asio::io_context& loop, Upstream& upstream, const Clock& clock, Hooks hooks);

  // Before Start, or on the loop's thread. What the operator trusts from now on; null is nothing, and nothing is looked
  // at then. What is known of the same zones' keys goes along, also over a time in which nothing was trusted, and at
  // the first time what `saved` says of them. Returns what is trusted now, null for null.
  std::shared_ptr<const TrustAnchors> Adopt(std::shared_ptr<const TrustAnchors> configured,
                                            std::string_view saved = {});

  // On the loop's thread, once: looks soon, and then again and again.
  void Start() { running_.Spawn(Run()); }
  // Looks at every zone now.
  Task<> Look();

  // At the earliest, from when it looked last or was told what to trust.
  Duration next_look_in() const { return wait_; }

  // Join ends when nothing of it runs, which needs that exchanges of the upstream end.
  void Close();
  Task<> Join() { return running_.Join(); }

 private:
  Task<> Run();
  Duration Observe(const Name& zone, const absl::StatusOr<UpstreamResponse>& response);
  std::shared_ptr<const TrustAnchors> Current() const;

  Upstream& upstream_;
  const Clock& clock_;
  const Hooks hooks_;
  std::shared_ptr<const TrustAnchors> configured_;
  std::shared_ptr<const TrustAnchors> trusted_;
  std::optional<AnchorTracker> tracker_;
  std::string known_;  // while there is no tracker: what the last one knew
  bool changed_ = false;
  bool closed_ = false;
  Duration wait_;
  SteadyTimer timer_;
  TaskGroup running_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ANCHOR_KEEPER_H_
