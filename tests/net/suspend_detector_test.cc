#include "net/suspend_detector.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(SuspendDetectorTest, TimeThatPassesAwakeIsNoSuspend) {
  SuspendDetector detector(seconds(100), seconds(90));
  EXPECT_FALSE(detector.Observe(seconds(100), seconds(90)));
  EXPECT_FALSE(detector.Observe(seconds(100) + hours(1000), seconds(90) + hours(1000)));
}

TEST(SuspendDetectorTest, SleepIsToldOnce) {
  SuspendDetector detector(seconds(100), seconds(100));
  EXPECT_TRUE(detector.Observe(seconds(110) + hours(8), seconds(110)));
  EXPECT_FALSE(detector.Observe(seconds(111) + hours(8), seconds(111)));
  EXPECT_TRUE(detector.Observe(seconds(111) + hours(9), seconds(111)));
}

TEST(SuspendDetectorTest, CountsWhatIsLongerThanTheLimit) {
  SuspendDetector detector(seconds(0), seconds(0));
  EXPECT_FALSE(detector.Observe(Limits::kSuspendMin, seconds(0)));
  EXPECT_TRUE(detector.Observe(2 * Limits::kSuspendMin + nanoseconds(1), seconds(0)));
}

// The two clocks are read one after the other.
TEST(SuspendDetectorTest, GapsBetweenTheReadingsDoNotAddUp) {
  SuspendDetector detector(seconds(0), seconds(0));
  for (int i = 1; i <= 20; ++i) EXPECT_FALSE(detector.Observe(milliseconds(900) * i, seconds(0)));
}

}  // namespace
}  // namespace dotward
