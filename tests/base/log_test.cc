#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "base/limit_log.h"
#include "base/strings.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

// The process has one log; each test sends it to a file of its own, and has it flushed first and last.
class LogTest : public ::testing::Test {
 protected:
  LogTest() { FlushLog(); }
  ~LogTest() override { EXPECT_TRUE(OpenLog({}).ok()); }

  std::string Path() const { return folder_ / "log"; }
  void Open(LogFormat format, LogLevel level = LogLevel::kInfo) {
    ASSERT_TRUE(OpenLog({.level = level, .format = format, .file = Path()}).ok());
  }
  std::string Written() const {
    std::ostringstream text;
    text << std::ifstream(Path()).rdbuf();
    return text.str();
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::istringstream text(Written());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  const TemporaryFolder folder_;
};

constexpr char kTextTime[] = "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z ";

TEST_F(LogTest, TextIsTimeLevelEventAndFields) {
  Open(LogFormat::kText);
  Log(LogLevel::kWarning, "something happened", {{"upstream", "lab"}, {"error", "no \"route\""}, {"count", 3U}});
  ASSERT_EQ(Lines().size(), 1U);
  EXPECT_THAT(Lines()[0], MatchesRegex(StrCat(kTextTime,
                                              "warning something happened upstream=lab "
                                              "error=\"no .\"route.\"\" count=3")));
}

TEST_F(LogTest, JsonIsOneObjectALineWithNumbersAsNumbers) {
  Open(LogFormat::kJson);
  Log(LogLevel::kInfo, "something happened", {{"error", "a\nb\x01"}, {"count", 3U}});
  ASSERT_EQ(Lines().size(), 1U);
  EXPECT_THAT(Lines()[0], HasSubstr(R"("level":"info","event":"something happened","error":"a\nb\u0001","count":3})"));
}

TEST_F(LogTest, EventsBelowTheLevelAreNotWritten) {
  Open(LogFormat::kText, LogLevel::kWarning);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  Log(LogLevel::kInfo, "unimportant");
  EXPECT_EQ(Written(), "");
}

TEST_F(LogTest, RepeatsAreToldAsOneLineInText) {
  Open(LogFormat::kText);
  for (int i = 0; i < 42; ++i) Log(LogLevel::kInfo, "again", {{"upstream", "lab"}});
  EXPECT_EQ(Lines().size(), 1U);
  FlushLog();
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_THAT(Lines()[1], HasSubstr("info    last message repeated 41 times: again upstream=lab"));
}

TEST_F(LogTest, RepeatsKeepEventAndFieldsInJson) {
  Open(LogFormat::kJson);
  const uint64_t before = LogTotals().lines_folded;
  for (int i = 0; i < 42; ++i) Log(LogLevel::kInfo, "again", {{"upstream", "lab"}});
  EXPECT_EQ(LogTotals().lines_folded - before, 41U);
  FlushLog();
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_THAT(Lines()[1], HasSubstr(R"("event":"again","upstream":"lab","repeated":41})"));
}

TEST_F(LogTest, OtherFieldsAreAnotherEvent) {
  Open(LogFormat::kText);
  Log(LogLevel::kInfo, "again", {{"upstream", "a"}});
  Log(LogLevel::kInfo, "again", {{"upstream", "b"}});
  EXPECT_EQ(Lines().size(), 2U);
}

TEST_F(LogTest, BlockThatWasAskedForIsNeverFolded) {
  Open(LogFormat::kText);
  LogBlock(LogLevel::kInfo, "statistics", "one\ntwo\n");
  LogBlock(LogLevel::kInfo, "statistics", "one\ntwo\n");
  EXPECT_EQ(Lines().size(), 6U);
}

TEST_F(LogTest, LostLinesAreToldWithTheNextThatIsWritten) {
  ASSERT_TRUE(OpenLog({.file = "/dev/full"}).ok());
  const uint64_t before = LogTotals().lines_lost;
  Log(LogLevel::kInfo, "lost one");
  Log(LogLevel::kInfo, "lost two");
  EXPECT_EQ(LogTotals().lines_lost - before, 2U);
  Open(LogFormat::kText);
  Log(LogLevel::kInfo, "written");
  EXPECT_THAT(Written(), HasSubstr("info    written"));
  EXPECT_THAT(Written(), HasSubstr("error   lines of the log could not be written lines=2"));
  Log(LogLevel::kInfo, "written too");
  EXPECT_EQ(Lines().size(), 3U);
}

TEST_F(LogTest, ReopensAfterARotation) {
  Open(LogFormat::kText);
  Log(LogLevel::kInfo, "before");
  std::filesystem::rename(Path(), Path() + ".1");
  ASSERT_TRUE(ReopenLog().ok());
  Log(LogLevel::kInfo, "after");
  EXPECT_THAT(Written(), HasSubstr("after"));
  EXPECT_THAT(Written(), Not(HasSubstr("before")));
}

TEST_F(LogTest, LinesOfManyThreadsStayWholeAndNoneIsLost) {
  Open(LogFormat::kJson);
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      for (uint64_t i = 0; i < 500; ++i) Log(LogLevel::kInfo, "busy", {{"number", thread * 1000 + i % 250}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  FlushLog();
  uint64_t events = 0;
  for (const std::string& line : Lines()) {
    ASSERT_TRUE(line.starts_with("{\"time\":") && line.ends_with("}")) << line;
    const size_t repeated = line.find("\"repeated\":");
    events += repeated == std::string::npos ? 1 : std::stoul(line.substr(repeated + 11));
  }
  EXPECT_EQ(events, 2000U);
}

TEST_F(LogTest, A6_LimitedClientIsToldAtOnceAndThenCounted) {
  Open(LogFormat::kText);
  const SteadyTime now = std::chrono::steady_clock::now();
  const IpPrefix client{IpAddress::V4({192, 0, 2, 7}), 32};
  for (int i = 0; i < 1000; ++i) LogLimited(LimitReason::kWaitingOfClient, client, now);
  ASSERT_EQ(Lines().size(), 1U);
  EXPECT_THAT(Lines()[0], HasSubstr("warning client waits for too many answers"));
  EXPECT_THAT(Lines()[0], HasSubstr("client=192.0.2.7 times=1 clients=1"));
  FlushLog();
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_THAT(Lines()[1], HasSubstr("client=192.0.2.7 times=999 clients=1"));
}

TEST_F(LogTest, A6_ClientThatIsAPrefixIsNamedAsOne) {
  Open(LogFormat::kText);
  const auto address = IpAddress::Parse("2001:db8:0:100::");
  LogLimited(LimitReason::kConnectionsClient, {*address, 56}, std::chrono::steady_clock::now());
  EXPECT_THAT(Written(), HasSubstr("client has too many connections client=2001:db8:0:100::/56"));
}

}  // namespace
}  // namespace dotward
