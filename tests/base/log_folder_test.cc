#include "base/log_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/strings.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogFolderTest : public ::testing::Test {
 protected:
  bool Admit(std::string_view line, LogLevel level = LogLevel::kInfo) {
    std::vector<LogFolder::Summary> due;
    const bool admitted = folder_.Admit(level, line, clock_.Now(), due);
    Note(due);
    return admitted;
  }
  std::vector<std::string> Due() {
    std::vector<LogFolder::Summary> due;
    folder_.TakeDue(clock_.Now(), due);
    told_.clear();
    Note(due);
    return told_;
  }
  std::vector<std::string> Rest() {
    std::vector<LogFolder::Summary> due;
    folder_.TakeAll(due);
    told_.clear();
    Note(due);
    return told_;
  }

  ManualClock clock_;
  LogFolder folder_;
  std::vector<std::string> told_;

 private:
  void Note(const std::vector<LogFolder::Summary>& due) {
    for (const LogFolder::Summary& summary : due) told_.push_back(StrCat(summary.line, " ×", summary.repeats));
  }
};

TEST_F(LogFolderTest, FirstLineIsWrittenAtOnceAndItsRepeatsAreCounted) {
  EXPECT_TRUE(Admit("a"));
  for (int i = 0; i < 41; ++i) EXPECT_FALSE(Admit("a"));
  EXPECT_THAT(told_, IsEmpty());
  clock_.Advance(Limits::kLogFoldFirst - milliseconds(1));
  EXPECT_THAT(Due(), IsEmpty());
  clock_.Advance(milliseconds(1));
  EXPECT_THAT(Due(), ElementsAre("a ×41"));
}

TEST_F(LogFolderTest, NothingIsDueWhileNothingIsRepeated) {
  EXPECT_EQ(folder_.NextDue(), std::nullopt);
  Admit("a");
  EXPECT_EQ(folder_.NextDue(), std::nullopt);
  Admit("a");
  EXPECT_EQ(folder_.NextDue(), clock_.Now() + Limits::kLogFoldFirst);
  clock_.Advance(Limits::kLogFoldFirst);
  Due();
  EXPECT_EQ(folder_.NextDue(), std::nullopt);
}

TEST_F(LogFolderTest, WhatGoesOnIsToldOnceAMinute) {
  Admit("a");
  Admit("a");
  clock_.Advance(Limits::kLogFoldFirst);
  EXPECT_THAT(Due(), ElementsAre("a ×1"));
  for (int second = 0; second < 59; ++second) {
    EXPECT_FALSE(Admit("a"));
    clock_.Advance(seconds(1));
    EXPECT_THAT(Due(), IsEmpty());
  }
  clock_.Advance(seconds(1));
  EXPECT_THAT(Due(), ElementsAre("a ×59"));
}

TEST_F(LogFolderTest, LineThatWasNotRepeatedForAWhileIsNewsAgain) {
  Admit("a");
  clock_.Advance(Limits::kLogFoldFirst);
  EXPECT_TRUE(Admit("a"));
  Admit("a");
  clock_.Advance(Limits::kLogFoldFirst);
  EXPECT_THAT(Due(), ElementsAre("a ×1"));
  clock_.Advance(Limits::kLogFoldNext);
  EXPECT_TRUE(Admit("a"));
}

// Two upstreams that fail in turn are as little news as one.
TEST_F(LogFolderTest, OtherLinesBetweenDoNotMatter) {
  EXPECT_TRUE(Admit("a"));
  EXPECT_TRUE(Admit("b"));
  EXPECT_FALSE(Admit("a"));
  EXPECT_FALSE(Admit("b"));
  EXPECT_FALSE(Admit("a"));
  clock_.Advance(Limits::kLogFoldFirst);
  EXPECT_THAT(Due(), ElementsAre("a ×2", "b ×1"));
}

TEST_F(LogFolderTest, AnotherLevelIsAnotherLine) {
  EXPECT_TRUE(Admit("a", LogLevel::kInfo));
  EXPECT_TRUE(Admit("a", LogLevel::kWarning));
}

TEST_F(LogFolderTest, SummaryThatIsLateStandsBeforeTheNextLine) {
  Admit("a");
  Admit("a");
  clock_.Advance(Limits::kLogFoldFirst * 3);
  EXPECT_TRUE(Admit("b"));
  EXPECT_THAT(told_, ElementsAre("a ×1"));
}

TEST_F(LogFolderTest, TheLastIsNotLostAtTheEnd) {
  Admit("a");
  Admit("a");
  Admit("b");
  EXPECT_THAT(Rest(), ElementsAre("a ×1"));
  EXPECT_EQ(folder_.NextDue(), std::nullopt);
  EXPECT_EQ(folder_.remembered(), 0U);
}

TEST_F(LogFolderTest, RememberedLinesAreBoundedAndWhatIsOwedForThemIsTold) {
  Admit("owed");
  Admit("owed");
  for (size_t i = 0; i < 2 * Limits::kLogFoldedLinesMax; ++i) {
    EXPECT_TRUE(Admit(StrCat("line ", i)));
    EXPECT_LE(folder_.remembered(), Limits::kLogFoldedLinesMax);
  }
  // Lines of which nothing is owed go first.
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_FALSE(Admit("owed"));
  for (size_t i = 0; i < 2 * Limits::kLogFoldedLinesMax; ++i) {
    Admit(StrCat("twice ", i));
    Admit(StrCat("twice ", i));
  }
  EXPECT_LE(folder_.remembered(), Limits::kLogFoldedLinesMax);
  EXPECT_EQ(told_.front(), "owed ×2");
  const size_t told_early = told_.size();
  EXPECT_EQ(told_early + Rest().size(), 2 * Limits::kLogFoldedLinesMax + 1);
}

}  // namespace
}  // namespace dotward
