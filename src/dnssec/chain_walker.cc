#include "dnssec/chain_walker.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/bounded_wait.h"
#include "base/strings.h"
#include "dns/registrable_domain.h"
#include "dnssec/name_tools.h"
#include "dnssec/work_estimate.h"

namespace dotward {
namespace {

// The name one label below `zone` on the way to `name`, which is below it.
Name ChildTowards(const Name& zone, const Name& name) {
  OctetView wire = name.wire();
  while (true) {
    const OctetView parent = wire.subspan(wire[0] + size_t{1});
    if (parent.size() <= zone.wire().size()) return Name::FromWire(wire);
    wire = parent;
  }
}

ZonePtr MakeZone(const Name& zone, Verdict verdict) {
  return std::make_shared<const ZoneStatus>(ZoneStatus{.zone = zone, .verdict = std::move(verdict)});
}

bool IsAnswer(const ScannedMessage& scan) {
  return !scan.truncated() && (scan.rcode() == Rcode::kNoError || scan.rcode() == Rcode::kNxDomain);
}

absl::Status NoAnswer(const Name& name, uint16_t type, const UpstreamResponse& response) {
  const ScannedMessage& scan = response.message->scan();
  return absl::UnavailableError(StrCat(*response.upstream, ": ", TypeToString(type), " ", name.ToString(),
                                       ": answered ", scan.truncated() ? "in part" : RcodeToString(scan.rcode()),
                                       ", and validation needs it"));
}

}  // namespace

struct ChainWalker::Fetching {
  Fetching(Name name_in, uint16_t type_in, Deadline deadline_in, Executor executor)
      : name(std::move(name_in)), type(type_in), deadline(deadline_in), wakeup(executor) {}
  const Name name;
  const uint16_t type;
  const Deadline deadline;
  std::optional<Response> result;
  Wakeup wakeup;
  Cancellation cancellation;
  ExchangeTrace trace;
};

ChainWalker::ChainWalker(asio::io_context& loop, Upstream& upstream, const Clock& clock, Checks& checks,
                         DnssecStatistics& statistics)
    : loop_(loop),
      upstream_(upstream),
      clock_(clock),
      checks_(checks),
      statistics_(statistics),
      anchors_(std::make_shared<const TrustAnchors>()),
      tasks_(loop) {}

void ChainWalker::Adopt(std::shared_ptr<const TrustAnchors> anchors) {
  anchors_ = std::move(anchors);
  cache_.Clear();
}

void ChainWalker::Close() {
  closed_ = true;
  for (const auto& [key, link] : links_) {
    for (BoundedWait* waiter : link->waiters) waiter->Notify();
  }
}

Task<absl::StatusOr<ZonePtr>> ChainWalker::Walk(Name name, Expect expect, WalkAllowance* allowance) {
  while (true) {
    if (anchors_->NegativeFor(name, clock_.WallNow()) != nullptr) co_return MakeZone(name, Verdict::Insecure());
    const TrustAnchors::Anchor* anchor = anchors_->ClosestTo(name);
    if (anchor == nullptr) {
      co_return MakeZone(name, Verdict::Indeterminate(StrCat(name.ToString(), ": no trust anchor is above it")));
    }
    const KeyCache::Position known = cache_.Locate(name, anchor->zone, clock_.Now());
    if (known.zone != nullptr && (!known.zone->verdict.secure() || known.nothing_below || known.lowest == name)) {
      co_return known.zone;
    }
    if (allowance->steps == 0 || allowance->signature_checks == 0) {
      const std::string_view what = allowance->steps == 0 ? "too long a chain" : "too many signature checks";
      co_return MakeZone(name, Verdict::OverBudget(StrCat(name.ToString(), ": chain of trust"), what));
    }
    --allowance->steps;
    const Name next = known.zone == nullptr     ? anchor->zone
                      : expect == Expect::kApex ? name
                                                : ChildTowards(known.lowest, name);
    if (closed_) co_return absl::CancelledError("validation: stopping");
    if (allowance->cancellation != nullptr && allowance->cancellation->cancelled()) {
      co_return absl::CancelledError("nobody waits for the answer any more");
    }
    const auto under_way = links_.find(LowerOf(next.wire()));
    const bool joins = under_way != links_.end();
    const LinkPtr link = joins ? under_way->second : StartLink(next, known, expect, *allowance);
    if (link == nullptr) co_return absl::ResourceExhaustedError("validation: too many chains of trust are looked for");
    const absl::Status waited = co_await WaitFor(link, allowance);
    if (!waited.ok()) co_return waited;
    if (!joins) {
      allowance->steps = link->allowance.steps;
      allowance->signature_checks = link->allowance.signature_checks;
      if (allowance->trace != nullptr) allowance->trace->beyond_usual += link->trace.beyond_usual;
    }
    // What was too much of another's share may be little of ours.
    if (joins && absl::IsAborted(link->status)) continue;
    if (!link->status.ok()) co_return link->status;
    // Whoever was sure that a zone begins there has to look label by label.
    if (link->unknown) expect = Expect::kAnything;
  }
}

// Null where too many are looked for.
ChainWalker::LinkPtr ChainWalker::StartLink(const Name& name, const KeyCache::Position& position, Expect expect,
                                            const WalkAllowance& allowance) {
  if (links_.size() >= DnssecLimits::kChainStepsInFlightMax) return nullptr;
  auto link = std::make_shared<Link>();
  link->suffix = LowerOf(RegistrableDomain(name.wire()));
  size_t& of_suffix = links_by_suffix_[link->suffix];
  if (of_suffix >= DnssecLimits::kChainStepsPerSuffixMax) return nullptr;
  ++of_suffix;
  link->name = name;
  link->above = position.zone;
  link->anchors = anchors_;
  link->one_label_down = position.zone != nullptr && name.Parent() == position.lowest;
  link->expect = expect;
  link->allowance = allowance;
  link->allowance.cancellation = &link->cancellation;
  link->allowance.trace = &link->trace;
  link->allowance.deadline = Deadline::After(clock_.Now(), DnssecLimits::kChainStepTime);
  links_.emplace(LowerOf(name.wire()), link);
  tasks_.Spawn(RunLink(link));
  return link;
}

Task<> ChainWalker::RunLink(LinkPtr link) {
  co_await FindLink(link);
  if (link->cancellation.cancelled()) co_return;
  link->done = true;
  Unlist(*link);
  for (BoundedWait* waiter : link->waiters) waiter->Notify();
}

// From here on who needs it looks for it anew.
void ChainWalker::Unlist(const Link& link) {
  links_.erase(LowerOf(link.name.wire()));
  const auto of_suffix = links_by_suffix_.find(link.suffix);
  if (--of_suffix->second == 0) links_by_suffix_.erase(of_suffix);
}

Task<absl::Status> ChainWalker::WaitFor(LinkPtr link, const WalkAllowance* allowance) {
  if (link->done) co_return absl::OkStatus();
  BoundedWait wait(loop_.get_executor(), clock_, allowance->deadline, allowance->cancellation);
  link->waiters.push_back(&wait);
  absl::Status status = wait.Over();
  while (!link->done && status.ok()) {
    co_await wait.Wait();
    status = closed_ ? absl::CancelledError("validation: stopping") : wait.Over();
  }
  if (link->done) co_return absl::OkStatus();  // and nobody looks at who waits any more
  std::erase(link->waiters, &wait);
  if (link->waiters.empty()) {
    Unlist(*link);
    link->cancellation.Cancel();
  }
  if (!absl::IsDeadlineExceeded(status)) co_return status;
  co_return absl::DeadlineExceededError(StrCat("validation: no answer about ", link->name.ToString(), " in time"));
}

Task<bool> ChainWalker::Check(LinkPtr link, unsigned microseconds, std::function<void(WorkBudget&)> check) {
  WorkBudget budget(link->allowance.signature_checks);
  Checks::Order order{.asker = link->allowance.asker,
                      .name = link->name.wire(),
                      .microseconds = microseconds,
                      .deadline = link->allowance.deadline,
                      .cancellation = &link->cancellation};
  std::function<void()> bounded = [&] { check(budget); };
  link->status = co_await checks_.Run(std::move(order), std::move(bounded));
  if (!link->status.ok()) co_return false;
  link->allowance.signature_checks -= budget.signature_checks();
  statistics_.signature_checks.Add(budget.signature_checks());
  co_return true;
}

// --- fetching ---

Task<ChainWalker::Response> ChainWalker::Fetch(Name name, uint16_t type, Deadline deadline,
                                               std::shared_ptr<const std::string> not_from, Cancellation* cancellation,
                                               ExchangeTrace* trace) {
  UpstreamQuery query;
  query.name = name;
  query.type = type;
  query.dnssec_ok = true;
  query.checking_disabled = true;
  query.not_from = not_from.get();
  query.cancellation = cancellation;
  query.trace = trace;
  (not_from == nullptr ? statistics_.chain_queries : statistics_.second_opinions).Add();
  Response response = co_await upstream_.Exchange(query, deadline);
  if (response.ok()) co_return response;
  co_return absl::Status(response.status().code(),
                         StrCat(TypeToString(type), " ", name.ToString(), ": ", MessageOf(response.status())));
}

std::shared_ptr<ChainWalker::Fetching> ChainWalker::StartFetch(const Name& name, uint16_t type, Deadline deadline) {
  auto fetching = std::make_shared<Fetching>(name, type, deadline, loop_.get_executor());
  tasks_.Spawn(RunFetch(fetching));
  return fetching;
}

Task<> ChainWalker::RunFetch(std::shared_ptr<Fetching> fetching) {
  Response response = co_await Fetch(fetching->name, fetching->type, fetching->deadline, nullptr,
                                     &fetching->cancellation, &fetching->trace);
  fetching->result = std::move(response);
  fetching->wakeup.Notify();
}

TrustChain ChainWalker::KnownChain(const Name& name) const {
  TrustChain chain;
  const SteadyTime now = clock_.Now();
  if (const TrustAnchors::Negative* negative = anchors_->NegativeFor(name, clock_.WallNow())) {
    chain.negative_anchor = negative->zone;
  }
  const TrustAnchors::Anchor* const anchor = anchors_->ClosestTo(name);
  if (anchor == nullptr) return chain;
  chain.anchor = *anchor;
  for (size_t labels = anchor->zone.label_count(); labels <= name.label_count(); ++labels) {
    if (ZonePtr zone = cache_.ZoneAt(Suffix(name, labels), now)) chain.zones.push_back(std::move(zone));
  }
  return chain;
}

// --- a link ---

void ChainWalker::Put(const Link& link, Verdict verdict, uint32_t ttl) {
  // What was found by anchors that are no more is nobody's; and who was called back may not have asked to the end.
  if (link.anchors != anchors_ || link.cancellation.cancelled()) return;
  cache_.PutZone(link.name, MakeZone(link.name, std::move(verdict)), ttl, clock_.Now());
}

// True where that decides: over the budget no other answer is better, and the last try is the last.
bool ChainWalker::Fail(Link& link, Verdict verdict, Try which) {
  if (which == Try::kFirst && verdict.code != EdeCode::kOther) {
    link.bogus = std::move(verdict);
    return false;
  }
  Put(link, std::move(verdict), 0);
  return true;
}

Task<> ChainWalker::FindLink(LinkPtr link) {
  const Deadline deadline = link->allowance.deadline;
  if (link->above == nullptr) {
    const TrustAnchors::Anchor* anchor = link->anchors->ClosestTo(link->name);
    co_await FindKeys(link, anchor->signers, UINT32_MAX, nullptr);
    co_return;
  }
  // Where a zone is expected its keys will be needed too.
  std::shared_ptr<Fetching> keys;
  if (link->expect == Expect::kApex) keys = StartFetch(link->name, rr_type::kDnskey, deadline);
  const Response first = co_await Fetch(link->name, rr_type::kDs, deadline, nullptr, &link->cancellation, &link->trace);
  if (!first.ok()) {
    link->status = first.status();
  } else {
    const bool decided = co_await TryLink(link, &*first, keys, Try::kFirst);
    if (!decided) {
      const Response second =
          co_await Fetch(link->name, rr_type::kDs, deadline, first->upstream, &link->cancellation, &link->trace);
      if (second.ok() && IsAnswer(second->message->scan())) {
        co_await TryLink(link, &*second, keys, Try::kLast);
      } else {
        Put(*link, link->bogus, 0);
      }
    }
  }
  if (keys != nullptr && !keys->result) keys->cancellation.Cancel();
}

// The zone whose word the answer is: the one we know above, or one between. Null where it is none that is secure; the
// link is decided then, or unknown.
Task<ZonePtr> ChainWalker::ZoneAbove(LinkPtr link, std::optional<Name> signer) {
  if (!signer || !signer->IsAtOrBelow(link->above->zone)) co_return nullptr;
  if (*signer == link->above->zone) co_return link->above;
  const absl::StatusOr<ZonePtr> between = co_await Walk(*signer, Expect::kApex, &link->allowance);
  if (!between.ok()) {
    link->status = between.status();
    co_return nullptr;
  }
  const ZonePtr& zone = *between;
  if (zone->verdict.secure()) co_return zone->zone == *signer ? zone : nullptr;
  // What is insecure from there on is found in the cache by whoever waits.
  if (zone->verdict.bogus()) Put(*link, zone->verdict, 0);
  link->unknown = true;
  co_return nullptr;
}

Task<bool> ChainWalker::TryLink(LinkPtr link, const UpstreamResponse* response, std::shared_ptr<Fetching> keys,
                                Try which) {
  const ScannedMessage& scan = response->message->scan();
  if (!IsAnswer(scan)) {
    link->status = NoAnswer(link->name, rr_type::kDs, *response);
    co_return true;
  }
  const ZonePtr above = co_await ZoneAbove(link, LinkSigner(scan, link->name));
  if (above == nullptr) {
    if (!link->status.ok() || link->unknown) co_return true;
    link->unknown = !link->one_label_down;
    if (link->unknown) co_return true;
    co_return Fail(*link,
                   Verdict::Bogus(dnssec_error::kRrsigsMissing,
                                  StrCat(link->above->zone.ToString(), ": DS ", link->name.ToString(),
                                         ": nothing in the answer of ", *response->upstream, " is signed by the zone")),
                   which);
  }
  LinkFinding finding;
  const WallTime now = clock_.WallNow();
  std::function<void(WorkBudget&)> check = [&](WorkBudget& budget) {
    finding = JudgeLink(scan, link->name, *above->keys, now, budget);
  };
  const bool checked = co_await Check(link, EstimateLinkMicroseconds(scan, link->name, *above->keys), std::move(check));
  if (!checked) co_return true;
  if (finding.verdict.bogus()) co_return Fail(*link, std::move(finding.verdict), which);
  switch (finding.kind) {
    case LinkFinding::Kind::kUnsigned:
      Put(*link, std::move(finding.verdict), finding.ttl);
      break;
    case LinkFinding::Kind::kNone:
    case LinkFinding::Kind::kNothingBelow:
      if (link->anchors == anchors_) {
        const bool nothing = finding.kind == LinkFinding::Kind::kNothingBelow;
        cache_.PutNoCut(link->name, above->zone, nothing ? KeyCache::Below::kNothing : KeyCache::Below::kUnknown,
                        finding.ttl, clock_.Now());
      }
      break;
    case LinkFinding::Kind::kSigned:
      co_await FindKeys(link, std::move(finding.signers), finding.ttl, std::move(keys));
      break;
  }
  co_return true;
}

Task<> ChainWalker::FindKeys(LinkPtr link, DelegationSigners signers, uint32_t ttl, std::shared_ptr<Fetching> first) {
  Verdict usable = JudgeSigners(link->name, signers);
  if (!usable.secure()) {
    Put(*link, std::move(usable), ttl);
    co_return;
  }
  if (first == nullptr) first = StartFetch(link->name, rr_type::kDnskey, link->allowance.deadline);
  link->cancellation.Wakes(&first->wakeup);
  while (!first->result && !link->cancellation.cancelled()) co_await first->wakeup.Wait();
  link->cancellation.Wakes(nullptr);
  if (!first->result) {
    first->cancellation.Cancel();
    co_return;
  }
  link->trace.beyond_usual += first->trace.beyond_usual;
  const Response& response = *first->result;
  if (!response.ok()) {
    link->status = response.status();
    co_return;
  }
  const bool decided = co_await TryKeys(link, &signers, ttl, &*response, Try::kFirst);
  if (decided) co_return;
  const Response second = co_await Fetch(link->name, rr_type::kDnskey, link->allowance.deadline, response->upstream,
                                         &link->cancellation, &link->trace);
  if (second.ok() && IsAnswer(second->message->scan())) {
    co_await TryKeys(link, &signers, ttl, &*second, Try::kLast);
  } else {
    Put(*link, link->bogus, 0);
  }
}

Task<bool> ChainWalker::TryKeys(LinkPtr link, const DelegationSigners* signers, uint32_t ttl,
                                const UpstreamResponse* response, Try which) {
  const ScannedMessage& scan = response->message->scan();
  if (!IsAnswer(scan)) {
    link->status = NoAnswer(link->name, rr_type::kDnskey, *response);
    co_return true;
  }
  KeysFinding finding;
  const WallTime now = clock_.WallNow();
  std::function<void(WorkBudget&)> check = [&](WorkBudget& budget) {
    finding = JudgeDnskeys(scan, link->name, *signers, now, budget);
  };
  const bool checked = co_await Check(link, EstimateDnskeysMicroseconds(scan, link->name), std::move(check));
  if (!checked) co_return true;
  if (finding.verdict.bogus()) co_return Fail(*link, std::move(finding.verdict), which);
  if (link->anchors != anchors_) co_return true;
  ZoneStatus status{.zone = link->name,
                    .verdict = std::move(finding.verdict),
                    .keys = std::move(finding.keys),
                    .key_tag = finding.key_tag,
                    .algorithm = finding.algorithm,
                    .inception = finding.inception,
                    .expiration = finding.expiration};
  cache_.PutZone(link->name, std::make_shared<const ZoneStatus>(std::move(status)), std::min(ttl, finding.ttl_max),
                 clock_.Now());
  co_return true;
}

}  // namespace dotward
