#include "base/units.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

using std::chrono::milliseconds;

TEST(ParseDurationTest, ReadsEveryUnit) {
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("5s"), milliseconds(5'000));
  EXPECT_EQ(*ParseDuration("10m"), milliseconds(600'000));
  EXPECT_EQ(*ParseDuration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(*ParseDuration("1d"), milliseconds(86'400'000));
  EXPECT_EQ(*ParseDuration("0s"), milliseconds(0));
}

TEST(ParseDurationTest, RefusesWhatIsNotANumberAndAUnit) {
  for (const char* text :
       {"", "5", "s", "5 s", " 5s", "-5s", "5.5s", "5sec", "1h30m", "99999999999999999999s", "40000d"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(FormatDurationTest, IsReadBackAsTheSame) {
  for (const char* text : {"0s", "1ms", "1500ms", "90s", "2m", "36h", "1d"}) {
    EXPECT_EQ(FormatDuration(*ParseDuration(text)), text);
  }
}

TEST(ParseSizeTest, ReadsBinaryUnits) {
  EXPECT_EQ(*ParseSize("512"), 512U);
  EXPECT_EQ(*ParseSize("64KiB"), 65'536U);
  EXPECT_EQ(*ParseSize("256MiB"), 268'435'456U);
  EXPECT_EQ(*ParseSize("1GiB"), 1'073'741'824U);
}

TEST(ParseSizeTest, RefusesDecimalUnitsAndOverflow) {
  for (const char* text : {"", "64KB", "64k", "1.5GiB", "MiB", "-1", "99999999999GiB"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

}  // namespace
}  // namespace dotward
