#include "dnssec/chain_walker.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "dnssec/algorithm.h"
#include "dnssec/name_tools.h"

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

// What all checks of a message with some keys may cost, in microseconds.
unsigned CostOf(const ScannedMessage& scan, unsigned dearest) {
  unsigned checks = 0;
  for (const RecordEdges& record : scan.records) checks += record.type == rr_type::kRrsig ? 1 : 0;
  return std::min(checks, DnssecLimits::kSignatureChecksPerResponse) * dearest;
}

// Of the keys in a DNSKEY answer: what a signature may cost, with as many keys tried as may be.
unsigned DearestOf(const ScannedMessage& scan) {
  constexpr size_t kFixedOctets = 4;
  unsigned dearest = 0;
  unsigned keys = 0;
  for (const RecordEdges& record : scan.records) {
    const OctetView rdata = RdataOf(scan, record);
    if (record.type != rr_type::kDnskey || rdata.size() < kFixedOctets) continue;
    dearest = std::max(dearest, CheckMicroseconds(rdata[3], rdata.subspan(kFixedOctets)));
    ++keys;
  }
  return dearest * std::min(keys, DnssecLimits::kKeyTagCollisionsMax);
}

unsigned DearestOf(const ZoneKeys& keys) {
  unsigned dearest = 0;
  for (const ZoneKeys::KeyPtr& key : keys.keys()) dearest = std::max(dearest, key->check_microseconds);
  return dearest;
}

}  // namespace

struct ChainWalker::Waiter {
  explicit Waiter(Executor executor) : wakeup(executor), timer(executor) {}
  Wakeup wakeup;
  SteadyTimer timer;
};

struct ChainWalker::Fetching {
  Fetching(Name name_in, uint16_t type_in, Deadline deadline_in, Executor executor)
      : name(std::move(name_in)), type(type_in), deadline(deadline_in), wakeup(executor) {}
  const Name name;
  const uint16_t type;
  const Deadline deadline;
  std::optional<Response> result;
  Wakeup wakeup;
  Cancellation cancellation;
};

ChainWalker::ChainWalker(asio::io_context& loop, Upstream& upstream, const Clock& clock, CheckThread& checks,
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
    for (const auto& waiter : link->waiters) waiter->wakeup.Notify();
  }
}

Task<absl::StatusOr<ZonePtr>> ChainWalker::Walk(Name name, Expect expect, WalkAllowance* allowance) {
  while (true) {
    if (anchors_->NegativeFor(name, clock_.WallNow()) != nullptr) co_return MakeZone(name, Verdict::Insecure());
    const TrustAnchors::Anchor* anchor = anchors_->ClosestTo(name);
    if (anchor == nullptr) co_return MakeZone(name, {.state = ValidationState::kIndeterminate});
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
    const auto under_way = links_.find(LowerOf(next.wire()));
    const bool joins = under_way != links_.end();
    if (closed_) co_return absl::CancelledError("validation: stopping");
    if (!joins && links_.size() >= DnssecLimits::kChainStepsInFlightMax) {
      co_return absl::ResourceExhaustedError("validation: too many chains of trust are looked for");
    }
    const LinkPtr link = joins ? under_way->second : StartLink(next, known, expect, *allowance);
    const absl::Status waited = co_await WaitFor(link, allowance);
    if (!waited.ok()) co_return waited;
    if (!joins) {
      allowance->steps = link->allowance.steps;
      allowance->signature_checks = link->allowance.signature_checks;
    }
    if (!link->status.ok()) co_return link->status;
    // Whoever was sure that a zone begins there has to look label by label.
    if (link->unknown) expect = Expect::kAnything;
  }
}

ChainWalker::LinkPtr ChainWalker::StartLink(const Name& name, const KeyCache::Position& position, Expect expect,
                                            const WalkAllowance& allowance) {
  auto link = std::make_shared<Link>();
  link->name = name;
  link->above = position.zone;
  link->anchors = anchors_;
  link->one_label_down = position.zone != nullptr && name.Parent() == position.lowest;
  link->expect = expect;
  link->allowance = allowance;
  link->allowance.cancellation = nullptr;  // it is everybody's
  link->allowance.deadline = Deadline::After(clock_.Now(), DnssecLimits::kChainStepTime);
  std::string key = LowerOf(name.wire());
  links_.emplace(key, link);
  tasks_.Spawn(RunLink(link, std::move(key)));
  return link;
}

