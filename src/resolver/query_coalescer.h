#ifndef DOTWARD_RESOLVER_QUERY_COALESCER_H_
#define DOTWARD_RESOLVER_QUERY_COALESCER_H_

#include <memory>
#include <vector>

#include "base/counter.h"
#include "base/inbox.h"
#include "dns/classify.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "resolver/pending_questions.h"
#include "resolver/resolution.h"

namespace dotward {

// Sends each question upstream once, however many clients ask it at the same time (RFC 5452 §5), stores the answer and
// gives it to all of them. Where too much is waited for, the oldest wait ends with SERVFAIL, and a question that nobody
// waits for any more is taken back from the upstream. It stands on the forwarding loop, so that a question has one
// exchange in the whole process. Submit is thread-safe; everything else is called on that loop.
class QueryCoalescer {
 public:
  struct Options {
    TtlPolicy ttl;
    bool trust_upstream_ad = true;
    PendingQuestions::Options pending;
  };

  // One writing thread, any number of readers.
  struct Statistics {
    Counter exchanges;        // questions sent upstream
    Counter asked_again;      // rounds for clients who joined late, when the first one's time was over
    Counter joined;           // clients that found their question under way
    Counter answered_late;    // clients whose answer had come by the time their question arrived here
    Counter failures;         // exchanges that ended without a usable response, those taken back apart
    Counter taken_back;       // exchanges that nobody waited for any more
    Counter over_limit;       // waits that were given up because a limit was reached
    Counter given_up_client;  // of these, by the limit of the client
    Counter given_up_suffix;  // of these, by the limit of one domain
    Counter in_flight;
  };

  QueryCoalescer(asio::io_context& loop, Upstream& upstream, ResponseCache& cache, const Clock& clock,
                 const Options& options);

  // From the next answer, and the next question, on these count; the seed of `pending` stays. On the loop's thread.
  void Adopt(const Options& options);

  // Completes the waiter by its deadline, whatever happens. Thread-safe.
  void Submit(ResolutionWaiter& waiter) { inbox_.Push(&waiter); }

  // Ends when no exchange is under way.
  Task<> Join() { return exchanges_running_.Join(); }

  const Statistics& statistics() const { return statistics_; }

 private:
  void Admit(ResolutionWaiter& waiter, SteadyTime now);
  void GiveUp(const PendingQuestions::Surplus& surplus, SteadyTime now);
  Task<> Run(std::unique_ptr<PendingExchange> exchange);
  // Whether the exchange is over; if not, those are left who have time for another round.
  bool CompleteWaiting(PendingExchange& exchange, const ResolutionPtr& resolution, bool out_of_time, SteadyTime now);
  // What a response, or the lack of one, means for those who wait; stores it where it may be used again.
  ResolutionPtr Conclude(const PendingExchange& exchange, const absl::StatusOr<UpstreamResponse>& response,
                         const ExchangeTrace& trace);
  void Complete(PendingWaiter& waiter, ResolutionPtr resolution);

  Upstream& upstream_;
  ResponseCache& cache_;
  const Clock& clock_;
  Options options_;
  // What those are told who are given up, by the limit that was reached.
  const ResolutionPtr over_client_;
  const ResolutionPtr over_suffix_;
  const ResolutionPtr over_process_;
  Statistics statistics_;
  PendingQuestions pending_;
  TaskGroup exchanges_running_;
  Inbox<ResolutionWaiter*> inbox_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_COALESCER_H_
