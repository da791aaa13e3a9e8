#ifndef DOTWARD_DNSSEC_CHAIN_WALKER_H_
#define DOTWARD_DNSSEC_CHAIN_WALKER_H_

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/await.h"
#include "base/deadline.h"
#include "dnssec/chain_link.h"
#include "dnssec/checks.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/dnssec_statistics.h"
#include "dnssec/key_cache.h"
#include "dnssec/rrset_verifier.h"
#include "dnssec/trust_anchors.h"
#include "dnssec/zone_status.h"
#include "dotward/clock.h"
#include "dotward/task.h"
#include "dotward/upstream.h"

namespace dotward {

class BoundedWait;

// What one client's query may still spend on chains of trust, and until when. Spent over the whole query, never given
// anew.
struct WalkAllowance {
  Deadline deadline{SteadyTime::max()};
  Cancellation* cancellation = nullptr;  // may be null
  uint16_t asker = 0;                    // UpstreamQuery::asker
  ExchangeTrace* trace = nullptr;        // may be null; gets `beyond_usual` of links that nobody else looked for
  unsigned signature_checks = DnssecLimits::kSignatureChecksPerQuery;
  unsigned steps = DnssecLimits::kChainStepsPerQuery;
};

// The way from a trust anchor down to a name, as far as it is known.
struct TrustChain {
  std::optional<Name> negative_anchor;  // where the name is below one: nothing is validated
  std::optional<TrustAnchors::Anchor> anchor;
  std::vector<ZonePtr> zones;  // from the anchor's on
};

// Finds the zone that a name is in, and whether to believe its keys: down from the trust anchors, link by link, through
// the upstreams (RFC 4035 §5). A link is looked for once, whoever waits for it, for as long as anybody does, and what
// was found is kept. One event loop; not thread-safe.
class ChainWalker {
 public:
  // All must outlive it.
  ChainWalker(asio::io_context& loop, Upstream& upstream, const Clock& clock, Checks& checks,
              DnssecStatistics& statistics);

  // From now on; what was known is forgotten.
  void Adopt(std::shared_ptr<const TrustAnchors> anchors);

  // What is expected of a name: kApex where a signature says that a zone begins there, which saves asking about every
  // label above it.
  enum class Expect : uint8_t { kAnything, kApex };

  // The zone that `name` is in: secure, or the reason for which it is not. A status says that this could not be found
  // out: kUnavailable, kDeadlineExceeded, kDataLoss as of an exchange, kCancelled, kAborted as of CheckThread::Run,
  // kResourceExhausted where too many links are looked for already. `allowance` must outlive the task.
  Task<absl::StatusOr<ZonePtr>> Walk(Name name, Expect expect, WalkAllowance* allowance);

  // Whether a zone is known to begin below `zone`, at or above `name`.
  bool KnowsCutBelow(const Name& zone, const Name& name) const {
    return cache_.KnowsCutBelow(zone, name, clock_.Now());
  }
  // What was found is looked for anew when somebody needs it.
  void Forget() { cache_.Clear(); }
  // What is known at this moment of the way from an anchor to a name, without asking.
  TrustChain KnownChain(const Name& name) const;
  const KeyCache& cache() const { return cache_; }
  size_t links_in_flight() const { return links_.size(); }

  // Lets whoever waits go. When Join has ended, which needs that exchanges of the upstream end, nothing of it runs.
  void Close();
  Task<> Join() { return tasks_.Join(); }

 private:
  // One link that is being looked for.
  struct Link {
    Name name;
    std::string suffix;  // the registrable domain of the name, in lower case
    ZonePtr above;       // secure; null where `name` is a trust anchor's
    std::shared_ptr<const TrustAnchors> anchors;
    bool one_label_down = false;  // no other zone can be between
    Expect expect = Expect::kAnything;
    WalkAllowance allowance;  // shrinks as the link is looked for
    ExchangeTrace trace;      // of its exchanges
    // What it came to: a status where it could not be found out; else it is in the cache, or `unknown`.
    absl::Status status;
    bool unknown = false;  // nothing in the answer is signed: there is another zone between, or should be
    bool done = false;
    Verdict bogus;  // what was found at first, before another upstream is asked
    std::vector<BoundedWait*> waiters;
    Cancellation cancellation;  // used when the last of them leaves
  };
  using LinkPtr = std::shared_ptr<Link>;
  // An answer that is on its way while something else is looked at.
  struct Fetching;
  using Response = absl::StatusOr<UpstreamResponse>;

  // Whether this try decides, whatever comes of it.
  enum class Try : uint8_t { kFirst, kLast };

  LinkPtr StartLink(const Name& name, const KeyCache::Position& position, Expect expect,
                    const WalkAllowance& allowance);
  Task<> RunLink(LinkPtr link);
  void Unlist(const Link& link);
  Task<> FindLink(LinkPtr link);
  // True where the link was decided; else another upstream may know better.
  Task<bool> TryLink(LinkPtr link, const UpstreamResponse* response, std::shared_ptr<Fetching> keys, Try which);
  Task<ZonePtr> ZoneAbove(LinkPtr link, std::optional<Name> signer);
  Task<> FindKeys(LinkPtr link, DelegationSigners signers, uint32_t ttl, std::shared_ptr<Fetching> first);
  Task<bool> TryKeys(LinkPtr link, const DelegationSigners* signers, uint32_t ttl, const UpstreamResponse* response,
                     Try which);
  bool Fail(Link& link, Verdict verdict, Try which);
  // Ends when the link was found; a status where the allowance ended before. Who is the last to leave ends the search.
  Task<absl::Status> WaitFor(LinkPtr link, const WalkAllowance* allowance);
  // Runs a check, and takes what it spent from the link's allowance. False where it was not run; the link's status says
  // why.
  Task<bool> Check(LinkPtr link, unsigned microseconds, std::function<void(WorkBudget&)> check);

  Task<Response> Fetch(Name name, uint16_t type, Deadline deadline, std::shared_ptr<const std::string> not_from,
                       Cancellation* cancellation, ExchangeTrace* trace);
  std::shared_ptr<Fetching> StartFetch(const Name& name, uint16_t type, Deadline deadline);
  Task<> RunFetch(std::shared_ptr<Fetching> fetching);

  void Put(const Link& link, Verdict verdict, uint32_t ttl);

  asio::io_context& loop_;
  Upstream& upstream_;
  const Clock& clock_;
  Checks& checks_;
  DnssecStatistics& statistics_;
  std::shared_ptr<const TrustAnchors> anchors_;
  KeyCache cache_;
  absl::flat_hash_map<std::string, LinkPtr> links_;  // by name in lower case
  absl::flat_hash_map<std::string, size_t> links_by_suffix_;
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_CHAIN_WALKER_H_
