#include "base/duration_histogram.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

DurationTotals TotalsOf(std::initializer_list<Duration> durations) {
  DurationHistogram histogram;
  for (const Duration duration : durations) histogram.Add(duration);
  DurationTotals totals;
  AddTo(totals, histogram);
  return totals;
}

TEST(DurationHistogramTest, ABoundBelongsToWhatLiesBelowIt) {
  const Duration bound = DurationTotals::kBounds[3];
  EXPECT_EQ(TotalsOf({bound}).counts[3], 1U);
  EXPECT_EQ(TotalsOf({bound - nanoseconds(1)}).counts[3], 1U);
  EXPECT_EQ(TotalsOf({bound + nanoseconds(1)}).counts[4], 1U);
}

TEST(DurationHistogramTest, NothingIsTooShortOrTooLong) {
  const DurationTotals totals = TotalsOf({Duration::zero(), nanoseconds(-5), seconds(5), seconds(6), Duration::max()});
  EXPECT_EQ(totals.counts.front(), 2U);
  EXPECT_EQ(totals.counts[DurationTotals::kBounds.size() - 1], 1U);
  EXPECT_EQ(totals.counts.back(), 2U);
  EXPECT_EQ(totals.count(), 5U);
}

TEST(DurationHistogramTest, CountsUpToABoundAreThoseOfAllBoundsBelow) {
  const DurationTotals totals = TotalsOf({nanoseconds(1), std::chrono::milliseconds(1), seconds(1), seconds(60)});
  EXPECT_EQ(totals.count_up_to(0), 1U);
  EXPECT_EQ(totals.count_up_to(3), 2U);
  EXPECT_EQ(totals.count_up_to(12), 3U);
  EXPECT_EQ(totals.count_up_to(14), 3U);
  EXPECT_EQ(totals.sum_nanoseconds, 61'001'000'001U);
}

TEST(DurationHistogramTest, SumsOfSeveralAreAddedUp) {
  DurationTotals all = TotalsOf({seconds(1)});
  AddTo(all, TotalsOf({seconds(1), seconds(2)}));
  EXPECT_EQ(all.count(), 3U);
  EXPECT_EQ(all.sum_nanoseconds, 4'000'000'000U);
}

}  // namespace
}  // namespace dotward
