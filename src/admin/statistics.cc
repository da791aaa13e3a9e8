#include "admin/statistics.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "base/units.h"

namespace dotward {
namespace {

constexpr int kJsonSchema = 1;

uint64_t Seconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

uint64_t UnixSeconds(WallTime time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

// Sums one counter over all workers.
template <typename Statistics>
uint64_t Sum(const std::vector<const Statistics*>& workers, Counter Statistics::*counter) {
  uint64_t sum = 0;
  for (const Statistics* worker : workers) sum += (worker->*counter).value();
  return sum;
}

uint64_t Microseconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

uint64_t AverageLatencyMilliseconds(const UpstreamSnapshot& upstream) {
  return upstream.average_latency_microseconds / 1000;
}

nlohmann::ordered_json ToJson(const NamedCounts& counts) {
  auto json = nlohmann::ordered_json::object();
  for (const NamedCount& count : counts) json[count.name] = count.value;
  return json;
}

template <template <typename> typename Counts>
nlohmann::ordered_json ToJson(const Counts<uint64_t>& totals) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, field] : Counts<uint64_t>::Fields()) json[std::string(name)] = totals.*field;
  return json;
}

nlohmann::ordered_json ToJson(const ResponseCache::Statistics& cache) {
  return {{"entries", cache.entries},
          {"bytes", cache.octets},
          {"hits", cache.hits},
          {"misses", cache.misses},
          {"insertions", cache.insertions},
          {"evictions", cache.evictions},
          {"expired", cache.expired},
          {"lru_age_seconds", cache.lru_age_seconds}};
}

nlohmann::ordered_json ToJson(const UpstreamSnapshot& upstream) {
  nlohmann::ordered_json json = {{"name", upstream.name},
                                 {"address", upstream.endpoint.ToString()},
                                 {"protocol", upstream.protocol},
                                 {"state", std::string(UpstreamStateToString(upstream.state))},
                                 {"state_seconds", Seconds(upstream.in_state_for)},
                                 {"connections", upstream.connections_open},
                                 {"in_flight", upstream.in_flight},
                                 {"tls_version", upstream.tls_version},
                                 {"queries", upstream.queries},
                                 {"retried", upstream.retried},
                                 {"hedges", upstream.hedges},
                                 {"hedges_won", upstream.hedges_won},
                                 {"failed", upstream.failed},
                                 {"timeouts", upstream.timeouts},
                                 {"responses", upstream.responses},
                                 {"nxdomain", upstream.nxdomain},
                                 {"servfail", upstream.servfail},
                                 {"malformed", upstream.malformed},
                                 {"mismatched", upstream.mismatched},
                                 {"late", upstream.late},
                                 {"probes", upstream.probes},
                                 {"average_latency_microseconds", upstream.average_latency_microseconds},
                                 {"latency_p50_microseconds", Microseconds(upstream.latency_median)},
                                 {"latency_p95_microseconds", Microseconds(upstream.latency_p95)},
                                 {"connections_opened", upstream.connections},
                                 {"connect_failures", upstream.connect_failures},
                                 {"handshakes_full", upstream.handshakes_full},
                                 {"handshakes_resumed", upstream.handshakes_resumed},
                                 {"connections_suspected", upstream.connections_suspected},
                                 {"connections_lost", upstream.connections_lost},
                                 {"idle_limit_seconds", nullptr},
                                 {"last_error", upstream.last_error}};
  if (upstream.idle_limit) json["idle_limit_seconds"] = std::chrono::duration<double>(*upstream.idle_limit).count();
  return json;
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

std::string RenderDump(const StatisticsSnapshot& snapshot, DumpDetail detail) {
  const ResponseCache::Statistics& cache = snapshot.cache;
  std::string dump = StrCat("time ", UnixSeconds(snapshot.at), "\n");
  StrAppend(&dump, "cache size ", snapshot.cache_octets_max, ", ", cache.evictions, "/", cache.insertions,
            " cache insertions re-used unexpired cache entries.\n");
  StrAppend(&dump, "cache entries ", cache.entries, ", bytes ", cache.octets, ", hits ", snapshot.hits, ", misses ",
            snapshot.misses, ", stale 0, prefetched 0, evictions ", cache.evictions, ", expired ", cache.expired, "\n");
  StrAppend(&dump, "queries forwarded ", snapshot.misses, ", queries answered locally ", snapshot.hits, "\n");
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

std::string RenderJson(const StatisticsSnapshot& snapshot) {
  nlohmann::ordered_json json = {{"schema", kJsonSchema},
                                 {"version", DOTWARD_VERSION},
                                 {"time", UnixSeconds(snapshot.at)},
                                 {"uptime_seconds", Seconds(snapshot.uptime)}};
  json["cache"] = ToJson(snapshot.cache);
  json["cache"]["size"] = snapshot.cache_octets_max;
  json["queries"] = ToJson(snapshot.queries);
  json["replies"] = ToJson(snapshot.replies);
  json["exchanges"] = ToJson(snapshot.exchanges);
  json["udp"] = ToJson(snapshot.udp);
  json["streams"] = ToJson(snapshot.streams);
  json["upstreams"] = nlohmann::ordered_json::array();
  for (const UpstreamSnapshot& upstream : snapshot.upstreams) json["upstreams"].push_back(ToJson(upstream));
  // Names and error texts come from files and certificates: what is no UTF-8 must not make the dump fail.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace dotward
