#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "admin/metrics.h"
#include "admin/statistics_dump.h"
#include "admin/statistics_json.h"
#include "base/strings.h"

// The dump, the JSON and the metrics are rendered from one snapshot. Here each counter has a value of its own, so that
// one that stands in the wrong place shows.

namespace dotward {
namespace {

using Json = nlohmann::json;

class Different {
 public:
  uint64_t Next() { return last_ += 7; }

 private:
  uint64_t last_ = 1000;
};

DurationTotals SomeDurations(Different& different) {
  DurationTotals durations;
  for (uint64_t& count : durations.counts) count = different.Next();
  durations.sum_nanoseconds = different.Next() * 1'000'000'000;
  return durations;
}

UpstreamSnapshot SomeUpstream(const std::string& name, UpstreamState state, Different& different) {
  UpstreamSnapshot upstream;
  upstream.name = name;
  upstream.endpoint = {IpAddress::V4({192, 0, 2, 1}), 853};
  upstream.protocol = "tls";
  upstream.state = state;
  for (uint64_t* count : {&upstream.connections_open,
                          &upstream.connections_connecting,
                          &upstream.connections_busy,
                          &upstream.connections_idle,
                          &upstream.in_flight,
                          &upstream.queries,
                          &upstream.retried,
                          &upstream.hedges,
                          &upstream.hedges_won,
                          &upstream.responses,
                          &upstream.nxdomain,
                          &upstream.servfail,
                          &upstream.failed,
                          &upstream.timeouts,
                          &upstream.malformed,
                          &upstream.mismatched,
                          &upstream.late,
                          &upstream.probes,
                          &upstream.connections,
                          &upstream.connect_failures,
                          &upstream.connections_lost,
                          &upstream.connections_suspected,
                          &upstream.handshakes_full,
                          &upstream.handshakes_resumed}) {
    *count = different.Next();
  }
  upstream.durations = SomeDurations(different);
  return upstream;
}

StatisticsSnapshot SomeSnapshot() {
  Different different;
  StatisticsSnapshot snapshot;
  snapshot.at = WallTime(std::chrono::seconds(1'795'188'454));
  snapshot.started_at = snapshot.at - std::chrono::seconds(100);
  snapshot.uptime = std::chrono::seconds(100);
  snapshot.cache_octets_max = different.Next();
  snapshot.cache = {.entries = different.Next(),
                    .octets = different.Next(),
                    .hits = different.Next(),
                    .misses = different.Next(),
                    .insertions = different.Next(),
                    .evictions = different.Next(),
                    .expired = different.Next(),
                    .lru_age_seconds = different.Next()};
  snapshot.shards = {snapshot.cache};
  snapshot.cache_file = {.entries = different.Next(),
                         .octets = different.Next(),
                         .written_at = WallTime(std::chrono::seconds(different.Next())),
                         .failures = different.Next()};
  for (auto& of_transport : snapshot.queries.queries) {
    for (uint64_t& count : of_transport) count = different.Next();
  }
  for (uint64_t& count : snapshot.queries.ends) count = different.Next();
  snapshot.queries.waiting = different.Next();
  for (uint64_t& count : snapshot.queries.replies) count = different.Next();
  snapshot.queries.replies_truncated = different.Next();
  for (DurationTotals& durations : snapshot.queries.durations) durations = SomeDurations(different);
  QueryCoalescer::Statistics exchanges;
  for (Counter* counter :
       {&exchanges.exchanges, &exchanges.asked_again, &exchanges.joined, &exchanges.answered_late, &exchanges.paced,
        &exchanges.without_dnssec, &exchanges.denied_by_cut, &exchanges.prefetches, &exchanges.prefetches_refused,
        &exchanges.failures_remembered, &exchanges.failures, &exchanges.taken_back, &exchanges.given_up_client,
        &exchanges.given_up_suffix, &exchanges.in_flight}) {
    counter->Add(different.Next());
  }
  exchanges.over_limit.Add(1'000'000);  // those of client and suffix among them
  AddExchanges(exchanges, snapshot);
  for (const auto& [name, field] : UdpTotals::Fields()) snapshot.udp.*field = different.Next();
  for (const auto& [name, field] : StreamTotals::Fields()) snapshot.streams.*field = different.Next();
  snapshot.query_log = {{"written", different.Next()}, {"dropped", different.Next()}, {"lost", different.Next()}};
  snapshot.upstreams = {SomeUpstream("a", UpstreamState::kConnected, different),
                        SomeUpstream("a", UpstreamState::kFailing, different),
                        SomeUpstream("b", UpstreamState::kIdle, different)};
  // What upstreams had once: of the one, and of one that has no address now.
  for (const char* name : {"a", "c"}) {
    UpstreamSnapshot& former = snapshot.former_upstreams.emplace_back();
    AddCounts(former, SomeUpstream(name, UpstreamState::kIdle, different));
    former.name = name;
  }
  return snapshot;
}

// Prometheus's text, series by series: "name{label=\"value\"}" → value.
std::map<std::string, double> Series(const std::string& text) {
  std::map<std::string, double> series;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty() || line.starts_with('#')) continue;
    const size_t space = line.rfind(' ');
    const bool is_new = series.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second;
    EXPECT_TRUE(is_new) << line << ": twice";
  }
  return series;
}

std::string SeriesName(std::string_view name, const Metric& metric, const MetricSample& sample,
                       const std::string& more = "") {
  std::string labels;
  for (size_t i = 0; i < metric.labels.size(); ++i) {
    StrAppend(&labels, labels.empty() ? "" : ",", metric.labels[i], "=\"", sample.labels[i], "\"");
  }
  if (!more.empty()) StrAppend(&labels, labels.empty() ? "" : ",", more);
  return StrCat(name, labels.empty() ? "" : StrCat("{", labels, "}"));
}

// Where the JSON has what the sample shows; upstreams as "/upstreams/NAME/…".
std::string PathOf(const Metric& metric, const MetricSample& sample) {
  std::string path(metric.json);
  for (size_t i = 0; i < metric.labels.size(); ++i) {
    std::string value(sample.labels[i]);
    if (metric.labels[i] == "rcode") std::transform(value.begin(), value.end(), value.begin(), ::tolower);
    const std::string place = StrCat("{", metric.labels[i], "}");
    path.replace(path.find(place), place.size(), value);
  }
  return path;
}

// The number or, of the addresses of one upstream, the sum of the numbers.
double NumberAt(const Json& json, const std::string& path) {
  static const std::regex kUpstream("/upstreams/([^/]+)(/.*)");
  std::smatch parts;
  if (!std::regex_match(path, parts, kUpstream)) return json.at(Json::json_pointer(path)).get<double>();
  double sum = 0;
  for (const char* group : {"upstreams", "upstreams_former"}) {
    for (const Json& upstream : json.at(group)) {
      const Json::json_pointer place(parts[2].str());
      if (upstream.at("name") == parts[1].str() && upstream.contains(place)) sum += upstream.at(place).get<double>();
    }
  }
  return sum;
}

class StatisticsAgreementTest : public testing::Test {
 protected:
  const StatisticsSnapshot snapshot_ = SomeSnapshot();
  const Json json_ = Json::parse(RenderJson(snapshot_));
  const std::map<std::string, double> series_ = Series(RenderMetrics(snapshot_));
};

TEST_F(StatisticsAgreementTest, EveryMetricHasTheNumberOfTheJson) {
  for (const Metric& metric : Metrics()) {
    if (metric.json.empty()) continue;
    for (const MetricSample& sample : metric.collect(snapshot_)) {
      const std::string path = PathOf(metric, sample);
      if (metric.kind != MetricKind::kHistogram) {
        EXPECT_EQ(series_.at(SeriesName(metric.name, metric, sample)), NumberAt(json_, path)) << path;
        continue;
      }
      EXPECT_EQ(series_.at(SeriesName(StrCat(metric.name, "_count"), metric, sample)),
                NumberAt(json_, path + "/count"));
      EXPECT_DOUBLE_EQ(series_.at(SeriesName(StrCat(metric.name, "_sum"), metric, sample)),
                       NumberAt(json_, path + "/sum_seconds"));
      EXPECT_EQ(series_.at(SeriesName(StrCat(metric.name, "_bucket"), metric, sample, "le=\"0.000025\"")),
                NumberAt(json_, path + "/up_to_seconds/0.000025"));
      EXPECT_EQ(series_.at(SeriesName(StrCat(metric.name, "_bucket"), metric, sample, "le=\"+Inf\"")),
                NumberAt(json_, path + "/count"));
    }
  }
}

TEST_F(StatisticsAgreementTest, WhatTheJsonHasInAnotherFormAgreesToo) {
  const auto upstream = [](const char* name, const char* label) {
    return StrCat(name, "{upstream=\"a\",", label, "}");
  };
  EXPECT_EQ(series_.at(upstream("dotward_upstream_tls_handshakes_total", "resumed=\"false\"")),
            NumberAt(json_, "/upstreams/a/handshakes_full"));
  EXPECT_EQ(series_.at(upstream("dotward_upstream_tls_handshakes_total", "resumed=\"true\"")),
            NumberAt(json_, "/upstreams/a/handshakes_resumed"));
  EXPECT_EQ(series_.at(upstream("dotward_upstream_servers", "state=\"connected\"")), 1);
  EXPECT_EQ(series_.at(upstream("dotward_upstream_servers", "state=\"failing\"")), 1);
  EXPECT_EQ(series_.at(upstream("dotward_upstream_servers", "state=\"idle\"")), 0);
  EXPECT_EQ(series_.at("dotward_start_time_seconds"), NumberAt(json_, "/started"));
}

// Collects the path of every number.
void Walk(const Json& json, const std::string& path, std::set<std::string>& paths) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (key == "up_to_seconds" || key == "sum_seconds") continue;  // of a histogram, whose count stands for them
      Walk(value, path + "/" + key, paths);
    }
  } else if (json.is_array()) {
    for (const Json& value : json) Walk(value, path + "/" + value.at("name").get<std::string>(), paths);
  } else if (json.is_number()) {
    paths.insert(path);
  }
}

