#ifndef DOTWARD_RESOLVER_QUERY_COALESCER_H_
#define DOTWARD_RESOLVER_QUERY_COALESCER_H_

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "base/inbox.h"
#include "dns/classify.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "resolver/completion_batch.h"
#include "resolver/failure_memory.h"
#include "resolver/large_answer_pace.h"
#include "resolver/pending_questions.h"
#include "resolver/resolution.h"
#include "resolver/stale_waits.h"

namespace dotward {

// Sends each question upstream once, however many clients ask it at the same time (RFC 5452 §5), stores the answer and
// gives it to all of them. A question that failed is not asked again for a while (RFC 9520). While nothing better comes
// an expired answer is given, if there is one (RFC 8767); what is asked goes on for the cache. Where too much is waited
// for, the oldest wait ends with SERVFAIL, and a question that nobody waits for any more is taken back from the
// upstream. It stands on the forwarding loop, so that a question has one exchange in the whole process. Submit and
// Refresh are thread-safe; everything else is called on that loop.
class QueryCoalescer {
 public:
  struct Options {
    TtlPolicy ttl;
    bool validated = false;         // the upstream judges: AD of what was asked with CD=0 is its word, and only that
    bool trust_upstream_ad = true;  // else
    Duration failure_ttl = std::chrono::seconds(5);  // of the first failure in a row
    // How long a client waits for a fresh answer where there is an expired one. Whether there are any to be given is
    // the cache's to say.
    Duration stale_client_timeout = std::chrono::milliseconds(1800);
    Duration query_deadline = std::chrono::seconds(5);  // of what no client has asked
    // Every question is asked with DO, for whoever validates what comes. Who did not set it gets the answer without
    // signatures and proofs all the same.
    bool ask_with_dnssec = false;
    PendingQuestions::Options pending;
  };

  // One writing thread, any number of readers.
  struct Statistics {
    Counter exchanges;            // questions sent upstream
    Counter asked_again;          // rounds for clients who joined, when the first one's time or share was over
    Counter joined;               // clients that found their question under way
    Counter answered_late;        // clients whose answer had come by the time their question arrived here
    Counter without_dnssec;       // clients that got what was fetched for others with DO, without what DO adds
    Counter denied_by_cut;        // clients that asked for a name below one that is known not to exist
    Counter failures_remembered;  // clients that were answered by an earlier failure, without another exchange
    Counter paced;                // questions that waited because of large answers, see LargeAnswerPace
    Counter prefetches;           // exchanges that were begun for the cache alone
    Counter prefetches_refused;   // those that were not begun, because too much was under way
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
  // Fetches anew what is about to expire, unless it is being asked for already or too much is under way. What fails
  // leaves the cache as it is. Thread-safe.
  void Refresh(const CacheKey& question);

  // Failures of the past are none any more.
  void ForgetFailures() { failures_.Clear(); }

  // Ends when no exchange is under way.
  Task<> Join();

  const Statistics& statistics() const { return statistics_; }

  // What would become of a question that the cache has no fresh answer to, for people.
  struct Outlook {
    struct Failure {
      unsigned in_a_row = 0;
      Duration asked_again_in{0};  // zero where it is asked at once, as far as this goes
      Rcode rcode = Rcode::kServFail;
      bool bogus = false;  // see Resolution::bogus
      std::vector<ExtendedError> errors;
    };
    bool serving = true;             // see RouteCondition
    bool stale = false;              // there is an expired answer that may be given
    Duration stale_after{0};         // how long it is waited for a better one
    std::optional<Failure> failure;  // what is remembered and counts
  };
  // On the loop's thread.
  Outlook OutlookOf(const UpstreamQuery& query, SteadyTime now) const;

 private:
  // How an exchange ended: for who did not set DO and who did; null for a form that nobody has wanted.
  struct Outcome {
    std::array<ResolutionPtr, 2> told;
    ResolutionPtr failure;  // null where there is an answer
  };

  void Admit(ResolutionWaiter& waiter, SteadyTime now);
  // The question as it is asked, and known while it is under way.
  CacheKey AskedAs(const CacheKey& question) const;
  // What counts as one client.
  IpPrefix PrefixOf(const IpAddress& client) const;
  uint16_t AskerOf(const IpAddress& client) const;
  // What can be said without asking; null where nothing can.
  ResolutionPtr FromCache(const CacheKey& question, const RouteCondition& route, SteadyTime now);
  ResolutionPtr WithoutAsking(const CacheKey& question, const RouteCondition& route, SteadyTime now);
  // What is remembered of the question, if it still counts; null otherwise.
  const RememberedFailure* LastFailure(const CacheKey& question, const RouteCondition& route) const;
  void StartRefresh(const UpstreamQuery& query, SteadyTime now);

  // Lets one more client wait for the exchange, or gives it the stale answer where others have waited long enough.
  void Join(PendingExchange& exchange, ResolutionWaiter& waiter, SteadyTime now);
  // Looks whether something stale would do, once for each form of the answer.
  void SeekStale(PendingExchange& exchange, const CacheKey& question, SteadyTime now);
  ResolutionPtr StaleFor(const StaleAnswer& stale, bool dnssec_ok) const;
  void TellStale(const StaleAnswer& stale);
  void GiveUp(const PendingQuestions::Surplus& surplus, SteadyTime now);

  Task<> Run(std::unique_ptr<PendingExchange> exchange);
  // At once, or when it is the client's turn.
  Task<absl::StatusOr<UpstreamResponse>> Ask(PendingExchange& exchange);
  Task<absl::StatusOr<UpstreamResponse>> AskInTurn(PendingExchange* exchange);
  // Whether the exchange is over; if not, those are left for whom it is asked again.
  bool CompleteWaiting(PendingExchange& exchange, const Outcome& outcome, const absl::Status& status, SteadyTime now);
  // What a response, or the lack of one, means for those who wait; stores an answer where it may be used again.
  Outcome Conclude(const PendingExchange& exchange, const absl::StatusOr<UpstreamResponse>& response,
                   const ExchangeTrace& trace);
  // Whether an answer is what the next one who asks is to get.
  bool IsJudgedAsWanted(const UpstreamQuery& query, const UpstreamResponse& response) const;
  // Whether the response's AD bit is somebody's word that counts (RFC 6840 §5.8).
  bool IsTrustedWithAd(const UpstreamQuery& query, const UpstreamResponse& response) const;
  ResolutionPtr ConcludeFor(bool dnssec_ok, const PendingExchange& exchange,
                            const absl::StatusOr<UpstreamResponse>& response, const ExchangeTrace& trace);
  // Whether the question is to be asked again, and when.
  void Learn(const PendingExchange& exchange, const absl::Status& status, const Outcome& outcome);
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
  StaleWaits stale_waits_;
  LargeAnswerPace pace_;
  size_t refreshes_ = 0;  // under way, and no client has come
  CompletionBatch completions_;
  TaskGroup exchanges_running_;
  Inbox<ResolutionWaiter*> inbox_;
  Inbox<UpstreamQuery> refresh_inbox_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_COALESCER_H_
