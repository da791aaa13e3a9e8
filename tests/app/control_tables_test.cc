#include "app/control_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "admin/control_reply.h"
#include "base/strings.h"
#include "dns/types.h"

namespace dotward {
namespace {

constexpr size_t kColumns = 100;

std::string Table(ControlCommand command, const std::string& line, Colour colour = Colour::kNone) {
  ControlRequest request;
  request.command = command;
  request.name = *Name::Parse("www.example.");
  return ControlTables(request, colour).ToText(line);
}

size_t WidestLine(const std::string& text) {
  size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto columns =
        std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
    widest = std::max(widest, static_cast<size_t>(columns));
  }
  return widest;
}

UpstreamSnapshot Upstream(std::string name, std::string_view address) {
  UpstreamSnapshot upstream;
  upstream.name = std::move(name);
  upstream.endpoint = {*IpAddress::Parse(address), 853};
  upstream.protocol = "tls";
  upstream.state = UpstreamState::kConnected;
  upstream.connections_open = 1;
  upstream.queries = 123'456;
  upstream.tls_version = "TLS1.3";
  upstream.latency_median = std::chrono::milliseconds(12);
  upstream.latency_p95 = std::chrono::milliseconds(48);
  upstream.handshakes_full = 1;
  upstream.handshakes_resumed = 3;
  upstream.idle_limit = std::chrono::seconds(10);
  return upstream;
}

TEST(ControlTablesTest, UpstreamsAreARowEach) {
  EXPECT_EQ(Table(ControlCommand::kUpstreams, RenderUpstreams({Upstream("quad9", "9.9.9.9")})),
            "NAME   ADDRESS  STATE      CONN  WAIT  QUERIES  FAILED   P50   P95  TLS     RESUMED  IDLE\n"
            "quad9  9.9.9.9  connected     1     0     123k       0  12ms  48ms  TLS1.3      3/4   10s\n");
}

TEST(ControlTablesTest, LongNamesAndAddressesAndErrorsStayWithinTheColumns) {
  UpstreamSnapshot upstream = Upstream(std::string(200, 'n'), "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
  upstream.endpoint.port = 8853;
  upstream.state = UpstreamState::kFailing;
  upstream.last_error = "connect: " + std::string(300, 'e') +
                        " and then many other words that go on and on and on for "
                        "longer than any line may be";
  upstream.queries = upstream.failed = upstream.in_flight = 123'456'789'012;
  const std::string text = Table(ControlCommand::kUpstreams, RenderUpstreams({upstream}));
  EXPECT_LE(WidestLine(text), kColumns) << text;
  EXPECT_NE(text.find("…"), std::string::npos);
}

TEST(ControlTablesTest, ColourIsForTerminalsAlone) {
  const std::string line = RenderUpstreams({Upstream("quad9", "9.9.9.9")});
  EXPECT_EQ(Table(ControlCommand::kUpstreams, line).find('\033'), std::string::npos);
  EXPECT_NE(Table(ControlCommand::kUpstreams, line, Colour::kTerminal).find("\033[32mconnected\033[0m"),
            std::string::npos);
}

TEST(ControlTablesTest, WhatComesFromOutsideCannotSteerTheTerminal) {
  UpstreamSnapshot upstream = Upstream("a\033]0;owned\007b", "9.9.9.9");
  upstream.state = UpstreamState::kFailing;
  upstream.last_error = "bad\r\n\u009b31m";
  const std::string text = Table(ControlCommand::kUpstreams, RenderUpstreams({upstream}));
  EXPECT_NE(text.find("a?]0;owned?b"), std::string::npos) << text;
  EXPECT_NE(text.find("bad???31m"), std::string::npos) << text;
}

TEST(ControlTablesTest, StatusSaysWhatTheServerIs) {
  ServiceFacts facts{.version = "1.2", .pid = 4711, .uptime = std::chrono::hours(49), .workers = 2};
  facts.listening = {{IpAddress::V4({127, 0, 0, 1}), 53}};
  EXPECT_EQ(Table(ControlCommand::kStatus, RenderStatus(facts, true)),
            "dotward 1.2, pid 4711: ready\n"
            "up         2d 1h\n"
            "workers    2\n"
            "config     built-in defaults\n"
            "listening  127.0.0.1:53\n");
  for (uint8_t i = 0; i < 60; ++i) facts.listening.push_back({IpAddress::V4({127, 0, 0, i}), 5353});
  EXPECT_LE(WidestLine(Table(ControlCommand::kStatus, RenderStatus(facts, false))), kColumns);
}

constexpr std::string_view kStatsNote = "\nOf the other groups, what is zero is left out; --json has everything.\n";

TEST(ControlTablesTest, NumbersOfTheStatisticsAreGroupedAndOthersLeftOut) {
  EXPECT_EQ(Table(ControlCommand::kStats,
                  R"({"schema":1,"version":"1.2","uptime_seconds":61,"cache":{"hits":1234567,"misses":0,)"
                  R"("parts":{"a":0.5}},"types":{"udp":{"A":7,"AAAA":0}},"udp":{"queries":0},)"
                  R"("upstreams":[{"name":"x"}]})"),
            StrCat("dotward 1.2, up 1m 1s\n"
                   "\n"
                   "cache\n"
                   "  hits                                                 1,234,567\n"
                   "  misses                                                       0\n"
                   "  parts a                                               0.500000\n"
                   "\n"
                   "types\n"
                   "  udp A                                                        7\n",
                   kStatsNote));
}

TEST(ControlTablesTest, HistogramsOfTheStatisticsAreOneRowEach) {
  EXPECT_EQ(Table(ControlCommand::kStats,
                  R"({"version":"1.2","uptime_seconds":1,"durations":{)"
                  R"("cache":{"count":100,"sum_seconds":0.002,"up_to_seconds":{"0.000025":50,"0.0001":98,"5":98}},)"
                  R"("stale":{"count":0,"sum_seconds":0.0,"up_to_seconds":{"0.000025":0}}}})"),
            StrCat("dotward 1.2, up 1s\n"
                   "\n"
                   "durations\n"
                   "  FROM   REPLIES  MEAN    P50     P95    P99\n"
                   "  cache      100  20us  <25us  <100us  >5.0s\n",
                   kStatsNote));
}

TEST(ControlTablesTest, WhyTellsEveryStep) {
  WhyReport report;
  report.route.emplace();
  report.route->zone = ".";
  report.route->upstreams = {"quad9"};
  report.route->hedge = true;
  ControlRequest request;
  request.command = ControlCommand::kWhy;
  request.name = *Name::Parse("www.example.");
  const std::string line =
      RenderWhy(request, report, {Upstream("quad9", "9.9.9.9")}, SteadyTime(std::chrono::hours(1)));
  EXPECT_EQ(Table(ControlCommand::kWhy, line),
            "www.example. A: asked upstream\n"
            "policy     proceeds to the cache and the upstreams\n"
            "cache      nothing\n"
            "route      zone ., policy latency, hedged\n"
            "           quad9                 9.9.9.9                       tls  connected, p50 12ms\n");
}

TEST(ControlTablesTest, WhyTellsHowOftenAQuestionFailedAndWhenItIsAskedAgain) {
  WhyReport report;
  report.outlook.failure = {.in_a_row = 3,
                            .asked_again_in = std::chrono::milliseconds(12'500),
                            .errors = {{EdeCode::kNetworkError, "u0: gibberish"}}};
  ControlRequest request;
  request.name = *Name::Parse("www.example.");
  const auto table = [&] {
    return Table(ControlCommand::kWhy, RenderWhy(request, report, {}, SteadyTime(std::chrono::hours(1))));
  };
  EXPECT_EQ(table(),
            "www.example. A: failure remembered\n"
            "policy     proceeds to the cache and the upstreams\n"
            "cache      nothing\n"
            "failure    SERVFAIL, failed 3 times in a row, asked again in 13s\n"
            "           EDE 23: u0: gibberish\n"
            "route      none has this name\n");
  report.outlook.failure->in_a_row = 1;
  report.outlook.failure->asked_again_in = Duration::zero();
  EXPECT_NE(table().find("failed 1 time, asked again at once"), std::string::npos) << table();
  report.outlook.stale = true;
  report.outlook.stale_after = std::chrono::milliseconds(1800);
  EXPECT_NE(table().find("\nstale      what has expired is given where nothing better comes within 1.8s\n"),
            std::string::npos)
      << table();
}

TEST(ControlTablesTest, WhyEndsTheChainOfTrustWithTheAnswer) {
  WhyReport report;
  report.chain.emplace();
  ControlRequest request;
  request.name = *Name::Parse("www.example.");
  const auto trust = [&] {
    const std::string table =
        Table(ControlCommand::kWhy, RenderWhy(request, report, {}, SteadyTime(std::chrono::hours(1))));
    EXPECT_LE(WidestLine(table), kColumns) << table;
    const size_t begin = table.find("trust ");
    return table.substr(begin, table.find("route ") - begin);
  };
  const std::string no_anchor = "trust      no trust anchor is above the name\n";
  EXPECT_EQ(trust(), StrCat(no_anchor, "answer     not known: it was not asked for lately\n"));
  report.answer.emplace();
  report.answer->verdict = KnownVerdict::kSecure;
  RrsetTrust& rrset = report.answer->rrsets.emplace_back();
  rrset.owner = request.name;
  rrset.type = rr_type::kA;
  rrset.verdict = KnownVerdict::kSecure;
  EXPECT_EQ(trust(), StrCat(no_anchor,
                            "answer     secure, kept without its signatures\n"
                            "           www.example. A secure\n"));
  report.answer->has_signatures = true;
  rrset.signatures.assign(2, {.algorithm = 13, .expiration = 86'400, .signer = *Name::Parse("example.")});
  EXPECT_EQ(
      trust(),
      StrCat(no_anchor,
             "answer     secure\n"
             "           www.example. A secure: signed by key 0 ECDSAP256SHA256 of example. from\n"
             "           1970-01-01T00:00:00Z until 1970-01-02T00:00:00Z; and by key 0 ECDSAP256SHA256 of example.\n"
             "           from 1970-01-01T00:00:00Z until 1970-01-02T00:00:00Z\n"));
  report.answer = {.verdict = KnownVerdict::kBogus, .reason = ExtendedError{EdeCode(7), "expired yesterday"}};
  EXPECT_EQ(trust(), StrCat(no_anchor,
                            "answer     bogus\n"
                            "           EDE 7: expired yesterday\n"));
}

TEST(ControlTablesTest, ALookedUpEntryShowsItsVerdict) {
  const std::string line =
      R"({"name":"www.example.","type":"A","ttl_seconds":60,"lifetime_seconds":300,"age_seconds":240,)"
      R"("rcode":"NOERROR","kind":"positive","verdict":"bogus","reason":"expired","reason_code":7,"dnssec_ok":true})";
  EXPECT_EQ(Table(ControlCommand::kCacheLookup, line),
            "www.example. A\n"
            "  1m 0s left of 5m 0s, 4m 0s old, NOERROR positive, bogus, DO\n"
            "    EDE 7: expired\n");
}

TEST(ControlTablesTest, ARefusedReloadShowsEveryError) {
  ReloadReport report;
  report.errors.push_back({.file = "a.yaml", .line = 3, .column = 5, .path = "cache.size", .message = "too small"});
  const std::string refused = Table(ControlCommand::kReload, RenderReload(report));
  EXPECT_EQ(refused, "a.yaml:3:5: cache.size: too small\nrefused: what served before serves on\n");
  ReloadReport accepted{.accepted = true, .needs_restart = {"workers: 2 stays until a restart; the file says 4"}};
  EXPECT_EQ(Table(ControlCommand::kReload, RenderReload(accepted)),
            "needs a restart: workers: 2 stays until a restart; the file says 4\nreloaded\n");
}

TEST(ControlTablesTest, ALineOfTheDumpFitsWhateverTheName) {
  const std::string line =
      StrCat(R"({"schema":1,"name":")", std::string(1000, 'a'),
             R"(","type":"NSEC3PARAM","lifetime_seconds":86400,"age_seconds":86399,"ttl_seconds":1,"rcode":"NXDOMAIN",)"
             R"("kind":"nxdomain","upstream":")",
             std::string(200, 'u'), R"(","dnssec_ok":true,"checking_disabled":true})");
  EXPECT_LE(WidestLine(Table(ControlCommand::kCacheDump, line)), kColumns);
  EXPECT_LE(WidestLine(Table(ControlCommand::kCacheLookup, line)), kColumns);
}

TEST(ControlTablesTest, SlowQueriesFitWhateverTheirNamesAndReasons) {
  SlowReport report{.seen = 12'345, .queries = std::vector<SlowQuery>(2)};
  SlowQuery& failed = report.queries[0];
  failed.client = "2001:db8:1234:5678:9abc:def0:1234:5678";
  failed.name = StrCat(std::string(1000, 'n'), ".example.");
  failed.type = 65280;
  failed.rcode = Rcode::kServFail;
  failed.duration = std::chrono::milliseconds(5012);
  failed.trace = {.total_us = 5'000'000,
                  .waited_us = 3'000'000,
                  .answer_us = 2'000'000,
                  .attempts = 3,
                  .hedges = 1,
                  .sent_again = 2};
  failed.reason = StrCat("22: ", std::string(200, 'r'));
  report.queries[1].name = "slow.example.";
  report.queries[1].type = 1;
  const std::string text = Table(ControlCommand::kSlow, RenderSlow(report));
  EXPECT_LE(WidestLine(text), kColumns);
  EXPECT_NE(text.find("5.0s"), std::string::npos);
  EXPECT_NE(text.find("3 h1 a2"), std::string::npos);
  EXPECT_NE(text.find("SERVFAIL"), std::string::npos);
  EXPECT_NE(text.find("\n          EDE 22:\n          rrr"), std::string::npos) << "the reason has a line of its own";
  EXPECT_NE(text.find("12345 since the start"), std::string::npos);
}

TEST(ControlTablesTest, RepliesThatMakeNoSenseAreNoReasonToFall) {
  for (const ControlCommand command :
       {ControlCommand::kStatus, ControlCommand::kStats, ControlCommand::kUpstreams, ControlCommand::kSlow,
        ControlCommand::kCacheLookup, ControlCommand::kCacheDump, ControlCommand::kCacheFlush, ControlCommand::kWhy,
        ControlCommand::kReload, ControlCommand::kQuery, ControlCommand::kHealth}) {
    for (const char* line :
         {"", "x", "[]", "{}", R"({"upstreams":7,"listening":[1],"records":[1],"flags":[null]})",
          R"({"cache":[7],"route":{"upstreams":[1,{"servers":[2]}]},"needs_restart":[{}]})",
          R"({"chain_of_trust":{"zones":[1],"answer":{"verdict":"x","rrsets":[1,{"signatures":[2]}]}}})"}) {
      EXPECT_LE(WidestLine(Table(command, line)), kColumns);
    }
  }
}

}  // namespace
}  // namespace dotward
