#include "admin/query_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/strings.h"
#include "dns/name.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

class QueryLogTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name = "queries") const { return folder_ / name; }
  QueryLog::Options ToFile() const { return {.enabled = true, .file = Path()}; }

  // As a worker's recorder does with each of its queries.
  static void Answer(QueryLog::Queue& queue, uint32_t number = 0) {
    if (!queue.Wants()) return;
    const Name name = *Name::Parse(StrCat("n", number, ".example."));
    Octets question(name.wire().begin(), name.wire().end());
    question.insert(question.end(), {0, 28, 0, 1});
    const Client client{{IpAddress::V4({192, 0, 2, 1}), 4000}, Transport::kTcp};
    ReplyContext context;
    context.question = question;
    const Octets reply(40);
    queue.Put({client, context, AnswerSource::kCache, Rcode::kNxDomain, reply, {}, nullptr, SteadyTime(), Duration(7)});
  }
  static std::vector<nlohmann::json> Lines(const std::string& path) {
    std::vector<nlohmann::json> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  // The thread is another, so what is awaited takes a moment.
  template <typename Condition>
  static bool Within5s(Condition condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }

  SystemClock clock_;
  const TemporaryFolder folder_;
};

TEST_F(QueryLogTest, OffItWantsNothing) {
  QueryLog log(2, clock_);
  EXPECT_FALSE(log.queue(0).Wants());
  ASSERT_TRUE(log.Apply({.enabled = false, .file = Path()}).ok());
  EXPECT_FALSE(log.queue(1).Wants());
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

TEST_F(QueryLogTest, WritesTheQueriesOfEveryWorker) {
  QueryLog log(2, clock_);
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  Answer(log.queue(0), 1);
  Answer(log.queue(1), 2);
  ASSERT_TRUE(Within5s([&] { return log.statistics().written == 2; }));
  const std::vector<nlohmann::json> lines = Lines(Path());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["name"], "n1.example.");
  EXPECT_EQ(lines[0]["type"], "AAAA");
  EXPECT_EQ(lines[0]["transport"], "tcp");
  EXPECT_EQ(lines[0]["rcode"], "NXDOMAIN");
  EXPECT_EQ(lines[1]["name"], "n2.example.");
}

// After everything was written the thread sleeps; one query alone wakes it.
TEST_F(QueryLogTest, QueryAfterAPauseIsWrittenToo) {
  QueryLog log(1, clock_);
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  for (uint64_t number = 1; number <= 3; ++number) {
    std::this_thread::sleep_for(3 * Limits::kQueryLogBatchTime);
    Answer(log.queue(0));
    EXPECT_TRUE(Within5s([&] { return log.statistics().written == number; }));
  }
}

TEST_F(QueryLogTest, WhatIsQueuedIsWrittenAtTheEnd) {
  {
    QueryLog log(1, clock_);
    ASSERT_TRUE(log.Apply(ToFile()).ok());
    for (uint32_t i = 0; i < 1000; ++i) Answer(log.queue(0), i);
  }
  EXPECT_EQ(Lines(Path()).size(), 1000U);
}

TEST_F(QueryLogTest, WorkersNeverWaitAndWhatHasNoRoomIsCounted) {
  constexpr uint64_t kQueries = 100'000;
  QueryLog::Statistics total;
  {
    QueryLog log(1, clock_);
    ASSERT_TRUE(log.Apply(ToFile()).ok());
    for (uint32_t i = 0; i < kQueries; ++i) Answer(log.queue(0), i);
    ASSERT_TRUE(Within5s([&] {
      total = log.statistics();
      return total.written + total.dropped == kQueries;
    }));
  }
  EXPECT_EQ(Lines(Path()).size(), total.written);
}

TEST_F(QueryLogTest, FullDiskCostsLinesAndIsCounted) {
  QueryLog log(1, clock_);
  ASSERT_TRUE(log.Apply({.enabled = true, .file = "/dev/full"}).ok());
  for (uint32_t i = 0; i < 10; ++i) Answer(log.queue(0), i);
  EXPECT_TRUE(Within5s([&] { return log.statistics().lost == 10; }));
  EXPECT_EQ(log.statistics().written, 0U);
}

TEST_F(QueryLogTest, ShareIsDrawnForEachQueryNotForEachName) {
  QueryLog log(1, clock_);
  QueryLog::Options options = ToFile();
  options.sample = 0.25;
  ASSERT_TRUE(log.Apply(options).ok());
  int wanted = 0;
  for (int i = 0; i < 40'000; ++i) wanted += log.queue(0).Wants() ? 1 : 0;
  EXPECT_NEAR(wanted, 10'000, 500);  // five standard deviations and a half
  options.sample = 0;
  ASSERT_TRUE(log.Apply(options).ok());
  EXPECT_FALSE(log.queue(0).Wants());
}

TEST_F(QueryLogTest, OpensAnewAfterARotation) {
  QueryLog log(1, clock_);
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  Answer(log.queue(0), 1);
  ASSERT_TRUE(Within5s([&] { return log.statistics().written == 1; }));
  std::filesystem::rename(Path(), Path("queries.1"));
  ASSERT_TRUE(log.Reopen().ok());
  Answer(log.queue(0), 2);
  ASSERT_TRUE(Within5s([&] { return log.statistics().written == 2; }));
  EXPECT_EQ(Lines(Path("queries.1")).size(), 1U);
  EXPECT_EQ(Lines(Path()).size(), 1U);
}

TEST_F(QueryLogTest, FileThatCannotBeOpenedChangesNothing) {
  QueryLog log(1, clock_);
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  const absl::Status status = log.Apply({.enabled = true, .file = Path("nowhere/queries")});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  Answer(log.queue(0));
  EXPECT_TRUE(Within5s([&] { return log.statistics().written == 1; }));
  EXPECT_EQ(Lines(Path()).size(), 1U);
}

TEST_F(QueryLogTest, MayBeTurnedOffAndOnWhileItRuns) {
  QueryLog log(1, clock_);
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  Answer(log.queue(0));
  ASSERT_TRUE(log.Apply({}).ok());
  EXPECT_FALSE(log.queue(0).Wants());
  ASSERT_TRUE(log.Apply(ToFile()).ok());
  Answer(log.queue(0));
  EXPECT_TRUE(Within5s([&] { return log.statistics().written == 2; }));
}

}  // namespace
}  // namespace dotward
