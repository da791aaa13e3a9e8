#include "admin/status_site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "admin/status_page.h"
#include "base/limits.h"
#include "testing/manual_clock.h"

namespace dotward {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class StatusSiteTest : public testing::Test {
 protected:
  int gathered_ = 0;
  bool ready_ = true;
  ManualClock clock_;
  StatusSite site_{{.statistics =
                        [this] {
                          ++gathered_;
                          StatisticsSnapshot snapshot;
                          snapshot.upstreams.emplace_back().name = "up";
                          snapshot.upstreams.back().state = UpstreamState::kFailing;
                          return snapshot;
                        },
                    .ready = [this] { return ready_; }},
                   clock_};
};

TEST_F(StatusSiteTest, AnUpstreamThatFailsFailsNoProbe) {
  EXPECT_EQ(site_.Get("/healthz").status, 200);
  EXPECT_EQ(site_.Get("/readyz").status, 200);
}

TEST_F(StatusSiteTest, AServerThatStopsIsAliveAndNotReady) {
  ready_ = false;
  EXPECT_EQ(site_.Get("/healthz").status, 200);
  EXPECT_EQ(site_.Get("/readyz").status, 503);
}

TEST_F(StatusSiteTest, ProbesGatherNothing) {
  site_.Get("/healthz");
  site_.Get("/readyz");
  site_.Get("/");
  site_.Get("/none");
  EXPECT_EQ(gathered_, 0);
}

TEST_F(StatusSiteTest, TheStatisticsComeInTwoFormats) {
  const HttpReply metrics = site_.Get("/metrics");
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics.body, HasSubstr("\ndotward_upstream_queries_total{upstream=\"up\"} 0\n"));
  const HttpReply json = site_.Get("/api/v1/stats");
  EXPECT_EQ(json.content_type, "application/json");
  EXPECT_THAT(json.body, StartsWith("{\"schema\":1,"));
}

TEST_F(StatusSiteTest, HoweverOftenSomebodyAsksTheStatisticsAreGatheredNoMoreOftenThanTheLimit) {
  for (int i = 0; i < 1000; ++i) site_.Get(i % 2 == 0 ? "/metrics" : "/api/v1/stats");
  EXPECT_EQ(gathered_, 1);
  clock_.Advance(Limits::kStatisticsReuse - std::chrono::nanoseconds(1));
  site_.Get("/metrics");
  EXPECT_EQ(gathered_, 1);
  clock_.Advance(std::chrono::nanoseconds(1));
  site_.Get("/metrics");
  EXPECT_EQ(gathered_, 2);
}

TEST_F(StatusSiteTest, AnUnknownPathNamesTheKnownOnes) {
  for (const char* path : {"/none", "", "/metrics/", "//", "/healthz/../metrics"}) {
    const HttpReply reply = site_.Get(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_THAT(reply.body, HasSubstr("/metrics"));
  }
}

TEST_F(StatusSiteTest, ThePageRunsItsOwnScriptAndLoadsNothing) {
  const HttpReply page = site_.Get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  std::smatch nonce;
  ASSERT_TRUE(std::regex_search(page.content_security_policy, nonce, std::regex("script-src 'nonce-([^']{22,})'")));
  EXPECT_THAT(page.content_security_policy, StartsWith("default-src 'none'; "));
  EXPECT_THAT(page.content_security_policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(page.body, HasSubstr("<script nonce=\"" + nonce[1].str() + "\">"));
  EXPECT_THAT(page.body, HasSubstr("<style nonce=\"" + nonce[1].str() + "\">"));
  EXPECT_THAT(page.body, Not(HasSubstr(std::string(kStatusPageNonce))));
  EXPECT_NE(site_.Get("/").body, page.body) << "a nonce is used once";
}

TEST_F(StatusSiteTest, ThePageHasNoPlaceThatWouldTakeTextForMarkup) {
  const std::string page(kStatusPage);
  for (const char* dangerous : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick",
                                "style=\"", "src=", "http://", "https://", "import "}) {
    EXPECT_THAT(page, Not(HasSubstr(dangerous)));
  }
}

}  // namespace
}  // namespace dotward
