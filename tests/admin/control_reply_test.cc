#include "admin/control_reply.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_service_control.h"

namespace dotward {
namespace {

using nlohmann::json;

constexpr SteadyTime kNow{std::chrono::hours(1)};

ControlRequest About(std::string_view name, ControlCommand command = ControlCommand::kWhy) {
  ControlRequest request;
  request.command = command;
  request.name = *Name::Parse(name);
  return request;
}

json WhyOf(const WhyReport& report, SteadyTime now = kNow) {
  return json::parse(RenderWhy(About("www.example."), report, {}, now));
}

WhyReport WithRoute() {
  WhyReport report;
  report.route.emplace();
  report.route->zone = ".";
  return report;
}

TEST(ControlReplyTest, TheOutcomeFollowsTheOrderInWhichAQueryIsDecided) {
  WhyReport report;
  EXPECT_EQ(WhyOf(report)["outcome"], "servfail");  // no route
  report = WithRoute();
  EXPECT_EQ(WhyOf(report)["outcome"], "asked upstream");
  report.route->status = absl::UnavailableError("no address is known");
  EXPECT_EQ(WhyOf(report)["outcome"], "servfail");
  EXPECT_EQ(WhyOf(report)["route"]["error"], "no address is known");
  report.entries = {{MakeCacheEntry("www.example.", 10, kNow), {}}};
  EXPECT_EQ(WhyOf(report)["outcome"], "answered from the cache");
  report.verdict = PolicyVerdict::kRefuse;
  EXPECT_EQ(WhyOf(report)["outcome"], "refused");
}

TEST(ControlReplyTest, C6_AFailureThatIsRememberedDecidesUntilItsTimeIsOver) {
  WhyReport report = WithRoute();
  EXPECT_EQ(WhyOf(report)["failure"], nullptr);
  report.outlook.failure = {.in_a_row = 3,
                            .asked_again_in = std::chrono::milliseconds(12'500),
                            .rcode = Rcode::kServFail,
                            .errors = {{EdeCode::kNetworkError, "u0: gibberish"}}};
  const json why = WhyOf(report);
  EXPECT_EQ(why["outcome"], "failure remembered");
  EXPECT_EQ(why["failure"]["in_a_row"], 3);
  EXPECT_EQ(why["failure"]["asked_again_seconds"], 12.5);
  EXPECT_EQ(why["failure"]["rcode"], "SERVFAIL");
  EXPECT_EQ(why["failure"]["extended_errors"][0]["text"], "u0: gibberish");
  report.outlook.failure->asked_again_in = Duration::zero();
  EXPECT_EQ(WhyOf(report)["outcome"], "asked upstream");
}

TEST(ControlReplyTest, C8_WhatExpiredDecidesWhereNothingBetterCanBeHad) {
  WhyReport report = WithRoute();
  EXPECT_EQ(WhyOf(report)["stale_after_seconds"], nullptr);
  report.outlook.stale = true;
  report.outlook.stale_after = std::chrono::milliseconds(1800);
  EXPECT_EQ(WhyOf(report)["outcome"], "asked upstream");
  EXPECT_EQ(WhyOf(report)["stale_after_seconds"], 1.8);
  report.outlook.failure = {.in_a_row = 1, .asked_again_in = std::chrono::seconds(30)};
  EXPECT_EQ(WhyOf(report)["outcome"], "answered stale");
  report.outlook.failure.reset();
  report.outlook.serving = false;
  EXPECT_EQ(WhyOf(report)["outcome"], "answered stale");
  report.outlook.stale = false;
  EXPECT_EQ(WhyOf(report)["outcome"], "servfail") << "nobody can be asked now";
}

TEST(ControlReplyTest, AnEntryForOtherQueriesOrOneThatHasExpiredAnswersNothing) {
  WhyReport report = WithRoute();
  report.entries = {{MakeCacheEntry("www.example.", 10, kNow), {}}};
  report.entries[0].entry.checking_disabled = true;
  EXPECT_EQ(WhyOf(report)["outcome"], "asked upstream");
  report.entries[0].entry.checking_disabled = false;
  const SteadyTime expiry = kNow + std::chrono::seconds(300);
  EXPECT_EQ(WhyOf(report, expiry - std::chrono::nanoseconds(1))["outcome"], "answered from the cache");
  const json expired = WhyOf(report, expiry);
  EXPECT_EQ(expired["outcome"], "asked upstream");
  EXPECT_EQ(expired["cache"][0]["expired"], true);
  EXPECT_EQ(expired["cache"][0]["ttl_seconds"], 0);
}

TEST(ControlReplyTest, AnEntryThatWasAskedForWithDoAnswersTheOthersAsWell) {
  WhyReport report = WithRoute();
  report.entries = {{MakeCacheEntry("www.example.", 10, kNow), {}}};
  report.entries[0].entry.dnssec_ok = true;
  EXPECT_EQ(WhyOf(report)["outcome"], "answered from the cache");
}

AnswerTrust BogusTrust() {
  AnswerTrust trust{.verdict = KnownVerdict::kBogus, .has_signatures = true};
  trust.reason = {EdeCode(7), "expired yesterday"};
  RrsetTrust& rrset = trust.rrsets.emplace_back();
  rrset.owner = *Name::Parse("www.example.");
  rrset.type = rr_type::kTxt;
  rrset.verdict = KnownVerdict::kUnjudged;
  rrset.signatures.push_back({.covered = rr_type::kTxt,
                              .algorithm = 13,
                              .expiration = 1'795'188'454,
                              .inception = 1'793'888'454,
                              .key_tag = 4711,
                              .signer = *Name::Parse("example.")});
  return trust;
}

TEST(ControlReplyTest, AnEntryShowsItsVerdictWhereItIsKnown) {
  const CacheEntry entry = MakeCacheEntry("www.example.", 10, kNow);
  EXPECT_FALSE(json::parse(RenderCacheEntry(entry, nullptr, kNow)).contains("verdict"));
  const AnswerTrust secure{.verdict = KnownVerdict::kSecure};
  const json shown = json::parse(RenderCacheEntry(entry, &secure, kNow));
  EXPECT_EQ(shown["verdict"], "secure");
  EXPECT_FALSE(shown.contains("reason"));
  const AnswerTrust bogus = BogusTrust();
  const json reason = json::parse(RenderCacheEntry(entry, &bogus, kNow));
  EXPECT_EQ(reason["verdict"], "bogus");
  EXPECT_EQ(reason["reason"], "expired yesterday");
  EXPECT_EQ(reason["reason_code"], 7);
}

TEST(ControlReplyTest, TheChainOfTrustEndsWithTheAnswer) {
  WhyReport report = WithRoute();
  EXPECT_EQ(WhyOf(report)["chain_of_trust"], nullptr);
  report.answer = BogusTrust();
  EXPECT_EQ(WhyOf(report)["chain_of_trust"], nullptr) << "nothing is validated";
  report.chain.emplace();
  const json answer = WhyOf(report)["chain_of_trust"]["answer"];
  EXPECT_EQ(
      answer,
      (json{{"verdict", "bogus"},
            {"reason", "expired yesterday"},
            {"reason_code", 7},
            {"has_signatures", true},
            {"rrsets", json::array({{{"section", "answer"},
                                     {"name", "www.example."},
                                     {"type", "TXT"},
                                     {"verdict", "unjudged"},
                                     {"signatures", json::array({{{"key_tag", 4711},
                                                                  {"algorithm", "ECDSAP256SHA256"},
                                                                  {"signer", "example."},
                                                                  {"signed_from", "2026-11-05T14:20:54Z"},
                                                                  {"signed_until", "2026-11-20T15:27:34Z"}}})}}})}}));
  report.answer.reset();
  EXPECT_EQ(WhyOf(report)["chain_of_trust"]["answer"], nullptr);
}

TEST(ControlReplyTest, TextFromOutsideStaysOneLineOfGoodJson) {
  UpstreamSnapshot upstream;
  upstream.name = "a\nb\xff";
  upstream.last_error = "\x1b[31m\"quoted\"";
  const std::string line = RenderUpstreams({upstream});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(json::parse(line)["upstreams"][0]["last_error"], upstream.last_error);
}

TEST(ControlReplyTest, AnAnswerShowsWhatCameWithItsExtendedErrors) {
  const Octets query = MessageBuilder::Query(9, "www.example.", rr_type::kA).Build();
  ControlAnswer answer;
  answer.upstream = "quad9";
  answer.response = MessageBuilder::ResponseTo(query)
                        .WithRcode(Rcode::kServFail)
                        .WithEdns({.options = {Ede(EdeCode::kNetworkError, "no way")}})
                        .Build();
  const json reply = json::parse(RenderAnswer(About("www.example.", ControlCommand::kQuery), answer));
  EXPECT_EQ(reply["rcode"], "SERVFAIL");
  EXPECT_EQ(reply["extended_errors"], (json::array({{{"code", 23}, {"text", "quad9: no way"}}})));
  EXPECT_EQ(reply["octets"], answer.response.size());
}

TEST(ControlReplyTest, AnAnswerThatNeverCameIsAnError) {
  ControlAnswer answer;
  answer.status = absl::DeadlineExceededError("quad9: no answer");
  const json reply = json::parse(RenderAnswer(About("www.example.", ControlCommand::kQuery), answer));
  EXPECT_EQ(reply, (json{{"schema", 1}, {"error", "quad9: no answer"}, {"code", "deadline_exceeded"}}));
}

TEST(ControlReplyTest, AReloadReportsErrorsWithTheirPlaces) {
  ReloadReport report;
  report.errors.push_back({.file = "a.yaml", .line = 3, .column = 5, .path = "cache.size", .message = "too small"});
  const json reply = json::parse(RenderReload(report));
  EXPECT_EQ(reply["accepted"], false);
  EXPECT_EQ(reply["errors"][0]["text"], "a.yaml:3:5: cache.size: too small");
  EXPECT_EQ(reply["errors"][0]["line"], 3);
}

}  // namespace
}  // namespace dotward
