#include "admin/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include "base/strings.h"

namespace dotward {
namespace {

prometheus::MetricType TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

void SetHistogram(const DurationTotals& durations, prometheus::ClientMetric::Histogram& histogram) {
  histogram.sample_count = durations.count();
  histogram.sample_sum = static_cast<double>(durations.sum_nanoseconds) / 1e9;
  for (size_t i = 0; i < DurationTotals::kBounds.size(); ++i) {
    histogram.bucket.push_back({.cumulative_count = durations.count_up_to(i),
                                .upper_bound = std::chrono::duration<double>(DurationTotals::kBounds[i]).count()});
  }
  histogram.bucket.push_back(
      {.cumulative_count = histogram.sample_count, .upper_bound = std::numeric_limits<double>::infinity()});
}

prometheus::MetricFamily ToFamily(const Metric& metric, const StatisticsSnapshot& snapshot) {
  prometheus::MetricFamily family;
  family.name = metric.name;
  family.help = metric.help;
  family.type = TypeOf(metric.kind);
  for (const MetricSample& sample : metric.collect(snapshot)) {
    prometheus::ClientMetric& out = family.metric.emplace_back();
    for (size_t i = 0; i < metric.labels.size(); ++i) {
      out.label.push_back({std::string(metric.labels[i]), sample.labels.at(i)});
    }
    switch (metric.kind) {
      case MetricKind::kCounter:
        out.counter.value = sample.value;
        break;
      case MetricKind::kGauge:
        out.gauge.value = sample.value;
        break;
      case MetricKind::kHistogram:
        SetHistogram(sample.durations, out.histogram);
        break;
    }
  }
  return family;
}

std::string_view NameOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      break;
  }
  return "histogram";
}

}  // namespace

std::string RenderMetrics(const StatisticsSnapshot& snapshot) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(Metrics().size());
  for (const Metric& metric : Metrics()) families.push_back(ToFamily(metric, snapshot));
  return prometheus::TextSerializer().Serialize(families);
}

std::string RenderMetricRows() {
  std::string rows = "| metric | type | labels | means | in the JSON |\n| --- | --- | --- | --- | --- |\n";
  for (const Metric& metric : Metrics()) {
    std::string labels;
    for (const std::string_view label : metric.labels) StrAppend(&labels, labels.empty() ? "`" : ", `", label, "`");
    StrAppend(&rows, "| `", metric.name, "` | ", NameOf(metric.kind), " | ", labels, " | ", metric.help, " | ");
    StrAppend(&rows, metric.json.empty() ? "" : StrCat("`", metric.json, "`"), " |\n");
  }
  return rows;
}

}  // namespace dotward
