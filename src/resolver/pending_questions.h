#ifndef DOTWARD_RESOLVER_PENDING_QUESTIONS_H_
#define DOTWARD_RESOLVER_PENDING_QUESTIONS_H_

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/await.h"
#include "base/deadline.h"
#include "base/intrusive_list.h"
#include "base/ip_address.h"
#include "cache/name_hash.h"
#include "dotward/response_cache.h"
#include "dotward/upstream.h"
#include "resolver/large_answer_pace.h"
#include "resolver/stale_waits.h"

namespace dotward {

struct PendingClient;
struct PendingExchange;
struct PendingSuffix;

// One client's wait for the end of an exchange. What is private to the book is set while it is in the book.
struct PendingWaiter {
  PendingWaiter(const CacheKey& question_in, const IpAddress& client_in, Deadline deadline_in)
      : question(question_in), client(client_in), deadline(deadline_in) {}
  PendingWaiter(const PendingWaiter&) = delete;
  PendingWaiter& operator=(const PendingWaiter&) = delete;

  const CacheKey question;  // borrows the name
  const IpAddress client;
  const Deadline deadline;

  // The book's.
  PendingExchange* exchange = nullptr;
  PendingClient* of = nullptr;
  ListHook<PendingWaiter> in_exchange;
  ListHook<PendingWaiter> in_client;
  ListHook<PendingWaiter> in_client_suffix;
};

// One question that is being asked, for all who wait for it. Nobody has to: it may be for the cache alone.
struct PendingExchange {
  PendingExchange(const CacheKey& question, Deadline deadline_in);
  PendingExchange(const PendingExchange&) = delete;
  PendingExchange& operator=(const PendingExchange&) = delete;

  // Borrows the name from `query`.
  CacheKey question() const {
    return {query.name.wire(), query.type, query.klass, query.dnssec_ok, query.checking_disabled};
  }

  Cancellation cancellation;
  UpstreamQuery query;
  Deadline deadline;
  IntrusiveList<PendingWaiter, &PendingWaiter::in_exchange> waiting;  // by age

  // The coalescer's. What is told apart by DO is for who did not set it and who did.
  std::array<bool, 2> wanted{};           // somebody has waited for the answer in this form
  std::array<bool, 2> stale_sought{};     // and something stale was looked for
  std::unique_ptr<StaleAnswer> stale;     // null where nothing was found, as nearly always
  uint64_t returns = 0;                   // RouteCondition::returns when it was asked
  bool refresh = false;                   // no client has come since it was begun
  uint32_t paced_octets = 0;              // that were taken for the answer, see LargeAnswerPace
  LargeAnswerPace::Turn* turn = nullptr;  // while it waits for its turn

  // The book's.
  PendingSuffix* suffix = nullptr;  // null until somebody has to know
  ListHook<PendingExchange> in_all;
  ListHook<PendingExchange> in_unattended;
  ListHook<PendingExchange> in_suffix;
};

// The book of who waits for what, and of what has to be given up so that nobody takes more than a share: a client has
// so many places, of which one registrable domain (below: suffix) may keep half when others are wanted, and one suffix
// so many of the process's. The oldest is given up first: it has waited longest and is the least likely to be answered
// still, while the newest may be for a name that is answered at once.
//
// Suffixes are found only where a limit on them can be near: where a client has more than half of its places, or the
// process more exchanges than one suffix may have; and at most once an exchange. All operations take constant time,
// averaged over the operations before. Not thread-safe.
class PendingQuestions {
 public:
  struct Options {
    size_t waiting_per_client = 200;
    // How much of an address counts as one client; bits.
    uint8_t ipv4_prefix = 32;
    uint8_t ipv6_prefix = 56;
    uint64_t hash_seed = 0;  // random per process, so that nobody can aim names at one bucket
  };

  explicit PendingQuestions(const Options& options);
  ~PendingQuestions();

  // From the next waiter on these limits count; the seed stays. Those who wait already stay with the client that they
  // were counted for, and where there are more of them than may be, the oldest have to leave when the client comes
  // with another question.
  void SetOptions(const Options& options);

  // The exchange of this question, or null.
  PendingExchange* Find(const CacheKey& question) const;
  // From Start to End an exchange is found. Its question must not be under way.
  void Start(PendingExchange& exchange);
  void End(PendingExchange& exchange);  // nobody waits for it any more
  // From Wait to Leave a waiter counts.
  void Wait(PendingWaiter& waiter, PendingExchange& exchange);
  void Leave(PendingWaiter& waiter);

  enum class Limit : uint8_t {
    kClient,   // the client's places
    kSuffix,   // the places of one domain, of the client's or of the process's
    kProcess,  // everybody's together
  };
  struct Surplus {
    PendingExchange* exchange;
    PendingWaiter* waiter;  // null where nobody waits for the exchange
    Limit limit;
  };
  // Who has to leave, or what is to be asked no more, because `newest`, which was the last to come, is there; to be
  // asked until nobody has to. It is never `newest` itself.
  std::optional<Surplus> FindSurplus(const PendingWaiter& newest) const;

  size_t exchanges() const { return exchanges_.size(); }
  size_t clients() const { return clients_.size(); }    // with at least one waiter
  size_t suffixes() const { return suffixes_.size(); }  // of exchanges whose suffix had to be found

 private:
  // Both see names without case, and find by view.
  struct QuestionHash {
    using is_transparent = void;
    NameHasher hasher;
    size_t operator()(const CacheKey& question) const;
    size_t operator()(const PendingExchange* exchange) const { return (*this)(exchange->question()); }
  };
  struct QuestionEqual {
    using is_transparent = void;
    static bool Equal(const CacheKey& a, const CacheKey& b);
    bool operator()(const PendingExchange* a, const PendingExchange* b) const { return a == b; }
    bool operator()(const PendingExchange* a, const CacheKey& b) const { return Equal(a->question(), b); }
  };
  struct SuffixHash {
    using is_transparent = void;
    NameHasher hasher;
    size_t operator()(OctetView name) const { return hasher(name); }
    size_t operator()(const std::unique_ptr<PendingSuffix>& suffix) const;
  };
  struct SuffixEqual {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<PendingSuffix>& a, const std::unique_ptr<PendingSuffix>& b) const;
    bool operator()(const std::unique_ptr<PendingSuffix>& a, OctetView b) const;
  };

  PendingSuffix& SuffixOf(PendingExchange& exchange);
  void CountBySuffix(PendingClient& client, PendingWaiter& waiter);
  void CountAllBySuffix();
  void StopCountingAllBySuffix();
  size_t PlacesOfSuffix() const { return (options_.waiting_per_client + 1) / 2; }

  Options options_;
  absl::flat_hash_set<PendingExchange*, QuestionHash, QuestionEqual> by_question_;
  IntrusiveList<PendingExchange, &PendingExchange::in_all> exchanges_;  // by age
  // Those that nobody waits for: the first to go where there are too many.
  IntrusiveList<PendingExchange, &PendingExchange::in_unattended> unattended_;
  absl::flat_hash_map<IpAddress, std::unique_ptr<PendingClient>> clients_;
  absl::flat_hash_set<std::unique_ptr<PendingSuffix>, SuffixHash, SuffixEqual> suffixes_;
  bool counts_by_suffix_ = false;  // every exchange is in its suffix's list
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_PENDING_QUESTIONS_H_
