#include "resolver/query_statistics.h"

namespace dotward {
namespace {

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

std::string NameOfTypePlace(size_t place) {
  return place < kCountedTypes.size() ? TypeToString(kCountedTypes[place]) : "other";
}

size_t PlaceOfRcode(Rcode rcode) {
  if (rcode == Rcode::kBadVers) return kBadVersPlace;
  const auto number = static_cast<size_t>(rcode);
  return number < kBadVersPlace ? number : kOtherRcodePlace;
}

std::string NameOfRcodePlace(size_t place) {
  if (place == kOtherRcodePlace) return "other";
  return RcodeToString(place == kBadVersPlace ? Rcode::kBadVers : static_cast<Rcode>(place));
}

void AddTo(QueryTotals& total, const QueryStatistics& part) {
  for (size_t i = 0; i < total.queries.size(); ++i) AddEach(total.queries[i], part.queries[i]);
  AddEach(total.ends, part.ends);
  AddEach(total.replies, part.replies);
  total.replies_truncated += part.replies_truncated.value();
  for (size_t i = 0; i < total.durations.size(); ++i) AddTo(total.durations[i], part.durations[i]);
}

}  // namespace dotward
