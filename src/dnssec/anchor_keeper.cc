#include "dnssec/anchor_keeper.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {

AnchorKeeper::AnchorKeeper(asio::io_context& loop, Upstream& upstream, const Clock& clock, Hooks hooks)
    : upstream_(upstream),
      clock_(clock),
      hooks_(std::move(hooks)),
      wait_(DnssecLimits::kAnchorFirstLook),
      timer_(loop.get_executor()),
      running_(loop) {}

std::shared_ptr<const TrustAnchors> AnchorKeeper::Adopt(std::shared_ptr<const TrustAnchors> configured,
                                                        std::string_view saved) {
  if (configured == configured_) return trusted_;
  if (tracker_) {
    known_ = tracker_->Save();
    // Of a look that ends here.
    if (std::exchange(changed_, false)) hooks_.save(known_);
  } else if (known_.empty()) {
    known_ = saved;
  }
  configured_ = std::move(configured);
  tracker_.reset();
  trusted_ = nullptr;
  if (configured_ == nullptr) return trusted_;
  tracker_.emplace(*configured_, clock_.WallNow());
  if (!known_.empty()) {
    const absl::Status restored = tracker_->Restore(known_);
    if (!restored.ok()) {
      Log(LogLevel::kWarning, "what was known of the trust anchors is ignored", {{"error", MessageOf(restored)}});
    }
  }
  wait_ = DnssecLimits::kAnchorFirstLook;
  timer_.cancel();
  return trusted_ = Current();
}

Task<> AnchorKeeper::Run() {
  while (!closed_) {
    timer_.expires_after(wait_);
    const auto waited = co_await timer_.async_wait(kAwait);
    // Whoever cancels it has set another time.
    if (!closed_ && !std::get<0>(waited)) co_await Look();
  }
}

Task<> AnchorKeeper::Look() {
  const std::shared_ptr<const TrustAnchors> configured = configured_;
  wait_ = DnssecLimits::kAnchorLookRarest;
  std::vector<Name> zones;
  if (tracker_) {
    for (const AnchorTracker::Zone& zone : tracker_->zones()) zones.push_back(zone.name);
  }
  for (const Name& zone : zones) {
    UpstreamQuery query;
    query.name = zone;
    query.type = rr_type::kDnskey;
    query.dnssec_ok = true;
    query.checking_disabled = true;
    const Deadline deadline = Deadline::After(clock_.Now(), DnssecLimits::kChainStepTime);
    const absl::StatusOr<UpstreamResponse> response = co_await upstream_.Exchange(query, deadline);
    if (closed_ || configured_ != configured) co_return;
    wait_ = std::min(wait_, Observe(zone, response));
  }
  if (!std::exchange(changed_, false)) co_return;
  trusted_ = Current();
  hooks_.trust(trusted_);
  hooks_.save(tracker_->Save());
}

// Returns when the zone is to be looked at again.
Duration AnchorKeeper::Observe(const Name& zone, const absl::StatusOr<UpstreamResponse>& response) {
  if (!response.ok()) return DnssecLimits::kAnchorLookOftenest;
  const TrustAnchors::Anchor* const anchor = trusted_->ClosestTo(zone);
  const ScannedMessage& scan = response->message->scan();
  const WallTime now = clock_.WallNow();
  WorkBudget budget;
  const KeysFinding finding = JudgeDnskeys(scan, zone, anchor->signers, now, budget);
  if (!finding.verdict.secure()) return DnssecLimits::kAnchorLookOftenest;
  for (const std::string& change : tracker_->Observe(zone, AnchorTracker::KeysOf(scan, finding, now), now)) {
    changed_ = true;
    Log(LogLevel::kWarning, "a trust anchor has changed", {{"change", change}});
  }
  return std::clamp<Duration>(std::chrono::seconds(finding.ttl_max) / 2, DnssecLimits::kAnchorLookOftenest,
                              DnssecLimits::kAnchorLookRarest);
}

std::shared_ptr<const TrustAnchors> AnchorKeeper::Current() const {
  TrustAnchors anchors = tracker_->Current();
  for (const TrustAnchors::Negative& negative : configured_->negatives()) {
    anchors.AddNegative(negative.zone, negative.end);
  }
  return std::make_shared<const TrustAnchors>(std::move(anchors));
}

void AnchorKeeper::Close() {
  closed_ = true;
  timer_.cancel();
}

}  // namespace dotward
