#include "base/units.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "base/strings.h"

namespace dotward {
namespace {

struct Unit {
  std::string_view suffix;
  uint64_t factor;
};

constexpr std::array kDurationUnits = {Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000},
                                       Unit{"d", 86'400'000}};
constexpr std::array kSizeUnits = {Unit{"", 1}, Unit{"KiB", 1ULL << 10}, Unit{"MiB", 1ULL << 20},
                                   Unit{"GiB", 1ULL << 30}};
constexpr uint64_t kDurationMillisecondsMax = 36'500ULL * 86'400'000;
constexpr uint64_t kSizeOctetsMax = 1ULL << 50;

// The number in `text` times its unit's factor, or nullopt where it is not one or exceeds `max`.
std::optional<uint64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units, uint64_t max) {
  uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view suffix(rest, static_cast<size_t>(text.data() + text.size() - rest));
  for (const Unit& unit : units) {
    if (unit.suffix == suffix && number <= max / unit.factor) return number * unit.factor;
  }
  return std::nullopt;
}

std::string FormatWithUnit(uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) best = &unit;
  }
  return StrCat(value / best->factor, best->suffix);
}

}  // namespace

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  const auto milliseconds = ParseWithUnit(text, kDurationUnits, kDurationMillisecondsMax);
  if (!milliseconds) {
    return absl::InvalidArgumentError(
        StrCat("\"", text, "\" is not a duration; write a whole number and a unit: 250ms, 5s, 10m, 1h, 1d"));
  }
  return Duration(std::chrono::milliseconds(*milliseconds));
}

std::string FormatDuration(Duration duration) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (milliseconds == 0) return "0s";
  return FormatWithUnit(static_cast<uint64_t>(milliseconds), kDurationUnits);
}

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  const auto octets = ParseWithUnit(text, kSizeUnits, kSizeOctetsMax);
  if (!octets) {
    return absl::InvalidArgumentError(
        StrCat("\"", text, "\" is not a size; write a whole number and a unit: 512, 64KiB, 256MiB, 1GiB"));
  }
  return *octets;
}

std::string FormatSize(uint64_t octets) { return FormatWithUnit(octets, kSizeUnits); }

}  // namespace dotward
