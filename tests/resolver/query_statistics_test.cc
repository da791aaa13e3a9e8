#include "resolver/query_statistics.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "resolver/batch_clock.h"

namespace dotward {
namespace {

using std::chrono::microseconds;

TEST(QueryStatisticsTest, WhatClientsSendMakesNoNewPlaces) {
  std::set<size_t> places;
  for (unsigned type = 0; type <= 0xFFFF; ++type) places.insert(PlaceOfType(static_cast<uint16_t>(type)));
  EXPECT_EQ(places.size(), kTypePlaces);
  EXPECT_EQ(*places.rbegin(), kTypePlaces - 1);
  EXPECT_EQ(PlaceOfType(0), kTypePlaces - 1);
  EXPECT_EQ(PlaceOfType(rr_type::kAxfr), kTypePlaces - 1);
  std::set<size_t> rcodes;
  for (unsigned rcode = 0; rcode <= 0xFFF; ++rcode) rcodes.insert(PlaceOfRcode(static_cast<Rcode>(rcode)));
  EXPECT_EQ(rcodes.size(), kRcodePlaces);
  EXPECT_EQ(*rcodes.rbegin(), kRcodePlaces - 1);
}

TEST(QueryStatisticsTest, EveryPlaceHasItsName) {
  for (const uint16_t type : kCountedTypes) EXPECT_EQ(NameOfTypePlace(PlaceOfType(type)), TypeToString(type));
  EXPECT_EQ(NameOfTypePlace(PlaceOfType(rr_type::kHttps)), "HTTPS");
  EXPECT_EQ(NameOfTypePlace(PlaceOfType(65280)), "other");
  EXPECT_EQ(NameOfRcodePlace(PlaceOfRcode(Rcode::kNxDomain)), "NXDOMAIN");
  EXPECT_EQ(NameOfRcodePlace(PlaceOfRcode(Rcode::kBadVers)), "BADVERS");
  for (const unsigned rcode : {11U, 15U, 17U, 4095U}) {
    EXPECT_EQ(NameOfRcodePlace(PlaceOfRcode(static_cast<Rcode>(rcode))), "other") << rcode;
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < kRcodePlaces; ++i) names.insert(NameOfRcodePlace(i));
  EXPECT_EQ(names.size(), kRcodePlaces);
}

TEST(QueryStatisticsTest, AWorkersCountersShareNoCacheLineWithAnothers) {
  EXPECT_GE(alignof(QueryStatistics), 64U);
  EXPECT_EQ(sizeof(QueryStatistics) % 64, 0U);
}

TEST(QueryStatisticsTest, SumsAreOverAllWorkers) {
  const auto first = std::make_unique<QueryStatistics>();
  const auto second = std::make_unique<QueryStatistics>();
  for (QueryStatistics* worker : {first.get(), second.get()}) {
    CountQuery(*worker, Transport::kTcp, rr_type::kMx);
    CountReply(*worker, AnswerSource::kLocal, Rcode::kRefused, microseconds(3));
    worker->of(QueryEnd::kLocal).Add();
    worker->replies_truncated.Add();
  }
  QueryTotals totals;
  AddTo(totals, *first);
  AddTo(totals, *second);
  EXPECT_EQ(totals.queries[1][PlaceOfType(rr_type::kMx)], 2U);
  EXPECT_EQ(totals.of(QueryEnd::kLocal), 2U);
  EXPECT_EQ(totals.of(Rcode::kRefused), 2U);
  EXPECT_EQ(totals.replies_truncated, 2U);
  EXPECT_EQ(totals.durations[static_cast<size_t>(AnswerSource::kLocal)].count(), 2U);
  EXPECT_EQ(totals.durations[static_cast<size_t>(AnswerSource::kLocal)].sum_nanoseconds, 6000U);
}

class CountingClock final : public Clock {
 public:
  SteadyTime Now() const override { return SteadyTime(microseconds(++readings)); }
  WallTime WallNow() const override { return {}; }
  mutable int readings = 0;
};

TEST(BatchClockTest, RepliesToOneBatchShareReadings) {
  const CountingClock clock;
  BatchClock batch(clock);
  const SteadyTime received{microseconds(1)};
  for (unsigned i = 0; i < 3 * BatchClock::kRepliesPerReading; ++i) batch.Now(received);
  EXPECT_EQ(clock.readings, 3);
}

TEST(BatchClockTest, ANewBatchHasAReadingOfItsOwn) {
  const CountingClock clock;
  BatchClock batch(clock);
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(batch.Now(SteadyTime(microseconds(1000 + i))), SteadyTime(microseconds(i)));
}

}  // namespace
}  // namespace dotward
