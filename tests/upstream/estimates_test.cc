// What is learned of a server from its answers: latency, patience with idle connections, trouble.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "testing/manual_clock.h"
#include "upstream/idle_limit.h"
#include "upstream/latency_estimator.h"
#include "upstream/pipeline_limit.h"
#include "upstream/server_record.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// --- latency ---

TEST(LatencyEstimatorTest, KnowsNothingBeforeTheFirstAnswer) {
  const LatencyEstimator latency;
  EXPECT_EQ(latency.smoothed(), Duration::zero());
  EXPECT_EQ(latency.Quantile(0.5), Duration::zero());
  EXPECT_EQ(latency.usual_slowest(), Duration::zero());
}

TEST(LatencyEstimatorTest, TheFirstAnswerIsTheMeanAndEachLaterOneMovesItByAnEighth) {
  LatencyEstimator latency;
  latency.Add(milliseconds(80));
  EXPECT_EQ(latency.smoothed(), milliseconds(80));
  latency.Add(milliseconds(160));
  EXPECT_EQ(latency.smoothed(), milliseconds(90));
  latency.Add(milliseconds(10));
  EXPECT_EQ(latency.smoothed(), milliseconds(80));
}

// One answer alone: its quantile is the upper edge of its bucket.
TEST(LatencyEstimatorTest, AQuantileIsAtMostAQuarterAboveTheTruth) {
  for (nanoseconds truth = microseconds(64); truth < seconds(16); truth += truth / 97 + nanoseconds(1)) {
    LatencyEstimator latency;
    latency.Add(truth);
    ASSERT_GT(latency.Quantile(0.5), truth);
    ASSERT_LE(latency.Quantile(0.5), truth + truth / 4 + nanoseconds(1)) << truth.count();
  }
}

TEST(LatencyEstimatorTest, BucketsMeetExactlyAtTheirEdges) {
  const auto bound = [](nanoseconds truth) {
    LatencyEstimator latency;
    latency.Add(truth);
    return latency.Quantile(1);
  };
  EXPECT_EQ(bound(nanoseconds(0)), microseconds(80)) << "the first bucket takes what is shorter";
  EXPECT_EQ(bound(microseconds(80) - nanoseconds(1)), microseconds(80));
  EXPECT_EQ(bound(microseconds(80)), microseconds(96));
  EXPECT_EQ(bound(microseconds(128) - nanoseconds(1)), microseconds(128));
  EXPECT_EQ(bound(microseconds(128)), microseconds(160)) << "an octave further a bucket is twice as wide";
  EXPECT_EQ(bound(hours(5)), microseconds(64) * (1U << 18U)) << "the last bucket takes what is longer";
}

TEST(LatencyEstimatorTest, QuantilesOfManyAreWithinAQuarterOfTheTruth) {
  LatencyEstimator latency;
  std::mt19937 random(11);
  std::lognormal_distribution<double> shape(9.5, 0.7);  // microseconds; the median is 13 ms
  std::vector<double> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(shape(random));
    latency.Add(nanoseconds(static_cast<int64_t>(all.back() * 1000)));
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99}) {
    const double truth = all[static_cast<size_t>(share * 1000) - 1] * 1000;
    EXPECT_GE(static_cast<double>(latency.Quantile(share).count()), truth) << share;
    EXPECT_LE(static_cast<double>(latency.Quantile(share).count()), truth * 1.26) << share;
  }
}

TEST(LatencyEstimatorTest, TheUsualSlowestIsUnknownUntilThereAreEnoughAnswers) {
  LatencyEstimator latency;
  for (size_t i = 1; i < LatencyEstimator::kSamplesMin; ++i) {
    latency.Add(milliseconds(10));
    ASSERT_EQ(latency.usual_slowest(), Duration::zero()) << i;
  }
  latency.Add(milliseconds(10));
  EXPECT_GE(latency.usual_slowest(), milliseconds(10));
  EXPECT_LE(latency.usual_slowest(), milliseconds(13));
}

