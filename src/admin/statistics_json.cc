#include "admin/statistics_json.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

namespace dotward {
namespace {

constexpr int kJsonSchema = 1;

uint64_t Seconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

uint64_t UnixSeconds(WallTime time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

uint64_t Microseconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
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

nlohmann::ordered_json ToJson(const DurationTotals& durations) {
  nlohmann::ordered_json json = {{"count", durations.count()},
                                 {"sum_seconds", static_cast<double>(durations.sum_nanoseconds) / 1e9}};
  json["up_to_seconds"] = nlohmann::ordered_json::object();
  for (size_t i = 0; i < DurationTotals::kBounds.size(); ++i) {
    json["up_to_seconds"][BoundText(DurationTotals::kBounds[i])] = durations.count_up_to(i);
  }
  return json;
}

std::string LowerCase(std::string_view from) {
  std::string text(from);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

nlohmann::ordered_json QueriesToJson(const QueryTotals& queries) {
  auto json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < kTransports.size(); ++i) {
    json[std::string(kTransports[i])] = std::reduce(queries.queries[i].begin(), queries.queries[i].end());
  }
  for (size_t i = 0; i < kQueryEnds.size(); ++i) json[std::string(kQueryEnds[i])] = queries.ends[i];
  json["waiting"] = queries.waiting;
  return json;
}

nlohmann::ordered_json TypesToJson(const QueryTotals& queries) {
  auto json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < kTransports.size(); ++i) {
    for (size_t type = 0; type < kTypePlaces; ++type) {
      json[std::string(kTransports[i])][std::string(NameOfTypePlace(type))] = queries.queries[i][type];
    }
  }
  return json;
}

nlohmann::ordered_json RepliesToJson(const QueryTotals& queries) {
  auto json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < kRcodePlaces; ++i) json[LowerCase(NameOfRcodePlace(i))] = queries.replies[i];
  json["truncated"] = queries.replies_truncated;
  return json;
}

nlohmann::ordered_json DurationsToJson(const QueryTotals& queries) {
  auto json = nlohmann::ordered_json::object();
  for (size_t i = 0; i < kAnswerSources.size(); ++i) {
    json[std::string(kAnswerSources[i])] = ToJson(queries.durations[i]);
  }
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

nlohmann::ordered_json ToJson(const CacheFileStatistics& file) {
  return {{"entries", file.entries},
          {"bytes", file.octets},
          {"timestamp_seconds", UnixSeconds(file.written_at)},
          {"failures", file.failures}};
}

struct UpstreamCount {
  const char* name;
  uint64_t UpstreamSnapshot::*field;
};
// What never falls, of an upstream's addresses that are and that were.
constexpr auto kUpstreamQueries = std::to_array<UpstreamCount>({
    {"queries", &UpstreamSnapshot::queries},
    {"retried", &UpstreamSnapshot::retried},
    {"hedges", &UpstreamSnapshot::hedges},
    {"hedges_won", &UpstreamSnapshot::hedges_won},
    {"failed", &UpstreamSnapshot::failed},
    {"timeouts", &UpstreamSnapshot::timeouts},
    {"responses", &UpstreamSnapshot::responses},
    {"nxdomain", &UpstreamSnapshot::nxdomain},
    {"servfail", &UpstreamSnapshot::servfail},
    {"malformed", &UpstreamSnapshot::malformed},
    {"mismatched", &UpstreamSnapshot::mismatched},
    {"late", &UpstreamSnapshot::late},
    {"probes", &UpstreamSnapshot::probes},
});
constexpr auto kUpstreamConnections = std::to_array<UpstreamCount>({
    {"connections_opened", &UpstreamSnapshot::connections},
    {"connect_failures", &UpstreamSnapshot::connect_failures},
    {"handshakes_full", &UpstreamSnapshot::handshakes_full},
    {"handshakes_resumed", &UpstreamSnapshot::handshakes_resumed},
    {"connections_suspected", &UpstreamSnapshot::connections_suspected},
    {"connections_lost", &UpstreamSnapshot::connections_lost},
});

void AddCounts(const UpstreamSnapshot& upstream, std::span<const UpstreamCount> counts, nlohmann::ordered_json& json) {
  for (const UpstreamCount& count : counts) json[count.name] = upstream.*count.field;
}

// The sum of the addresses that an upstream has no more: no address, no state, nothing that is under way.
nlohmann::ordered_json FormerToJson(const UpstreamSnapshot& upstream) {
  nlohmann::ordered_json json = {{"name", upstream.name}};
  AddCounts(upstream, kUpstreamQueries, json);
  AddCounts(upstream, kUpstreamConnections, json);
  json["durations"] = ToJson(upstream.durations);
  return json;
}

nlohmann::ordered_json ToJson(const UpstreamSnapshot& upstream) {
  nlohmann::ordered_json json = {{"name", upstream.name},
                                 {"address", upstream.endpoint.ToString()},
                                 {"protocol", upstream.protocol},
                                 {"state", std::string(UpstreamStateToString(upstream.state))},
                                 {"state_seconds", Seconds(upstream.in_state_for)},
                                 {"connections", upstream.connections_open},
                                 {"connections_connecting", upstream.connections_connecting},
                                 {"connections_busy", upstream.connections_busy},
                                 {"connections_idle", upstream.connections_idle},
                                 {"in_flight", upstream.in_flight},
                                 {"tls_version", upstream.tls_version}};
  AddCounts(upstream, kUpstreamQueries, json);
  json["average_latency_microseconds"] = upstream.average_latency_microseconds;
  json["latency_p50_microseconds"] = Microseconds(upstream.latency_median);
  json["latency_p95_microseconds"] = Microseconds(upstream.latency_p95);
  AddCounts(upstream, kUpstreamConnections, json);
  json["idle_limit_seconds"] = nullptr;
  json["last_error"] = upstream.last_error;
  if (upstream.idle_limit) json["idle_limit_seconds"] = std::chrono::duration<double>(*upstream.idle_limit).count();
  json["durations"] = ToJson(upstream.durations);
  return json;
}

}  // namespace

std::string RenderJson(const StatisticsSnapshot& snapshot) {
  nlohmann::ordered_json json = {{"schema", kJsonSchema},
                                 {"version", DOTWARD_VERSION},
                                 {"time", UnixSeconds(snapshot.at)},
                                 {"started", UnixSeconds(snapshot.started_at)},
                                 {"uptime_seconds", Seconds(snapshot.uptime)}};
  json["cache"] = ToJson(snapshot.cache);
  json["cache"]["size"] = snapshot.cache_octets_max;
  json["cache"]["stale"] = snapshot.queries.of(QueryEnd::kStale);
  json["cache"]["prefetches"] = snapshot.prefetches;
  json["cache"]["prefetches_refused"] = snapshot.prefetches_refused;
  json["cache"]["snapshot"] = ToJson(snapshot.cache_file);
  json["queries"] = QueriesToJson(snapshot.queries);
  json["types"] = TypesToJson(snapshot.queries);
  json["replies"] = RepliesToJson(snapshot.queries);
  json["durations"] = DurationsToJson(snapshot.queries);
  json["limited"] = ToJson(Limited(snapshot));
  json["exchanges"] = ToJson(snapshot.exchanges);
  json["validations"] = ToJson(snapshot.validations);
  json["dnssec"] = ToJson(snapshot.dnssec);
  json["udp"] = ToJson(snapshot.udp);
  json["streams"] = ToJson(snapshot.streams);
  json["query_log"] = ToJson(snapshot.query_log);
  json["upstreams"] = nlohmann::ordered_json::array();
  for (const UpstreamSnapshot& upstream : snapshot.upstreams) json["upstreams"].push_back(ToJson(upstream));
  json["upstreams_former"] = nlohmann::ordered_json::array();
  for (const UpstreamSnapshot& upstream : snapshot.former_upstreams) {
    json["upstreams_former"].push_back(FormerToJson(upstream));
  }
  // Names and error texts come from files and certificates: what is no UTF-8 must not make the dump fail.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace dotward
