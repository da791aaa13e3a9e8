#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/limits.h"
#include "base/strings.h"
#include "dotward/config.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The configuration of `text`; where it has errors, the test fails and gets the defaults.
Config Parse(const std::string& text) {
  ConfigResult result = ParseConfig(text, "test.yaml");
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.ToString();
  return result.ok() ? *std::move(result.config) : DefaultConfig();
}

std::vector<std::string> ErrorsOf(const std::string& text) {
  std::vector<std::string> errors;
  for (const ConfigError& error : ParseConfig(text, "f").errors) errors.push_back(error.ToString());
  return errors;
}

std::string Repeat(std::string_view text, size_t times) {
  std::string repeated;
  repeated.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST(ParseConfigTest, TakesTheDefaultsFromAnEmptyText) {
  const std::string defaults = PrintConfig(DefaultConfig());
  for (const char* text :
       {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "{}\n", "cache:\nlog:\n", "\xef\xbb\xbf"}) {
    EXPECT_EQ(PrintConfig(Parse(text)), defaults) << text;
  }
}

TEST(ParseConfigTest, ReadsEveryKeyThatIsAvailable) {
  const Config config = Parse(R"(
listen: [192.0.2.1, "[2001:db8::1]:5353"]
workers: 3
user: dotward
access: { allow: [192.0.2.7], deny: ["2001:db8::/32"], refuse_with: drop }
upstreams:
  - { name: a, addresses: [192.0.2.2, "2001:db8::2"], port: 8853, protocol: tls, auth_name: A.example. }
forward:
  - { zone: ., upstreams: [a], policy: ordered }
  - { zone: Corp.example, upstreams: [a] }
query: { deadline: 250ms, udp_payload_size: 4096, any: forward }
cache: { size: 1GiB, min_ttl: 1s, max_ttl: 2h, max_negative_ttl: 0s, failure_ttl: 5m }
dnssec: { validation: off, trust_upstream_ad: no }
limits:
  slip: 0
  waiting_per_client: 1
  tcp_connections: 2
  tcp_connections_per_client: 3
  tcp_idle: 4s
  client_prefix: { ipv4: 24, ipv6: 48 }
log: { level: error, format: json, file: /var/log/dotward.log, queries: { sample: 0.25, client_address: none } }
)");
  ASSERT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.listen[0].endpoint.ToString(), "192.0.2.1:53");
  EXPECT_EQ(config.listen[1].endpoint.ToString(), "[2001:db8::1]:5353");
  EXPECT_EQ(config.workers, 3U);
  EXPECT_EQ(config.user, "dotward");
  ASSERT_EQ(config.access.allow.size(), 1U);
  EXPECT_EQ(config.access.allow[0].ToString(), "192.0.2.7/32");
  ASSERT_EQ(config.access.deny.size(), 1U);
  EXPECT_EQ(config.access.deny[0].ToString(), "2001:db8::/32");
  EXPECT_EQ(config.access.refuse_with, RefuseWith::kDrop);
  ASSERT_EQ(config.upstreams.size(), 1U);
  EXPECT_EQ(config.upstreams[0].name, "a");
  EXPECT_EQ(config.upstreams[0].port, 8853);
  EXPECT_EQ(config.upstreams[0].auth_name, "A.example");
  ASSERT_EQ(config.upstreams[0].addresses.size(), 2U);
  EXPECT_EQ(config.upstreams[0].addresses[1].ToString(), "2001:db8::2");
  ASSERT_EQ(config.forward.size(), 2U);
  EXPECT_EQ(config.forward[0].zone, ".");
  EXPECT_EQ(config.forward[1].zone, "Corp.example.");
  EXPECT_EQ(config.forward[1].upstreams, std::vector<std::string>{"a"});
  EXPECT_EQ(config.query.deadline, milliseconds(250));
  EXPECT_EQ(config.query.udp_payload_size, 4096);
  EXPECT_EQ(config.query.any, AnyPolicy::kForward);
  EXPECT_EQ(config.cache.size_octets, 1ULL << 30);
  EXPECT_EQ(config.cache.min_ttl, seconds(1));
  EXPECT_EQ(config.cache.max_ttl, hours(2));
  EXPECT_EQ(config.cache.max_negative_ttl, seconds(0));
  EXPECT_EQ(config.cache.failure_ttl, seconds(300));
  EXPECT_FALSE(config.dnssec.validation);
  EXPECT_FALSE(config.dnssec.trust_upstream_ad);
  EXPECT_EQ(config.limits.slip, 0U);
  EXPECT_EQ(config.limits.waiting_per_client, 1U);
  EXPECT_EQ(config.limits.tcp_connections, 2U);
  EXPECT_EQ(config.limits.tcp_connections_per_client, 3U);
  EXPECT_EQ(config.limits.tcp_idle, seconds(4));
  EXPECT_EQ(config.limits.client_prefix.ipv4, 24);
  EXPECT_EQ(config.limits.client_prefix.ipv6, 48);
  EXPECT_EQ(config.log.level, LogLevel::kError);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.log.file, "/var/log/dotward.log");
  EXPECT_EQ(config.log.queries.sample, 0.25);
  EXPECT_EQ(config.log.queries.client_address, ClientAddressLogging::kNone);
}

