#ifndef DOTWARD_RESOLVER_RESOLVER_H_
#define DOTWARD_RESOLVER_RESOLVER_H_

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/intrusive_list.h"
#include "dns/reply.h"
#include "dotward/config.h"
#include "dotward/query_handler.h"
#include "dotward/response_cache.h"
#include "resolver/batch_clock.h"
#include "resolver/query_coalescer.h"
#include "resolver/query_observer.h"
#include "resolver/query_statistics.h"
#include "resolver/serving_state.h"

namespace dotward {

// Answers the queries of one worker: policy → cache → coalesce → upstream → store → reply. Start reading at AnswerNow.
// One a worker, used on that worker's loop only; what it refers to is shared between the workers and outlives it.
class Resolver final : public QueryHandler {
 public:
  // `observer` may be null.
  Resolver(asio::io_context& loop, std::shared_ptr<const ServingState> state, ResponseCache& cache,
           QueryCoalescer& coalescer, const Clock& clock, QueryObserver* observer = nullptr);
  ~Resolver() override;

  // Answers by another state from the next query on; those that wait keep the deadline that they have. On the loop's
  // thread.
  void Adopt(std::shared_ptr<const ServingState> state) { state_ = std::move(state); }

  ImmediateReply AnswerNow(OctetView query, const Client& client, SteadyTime now, std::span<uint8_t> buffer) override;
  void AnswerLater(OctetView query, const Client& client, SteadyTime now, std::unique_ptr<ReplySink> sink) override;
  void AnswerNever() override;

  const QueryStatistics& statistics() const { return statistics_; }

 private:
  // A query that waits for its resolution.
  struct WaitingQuery;
  // What is known of a query from when it was read.
  struct Arrival {
    const Client& client;
    SteadyTime at;
    const ReplyContext& context;
    const ExchangeTrace* trace = nullptr;
  };

  ReplyContext ContextOf(const ScannedMessage& query, Transport transport) const;
  ImmediateReply Decided(const PolicyDecision& decision, const Arrival& arrival, std::span<uint8_t> buffer);
  ImmediateReply Dropped();
  ImmediateReply SendImage(const ResponseImage& image, uint32_t age_seconds, AnswerSource source,
                           const Arrival& arrival, std::span<uint8_t> buffer);
  ImmediateReply SendError(Rcode rcode, std::span<const ExtendedError> errors, AnswerSource source,
                           const Arrival& arrival, std::span<uint8_t> buffer);
  void Finish(std::vector<CompletedWait>& batch);
  // Into later_reply_; the octets of it.
  size_t SendResolution(const Resolution& resolution, const Arrival& arrival, SteadyTime now);
  void Observe(const Arrival& arrival, AnswerSource source, Rcode rcode, OctetView reply,
               std::span<const ExtendedError> errors, const ResponseImage* image);

  std::shared_ptr<const ServingState> state_;
  ResponseCache& cache_;
  QueryCoalescer& coalescer_;
  const Clock& clock_;
  BatchClock batch_clock_;
  QueryObserver* const observer_;
  QueryStatistics statistics_;
  IntrusiveList<ResolutionWaiter, &ResolutionWaiter::in_worker> waiting_;  // owned; each a WaitingQuery
  std::vector<uint8_t> later_reply_;  // where a reply is rendered that is on its way to its sink
  CompletionInbox completions_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLVER_H_
