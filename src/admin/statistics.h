#ifndef DOTWARD_ADMIN_STATISTICS_H_
#define DOTWARD_ADMIN_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "resolver/query_coalescer.h"
#include "resolver/resolver.h"
#include "server/statistics.h"
#include "upstream/upstream_server.h"

namespace dotward {

// The counts of one group, by the names that people and scripts see, in the order in which they are shown.
struct NamedCount {
  const char* name;
  uint64_t value;
};
using NamedCounts = std::vector<NamedCount>;

// Everything that the program counts, at one moment. Plain values: gathering reads counters that others go on writing,
// and changes none.
struct StatisticsSnapshot {
  WallTime at;
  Duration uptime{0};
  uint64_t cache_octets_max = 0;
  ResponseCache::Statistics cache;
  std::vector<ResponseCache::Statistics> shards;
  NamedCounts queries;    // how each ended; sums over the workers
  NamedCounts replies;    // by RCODE
  NamedCounts exchanges;  // the forwarding loop's
  UdpTotals udp;
  StreamTotals streams;
  std::vector<UpstreamSnapshot> upstreams;

  uint64_t hits = 0;    // of queries, as the resolver counts them
  uint64_t misses = 0;  // of queries: sent to the forwarding loop
};

// The sums over all workers.
void AddResolvers(const std::vector<const Resolver::Statistics*>& workers, StatisticsSnapshot& snapshot);
void AddExchanges(const QueryCoalescer::Statistics& statistics, StatisticsSnapshot& snapshot);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATISTICS_H_