TEST(ParseConfigTest, ReadsJson) {
  EXPECT_EQ(Parse(R"({"workers": 2, "cache": {"size": "1MiB"}, "dnssec": {"trust_upstream_ad": false}})").workers, 2U);
}

TEST(ParseConfigTest, ReadsEverySpellingOfASwitch) {
  for (const char* text : {"true", "True", "TRUE", "yes", "on", "On"}) {
    EXPECT_TRUE(Parse(StrCat("dnssec: { trust_upstream_ad: ", text, " }")).dnssec.trust_upstream_ad) << text;
  }
  for (const char* text : {"false", "False", "no", "off", "OFF"}) {
    EXPECT_FALSE(Parse(StrCat("dnssec: { trust_upstream_ad: ", text, " }")).dnssec.trust_upstream_ad) << text;
  }
}

TEST(ParseConfigTest, AcceptsTheEndsOfARange) {
  EXPECT_EQ(Parse("workers: 1").workers, 1U);
  EXPECT_EQ(Parse("workers: 256").workers, 256U);
  EXPECT_EQ(Parse("workers: auto").workers, 0U);
  EXPECT_EQ(Parse("query: { udp_payload_size: 512 }").query.udp_payload_size, 512);
  EXPECT_EQ(Parse("query: { deadline: 100ms }").query.deadline, milliseconds(100));
  EXPECT_EQ(Parse("query: { deadline: 60s }").query.deadline, seconds(60));
  EXPECT_EQ(Parse("cache: { size: 1MiB }").cache.size_octets, 1ULL << 20);
  EXPECT_EQ(Parse("cache: { size: 1024GiB }").cache.size_octets, 1ULL << 40);
  EXPECT_EQ(Parse("cache: { min_ttl: 1h, max_ttl: 1h }").cache.min_ttl, hours(1));
  EXPECT_EQ(Parse("log: { queries: { sample: 0 } }").log.queries.sample, 0.0);
  EXPECT_EQ(Parse("log: { queries: { sample: 1 } }").log.queries.sample, 1.0);
}

