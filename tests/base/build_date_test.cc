#include "base/build_date.h"

#include <gtest/gtest.h>

namespace dotward {
namespace {

TEST(BuildDateTest, IsBetweenTheFirstVersionAndNow) {
  EXPECT_GT(BuildDate(), WallTime(std::chrono::seconds(1'735'689'600)));  // 2025-01-01
  EXPECT_LE(BuildDate(), std::chrono::system_clock::now());
}

}  // namespace
}  // namespace dotward
