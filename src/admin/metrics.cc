#include "admin/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <map>
#include <utility>

namespace dotward {
namespace {

using Samples = std::vector<MetricSample>;
using Snapshot = StatisticsSnapshot;

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Samples One(uint64_t value) { return {{.labels = {}, .value = static_cast<double>(value)}}; }

template <uint64_t ResponseCache::Statistics::*Field>
Samples OfCache(const Snapshot& snapshot) {
  return One(snapshot.cache.*Field);
}

template <uint64_t UdpTotals::*Field>
Samples OfUdp(const Snapshot& snapshot) {
  return One(snapshot.udp.*Field);
}

template <uint64_t StreamTotals::*Field>
Samples OfStreams(const Snapshot& snapshot) {
  return One(snapshot.streams.*Field);
}

// One sample for each count of the group that `names` has, in the order of `names`.
template <size_t N>
Samples Pick(const NamedCounts& group, const std::array<std::string_view, N>& names) {
  Samples samples;
  for (const NamedCount& count : group) {
    for (const std::string_view name : names) {
      if (name == count.name) samples.push_back({.labels = {std::string(name)}, .value = double(count.value)});
    }
  }
  return samples;
}

uint64_t ValueOf(const NamedCounts& group, std::string_view name) {
  for (const NamedCount& count : group) {
    if (name == count.name) return count.value;
  }
  return 0;
}

// The sum over the addresses of each upstream: host names may have others every minute, and what the network gives must
// not make series.
template <typename Value>
Samples PerUpstream(const Snapshot& snapshot, Value value) {
  Samples samples;
  std::map<std::string_view, size_t> places;
  for (const UpstreamSnapshot& upstream : snapshot.upstreams) {
    const auto [place, is_new] = places.try_emplace(upstream.name, samples.size());
    if (is_new) samples.push_back({.labels = {upstream.name}});
    samples[place->second].value += static_cast<double>(value(upstream));
  }
  return samples;
}

template <uint64_t UpstreamSnapshot::*Field>
Samples OfUpstreams(const Snapshot& snapshot) {
  return PerUpstream(snapshot, [](const UpstreamSnapshot& upstream) { return upstream.*Field; });
}

// --- the metrics that need more than one field ---

Samples BuildInfo(const Snapshot& /*snapshot*/) { return {{.labels = {DOTWARD_VERSION}, .value = 1}}; }

Samples StartTime(const Snapshot& snapshot) {
  return {{.labels = {}, .value = Seconds(snapshot.at.time_since_epoch()) - Seconds(snapshot.uptime)}};
}

Samples Queries(const Snapshot& snapshot) {
  return Pick(snapshot.queries, std::to_array<std::string_view>({"udp", "tcp", "tls"}));
}

Samples Outcomes(const Snapshot& snapshot) {
  return Pick(snapshot.queries,
              std::to_array<std::string_view>({"hits", "forwarded", "local", "refused", "dropped", "malformed"}));
}

Samples Replies(const Snapshot& snapshot) {
  return Pick(snapshot.replies, std::to_array<std::string_view>({"noerror", "nxdomain", "servfail", "other"}));
}

Samples Truncated(const Snapshot& snapshot) { return One(ValueOf(snapshot.replies, "truncated")); }

Samples CacheSize(const Snapshot& snapshot) { return One(snapshot.cache_octets_max); }

Samples Connections(const Snapshot& snapshot) { return OfUpstreams<&UpstreamSnapshot::connections_open>(snapshot); }

Samples Handshakes(const Snapshot& snapshot) {
  Samples samples = OfUpstreams<&UpstreamSnapshot::handshakes_full>(snapshot);
  for (MetricSample& sample : samples) sample.labels.emplace_back("false");
  for (MetricSample& sample : OfUpstreams<&UpstreamSnapshot::handshakes_resumed>(snapshot)) {
    sample.labels.emplace_back("true");
    samples.push_back(std::move(sample));
  }
  return samples;
}

const auto& Table() {
  using Cache = ResponseCache::Statistics;
  static const auto kTable = std::to_array<Metric>({
      {"dotward_build_info", kGauge, "Always 1; which version runs.", {"version"}, "", BuildInfo},
      {"dotward_start_time_seconds", kGauge, "When the process began, in seconds since 1970.", {}, "", StartTime},

      {"dotward_queries_total", kCounter, "Queries received.", {"transport"}, "/queries/{transport}", Queries},
      {"dotward_query_outcomes_total",
       kCounter,
       "Queries by how they ended; the sum is that of the queries.",
       {"outcome"},
       "/queries/{outcome}",
       Outcomes},
      {"dotward_responses_total", kCounter, "Replies sent to clients.", {"rcode"}, "/replies/{rcode}", Replies},
      {"dotward_responses_truncated_total",
       kCounter,
       "Of the replies, those with TC set.",
       {},
       "/replies/truncated",
       Truncated},

      {"dotward_cache_hits_total", kCounter, "Lookups that found an answer.", {}, "/cache/hits", OfCache<&Cache::hits>},
      {"dotward_cache_misses_total",
       kCounter,
       "Lookups that found none.",
       {},
       "/cache/misses",
       OfCache<&Cache::misses>},
      {"dotward_cache_insertions_total",
       kCounter,
       "Answers stored.",
       {},
       "/cache/insertions",
       OfCache<&Cache::insertions>},
      {"dotward_cache_evictions_total",
       kCounter,
       "Live answers that had to go for space.",
       {},
       "/cache/evictions",
       OfCache<&Cache::evictions>},
      {"dotward_cache_expired_total",
       kCounter,
       "Answers removed because their time was over.",
       {},
       "/cache/expired",
       OfCache<&Cache::expired>},
      {"dotward_cache_entries", kGauge, "Answers stored now.", {}, "/cache/entries", OfCache<&Cache::entries>},
      {"dotward_cache_bytes", kGauge, "Memory that the cache takes now.", {}, "/cache/bytes", OfCache<&Cache::octets>},
      {"dotward_cache_size_bytes", kGauge, "Memory that the cache may take: cache.size.", {}, "/cache/size", CacheSize},

      {"dotward_upstream_queries_total",
       kCounter,
       "Queries put to the upstream.",
       {"upstream"},
       "/upstreams/{upstream}/queries",
       OfUpstreams<&UpstreamSnapshot::queries>},
      {"dotward_upstream_failures_total",
       kCounter,
       "Of these, those that it did not answer usably.",
       {"upstream"},
       "/upstreams/{upstream}/failed",
       OfUpstreams<&UpstreamSnapshot::failed>},
      {"dotward_upstream_retries_total",
       kCounter,
       "Queries sent once more because their connection was lost.",
       {"upstream"},
       "/upstreams/{upstream}/retried",
       OfUpstreams<&UpstreamSnapshot::retried>},
      {"dotward_upstream_hedges_total",
       kCounter,
       "Of the queries, those of which an earlier server was late.",
       {"upstream"},
       "/upstreams/{upstream}/hedges",
       OfUpstreams<&UpstreamSnapshot::hedges>},
      {"dotward_upstream_connections",
       kGauge,
       "Connections that are open.",
       {"upstream"},
       "/upstreams/{upstream}/connections",
       Connections},
      {"dotward_upstream_tls_handshakes_total",
       kCounter,
       "TLS handshakes, in full or by resuming a session.",
       {"upstream", "resumed"},
       "",
       Handshakes},
  });
  return kTable;
}

// --- to the library's model and on to text ---

prometheus::MetricFamily ToFamily(const Metric& metric, const Snapshot& snapshot) {
  prometheus::MetricFamily family;
  family.name = metric.name;
  family.help = metric.help;
  family.type = metric.kind == MetricKind::kCounter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  for (const MetricSample& sample : metric.collect(snapshot)) {
    prometheus::ClientMetric& out = family.metric.emplace_back();
    for (size_t i = 0; i < metric.labels.size(); ++i) {
      out.label.push_back({std::string(metric.labels[i]), sample.labels.at(i)});
    }
    if (metric.kind == MetricKind::kCounter) {
      out.counter.value = sample.value;
    } else {
      out.gauge.value = sample.value;
    }
  }
  return family;
}

}  // namespace

std::span<const Metric> Metrics() { return Table(); }

std::string RenderMetrics(const StatisticsSnapshot& snapshot) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(Metrics().size());
  for (const Metric& metric : Metrics()) families.push_back(ToFamily(metric, snapshot));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace dotward
