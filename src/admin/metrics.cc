#include "admin/metrics.h"

#include <charconv>
#include <cmath>

#include "base/strings.h"

// Written here and not by a library, because at ten scrapes a second this is most of what they cost.

namespace dotward {
namespace {

constexpr std::string_view kInfinity = "+Inf";

void AppendNumber(std::string& text, double number) {
  std::array<char, 32> digits;
  const bool whole = number >= 0 && number < 9e15 && number == std::floor(number);
  // The shortest digits that give the same number again.
  const auto end = whole ? std::to_chars(digits.begin(), digits.end(), static_cast<uint64_t>(number)).ptr
                         : std::to_chars(digits.begin(), digits.end(), number).ptr;
  text.append(digits.begin(), end);
}

void AppendLabel(std::string& text, bool first, std::string_view name, std::string_view value) {
  text += first ? '{' : ',';
  text.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  text += '"';
}

// One line: name, suffix, labels, number. `bound` is the "le" of a bucket.
void AppendSeries(std::string& text, const Metric& metric, std::string_view suffix, const MetricSample& sample,
                  double number, std::string_view bound = {}) {
  text.append(metric.name).append(suffix);
  for (size_t i = 0; i < metric.labels.size(); ++i) AppendLabel(text, i == 0, metric.labels[i], sample.labels[i]);
  if (!bound.empty()) AppendLabel(text, metric.labels.empty(), "le", bound);
  if (!metric.labels.empty() || !bound.empty()) text += '}';
  text += ' ';
  AppendNumber(text, number);
  text += '\n';
}

void AppendHistogram(std::string& text, const Metric& metric, const MetricSample& sample) {
  const DurationTotals& durations = sample.durations;
  uint64_t up_to = 0;
  for (size_t i = 0; i < DurationTotals::kBounds.size(); ++i) {
    up_to += durations.counts[i];
    AppendSeries(text, metric, "_bucket", sample, static_cast<double>(up_to), BoundText(DurationTotals::kBounds[i]));
  }
  const auto count = static_cast<double>(durations.count());
  AppendSeries(text, metric, "_bucket", sample, count, kInfinity);
  AppendSeries(text, metric, "_sum", sample, static_cast<double>(durations.sum_nanoseconds) / 1e9);
  AppendSeries(text, metric, "_count", sample, count);
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
  std::string text;
  text.reserve(size_t{32} << 10);
  for (const Metric& metric : Metrics()) {
    text.append("# HELP ").append(metric.name).append(" ").append(metric.help).append("\n# TYPE ");
    text.append(metric.name).append(" ").append(NameOf(metric.kind)).append("\n");
    for (const MetricSample& sample : metric.collect(snapshot)) {
      if (metric.kind == MetricKind::kHistogram) {
        AppendHistogram(text, metric, sample);
      } else {
        AppendSeries(text, metric, {}, sample, sample.value);
      }
    }
  }
  return text;
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