TEST_F(StatisticsAgreementTest, EveryNumberOfTheJsonIsAMetricOrFollowsFromSome) {
  std::set<std::string> paths;
  Walk(json_, "", paths);
  for (const Metric& metric : Metrics()) {
    if (metric.json.empty()) continue;
    for (const MetricSample& sample : metric.collect(snapshot_)) {
      const std::string path = PathOf(metric, sample) + (metric.kind == MetricKind::kHistogram ? "/count" : "");
      paths.erase(path);
      paths.erase(std::regex_replace(path, std::regex("^/upstreams/"), "/upstreams_former/"));
    }
  }
  // Times, sums over labels, parts of sums, and what a histogram shows better.
  for (const char* known : {"/schema", "/time", "/started", "/uptime_seconds", "/cache/lru_age_seconds", "/queries/udp",
                            "/queries/tcp", "/queries/tls", "/exchanges/over_limit", "/exchanges/given_up_client",
                            "/exchanges/given_up_suffix", "/exchanges/paced"}) {
    EXPECT_EQ(paths.erase(known), 1U) << known;
  }
  for (const char* name : {"a", "b"}) {
    for (const char* known :
         {"state_seconds", "connections", "average_latency_microseconds", "latency_p50_microseconds",
          "latency_p95_microseconds", "handshakes_full", "handshakes_resumed"}) {
      EXPECT_EQ(paths.erase(StrCat("/upstreams/", name, "/", known)), 1U) << known;
    }
  }
  for (const char* name : {"a", "c"}) {
    for (const char* known : {"handshakes_full", "handshakes_resumed"}) {
      EXPECT_EQ(paths.erase(StrCat("/upstreams_former/", name, "/", known)), 1U) << known;
    }
  }
  EXPECT_EQ(paths, std::set<std::string>());
}

