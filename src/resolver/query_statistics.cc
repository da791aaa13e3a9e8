#include "resolver/query_statistics.h"

#include <string>

namespace dotward {
namespace {

constexpr std::string_view kOther = "other";
constexpr size_t kBadVersPlace = 11;
constexpr size_t kOtherRcodePlace = kRcodePlaces - 1;
constexpr size_t kOtherTypePlace = kTypePlaces - 1;

// The place of each type in one octet: there is no type that is counted by itself above 511.
constexpr auto kPlaces = [] {
  std::array<uint8_t, 512> places{};
  places.fill(kOtherTypePlace);
  for (size_t i = 0; i < kCountedTypes.size(); ++i) places[kCountedTypes[i]] = static_cast<uint8_t>(i);
  return places;
}();

template <size_t N>
void AddEach(std::array<uint64_t, N>& total, const std::array<Counter, N>& part) {
  for (size_t i = 0; i < N; ++i) total[i] += part[i].value();
}

}  // namespace

size_t PlaceOfType(uint16_t type) { return type < kPlaces.size() ? kPlaces[type] : kOtherTypePlace; }

std::string_view NameOfTypePlace(size_t place) {
  static const auto kNames = [] {
    std::array<std::string, kTypePlaces> names;
    for (size_t i = 0; i < kCountedTypes.size(); ++i) names[i] = TypeToString(kCountedTypes[i]);
    names[kOtherTypePlace] = kOther;
    return names;
  }();
  return kNames[place];
}

size_t PlaceOfRcode(Rcode rcode) {
  if (rcode == Rcode::kBadVers) return kBadVersPlace;
  const auto number = static_cast<size_t>(rcode);
  return number < kBadVersPlace ? number : kOtherRcodePlace;
}

std::string_view NameOfRcodePlace(size_t place) {
  static const auto kNames = [] {
    std::array<std::string, kRcodePlaces> names;
    for (size_t i = 0; i < kBadVersPlace; ++i) names[i] = RcodeToString(static_cast<Rcode>(i));
    names[kBadVersPlace] = RcodeToString(Rcode::kBadVers);
    names[kOtherRcodePlace] = kOther;
    return names;
  }();
  return kNames[place];
}

void AddTo(QueryTotals& total, const QueryStatistics& part) {
  for (size_t i = 0; i < total.queries.size(); ++i) AddEach(total.queries[i], part.queries[i]);
  AddEach(total.ends, part.ends);
  total.waiting += part.waiting.value();
  AddEach(total.replies, part.replies);
  total.replies_truncated += part.replies_truncated.value();
  for (size_t i = 0; i < total.durations.size(); ++i) AddTo(total.durations[i], part.durations[i]);
}

}  // namespace dotward
