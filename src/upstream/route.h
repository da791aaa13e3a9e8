#ifndef DOTWARD_UPSTREAM_ROUTE_H_
#define DOTWARD_UPSTREAM_ROUTE_H_

#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "upstream/upstream_server.h"

namespace dotward {

// What a route remembers from one query to the next. Outlives the changes of its servers. One event loop.
struct RouteState {
  explicit RouteState(uint64_t seed) : random(seed | 1U) {}

  uint64_t turn = 0;  // of round_robin
  // What extra queries hedging may still send, in twentieths of one: every query earns one, an extra one costs 20.
  unsigned hedge_budget = 0;

  // Cheap and well spread; nothing that must not be guessed depends on it.
  uint64_t Random() {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    return random;
  }
  uint64_t random;
};

// The servers that one zone's queries may be put to, and how to choose among them. The addresses of one upstream stand
// together: they are one service. Immutable: an upstream whose addresses change gets its routes made anew, and a query
// that is under way keeps the one it began with.
class Route {
 public:
  struct Group {
    size_t begin = 0, end = 0;  // of the servers
    uint64_t name_hash = 0;
  };

  Route(UpstreamPolicy policy, bool hedge, std::shared_ptr<RouteState> state)
      : policy_(policy), hedge_(hedge), state_(std::move(state)) {}

  // While it is being made. An upstream without addresses, as long as its name is not resolved, is left out.
  void AddUpstream(std::string_view name, const std::vector<std::shared_ptr<UpstreamServer>>& servers);

  UpstreamPolicy policy() const { return policy_; }
  bool hedge() const { return hedge_; }
  RouteState& state() const { return *state_; }
  size_t size() const { return servers_.size(); }
  UpstreamServer& server(size_t index) const { return *servers_[index]; }
  size_t group_of(size_t index) const { return group_of_[index]; }
  const std::vector<Group>& groups() const { return groups_; }

 private:
  const UpstreamPolicy policy_;
  const bool hedge_;
  const std::shared_ptr<RouteState> state_;
  std::vector<std::shared_ptr<UpstreamServer>> servers_;
  std::vector<size_t> group_of_;
  std::vector<Group> groups_;
};

// The order in which one query goes over the servers of its route. A server that serves comes before one that failed
// or keeps others waiting; among equals the policy decides:
//   ordered      as the file has them
//   round_robin  the upstreams in turn, of each the fastest address
//   latency      of two upstreams drawn at random the one with the better smoothed latency, made worse by its recent
//                failures; now and then the other one, so that its latency stays known
//   sharded      the upstream that the name's registrable domain always goes to, then the one it would go to without
//                that (rendezvous hashing): an upstream that is lost moves its own share only
class ServerChoice {
 public:
  using Tried = absl::InlinedVector<bool, 16>;  // by server

  // Whether servers that are banished are left out. Who wants to know if the reason still holds has to ask them.
  enum class Banished : uint8_t { kLeaveOut, kAsk };

  // `qname` is an uncompressed wire name. `route` must outlive it.
  ServerChoice(const Route& route, OctetView qname, Banished banished = Banished::kLeaveOut);

  // The best server that was not tried; nullopt where none is worth it.
  std::optional<size_t> Next(const Tried& tried, SteadyTime now, UpstreamServer::Urgency urgency);
  // One that can send a query at once, where `chosen` would have to connect first; nullopt where there is none, or
  // where the policy wants `chosen` itself: `sharded` and `ordered` only let another address of the same upstream stand
  // in.
  std::optional<size_t> StandIn(size_t chosen, const Tried& tried, SteadyTime now);
  // One that serves, for a query that another server has already: of the same upstream where the policy is to show a
  // name to no other.
  std::optional<size_t> NextBeside(size_t first, const Tried& tried, SteadyTime now);
  // Another address of the same upstream, of the other family if there is one: for a server nobody has yet connected
  // to.
  std::optional<size_t> Sibling(size_t first, const Tried& tried, SteadyTime now);

 private:
  struct Pick {
    std::optional<size_t> ready, doubtful;
    Duration score{0};  // of the ready one
  };

  std::optional<size_t> BestConnected(size_t group, const Tried& tried, SteadyTime now) const;
  size_t GroupAt(size_t position) const;
  Pick BestOf(size_t group, const Tried& tried, SteadyTime now, UpstreamServer::Urgency urgency);
  std::optional<size_t> NextInTurn(const Tried& tried, SteadyTime now, UpstreamServer::Urgency urgency);
  std::optional<size_t> NextByLatency(const Tried& tried, SteadyTime now, UpstreamServer::Urgency urgency);
  bool Explores() { return route_.state().Random() % kExploreEvery == 0; }

  static constexpr uint64_t kExploreEvery = 64;

  UpstreamServer::Readiness ReadinessOf(size_t server, SteadyTime now, UpstreamServer::Urgency urgency) const;

  const Route& route_;
  const Banished banished_;
  size_t first_group_ = 0;
  absl::InlinedVector<uint16_t, 8> sharded_order_;  // of groups; empty with other policies
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_ROUTE_H_
