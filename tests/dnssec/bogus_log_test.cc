#include "dnssec/bogus_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

class BogusLogTest : public ::testing::Test {
 protected:
  BogusLogTest() { EXPECT_TRUE(OpenLog({.file = path_}).ok()); }
  ~BogusLogTest() override { EXPECT_TRUE(OpenLog({}).ok()); }

  void Add(EdeCode code, SteadyTime now) { log_.Add(Verdict::Bogus(code, "A secret.example.: why"), "quad9", now); }
  // Without their times.
  std::vector<std::string> Lines() const {
    FlushLog();
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line.substr(line.find(' ') + 1));
    return lines;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "log";
  BogusLog log_;
};

TEST_F(BogusLogTest, TheFirstIsToldAtOnceAndWhatFollowsOnceAMinuteWithItsNumber) {
  constexpr SteadyTime kNow{std::chrono::hours(1)};
  Add(dnssec_error::kSignatureNotYetValid, kNow);
  for (int i = 0; i < 1000; ++i) Add(dnssec_error::kBogus, kNow + std::chrono::milliseconds(i));
  Add(dnssec_error::kBogus, kNow + Limits::kLimitLogInterval - std::chrono::nanoseconds(1));
  const std::string event = "warning answers are bogus, so SERVFAIL is given instead times=";
  std::vector<std::string> expected = {event +
                                       "1 upstream=quad9 error=\"a signature is not valid yet; is the clock right?\""};
  EXPECT_EQ(Lines(), expected);
  Add(dnssec_error::kRrsigsMissing, kNow + Limits::kLimitLogInterval);
  expected.push_back(event + "1002 upstream=quad9 error=\"signatures are missing\"");
  EXPECT_EQ(Lines(), expected);
}

}  // namespace
}  // namespace dotward