TEST_F(StatisticsAgreementTest, TheJsonsSumsOverTypesAgreeWithTheMetrics) {
  for (const char* transport : {"udp", "tcp", "tls"}) {
    double sum = 0;
    for (const auto& [type, count] : json_.at("types").at(transport).items()) sum += count.get<double>();
    EXPECT_EQ(NumberAt(json_, StrCat("/queries/", transport)), sum);
  }
}

TEST_F(StatisticsAgreementTest, TheDumpHasTheNumbersOfTheJson) {
  const std::string dump = RenderDump(snapshot_, DumpDetail::kWithShards);
  const auto number = [&](const char* path) { return std::to_string(static_cast<uint64_t>(NumberAt(json_, path))); };
  const std::string cache = "cache entries " + number("/cache/entries") + ", bytes " + number("/cache/bytes") +
                            ", hits " + number("/cache/hits") + ", misses " + number("/cache/misses") + ", stale " +
                            number("/cache/stale") + ", prefetched " + number("/cache/prefetches") + ", evictions " +
                            number("/cache/evictions") + ", expired " + number("/cache/expired") + "\n";
  EXPECT_NE(dump.find(cache), std::string::npos) << cache << dump;
  EXPECT_NE(dump.find("cache size " + number("/cache/size") + ", " + number("/cache/evictions") + "/" +
                      number("/cache/insertions") + " cache insertions re-used unexpired cache entries.\n"),
            std::string::npos);
  const uint64_t local = snapshot_.queries.of(QueryEnd::kHits) + snapshot_.queries.of(QueryEnd::kStale) +
                         snapshot_.queries.of(QueryEnd::kLocal);
  EXPECT_NE(dump.find("queries forwarded " + number("/queries/forwarded") + ", queries answered locally " +
                      std::to_string(local) + "\n"),
            std::string::npos);
  const std::string balance = " = hits " + number("/queries/hits") + " + stale " + number("/queries/stale") +
                              " + forwarded " + number("/queries/forwarded") + " + waiting " +
                              number("/queries/waiting") + " + local " + number("/queries/local") + " + refused " +
                              number("/queries/refused") + " + dropped " + number("/queries/dropped") +
                              " + malformed " + number("/queries/malformed") + "\n";
  EXPECT_NE(dump.find(balance), std::string::npos) << balance << dump;
  std::string validations;
  for (const char* group : {"validations", "dnssec"}) {
    const NamedCounts& counts = std::string_view(group) == "dnssec" ? snapshot_.dnssec : snapshot_.validations;
    for (const NamedCount& count : counts) {
      StrAppend(&validations, validations.empty() ? "\nvalidations " : ", ", count.name, " ",
                number(StrCat("/", group, "/", count.name).c_str()));
    }
  }
  EXPECT_NE(dump.find(validations + "\n"), std::string::npos) << validations << dump;
  EXPECT_NE(dump.find("server b 192.0.2.1#853: queries sent " + number("/upstreams/b/queries") + ", retried " +
                      number("/upstreams/b/retried") + ", failed " + number("/upstreams/b/failed")),
            std::string::npos)
      << dump;
  EXPECT_TRUE(dump.ends_with("\n" + RenderJson(snapshot_) + "\n"));
}

