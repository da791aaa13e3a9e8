#ifndef DOTWARD_DNSSEC_FAIR_QUEUE_H_
#define DOTWARD_DNSSEC_FAIR_QUEUE_H_

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dotward {

// What waits for one worker, whose time is shared out in two steps: first among askers, then, for each of them, among
// the domains they ask about. Whoever has much or dear work waiting waits behind those who have little and cheap work,
// and nobody waits for ever. Askers are told apart by hash: some of them share a share. Virtual times: an asker's work
// begins where what it was given last ended (start-time fair queueing, Goyal 1996); a domain's work is done in the
// order in which it would end if each domain had a worker of its own (self-clocked fair queueing, Golestani 1994).
// Times cost as much as the work does, in any one unit. A value; not thread-safe.
template <typename T>
class FairQueue {
 public:
  struct Order {
    uint16_t asker = 0;
    std::string domain;
    unsigned cost = 0;
  };

 private:
  struct Item {
    T value;
    unsigned cost;
    std::string domain;
  };
  using Items = std::multimap<uint64_t, Item>;  // by virtual end
  struct Domain {
    uint64_t last_end = 0;
    size_t waiting = 0;
  };
  struct Share {
    Items items;
    absl::flat_hash_map<std::string, Domain> domains;  // with something waiting
    uint64_t now = 0;                                  // among the domains: the end of what was given last
    uint64_t begin = 0;                                // among the askers: where the next one begins
    uint64_t cost = 0;                                 // of all that waits
  };

 public:
  // Something that waits, from Push until it is popped, removed or given up.
  struct Place {
    Share* share;
    typename Items::iterator item;
  };

  // What waits costs no more than that in all.
  explicit FairQueue(uint64_t cost_max) : cost_max_(cost_max) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Where too much waits then, those that would come last leave for it, from the share that has most waiting, and are
  // in `given_up`; or nullopt where the new one would be of these, and nothing has changed.
  std::optional<Place> Push(const Order& order, T value, std::vector<T>& given_up) {
    Share& share = shares_[order.asker % kShares];
    const auto known = share.domains.find(order.domain);
    const uint64_t begin = known == share.domains.end() ? share.now : std::max(share.now, known->second.last_end);
    const uint64_t end = begin + order.cost;
    const std::optional<std::vector<Place>> leaving = MakeRoom(share, order.cost, end);
    if (!leaving) return std::nullopt;
    for (const Place& place : *leaving) given_up.push_back(Remove(place));
    if (share.items.empty()) share.begin = std::max(share.begin, now_);
    Domain& domain = share.domains[order.domain];
    domain.last_end = end;
    ++domain.waiting;
    ++size_;
    cost_ += order.cost;
    share.cost += order.cost;
    return Place{&share, share.items.emplace(end, Item{std::move(value), order.cost, order.domain})};
  }

  // What comes next. There must be something.
  T Pop() {
    Share* next = nullptr;
    for (Share& share : shares_) {
      if (!share.items.empty() && (next == nullptr || share.begin < next->begin)) next = &share;
    }
    const auto first = next->items.begin();
    now_ = next->begin;
    next->begin += first->second.cost;
    next->now = first->first;
    return Remove({next, first});
  }

  T Remove(const Place& place) {
    Share& share = *place.share;
    Item item = std::move(place.item->second);
    const auto domain = share.domains.find(item.domain);
    if (domain->second.last_end == place.item->first) domain->second.last_end -= item.cost;
    if (--domain->second.waiting == 0) share.domains.erase(domain);
    --size_;
    cost_ -= item.cost;
    share.cost -= item.cost;
    share.items.erase(place.item);
    return std::move(item.value);
  }

  // What an asker was given has cost so much more than was said.
  void Charge(uint16_t asker, uint64_t cost) { shares_[asker % kShares].begin += cost; }

  bool empty() const { return size_ == 0; }

 private:
  static constexpr size_t kShares = 64;

  // Who has to leave for one more of `newcomer`, from whichever share has most then, it before others; nullopt where
  // the new one would be of these, for which nobody else leaves.
  std::optional<std::vector<Place>> MakeRoom(Share& newcomer, unsigned cost, uint64_t end) {
    std::vector<Place> leaving;
    if (cost_ + cost <= cost_max_) return leaving;
    struct Rest {
      Share* share;
      uint64_t cost;
      typename Items::iterator items_end;  // behind it are those that leave
    };
    std::vector<Rest> rest{{&newcomer, newcomer.cost + cost, newcomer.items.end()}};
    for (Share& share : shares_) {
      if (&share != &newcomer && share.cost > 0) rest.push_back({&share, share.cost, share.items.end()});
    }
    for (uint64_t all = cost_ + cost; all > cost_max_;) {
      Rest& fullest = *std::ranges::max_element(rest, {}, &Rest::cost);
      const bool is_newcomer = fullest.share == &newcomer;
      if (is_newcomer && (fullest.items_end == newcomer.items.begin() || std::prev(fullest.items_end)->first <= end)) {
        return std::nullopt;
      }
      --fullest.items_end;
      fullest.cost -= fullest.items_end->second.cost;
      all -= fullest.items_end->second.cost;
      leaving.push_back({fullest.share, fullest.items_end});
    }
    return leaving;
  }

  const uint64_t cost_max_;
  std::array<Share, kShares> shares_;
  uint64_t now_ = 0;
  uint64_t cost_ = 0;
  size_t size_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_FAIR_QUEUE_H_