TEST(LatencyEstimatorTest, OneSlowAnswerInAHundredIsNotUsual) {
  LatencyEstimator latency;
  for (int i = 0; i < 1000; ++i) latency.Add(i % 100 == 50 ? milliseconds(900) : milliseconds(10));
  EXPECT_LT(latency.usual_slowest(), milliseconds(13));
}

TEST(LatencyEstimatorTest, WhatIsOldLosesItsWeight) {
  LatencyEstimator latency;
  for (int i = 0; i < 100'000; ++i) latency.Add(milliseconds(10));
  for (int i = 0; i < 1100; ++i) latency.Add(milliseconds(100));
  EXPECT_GE(latency.Quantile(0.5), milliseconds(100)) << "however long it was otherwise";
}

// --- idle connections ---

class IdleLimitTest : public testing::Test {
 protected:
  SteadyTime Now() const { return clock_.Now(); }
  ManualClock clock_;
  IdleLimit limit_;
};

TEST_F(IdleLimitTest, LimitIdleConnection_WithoutKnowledgeAConnectionIsKeptForItsLongest) {
  EXPECT_EQ(limit_.learned(Now()), std::nullopt);
  EXPECT_EQ(limit_.Keep(Now()), Limits::kIdleConnectionMax);
}

TEST_F(IdleLimitTest, OneCloseTeachesNothingAndTwoAlikeDo) {
  limit_.Observed(seconds(10), Now());
  EXPECT_EQ(limit_.learned(Now()), std::nullopt) << "it may have been restarted";
  limit_.Observed(seconds(21), Now());
  EXPECT_EQ(limit_.learned(Now()), std::nullopt) << "more than twice as long is another reason";
  limit_.Observed(seconds(20), Now());
  EXPECT_EQ(limit_.learned(Now()), seconds(20)) << "the shorter of the two";
  EXPECT_EQ(limit_.Keep(Now()), seconds(15)) << "closed here at three quarters of it";
}

TEST_F(IdleLimitTest, WhatWasObservedIsForgottenAndWhatWasToldIsNot) {
  limit_.Observed(seconds(10), Now());
  limit_.Observed(seconds(10), Now());
  limit_.Told(seconds(30));
  EXPECT_EQ(limit_.learned(Now()), seconds(10));
  clock_.Advance(Limits::kIdleLimitMemory - nanoseconds(1));
  EXPECT_EQ(limit_.learned(Now()), seconds(10));
  clock_.Advance(nanoseconds(1));
  EXPECT_EQ(limit_.learned(Now()), seconds(30));
}

TEST_F(IdleLimitTest, LimitIdleConnection_WhatIsToldIsObeyedWithinBounds) {
  limit_.Told(seconds(8));
  EXPECT_EQ(limit_.Keep(Now()), seconds(6));
  limit_.Told(hours(1));
  EXPECT_EQ(limit_.Keep(Now()), Limits::kIdleConnectionMax);
  limit_.Told(milliseconds(100));
  EXPECT_EQ(limit_.Keep(Now()), Limits::kIdleConnectionMin);
  limit_.Told(Duration::zero());
  EXPECT_EQ(limit_.Keep(Now()), Duration::zero()) << "RFC 7828 §3.3.2: close as soon as nothing is waited for";
}

TEST_F(IdleLimitTest, LimitWarmQuestions_OnlyTrafficMakesAConnectionWorthKeepingWarm) {
  limit_.Told(seconds(2));
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now()));
  limit_.QuerySent(Now());
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now())) << "one query is no traffic";
  const Duration longest = seconds(2) * Limits::kWarmQuestionsMax;
  clock_.Advance(longest);
  limit_.QuerySent(Now());
  EXPECT_TRUE(limit_.WorthKeepingWarm(Now()));
  clock_.Advance(longest);
  EXPECT_TRUE(limit_.WorthKeepingWarm(Now()));
  clock_.Advance(nanoseconds(1));
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now())) << "it has ended";
  clock_.Advance(hours(1));
  limit_.QuerySent(Now());
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now())) << "too seldom";
}

