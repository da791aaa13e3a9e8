#ifndef DOTWARD_ADMIN_METRICS_H_
#define DOTWARD_ADMIN_METRICS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/statistics.h"
#include "base/duration_histogram.h"

namespace dotward {

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };

// One value of a metric. The labels stand in the order of Metric::labels; their values are words of ours or of the
// configuration, never a client's, a name's or a server's; those of the configuration are the snapshot's.
struct MetricSample {
  std::array<std::string_view, 2> labels;
  double value = 0;
  DurationTotals durations = {};  // of a histogram, instead
};

// One metric as Prometheus sees it.
struct Metric {
  std::string_view name;
  MetricKind kind = MetricKind::kCounter;
  std::string_view help;                 // one sentence
  std::vector<std::string_view> labels;  // at most two
  // Where the JSON has the same values, label values (in lower case, where the JSON has them so) in braces:
  // "/queries/{end}". Of what the JSON has for each server address, "/upstreams/{upstream}/…", the metric is the sum
  // for the upstream. Empty where the JSON has it in another form.
  std::string_view json;
  std::vector<MetricSample> (*collect)(const StatisticsSnapshot&) = nullptr;
};

// Every metric there is; the table is in metrics_table.cc.
std::span<const Metric> Metrics();

// Prometheus's text format, version 0.0.4.
std::string RenderMetrics(const StatisticsSnapshot& snapshot);
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// The table of docs/metrics.md.
std::string RenderMetricRows();

}  // namespace dotward

#endif  // DOTWARD_ADMIN_METRICS_H_