TEST_F(StatisticsAgreementTest, NamesAndLabelsAreOfTheKindThatPrometheusWants) {
  static const std::regex kName("dotward_[a-z0-9_]+");
  std::set<std::string_view> names;
  for (const Metric& metric : Metrics()) {
    const std::string name(metric.name);
    EXPECT_TRUE(std::regex_match(name, kName)) << name;
    EXPECT_TRUE(names.insert(metric.name).second) << name << ": twice";
    EXPECT_EQ(name.ends_with("_total"), metric.kind == MetricKind::kCounter) << name;
    EXPECT_TRUE(metric.help.ends_with('.')) << name;
  }
}

TEST_F(StatisticsAgreementTest, ALabelsTextCannotEndIt) {
  StatisticsSnapshot snapshot;
  snapshot.upstreams.emplace_back().name = "a\"} 1\nevil 2\\";
  EXPECT_NE(RenderMetrics(snapshot).find("dotward_upstream_late_total{upstream=\"a\\\"} 1\\nevil 2\\\\\"} 0\n"),
            std::string::npos);
}

TEST_F(StatisticsAgreementTest, X16_WhatTheNetworkGivesIsNoLabel) {
  StatisticsSnapshot snapshot = SomeSnapshot();
  const size_t series = Series(RenderMetrics(snapshot)).size();
  for (unsigned char i = 0; i < 200; ++i) {
    UpstreamSnapshot& other = snapshot.upstreams.emplace_back();
    other.name = "b";  // an upstream whose host name has other addresses every minute
    other.endpoint = {IpAddress::V4({198, 51, 100, i}), 853};
    other.last_error = "\"} evil 1\n";
    other.tls_version = "TLS\"}";
  }
  const std::string text = RenderMetrics(snapshot);
  EXPECT_EQ(Series(text).size(), series);
  EXPECT_EQ(text.find("evil"), std::string::npos);
  EXPECT_EQ(text.find("198.51.100"), std::string::npos);
}

}  // namespace
}  // namespace dotward
