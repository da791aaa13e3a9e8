#ifndef DOTWARD_RESOLVER_RESOLVER_H_
#define DOTWARD_RESOLVER_RESOLVER_H_

#include <memory>
#include <span>

#include "base/counter.h"
#include "dns/reply.h"
#include "dotward/config.h"
#include "dotward/query_handler.h"
#include "dotward/response_cache.h"
#include "policy/policy.h"
#include "resolver/query_coalescer.h"

namespace dotward {

// Answers the queries of one worker: policy → cache → coalesce → upstream → store → reply. Start reading at AnswerNow.
// One a worker, used on that worker's loop only; what it refers to is shared between the workers and outlives it.
class Resolver final : public QueryHandler {
 public:
  // One writing thread, any number of readers. Every query ends in exactly one of the lines from `dropped` to
  // `forwarded`.
  struct Statistics {
    Counter queries_udp;
    Counter queries_tcp;
    Counter queries_tls;
    Counter dropped;    // no reply is owed: a response, no header, a source that is no client
    Counter malformed;  // FORMERR, NOTIMP, BADVERS
    Counter refused;    // by policy, or RD=0 and not in the cache
    Counter local;      // answered here, without cache and upstream
    Counter hits;       // answered from the cache
    Counter forwarded;  // sent to the forwarding loop
    Counter replies_noerror;
    Counter replies_nxdomain;
    Counter replies_servfail;
    Counter replies_other;
    Counter replies_truncated;
  };

  Resolver(asio::io_context& loop, std::shared_ptr<const Config> config, const Policy& policy, ResponseCache& cache,
           QueryCoalescer& coalescer, const Clock& clock);

  ImmediateReply AnswerNow(OctetView query, const Client& client, SteadyTime now, std::span<uint8_t> buffer) override;
  Task<Octets> Answer(Octets query, Client client, SteadyTime now) override;

  const Statistics& statistics() const { return statistics_; }

 private:
  struct Question {  // borrows the octets
    CacheKey key;
    ReplyContext context;
  };
  Question Reread(OctetView octets, const Client& client) const;
  Octets ReplyWith(const Resolution& resolution, const ReplyContext& context);
  ReplyContext ContextOf(const ScannedMessage& query, const Client& client) const;
  ImmediateReply Decided(const PolicyDecision& decision, const ReplyContext& context, std::span<uint8_t> buffer);
  ImmediateReply Dropped();
  ImmediateReply Sent(std::span<const uint8_t> buffer, size_t octets, Rcode rcode);
  void CountQuery(Transport transport);
  void CountReply(OctetView reply, Rcode rcode);

  asio::io_context& loop_;
  const std::shared_ptr<const Config> config_;
  const Policy& policy_;
  ResponseCache& cache_;
  QueryCoalescer& coalescer_;
  const Clock& clock_;
  CompletionInbox completions_;
  Statistics statistics_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLVER_H_
