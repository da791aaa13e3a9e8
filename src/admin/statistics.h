#ifndef DOTWARD_ADMIN_STATISTICS_H_
#define DOTWARD_ADMIN_STATISTICS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dnssec/dnssec_statistics.h"
#include "dotward/clock.h"
#include "dotward/response_cache.h"
#include "resolver/query_coalescer.h"
#include "resolver/query_statistics.h"
#include "server/statistics.h"
#include "upstream/upstream_server.h"

namespace dotward {

// The counts of one group, by the names that people and scripts see, in the order in which they are shown.
struct NamedCount {
  const char* name;
  uint64_t value;
};
using NamedCounts = std::vector<NamedCount>;

// Of the file that carries the cache over a restart: what was written or loaded last.
struct CacheFileStatistics {
  uint64_t entries = 0;
  uint64_t octets = 0;
  WallTime written_at{};  // 1970 where there is none
  uint64_t failures = 0;  // times that it could not be written, or was there and not used
};

// Everything that the program counts, at one moment: the one thing that the dump, the JSON and the metrics show. Plain
// values: gathering reads counters that others go on writing, and changes none, so sums may be off by what happened
// meanwhile.
struct StatisticsSnapshot {
  WallTime at;
  WallTime started_at;
  Duration uptime{0};
  uint64_t cache_octets_max = 0;
  ResponseCache::Statistics cache;
  std::vector<ResponseCache::Statistics> shards;
  CacheFileStatistics cache_file;
  QueryTotals queries;              // sums over the workers
  NamedCounts exchanges;            // the forwarding loop's
  uint64_t prefetches = 0;          // of the exchanges, those for the cache alone
  uint64_t prefetches_refused = 0;  // and those that were not begun, because too much was under way
  NamedCounts validations;  // answers that were judged, by what was found
  NamedCounts dnssec;       // what it took
  UdpTotals udp;
  StreamTotals streams;
  NamedCounts query_log;                           // what became of the lines of the query log
  std::vector<UpstreamSnapshot> upstreams;         // a server address each
  std::vector<UpstreamSnapshot> former_upstreams;  // see Forwarder::FormerSnapshots
};

// The queries of all transports and types, which is the sum of how they ended and of those that wait.
uint64_t QueriesReceived(const QueryTotals& queries);
uint64_t QueriesEnded(const QueryTotals& queries);

// A bound of a histogram in seconds, "0.000025": the same in every format.
std::string BoundText(Duration bound);

void AddValidations(const DnssecStatistics& statistics, StatisticsSnapshot& snapshot);
void AddExchanges(const QueryCoalescer::Statistics& statistics, StatisticsSnapshot& snapshot);

// What was done to those who wanted more than their share, by what was done to them.
NamedCounts Limited(const StatisticsSnapshot& snapshot);
// Of a group; 0 where it has no such name.
uint64_t CountOf(const NamedCounts& group, std::string_view name);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATISTICS_H_
