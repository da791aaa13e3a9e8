#ifndef DOTWARD_RESOLVER_QUERY_COALESCER_H_
#define DOTWARD_RESOLVER_QUERY_COALESCER_H_

#include <memory>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "base/inbox.h"
#include "dns/classify.h"
#include "dns/name.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "resolver/failure_memory.h"
#include "resolver/pending_questions.h"
#include "resolver/resolution.h"

namespace dotward {

// Sends each question upstream once, however many clients ask it at the same time (RFC 5452 §5), stores the answer and
// gives it to all of them. A question that failed is not asked again for a while (RFC 9520). Where too much is waited
// for, the oldest wait ends with SERVFAIL, and a question that nobody waits for any more is taken back from the
// upstream. It stands on the forwarding loop, so that a question has one exchange in the whole process. Submit is
// thread-safe; everything else is called on that loop.
class QueryCoalescer {
 public:
  struct Options {
    TtlPolicy ttl;
    bool trust_upstream_ad = true;
    Duration failure_ttl = std::chrono::seconds(5);  // of the first failure in a row
    PendingQuestions::Options pending;
  };

  // One writing thread, any number of readers.
  struct Statistics {
    Counter exchanges;            // questions sent upstream
    Counter asked_again;          // rounds for clients who joined late, when the first one's time was over
    Counter joined;               // clients that found their question under way
    Counter answered_late;        // clients whose answer had come by the time their question arrived here
    Counter failures_remembered;  // clients that were told of an earlier failure, without another exchange
    Counter failures;             // exchanges that ended without a usable response, those taken back apart
    Counter taken_back;           // exchanges that nobody waited for any more
    Counter over_limit;           // waits that were given up because a limit was reached
    Counter given_up_client;      // of these, by the limit of the client
    Counter given_up_suffix;      // of these, by the limit of one domain
    Counter in_flight;
  };

  QueryCoalescer(asio::io_context& loop, Upstream& upstream, ResponseCache& cache, const Clock& clock,
                 const Options& options);

  // From the next answer, and the next question, on these count; the seed of `pending` stays. Failures are forgotten:
  // what was changed may be what mends them. On the loop's thread.
  void Adopt(const Options& options);

  // Completes the waiter by its deadline, whatever happens. Thread-safe.
  void Submit(ResolutionWaiter& waiter) { inbox_.Push(&waiter); }

  // Ends when no exchange is under way.
  Task<> Join() { return exchanges_running_.Join(); }

  const Statistics& statistics() const { return statistics_; }

  // That a question failed lately, for people.
  struct FailureReport {
    unsigned in_a_row = 0;
    Duration asked_again_in{0};  // zero where it is asked at once, as far as this goes
    Rcode rcode = Rcode::kServFail;
    std::vector<ExtendedError> errors;
  };
  // Nullopt where nothing is remembered, or what is counts no longer. On the loop's thread.
  std::optional<FailureReport> FailureOf(const UpstreamQuery& query, SteadyTime now) const;

 private:
  void Admit(ResolutionWaiter& waiter, SteadyTime now);
  // What can be said without asking; null where nothing can.
  ResolutionPtr WithoutAsking(const CacheKey& question, SteadyTime now);
  // What is remembered of the question, if it still counts; null otherwise.
  const RememberedFailure* LastFailure(const CacheKey& question) const;
  void GiveUp(const PendingQuestions::Surplus& surplus, SteadyTime now);
  Task<> Run(std::unique_ptr<PendingExchange> exchange);
  // Whether the exchange is over; if not, those are left who have time for another round.
  bool CompleteWaiting(PendingExchange& exchange, const ResolutionPtr& resolution, bool out_of_time, SteadyTime now);
  // What a response, or the lack of one, means for those who wait; stores an answer where it may be used again.
  ResolutionPtr Conclude(const PendingExchange& exchange, const absl::StatusOr<UpstreamResponse>& response,
                         const ExchangeTrace& trace);
  // Whether the question is to be asked again, and when. `returns` is of when it was asked.
  void Learn(const PendingExchange& exchange, const absl::Status& status, const ResolutionPtr& resolution,
             uint64_t returns);
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
  FailureMemory failures_;
  TaskGroup exchanges_running_;
  Inbox<ResolutionWaiter*> inbox_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_COALESCER_H_