TEST(ParseConfigTest, ReadsUpstreamsOfEveryKind) {
  const std::string pin = "sha256/" + std::string(43, 'A') + "=";
  const Config config = Parse(StrCat(R"(
upstreams:
  - { name: udp, addresses: [192.0.2.1], protocol: udp }
  - { name: tcp, protocol: tcp, addresses: [192.0.2.1], port: 5300 }
  - { name: tls, addresses: [dns.example, 192.0.2.1, Dns2.Example.], protocol: tls, auth_name: a.example, pins: [)",
                                     pin, R"(] }
  - { name: pin, addresses: [192.0.2.1], pin_only: true, pins: [)",
                                     pin, R"(] }
bootstrap: [192.0.2.53, "[2001:db8::53]:5353", "tls://192.0.2.1#B.example", "tls://[::1]:8853#c.example."]
forward:
  - { zone: ., upstreams: [tls, pin], policy: sharded, hedge: off }
  - { zone: a.example, upstreams: [udp], policy: round_robin }
  - { zone: b.example, upstreams: [tcp] }
)"));
  ASSERT_EQ(config.upstreams.size(), 4U);
  EXPECT_EQ(config.upstreams[0].protocol, UpstreamProtocol::kUdp);
  EXPECT_EQ(config.upstreams[0].port, 53);
  EXPECT_EQ(config.upstreams[1].protocol, UpstreamProtocol::kTcp);
  EXPECT_EQ(config.upstreams[1].port, 5300);
  EXPECT_EQ(config.upstreams[2].port, 853);
  EXPECT_EQ(config.upstreams[2].pins, std::vector<std::string>{pin});
  EXPECT_FALSE(config.upstreams[2].pin_only);
  EXPECT_EQ(config.upstreams[2].addresses, std::vector<IpAddress>{*IpAddress::Parse("192.0.2.1")});
  EXPECT_EQ(config.upstreams[2].host_names, (std::vector<std::string>{"dns.example", "dns2.example"}));
  EXPECT_TRUE(config.upstreams[3].pin_only);
  EXPECT_TRUE(config.upstreams[3].auth_name.empty());
  ASSERT_EQ(config.bootstrap.size(), 4U);
  EXPECT_EQ(config.bootstrap[0].endpoint.ToString(), "192.0.2.53:53");
  EXPECT_EQ(config.bootstrap[0].protocol, UpstreamProtocol::kUdp);
  EXPECT_EQ(config.bootstrap[1].endpoint.ToString(), "[2001:db8::53]:5353");
  EXPECT_EQ(config.bootstrap[2].endpoint.ToString(), "192.0.2.1:853");
  EXPECT_EQ(config.bootstrap[2].protocol, UpstreamProtocol::kTls);
  EXPECT_EQ(config.bootstrap[2].auth_name, "B.example");
  EXPECT_EQ(config.bootstrap[3].endpoint.ToString(), "[::1]:8853");
  ASSERT_EQ(config.forward.size(), 3U);
  EXPECT_EQ(config.forward[0].policy, UpstreamPolicy::kSharded);
  EXPECT_FALSE(config.forward[0].hedge);
  EXPECT_EQ(config.forward[1].policy, UpstreamPolicy::kRoundRobin);
  EXPECT_EQ(config.forward[2].policy, UpstreamPolicy::kLatency);
  EXPECT_TRUE(config.forward[2].hedge);
}

TEST(ParseConfigTest, HostNamesAreResolvedByBootstrapOrByAnUpstreamWithAddresses) {
  const std::string named = "{ name: a, addresses: [dns.example], auth_name: a.example }";
  EXPECT_EQ(ErrorsOf(StrCat("upstreams: [", named, "]")).size(), 1U);
  EXPECT_TRUE(ErrorsOf(StrCat("bootstrap: [192.0.2.1]\nupstreams: [", named, "]")).empty());
  EXPECT_TRUE(ErrorsOf(StrCat("upstreams: [", named, ", { name: b, addresses: [192.0.2.1], protocol: udp }]")).empty());
  EXPECT_TRUE(ErrorsOf("upstreams: [{ name: a, addresses: [dns.example, 192.0.2.1], auth_name: a.example }]").empty());
}

// --- warnings ---

std::vector<std::string> WarningsOf(const std::string& text) {
  const ConfigResult result = ParseConfig(text, "f");
  EXPECT_TRUE(result.ok());
  std::vector<std::string> warnings;
  for (const ConfigError& warning : result.warnings) warnings.push_back(warning.ToString());
  return warnings;
}

constexpr const char* kMixedUpstreams =
    "upstreams:\n"
    "  - { name: a, addresses: [192.0.2.1], auth_name: a.example }\n"
    "  - { name: b, addresses: [192.0.2.2], protocol: udp }\n"
    "  - { name: c, addresses: [192.0.2.2], protocol: tcp }\n";

TEST(ConfigWarningsTest, ADefaultRouteInTheClearIsAcceptedAndSaidOnce) {
  const std::string tail = "; whoever is on the way can read and change them: ask over tls where the server can";
  EXPECT_EQ(WarningsOf(kMixedUpstreams),
            std::vector<std::string>{
                "f:3:50: upstreams[1].protocol: warning: queries for every name go in the clear to b, c" + tail});
  EXPECT_EQ(WarningsOf(StrCat(kMixedUpstreams, "forward:\n  - { zone: b.example, upstreams: [b] }\n",
                              "  - { upstreams: [a, c], zone: . }\n")),
            std::vector<std::string>{
                "f:7:18: forward[1].upstreams: warning: queries for every name go in the clear to c" + tail});
}

TEST(ConfigWarningsTest, OtherRoutesInTheClearAreNoNews) {
  EXPECT_TRUE(WarningsOf("").empty());
  EXPECT_TRUE(WarningsOf(StrCat(kMixedUpstreams, "forward:\n  - { zone: ., upstreams: [a] }\n",
                                "  - { zone: b.example, upstreams: [b, c] }\n"))
                  .empty());
}

TEST(ConfigWarningsTest, StaleAnswersThatCannotComeInTimeAreSaid) {
  const std::string tail = ": stale answers are given only where the upstreams have failed";
  EXPECT_EQ(WarningsOf("cache: { stale: { client_timeout: 5s } }"),
            std::vector<std::string>{"f:1:35: cache.stale.client_timeout: warning: client_timeout 5s is not below "
                                     "query.deadline 5s" +
                                     tail});
  EXPECT_EQ(WarningsOf("query: { deadline: 1s }"),
            std::vector<std::string>{"f:1:20: query.deadline: warning: client_timeout 1800ms is not below "
                                     "query.deadline 1s" +
                                     tail});
  EXPECT_TRUE(WarningsOf("query: { deadline: 1s }\ncache: { stale: { enabled: false } }").empty());
  EXPECT_TRUE(WarningsOf("query: { deadline: 1801ms }").empty());
}

TEST(ConfigWarningsTest, AreGivenBesideErrors) {
  const ConfigResult result = ParseConfig(StrCat(kMixedUpstreams, "workers: 0\n"), "f");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.warnings.size(), 1U);
}

// --- routes ---

TEST(ParseConfigTest, SendsEverythingToTheUpstreamsInTheirOrderWhereForwardIsAbsent) {
  const Config config = Parse(R"(
upstreams:
  - { name: b, addresses: [192.0.2.1], auth_name: b.example }
  - { name: a, addresses: [192.0.2.2], auth_name: a.example }
)");
  ASSERT_EQ(config.forward.size(), 1U);
  EXPECT_EQ(config.forward[0].zone, ".");
  EXPECT_EQ(config.forward[0].upstreams, (std::vector<std::string>{"b", "a"}));
}

TEST(ParseConfigTest, KnowsTheBuiltInUpstreamsWhereTheFileGivesNone) {
  const Config config = Parse("forward: [{ zone: ., upstreams: [google] }]");
  EXPECT_EQ(config.upstreams.size(), 3U);
  EXPECT_EQ(config.forward[0].upstreams, std::vector<std::string>{"google"});
}

TEST(ParseConfigTest, FollowsAliases) {
  const Config config = Parse(
      "access:\n  allow: &lan [10.0.0.0/8]\nupstreams:\n"
      "  - { name: a, addresses: &a [192.0.2.1], auth_name: a.example }\n"
      "  - { name: b, addresses: *a, auth_name: b.example }\n");
  EXPECT_EQ(config.upstreams[1].addresses, config.upstreams[0].addresses);
}

TEST(ParseConfigTest, ReadsWindowsLineEnds) {
  const Config config = Parse("workers: 2\r\ncache:\r\n  size: 1MiB\r\n");
  EXPECT_EQ(config.workers, 2U);
  EXPECT_EQ(config.cache.size_octets, 1ULL << 20);
  EXPECT_EQ(ErrorsOf("workers: 2\r\nuser: \"a\r\n"),
            std::vector<std::string>{"f:2:7: the quote that begins here is never closed"});
}

TEST(ParseConfigTest, CountsColumnsBehindAByteOrderMark) {
  EXPECT_EQ(ErrorsOf("\xef\xbb\xbf{ workers: 300 }"),
            std::vector<std::string>{"f:1:12: workers: \"300\" is out of range; accepted: auto, 1 to 256 threads"});
}

TEST(ParseConfigTest, ValuesOfAFeatureThatIsOffAreAccepted) {
  const Config config = Parse(
      "cache: { stale: { enabled: false, client_timeout: 1s }, snapshot: { interval: 1m } }\n"
      "limits: { client_burst: 7 }\nlocal: { block_with: refused }\n");
  EXPECT_EQ(config.cache.stale.client_timeout, seconds(1));
  EXPECT_EQ(config.limits.client_burst, 7U);
  EXPECT_EQ(config.local.block_with, BlockWith::kRefused);
}

TEST(ParseConfigTest, ReportsErrorsInTheOrderOfTheFileWhoeverFoundThem) {
  const std::vector<std::string> errors = ErrorsOf(
      "forward:\n"
      "  - { zone: ., upstreams: [nobody] }\n"  // a cross check
      "workers: 0\n"
      "cache: { min_ttl: 2h, max_ttl: 1h }\n"  // a cross check
      "wrokers: 1\n");
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_TRUE(errors[0].starts_with("f:2:28: forward[0].upstreams[0]: ")) << errors[0];
  EXPECT_TRUE(errors[1].starts_with("f:3:10: workers: ")) << errors[1];
  EXPECT_TRUE(errors[2].starts_with("f:4:19: cache.min_ttl: ")) << errors[2];
  EXPECT_TRUE(errors[3].starts_with("f:5:1: wrokers: ")) << errors[3];
}

TEST(ParseConfigTest, AnUnsoundUpstreamIsNotReportedAgainByItsRoutes) {
  EXPECT_EQ(ErrorsOf("upstreams:\n  - { name: a b, addresses: [192.0.2.1], auth_name: a.example }\n"
                     "forward:\n  - { zone: ., upstreams: [a] }\n")
                .size(),
            1U);
  EXPECT_EQ(ErrorsOf("upstreams: none\nforward: [{ zone: ., upstreams: [a] }]\n").size(), 1U);
}

// --- limits ---

TEST(ConfigLimitsTest, OneOctetMoreThanIsAcceptedIsRefused) {
  const std::string most(Limits::kConfigOctetsMax, ' ');
  EXPECT_TRUE(ParseConfig(most, "f").ok());
  EXPECT_EQ(ErrorsOf(most + " "), std::vector<std::string>{"f: is longer than the 4 MiB that are accepted"});
}

TEST(ConfigLimitsTest, NestingIsBoundedWhateverItIsMadeOf) {
  const std::string deepest = Repeat("[", Limits::kConfigDepthMax) + Repeat("]", Limits::kConfigDepthMax);
  EXPECT_EQ(ErrorsOf(deepest).front(), "f:1:1: a configuration is a mapping: lines of the form \"key: value\"");
  const std::string indented = [] {
    std::string text;
    for (size_t i = 0; i < 1000; ++i) text += std::string(i, ' ') + "a:\n";
    return text;
  }();
  for (const std::string& text :
       {Repeat("[", 100'000), Repeat("{", 100'000), Repeat("- ", 100'000), Repeat("? ", 100'000),
        Repeat("[a: ", 100'000), Repeat("{a: ", 100'000), Repeat("[a,", 100'000), indented}) {
    const std::vector<std::string> errors = ErrorsOf(text);
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_TRUE(errors[0].ends_with("more than 32 levels of nesting")) << errors[0];
  }
}

TEST(ConfigLimitsTest, ValuesAreCountedInTheTextAndAlongAliases) {
  EXPECT_TRUE(
      ErrorsOf("user: [" + Repeat("a,", Limits::kConfigNodesMax) + "]").front().ends_with("more than 500000 values"));
  // 20,000 routes that all refer to one list of 256 names would be five million values.
  const std::string laughs =
      "upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example }]\n"
      "forward:\n  - &r { zone: ., upstreams: [" +
      Repeat("a,", 256) + "] }\n" + Repeat("  - *r\n", 20'000);
  const std::vector<std::string> errors = ErrorsOf(laughs);
  ASSERT_EQ(errors.size(), Limits::kConfigErrorsMax);
}

TEST(ConfigLimitsTest, AliasesThatMultiplyAreReportedByThemselves) {
  // The routes are sound one by one: no error comes before the one about the limit.
  std::string upstreams = "upstreams:\n";
  std::string names;
  for (size_t i = 0; i < Limits::kConfigUpstreamsMax; ++i) {
    StrAppend(&upstreams, "  - { name: u", i, ", addresses: [192.0.2.1], auth_name: a.example }\n");
    StrAppend(&names, "u", i, ",");
  }
  std::string forward = "forward:\n  - { zone: ., upstreams: &u [" + names + "] }\n";
  for (size_t i = 0; i < 2000; ++i) StrAppend(&forward, "  - { zone: z", i, ".example, upstreams: *u }\n");
  const std::vector<std::string> errors = ErrorsOf(upstreams + forward);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_TRUE(errors[0].ends_with("the file has more than 500000 values once its aliases are followed")) << errors[0];
}

TEST(ConfigLimitsTest, NoMoreErrorsThanTheLimitAreReportedAndTheLastSaysSo) {
  std::string text = "access:\n  allow:\n";
  for (size_t i = 0; i < Limits::kConfigErrorsMax; ++i) text += "    - nonsense\n";
  EXPECT_EQ(ErrorsOf(text).size(), Limits::kConfigErrorsMax);
  EXPECT_EQ(ErrorsOf(text).back(), "f:102:7: access.allow[99]: \"nonsense\" is not an IP address");
  for (const std::string& more : {std::string("    - nonsense\n"), std::string("wrokers: 1\n")}) {
    const std::vector<std::string> errors = ErrorsOf(text + more);
    ASSERT_EQ(errors.size(), Limits::kConfigErrorsMax);
    EXPECT_EQ(errors[98], "f:101:7: access.allow[98]: \"nonsense\" is not an IP address");
    EXPECT_EQ(errors[99], "f: there are more errors; these are the first 99");
  }
}

TEST(ConfigLimitsTest, UpstreamsAndTheirAddressesAreCounted) {
  const auto upstreams = [](size_t count) {
    std::string text = "upstreams:\n";
    for (size_t i = 0; i < count; ++i) {
      StrAppend(&text, "  - { name: u", i, ", addresses: [192.0.2.1], auth_name: a.example }\n");
    }
    return text;
  };
  EXPECT_TRUE(ErrorsOf(upstreams(Limits::kConfigUpstreamsMax)).empty());
  EXPECT_EQ(ErrorsOf(upstreams(Limits::kConfigUpstreamsMax + 1)).front(),
            "f:2:3: upstreams: has 257 entries; accepted: 1 to 256");
  const auto addresses = [](size_t count) {
    std::string text = "upstreams: [{ name: a, auth_name: a.example, addresses: [";
    for (size_t i = 0; i < count; ++i) StrAppend(&text, "192.0.2.", i, ",");
    return text + "] }]";
  };
  EXPECT_TRUE(ErrorsOf(addresses(Limits::kConfigAddressesMax)).empty());
  EXPECT_EQ(ErrorsOf(addresses(Limits::kConfigAddressesMax + 1)).front(),
            "f:1:57: upstreams[0].addresses: has 65 items; accepted: 1 to 64");
  const auto resolvers = [](size_t count) {
    std::string text = "bootstrap: [";
    for (size_t i = 0; i < count; ++i) StrAppend(&text, "192.0.2.", i, ",");
    return text + "]";
  };
  EXPECT_TRUE(ErrorsOf(resolvers(Limits::kConfigBootstrapMax)).empty());
  EXPECT_EQ(ErrorsOf(resolvers(Limits::kConfigBootstrapMax + 1)).front(),
            "f:1:12: bootstrap: has 17 items; accepted: 0 to 16");
}

TEST(ConfigLimitsTest, ATextIsBounded) {
  EXPECT_TRUE(ErrorsOf("user: " + std::string(Limits::kConfigTextOctetsMax, 'a')).empty());
  EXPECT_EQ(ErrorsOf("user: " + std::string(Limits::kConfigTextOctetsMax + 1, 'a')).size(), 1U);
}

// Thousands of zones are what lists of domestic domains have; nothing in their handling may be quadratic.
TEST(ConfigLimitsTest, TenThousandsOfRoutesAreRead) {
  std::string text = "forward:\n  - { zone: ., upstreams: [quad9] }\n";
  for (size_t i = 0; i < 50'000; ++i) StrAppend(&text, "  - { zone: z", i, ".example, upstreams: [google] }\n");
  EXPECT_EQ(Parse(text).forward.size(), 50'001U);
}

// --- files ---

TEST(LoadConfigTest, AFileThatCannotBeReadIsAnErrorOfTheFile) {
  const ConfigResult missing = LoadConfig("/nonexistent/dotward.yaml");
  EXPECT_FALSE(missing.ok());
  ASSERT_EQ(missing.errors.size(), 1U);
  EXPECT_EQ(missing.errors[0].ToString(), "/nonexistent/dotward.yaml: cannot be read: No such file or directory");
  EXPECT_EQ(LoadConfig("/").errors.at(0).ToString(), "/: cannot be read: Is a directory");
}

TEST(LoadConfigTest, AnEndlessFileIsReadNoFurtherThanTheLimit) {
  EXPECT_EQ(LoadConfig("/dev/zero").errors.at(0).ToString(), "/dev/zero: is longer than the 4 MiB that are accepted");
}

TEST(LoadConfigTest, ReadsACaFileThatIsThere) {
  const std::string readable = DOTWARD_SOURCE_DIR "/LICENSE";
  EXPECT_EQ(
      Parse(StrCat("upstreams: [{ name: a, addresses: [192.0.2.1], auth_name: a.example, ca_file: ", readable, " }]"))
          .upstreams[0]
          .ca_file,
      readable);
}

}  // namespace
}  // namespace dotward
