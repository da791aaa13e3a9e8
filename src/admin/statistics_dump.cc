#include "admin/statistics_dump.h"

#include "admin/statistics_json.h"
#include "base/strings.h"
#include "base/units.h"

namespace dotward {
namespace {

uint64_t Seconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

uint64_t UnixSeconds(WallTime time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

uint64_t AverageLatencyMilliseconds(const UpstreamSnapshot& upstream) {
  return upstream.average_latency_microseconds / 1000;
}

std::string RenderUpstream(const UpstreamSnapshot& upstream) {
  const std::string who =
      StrCat("server ", upstream.name, " ", upstream.endpoint.address.ToString(), "#", upstream.endpoint.port, ": ");
  const auto milliseconds = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  std::string text =
      StrCat(who, "queries sent ", upstream.queries, ", retried ", upstream.retried, ", failed ", upstream.failed,
             ", nxdomain replies ", upstream.nxdomain, ", avg. latency ", AverageLatencyMilliseconds(upstream), "ms\n");
  StrAppend(&text, who, upstream.protocol, " ", UpstreamStateToString(upstream.state), " for ",
            Seconds(upstream.in_state_for), "s, connections ", upstream.connections_open, ", in flight ",
            upstream.in_flight, ", handshakes full ", upstream.handshakes_full, " resumed ",
            upstream.handshakes_resumed, ", hedges ", upstream.hedges, " won ", upstream.hedges_won, ", timeouts ",
            upstream.timeouts, ", latency p50 ", milliseconds(upstream.latency_median), "ms p95 ",
            milliseconds(upstream.latency_p95), "ms, idle limit ",
            upstream.idle_limit ? FormatDuration(*upstream.idle_limit) : "unknown", "\n");
  return text;
}

}  // namespace

std::string RenderDump(const StatisticsSnapshot& snapshot, DumpDetail detail) {
  const ResponseCache::Statistics& cache = snapshot.cache;
  std::string dump = StrCat("time ", UnixSeconds(snapshot.at), "\n");
  StrAppend(&dump, "cache size ", snapshot.cache_octets_max, ", ", cache.evictions, "/", cache.insertions,
            " cache insertions re-used unexpired cache entries.\n");
  const QueryTotals& queries = snapshot.queries;
  StrAppend(&dump, "cache entries ", cache.entries, ", bytes ", cache.octets, ", hits ", cache.hits, ", misses ",
            cache.misses, ", stale ", queries.of(QueryEnd::kStale), ", prefetched ", snapshot.prefetches,
            ", evictions ", cache.evictions, ", expired ", cache.expired, "\n");
  StrAppend(&dump, "queries forwarded ", queries.of(QueryEnd::kForwarded), ", queries answered locally ",
            queries.of(QueryEnd::kHits) + queries.of(QueryEnd::kStale) + queries.of(QueryEnd::kLocal), "\n");
  StrAppend(&dump, "queries received ", QueriesReceived(queries));
  for (size_t i = 0; i < kQueryEnds.size(); ++i) {
    StrAppend(&dump, i == 0 ? " = " : " + ", kQueryEnds[i], " ", queries.ends[i]);
    if (i == static_cast<size_t>(QueryEnd::kForwarded)) StrAppend(&dump, " + waiting ", queries.waiting);
  }
  std::string_view lead = "\nvalidations ";
  for (const NamedCounts* group : {&snapshot.validations, &snapshot.dnssec}) {
    for (const NamedCount& count : *group) {
      StrAppend(&dump, lead, count.name, " ", count.value);
      lead = ", ";
    }
  }
  dump += "\n";
  if (detail == DumpDetail::kWithShards) {
    for (size_t i = 0; i < snapshot.shards.size(); ++i) {
      const ResponseCache::Statistics& shard = snapshot.shards[i];
      StrAppend(&dump, "shard ", i, " entries ", shard.entries, ", bytes ", shard.octets, ", hits ", shard.hits,
                ", lru age ", shard.lru_age_seconds, "s\n");
    }
  }
  for (const UpstreamSnapshot& upstream : snapshot.upstreams) dump += RenderUpstream(upstream);
  return dump + RenderJson(snapshot) + "\n";
}

}  // namespace dotward
