#ifndef DOTWARD_UPSTREAM_RACE_H_
#define DOTWARD_UPSTREAM_RACE_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/await.h"
#include "base/deadline.h"
#include "dotward/upstream.h"
#include "upstream/attempt.h"
#include "upstream/route.h"
#include "upstream/timeouts.h"

namespace dotward {

// One query on its way to an answer: which servers have it, what came back, who is asked next. The next server is asked
// when one has failed or answered with a failure; beside the first when that one is later than it usually is (a hedge)
// or keeps us waiting; the first good answer wins, the losers are measured all the same. A failure that says that it is
// the final word (RFC 8914: bogus, blocked, prohibited) ends the search. All inside the one deadline. Lives in the
// frame of a coroutine, which sleeps between the calls of Advance.
class Race {
 public:
  // Whose question it is: ours are counted apart.
  enum class Purpose : uint8_t { kClient, kOwn };
  // How it ended for the route's upstreams, for who watches over them.
  enum class End : uint8_t { kAnswered, kFailed, kOutOfTime, kCancelled };

  // `query` must outlive it.
  Race(asio::io_context& loop, Timeouts& timeouts, std::shared_ptr<const Route> route, const UpstreamQuery& query,
       Deadline deadline, SteadyTime now, Purpose purpose = Purpose::kClient);
  ~Race();

  // Looks at what has come and does what is due. True when there is nothing more to wait for.
  bool Advance(SteadyTime now);
  Wakeup::Waiting Sleep() { return wakeup_.Wait(); }

  // When Advance was true. Result once.
  End end() const;
  absl::StatusOr<UpstreamResponse> Result();
  ExchangeTrace Trace(SteadyTime now);  // before Result
  // Calls `visit` with the server of every attempt that nobody answered in time.
  template <typename Visitor>
  void ForEachSilent(Visitor visit) const {
    if (!timed_out_) return;
    for (const Entrant& entrant : entrants_) {
      if (!entrant.judged) visit(route_->server(entrant.server));
    }
  }

 private:
  // How much a response is worth to the client, worst first.
  enum class Grade : uint8_t {
    kNone,
    kUnusable,   // truncated on a stream, a referral, data that contradicts itself
    kFailure,    // SERVFAIL, REFUSED and the like
    kExplained,  // the same, and it says why (RFC 8914)
    kFinal,      // the same, and no other upstream may say otherwise
    kGood,
  };
  enum class Role : uint8_t { kFirst, kHedge, kSibling, kNext, kAgain };

  struct Entrant {
    Entrant(WireQuery query, Wakeup& wakeup, size_t server_in, Role role_in)
        : attempt(query, wakeup), server(static_cast<uint32_t>(server_in)), role(role_in) {}
    Attempt attempt;
    uint32_t server;  // of the route
    Role role;
    bool judged = false;
  };

  static Grade GradeOf(const Message& message);

  bool cancelled() const { return query_.cancellation != nullptr && query_.cancellation->cancelled(); }
  // Asks one more server, or waits for those that are asked. False where nobody is left to wait for.
  bool AskOneMore(SteadyTime now);
  bool NewestFailed() const;
  std::optional<size_t> FirstSilent() const;
  std::optional<size_t> ChooseNext(SteadyTime now);
  size_t ConnectedOr(size_t chosen, SteadyTime now);
  void Enter(size_t server, Role role, SteadyTime now);
  void EnterSibling(size_t first, SteadyTime now);
  // How long the newest entrant is waited for alone.
  void WaitFor(const UpstreamServer& server, Role role, SteadyTime now);
  bool MayHedge(const UpstreamServer& server) const;
  void WaitUntil(SteadyTime at);
  void JudgeIfDone(Entrant& entrant);
  void GiveUp(SteadyTime now);
  std::string WhyNothing() const;

  const std::shared_ptr<const Route> route_;
  const UpstreamQuery& query_;
  const Deadline deadline_;
  const SteadyTime started_;
  Wakeup wakeup_;
  Timeout timeout_;
  ServerChoice choice_;

  std::list<Entrant> entrants_;  // at most Limits::kAttemptsPerQueryMax
  size_t running_ = 0;           // of these, those that are not judged
  ServerChoice::Tried tried_;
  SteadyTime patience_ends_ = SteadyTime::max();  // when another server is asked beside those that are
  SteadyTime next_turn_ = SteadyTime::max();      // when something is due that no answer brings about
  std::optional<size_t> once_more_;
  Entrant* best_ = nullptr;
  std::vector<std::string> errors_;

  const Purpose purpose_;
  bool hedge_due_ = false;  // at the end of the patience, and nothing else
  bool asked_again_ = false;
  bool any_malformed_ = false;
  bool timed_out_ = false;
  Grade grade_ = Grade::kNone;  // of the best
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_RACE_H_
