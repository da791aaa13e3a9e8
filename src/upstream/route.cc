#include "upstream/route.h"

#include <algorithm>

#include "base/stable_hash.h"
#include "dns/name.h"
#include "dns/registrable_domain.h"

namespace dotward {
namespace {

using Readiness = UpstreamServer::Readiness;
using Urgency = UpstreamServer::Urgency;

// A stable hash, so that a domain stays with its upstream when the server is started again; then the finisher of
// SplitMix64, so that its upper bits depend on all octets.
uint64_t WeightOf(OctetView octets, uint64_t seed) {
  StableHash stable(seed);
  for (const uint8_t octet : octets) stable.Add(LowerOctet(octet));
  uint64_t hash = stable.value();
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

bool IsV6(const UpstreamServer& server) { return server.record().endpoint.address.octets().size() == 16; }

}  // namespace

void Route::AddUpstream(std::string_view name, const std::vector<std::shared_ptr<UpstreamServer>>& servers) {
  if (servers.empty()) return;
  const OctetView octets(reinterpret_cast<const uint8_t*>(name.data()), name.size());
  groups_.push_back({servers_.size(), servers_.size() + servers.size(), WeightOf(octets, 0)});
  servers_.insert(servers_.end(), servers.begin(), servers.end());
  group_of_.resize(servers_.size(), groups_.size() - 1);
}

ServerChoice::ServerChoice(const Route& route, OctetView qname, Banished banished)
    : route_(route), banished_(banished) {
  const std::vector<Route::Group>& groups = route.groups();
  if (groups.size() < 2) return;
  if (route.policy() == UpstreamPolicy::kRoundRobin) first_group_ = route.state().turn++ % groups.size();
  if (route.policy() != UpstreamPolicy::kSharded) return;
  const OctetView domain = RegistrableDomain(qname);
  absl::InlinedVector<std::pair<uint64_t, uint16_t>, 8> weights;
  for (size_t i = 0; i < groups.size(); ++i) {
    weights.emplace_back(WeightOf(domain, groups[i].name_hash), static_cast<uint16_t>(i));
  }
  std::sort(weights.begin(), weights.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [weight, group] : weights) sharded_order_.push_back(group);
}

Readiness ServerChoice::ReadinessOf(size_t server, SteadyTime now, Urgency urgency) const {
  UpstreamServer& asked = route_.server(server);
  if (banished_ == Banished::kLeaveOut && asked.banished(now)) return Readiness::kResting;
  return asked.Tend(now, urgency);
}

size_t ServerChoice::GroupAt(size_t position) const {
  if (!sharded_order_.empty()) return sharded_order_[position];
  return (first_group_ + position) % route_.groups().size();
}

std::optional<size_t> ServerChoice::Next(const Tried& tried, SteadyTime now, Urgency urgency) {
  if (route_.groups().empty()) return std::nullopt;
  if (route_.policy() == UpstreamPolicy::kLatency) return NextByLatency(tried, now, urgency);
  return NextInTurn(tried, now, urgency);
}

ServerChoice::Pick ServerChoice::BestOf(size_t group, const Tried& tried, SteadyTime now, Urgency urgency) {
  const auto [begin, end, hash] = route_.groups()[group];
  const bool in_order = route_.policy() == UpstreamPolicy::kOrdered;
  Pick pick;
  bool pick_known = false;
  for (size_t i = begin; i < end; ++i) {
    if (tried[i]) continue;
    UpstreamServer& server = route_.server(i);
    const Readiness readiness = ReadinessOf(i, now, urgency);
    if (readiness == Readiness::kDoubtful && !pick.doubtful) pick.doubtful = i;
    if (readiness != Readiness::kReady) continue;
    const Duration score = server.Score(now);
    const bool known = score != Duration::zero();
    // An address that was never used is of interest where no other is known to be good.
    const bool better = known && (!pick_known || score < pick.score);
    if (pick.ready && !better && (in_order || !Explores())) continue;
    pick.ready = i;
    pick.score = score;
    pick_known = known;
    if (in_order) break;
  }
  return pick;
}

std::optional<size_t> ServerChoice::NextInTurn(const Tried& tried, SteadyTime now, Urgency urgency) {
  std::optional<size_t> doubtful;
  for (size_t position = 0; position < route_.groups().size(); ++position) {
    const Pick pick = BestOf(GroupAt(position), tried, now, urgency);
    if (pick.ready) return pick.ready;
    if (!doubtful) doubtful = pick.doubtful;
  }
  return doubtful;
}

std::optional<size_t> ServerChoice::NextByLatency(const Tried& tried, SteadyTime now, Urgency urgency) {
  const size_t groups = route_.groups().size();
  if (groups == 1) return NextInTurn(tried, now, urgency);
  const uint64_t random = route_.state().Random() >> 16U;
  const size_t one = random % groups;
  const size_t other = (one + 1 + (random >> 16U) % (groups - 1)) % groups;
  const Pick first = BestOf(one, tried, now, urgency);
  const Pick second = BestOf(other, tried, now, urgency);
  if (first.ready && second.ready) return (first.score <= second.score) != Explores() ? first.ready : second.ready;
  if (first.ready) return first.ready;
  if (second.ready) return second.ready;
  std::optional<size_t> best;
  Duration best_score{0};
  std::optional<size_t> doubtful = first.doubtful ? first.doubtful : second.doubtful;
  for (size_t group = 0; group < groups; ++group) {
    if (group == one || group == other) continue;
    const Pick pick = BestOf(group, tried, now, urgency);
    if (!doubtful) doubtful = pick.doubtful;
    if (!pick.ready || (best && best_score <= pick.score)) continue;
    best = pick.ready;
    best_score = pick.score;
  }
  return best ? best : doubtful;
}

std::optional<size_t> ServerChoice::BestConnected(size_t group, const Tried& tried, SteadyTime now) const {
  const auto [begin, end, hash] = route_.groups()[group];
  std::optional<size_t> best;
  for (size_t i = begin; i < end; ++i) {
    UpstreamServer& server = route_.server(i);
    if (tried[i] || !server.Connected() || ReadinessOf(i, now, Urgency::kOthersServe) != Readiness::kReady) continue;
    if (!best || server.Score(now) < route_.server(*best).Score(now)) best = i;
  }
  return best;
}

std::optional<size_t> ServerChoice::StandIn(size_t chosen, const Tried& tried, SteadyTime now) {
  const size_t own = route_.group_of(chosen);
  std::optional<size_t> best = BestConnected(own, tried, now);
  const bool any_upstream =
      route_.policy() == UpstreamPolicy::kLatency || route_.policy() == UpstreamPolicy::kRoundRobin;
  if (best || !any_upstream) return best;
  for (size_t group = 0; group < route_.groups().size(); ++group) {
    if (group == own) continue;
    const std::optional<size_t> other = BestConnected(group, tried, now);
    if (!other) continue;
    if (!best || route_.server(*other).Score(now) < route_.server(*best).Score(now)) best = other;
  }
  return best;
}

std::optional<size_t> ServerChoice::NextBeside(size_t first, const Tried& tried, SteadyTime now) {
  if (route_.policy() == UpstreamPolicy::kSharded) {
    return BestOf(route_.group_of(first), tried, now, Urgency::kOthersServe).ready;
  }
  const std::optional<size_t> next = Next(tried, now, Urgency::kOthersServe);
  const bool ready = next && ReadinessOf(*next, now, Urgency::kOthersServe) == Readiness::kReady;
  return ready ? next : std::nullopt;
}

std::optional<size_t> ServerChoice::Sibling(size_t first, const Tried& tried, SteadyTime now) {
  const auto [begin, end, hash] = route_.groups()[route_.group_of(first)];
  std::optional<size_t> sibling;
  for (size_t i = begin; i < end; ++i) {
    if (tried[i] || ReadinessOf(i, now, Urgency::kOthersServe) != Readiness::kReady) continue;
    if (IsV6(route_.server(i)) != IsV6(route_.server(first))) return i;
    if (!sibling) sibling = i;
  }
  return sibling;
}

}  // namespace dotward
