#ifndef DOTWARD_DNSSEC_VALIDATING_UPSTREAM_H_
#define DOTWARD_DNSSEC_VALIDATING_UPSTREAM_H_

#include <asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "dnssec/bogus_log.h"
#include "dnssec/chain_walker.h"
#include "dnssec/checks.h"
#include "dnssec/denial_cache.h"
#include "dnssec/dnssec_statistics.h"
#include "dnssec/response_judge.h"
#include "dnssec/response_parts.h"
#include "dnssec/trust_anchors.h"
#include "dotward/clock.h"
#include "dotward/upstream.h"

namespace dotward {

// A validator above an upstream (RFC 4035 §5, RFC 6840): what it hands up is judged, so that what is cached is.
//
// Questions with CD=0 go to the upstream with DO=1 and CD=1 (RFC 6840 §5.9), so that the verdict is ours. Of the answer
//   secure         AD is set, and TTLs are no longer than the signatures allow (RFC 4035 §5.3.3)
//   insecure       AD is clear; where that has a reason worth telling (RFC 8914) it is in the OPT record
//   indeterminate  AD is clear: no trust anchor is above the name, as the OPT record says
//   bogus          it is replaced by a SERVFAIL whose OPT record says why (RFC 8914), after another upstream was asked
// Questions with CD=1, and classes other than IN, are handed on as they are; what they bring was not judged, whatever
// its AD says. So are failures of the upstream, but for their AD. Where denials that were found secure say enough about
// a question, nobody is asked for it (RFC 8198). One event loop; not thread-safe, but for the statistics.
class ValidatingUpstream final : public Upstream {
 public:
  struct Options {
    std::shared_ptr<const TrustAnchors> anchors;  // null: nothing is judged, and every question is handed on
    bool aggressive_nsec = true;
    std::chrono::seconds denial_ttl_max = std::chrono::hours(1);
  };

  // All must outlive it. Until Adopt nothing is judged.
  ValidatingUpstream(asio::io_context& loop, Upstream& upstream, const Clock& clock);

  // From now on. On the loop's thread. What was known of zones is forgotten where the anchors are others.
  void Adopt(Options options);

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override;
  // Of the way, and of the trust: what is said above the closest anchor, positive or negative, says nothing about a
  // name below it.
  RouteCondition ConditionOf(const UpstreamQuery& query) const override;

  // Forgets denials, and what chains of trust have come to.
  void Forget();

  // Ends what waits for chains of trust and takes no more of it. Join, which needs the upstream to be closed too, ends
  // when nothing of it runs. Both before the loop stops for good.
  void Close();
  Task<> Join() { return walker_.Join(); }

  bool validates() const { return options_.anchors != nullptr; }
  const DnssecStatistics& statistics() const { return statistics_; }
  const ChainWalker& walker() const { return walker_; }

 private:
  // One answer while it is judged.
  struct Candidate {
    UpstreamResponse response;
    ResponseParts dissected;
    Judgement judgement;
    bool judged = false;                            // else it is no answer
    std::shared_ptr<const TrustAnchors> judged_by;  // null: not yet, or nothing is judged any more
  };

  Task<absl::StatusOr<UpstreamResponse>> Validate(UpstreamQuery query, Deadline deadline);
  Task<absl::Status> Judge(Candidate* candidate, WalkAllowance* allowance);
  Task<absl::Status> TryJudge(Candidate* candidate, WalkAllowance* allowance);
  Task<absl::Status> FindZones(Candidate* candidate, WalkAllowance* allowance);
  bool IsBelowNegative(const Name& name) const;
  bool ProvesWildcard(const ResponseParts& dissected, const ResponsePart& proof) const;
  Task<absl::Status> FindZone(ResponsePart* part, const TrustAnchors& anchors, WalkAllowance* allowance);
  absl::StatusOr<UpstreamResponse> Deliver(Candidate candidate);
  std::optional<UpstreamResponse> FromDenials(const UpstreamQuery& query);
  void LearnDenials(const Candidate& candidate);

  const Clock& clock_;
  Upstream& upstream_;
  DnssecStatistics statistics_;
  Checks checks_;
  ChainWalker walker_;
  Options options_;
  DenialCache denials_;
  BogusLog log_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_VALIDATING_UPSTREAM_H_