TEST_F(IdleLimitTest, LimitWorthWarming_AServerThatKeepsNoConnectionsIsNotKeptWarm) {
  for (int i = 0; i < 10; ++i) {
    limit_.QuerySent(Now());
    clock_.Advance(milliseconds(1));
  }
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now())) << "nothing is known that would make it necessary";
  limit_.Told(Limits::kIdleLimitWorthWarming);
  EXPECT_TRUE(limit_.WorthKeepingWarm(Now()));
  limit_.Told(Limits::kIdleLimitWorthWarming - milliseconds(1));
  EXPECT_FALSE(limit_.WorthKeepingWarm(Now()));
}

// --- trouble ---

TEST(ServerRecordTest, TroubleHalvesInItsTime) {
  ManualClock clock;
  ServerRecord record(std::make_shared<const std::string>("u"), Endpoint{});
  EXPECT_EQ(record.TroubleAt(clock.Now()), 0);
  record.AddTrouble(clock.Now());
  record.AddTrouble(clock.Now());
  EXPECT_DOUBLE_EQ(record.TroubleAt(clock.Now()), 2);
  clock.Advance(Limits::kTroubleHalfLife);
  EXPECT_DOUBLE_EQ(record.TroubleAt(clock.Now()), 1);
  record.AddTrouble(clock.Now());
  EXPECT_DOUBLE_EQ(record.TroubleAt(clock.Now()), 2);
}

// --- queries on one connection ---

TEST(PipelineLimitTest, OneConnectionThatWasCutSaysNothing) {
  ManualClock clock;
  PipelineLimit limit;
  limit.Cut(1, clock.Now());
  EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny) << "the server may have been restarted";
}

TEST(PipelineLimitTest, TwoInARowAreBelievedAndTheFewestAnswersCount) {
  ManualClock clock;
  PipelineLimit limit;
  limit.Cut(3, clock.Now());
  limit.Cut(2, clock.Now());
  EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), 2U);
}

TEST(PipelineLimitTest, AnAnswerThatAResetOvertookIsNotTakenForNone) {
  ManualClock clock;
  PipelineLimit limit;
  limit.Cut(0, clock.Now());
  limit.Cut(0, clock.Now());
  EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny) << "nothing was answered at all";
  limit.Cut(1, clock.Now());
  EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), 1U);
}

TEST(PipelineLimitTest, ManyAnswersOnOneConnectionClearTheServer) {
  ManualClock clock;
  PipelineLimit limit;
  limit.Cut(1, clock.Now());
  limit.Served(Limits::kFewAnswers + 1);
  limit.Cut(1, clock.Now());
  limit.Cut(Limits::kFewAnswers + 1, clock.Now());
  limit.Cut(1, clock.Now());
  EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny);
}

TEST(PipelineLimitTest, ItIsTriedAnewSoonAndLaterEachTimeThatItHolds) {
  ManualClock clock;
  PipelineLimit limit;
  Duration memory = PipelineLimit::kFirstMemory;
  for (int i = 0; i < 8; ++i) {
    limit.Cut(1, clock.Now());
    EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny);
    limit.Cut(1, clock.Now());
    clock.Advance(memory - milliseconds(1));
    EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), 1U) << i;
    clock.Advance(std::max<Duration>(milliseconds(1), PipelineLimit::kCutsTogether + milliseconds(2) - memory));
    EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny) << i;
    memory = std::min<Duration>(2 * memory, Limits::kPipelineLimitMemory);
  }
}

TEST(PipelineLimitTest, CutsThatAreFarApartAreRestarts) {
  ManualClock clock;
  PipelineLimit limit;
  for (int i = 0; i < 5; ++i) {
    limit.Cut(1, clock.Now());
    EXPECT_EQ(limit.QueriesPerConnection(clock.Now()), PipelineLimit::kAny);
    clock.Advance(PipelineLimit::kCutsTogether + milliseconds(1));
  }
}

}  // namespace
}  // namespace dotward
