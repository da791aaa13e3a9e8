#include "admin/statistics.h"

namespace dotward {
namespace {

// Sums one counter over all workers.
template <typename Statistics>
uint64_t Sum(const std::vector<const Statistics*>& workers, Counter Statistics::*counter) {
  uint64_t sum = 0;
  for (const Statistics* worker : workers) sum += (worker->*counter).value();
  return sum;
}

}  // namespace

void AddResolvers(const std::vector<const Resolver::Statistics*>& workers, StatisticsSnapshot& snapshot) {
  using S = Resolver::Statistics;
  snapshot.hits = Sum(workers, &S::hits);
  snapshot.misses = Sum(workers, &S::forwarded);
  snapshot.queries = {{"udp", Sum(workers, &S::queries_udp)},
                      {"tcp", Sum(workers, &S::queries_tcp)},
                      {"tls", Sum(workers, &S::queries_tls)},
                      {"hits", snapshot.hits},
                      {"forwarded", snapshot.misses},
                      {"local", Sum(workers, &S::local)},
                      {"refused", Sum(workers, &S::refused)},
                      {"dropped", Sum(workers, &S::dropped)},
                      {"malformed", Sum(workers, &S::malformed)}};
  snapshot.replies = {{"noerror", Sum(workers, &S::replies_noerror)},
                      {"nxdomain", Sum(workers, &S::replies_nxdomain)},
                      {"servfail", Sum(workers, &S::replies_servfail)},
                      {"other", Sum(workers, &S::replies_other)},
                      {"truncated", Sum(workers, &S::replies_truncated)}};
}

void AddExchanges(const QueryCoalescer::Statistics& statistics, StatisticsSnapshot& snapshot) {
  snapshot.exchanges = {{"started", statistics.exchanges.value()},
                        {"in_flight", statistics.in_flight.value()},
                        {"asked_again", statistics.asked_again.value()},
                        {"joined", statistics.joined.value()},
                        {"answered_late", statistics.answered_late.value()},
                        {"failures", statistics.failures.value()},
                        {"over_limit", statistics.over_limit.value()},
                        {"given_up_client", statistics.given_up_client.value()},
                        {"given_up_suffix", statistics.given_up_suffix.value()},
                        {"taken_back", statistics.taken_back.value()}};
}

}  // namespace dotward
