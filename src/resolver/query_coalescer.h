#ifndef DOTWARD_RESOLVER_QUERY_COALESCER_H_
#define DOTWARD_RESOLVER_QUERY_COALESCER_H_

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/await.h"
#include "base/counter.h"
#include "base/deadline.h"
#include "base/inbox.h"
#include "base/ip_address.h"
#include "dns/classify.h"
#include "dns/response_image.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "dotward/task.h"
#include "dotward/upstream.h"

namespace dotward {

// How a question ended, for everyone who waits for it. Immutable.
struct Resolution {
  ImagePtr image;                     // the answer, or null where there is none
  Rcode rcode = Rcode::kServFail;     // without an image: what the client is told
  std::vector<ExtendedError> errors;  // without an image
  bool dropped = false;               // the client waits for too much already: no reply is owed
};
using ResolutionPtr = std::shared_ptr<const Resolution>;

// One client's wait for a resolution. It lives on the worker's loop, inside the coroutine that waits; the coalescer
// holds a pointer to it until it has been completed, which always happens.
class ResolutionWaiter;
struct CompletedWait {
  ResolutionWaiter* waiter;
  ResolutionPtr resolution;
};
using CompletionInbox = Inbox<CompletedWait>;

class ResolutionWaiter {
 public:
  ResolutionWaiter(Executor executor, CompletionInbox& home) : outcome_(executor), home_(home) {}

  // On the worker's loop.
  Task<ResolutionPtr> Wait() { return outcome_.Wait(); }
  static void Deliver(std::vector<CompletedWait>& batch) {
    for (CompletedWait& wait : batch) wait.waiter->outcome_.Set(std::move(wait.resolution));
  }
  // Thread-safe, once.
  void Complete(ResolutionPtr resolution) { home_.Push({this, std::move(resolution)}); }

 private:
  OneShot<ResolutionPtr> outcome_;
  CompletionInbox& home_;
};

// Sends each question upstream once, however many clients ask it at the same time (RFC 5452 §5), stores the answer and
// gives it to all of them. It stands on the forwarding loop, so that a question has one exchange in the whole process.
// Submit is thread-safe; everything else is called on that loop.
class QueryCoalescer {
 public:
  struct Options {
    TtlPolicy ttl;
    bool trust_upstream_ad = true;
    size_t waiting_per_client = 200;
  };

  // One writing thread, any number of readers.
  struct Statistics {
    Counter exchanges;      // questions sent upstream
    Counter asked_again;    // rounds for clients who joined late, when the first one's time was over
    Counter joined;         // clients that found their question under way
    Counter answered_late;  // clients whose answer had come by the time their question arrived here
    Counter failures;       // exchanges that ended without a usable response
    Counter over_limit;     // clients turned away because a limit was reached
    Counter in_flight;
  };

  struct Request {
    UpstreamQuery query;
    IpAddress client;
    Deadline deadline;
    ResolutionWaiter* waiter;
  };

  QueryCoalescer(asio::io_context& loop, Upstream& upstream, ResponseCache& cache, const Clock& clock,
                 const Options& options);

  // Completes the request's waiter by its deadline, whatever happens. Thread-safe.
  void Submit(Request request) { inbox_.Push(std::move(request)); }

  // Ends when no exchange is under way.
  Task<> Join() { return exchanges_running_.Join(); }

  const Statistics& statistics() const { return statistics_; }

 private:
  struct Question {
    Name name;
    uint16_t type = 0;
    uint16_t klass = 0;
    bool dnssec_ok = false;
    bool checking_disabled = false;

    friend bool operator==(const Question& a, const Question& b) {
      return a.type == b.type && a.klass == b.klass && a.dnssec_ok == b.dnssec_ok &&
             a.checking_disabled == b.checking_disabled && a.name == b.name;
    }
    template <typename H>
    friend H AbslHashValue(H state, const Question& question) {
      for (const uint8_t octet : question.name.wire()) state = H::combine(std::move(state), LowerOctet(octet));
      return H::combine(std::move(state), question.type, question.klass, question.dnssec_ok,
                        question.checking_disabled);
    }
  };
  struct Waiting {
    IpAddress client;
    Deadline deadline;
    ResolutionWaiter* waiter;
  };
  static bool SoonerDeadline(const Waiting& a, const Waiting& b) { return a.deadline < b.deadline; }
  struct Exchange {
    UpstreamQuery query;
    Deadline deadline;
    std::vector<Waiting> waiting;
  };

  void Admit(Request& request, SteadyTime now);
  Task<> Run(Question question, Exchange* exchange);
  // What a response, or the lack of one, means for those who wait; stores it where it may be used again.
  ResolutionPtr Conclude(const UpstreamQuery& query, const absl::StatusOr<UpstreamResponse>& response);
  void Complete(const Waiting& waiting, ResolutionPtr resolution);

  Upstream& upstream_;
  ResponseCache& cache_;
  const Clock& clock_;
  const Options options_;
  Statistics statistics_;
  absl::flat_hash_map<Question, std::unique_ptr<Exchange>> exchanges_;
  absl::flat_hash_map<IpAddress, size_t> waiting_per_client_;
  TaskGroup exchanges_running_;
  Inbox<Request> inbox_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_QUERY_COALESCER_H_
