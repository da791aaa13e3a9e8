#ifndef DOTWARD_ADMIN_METRICS_H_
#define DOTWARD_ADMIN_METRICS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/statistics.h"

namespace dotward {

enum class MetricKind : uint8_t { kCounter, kGauge };

// One value of a metric. The labels stand in the order of Metric::labels; their values are words of ours or of the
// configuration, never a client's, a name's or a server's.
struct MetricSample {
  std::vector<std::string> labels;
  double value = 0;
};

// One metric as Prometheus sees it. docs/metrics.md is made from the table.
struct Metric {
  std::string_view name;
  MetricKind kind = MetricKind::kCounter;
  std::string_view help;  // one sentence
  std::vector<std::string_view> labels;
  // Where the JSON has the same values, label values in braces: "/queries/{outcome}". Of what the JSON has for each
  // server address, the metric is the sum for the upstream. Empty where it has them not.
  std::string_view json;
  std::vector<MetricSample> (*collect)(const StatisticsSnapshot&) = nullptr;
};

std::span<const Metric> Metrics();

// Prometheus's text format, version 0.0.4: every metric of the table.
std::string RenderMetrics(const StatisticsSnapshot& snapshot);
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace dotward

#endif  // DOTWARD_ADMIN_METRICS_H_