Task<> ChainWalker::RunLink(LinkPtr link, std::string key) {
  co_await FindLink(link);
  link->done = true;
  links_.erase(key);
  for (const auto& waiter : link->waiters) waiter->wakeup.Notify();
}

Task<absl::Status> ChainWalker::WaitFor(LinkPtr link, const WalkAllowance* allowance) {
  if (link->done) co_return absl::OkStatus();
  const auto waiter = std::make_shared<Waiter>(loop_.get_executor());
  link->waiters.push_back(waiter);
  if (allowance->cancellation != nullptr) allowance->cancellation->Wakes(&waiter->wakeup);
  if (allowance->deadline.at() != SteadyTime::max()) {
    waiter->timer.expires_after(
        std::chrono::duration_cast<SteadyTime::duration>(allowance->deadline.RemainingAt(clock_.Now())));
    waiter->timer.async_wait([waiter](const asio::error_code& error) {
      if (!error) waiter->wakeup.Notify();
    });
  }
  absl::Status status;
  while (!link->done && status.ok()) {
    co_await waiter->wakeup.Wait();
    if (closed_) status = absl::CancelledError("validation: stopping");
    if (allowance->cancellation != nullptr && allowance->cancellation->cancelled()) {
      status = absl::CancelledError("nobody waits for the answer any more");
    }
    if (allowance->deadline.ExpiredAt(clock_.Now())) {
      status = absl::DeadlineExceededError(StrCat("validation: no answer about ", link->name.ToString(), " in time"));
    }
  }
  if (allowance->cancellation != nullptr) allowance->cancellation->Wakes(nullptr);
  waiter->timer.cancel();
  std::erase(link->waiters, waiter);
  co_return link->done ? absl::OkStatus() : status;
}

Task<bool> ChainWalker::Check(LinkPtr link, unsigned microseconds, std::function<void(WorkBudget&)> check) {
  WorkBudget budget(link->allowance.signature_checks);
  if (microseconds > DnssecLimits::kCheckInlineMicrosecondsMax) {
    statistics_.beside_loop.Add();
    std::function<void()> bounded = [&] { check(budget); };
    const bool checked = co_await checks_.Run(microseconds, std::move(bounded));
    if (!checked) {
      link->status = absl::ResourceExhaustedError("validation: too many checks wait");
      co_return false;
    }
  } else {
    check(budget);
  }
  link->allowance.signature_checks -= budget.signature_checks();
  statistics_.signature_checks.Add(budget.signature_checks());
  co_return true;
}

// --- fetching ---

Task<ChainWalker::Response> ChainWalker::Fetch(Name name, uint16_t type, Deadline deadline,
                                               std::shared_ptr<const std::string> not_from,
                                               Cancellation* cancellation) {
  UpstreamQuery query;
  query.name = name;
  query.type = type;
  query.dnssec_ok = true;
  query.checking_disabled = true;
  query.not_from = not_from.get();
  query.cancellation = cancellation;
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
  Response response =
      co_await Fetch(fetching->name, fetching->type, fetching->deadline, nullptr, &fetching->cancellation);
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
  // What was found by anchors that are no more is nobody's.
  if (link.anchors != anchors_) return;
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
  const Response first = co_await Fetch(link->name, rr_type::kDs, deadline, nullptr, nullptr);
  if (!first.ok()) {
    link->status = first.status();
  } else {
    const bool decided = co_await TryLink(link, &*first, keys, Try::kFirst);
    if (!decided) {
      const Response second = co_await Fetch(link->name, rr_type::kDs, deadline, first->upstream, nullptr);
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
  const bool checked = co_await Check(link, CostOf(scan, DearestOf(*above->keys)), std::move(check));
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
        cache_.PutNoCut(link->name, nothing ? KeyCache::Below::kNothing : KeyCache::Below::kUnknown, finding.ttl,
                        clock_.Now());
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
  while (!first->result) co_await first->wakeup.Wait();
  const Response& response = *first->result;
  if (!response.ok()) {
    link->status = response.status();
    co_return;
  }
  const bool decided = co_await TryKeys(link, &signers, ttl, &*response, Try::kFirst);
  if (decided) co_return;
  const Response second =
      co_await Fetch(link->name, rr_type::kDnskey, link->allowance.deadline, response->upstream, nullptr);
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
  const bool checked = co_await Check(link, CostOf(scan, DearestOf(scan)), std::move(check));
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
