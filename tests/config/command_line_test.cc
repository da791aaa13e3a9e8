#include "config/command_line.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

std::string Message(const absl::Status& status) { return std::string(MessageOf(status)); }

TEST(ReplaceListenTest, ReplacesTheListAlone) {
  Config config = DefaultConfig();
  ASSERT_TRUE(ReplaceListen({"127.0.0.1:5300", "[::1]:5300"}, &config).ok());
  ASSERT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.listen[1].endpoint.ToString(), "[::1]:5300");
  config.listen = DefaultConfig().listen;
  EXPECT_EQ(PrintConfig(config), PrintConfig(DefaultConfig()));
}

TEST(ReplaceListenTest, ChangesNothingOnAnErrorOrWithoutAddresses) {
  for (const std::vector<std::string>& addresses : std::vector<std::vector<std::string>>{
           {}, {"127.0.0.1:5300", "x"}, {"127.0.0.1", "127.0.0.1:53"}, {"tls://[::1]"}}) {
    Config config = DefaultConfig();
    EXPECT_EQ(ReplaceListen(addresses, &config).ok(), addresses.empty());
    EXPECT_EQ(PrintConfig(config), PrintConfig(DefaultConfig()));
  }
}

TEST(ReplaceUpstreamsTest, JoinsAddressesOfOneNameAndRoutesEverythingToThem) {
  Config config = DefaultConfig();
  config.forward.push_back({"corp.example.", {"google"}});
  ASSERT_TRUE(ReplaceUpstreams({"tls://9.9.9.9#dns.quad9.net", "tls://[2001:db8::1]:8853#dns.example",
                                "tls://149.112.112.112#dns.quad9.net", "tls://192.0.2.1#dns.example"},
                               &config)
                  .ok());
  ASSERT_EQ(config.upstreams.size(), 3U);
  EXPECT_EQ(config.upstreams[0].name, "dns.quad9.net");
  EXPECT_EQ(config.upstreams[0].auth_name, "dns.quad9.net");
  EXPECT_EQ(config.upstreams[0].port, 853);
  EXPECT_EQ(config.upstreams[0].addresses.size(), 2U);
  EXPECT_EQ(config.upstreams[1].port, 8853);
  EXPECT_EQ(config.upstreams[2].name, "dns.example-853");
  ASSERT_EQ(config.forward.size(), 1U);
  EXPECT_EQ(config.forward[0].zone, ".");
  EXPECT_EQ(config.forward[0].upstreams, (std::vector<std::string>{"dns.quad9.net", "dns.example", "dns.example-853"}));
  // What comes of it is a configuration like any other.
  EXPECT_TRUE(ParseConfig(PrintConfig(config), "printed").ok());
}

TEST(ReplaceUpstreamsTest, TakesPlainServersEachAsAnUpstreamOfItsOwn) {
  Config config = DefaultConfig();
  ASSERT_TRUE(
      ReplaceUpstreams({"udp://192.0.2.1", "tcp://192.0.2.1/", "udp://192.0.2.1:5300", "udp://[2001:db8::1]"}, &config)
          .ok());
  ASSERT_EQ(config.upstreams.size(), 4U);
  EXPECT_EQ(config.upstreams[0].name, "192.0.2.1");
  EXPECT_EQ(config.upstreams[0].protocol, UpstreamProtocol::kUdp);
  EXPECT_EQ(config.upstreams[0].port, 53);
  EXPECT_TRUE(config.upstreams[0].auth_name.empty());
  EXPECT_EQ(config.upstreams[1].name, "192.0.2.1-53");
  EXPECT_EQ(config.upstreams[1].protocol, UpstreamProtocol::kTcp);
  EXPECT_EQ(config.upstreams[2].name, "192.0.2.1-5300");
  EXPECT_EQ(config.upstreams[2].port, 5300);
  EXPECT_EQ(config.upstreams[3].name, "2001-db8--1");
  EXPECT_TRUE(ParseConfig(PrintConfig(config), "printed").ok());
}

TEST(ReplaceUpstreamsTest, AHostNameIsTheNameToBeProvenWhereNoOtherIsGiven) {
  Config config = DefaultConfig();
  ASSERT_TRUE(ReplaceUpstreams({"tls://DNS.example", "tls://dns.example:8853#other.example", "tls://9.9.9.9#a.example"},
                               &config)
                  .ok());
  ASSERT_EQ(config.upstreams.size(), 3U);
  EXPECT_EQ(config.upstreams[0].host_names, std::vector<std::string>{"dns.example"});
  EXPECT_EQ(config.upstreams[0].auth_name, "dns.example");
  EXPECT_EQ(config.upstreams[0].port, 853);
  EXPECT_EQ(config.upstreams[1].host_names, std::vector<std::string>{"dns.example"});
  EXPECT_EQ(config.upstreams[1].auth_name, "other.example");
  EXPECT_EQ(config.upstreams[1].port, 8853);
  EXPECT_TRUE(ParseConfig(PrintConfig(config), "printed").ok());
}

TEST(ReplaceUpstreamsTest, AHostNameNeedsSomebodyWhoResolvesIt) {
  Config config = DefaultConfig();
  const absl::Status nobody = ReplaceUpstreams({"tls://dns.example"}, &config);
  EXPECT_NE(Message(nobody).find("nobody resolves \"dns.example\""), std::string::npos) << nobody;
  EXPECT_EQ(PrintConfig(config), PrintConfig(DefaultConfig()));
  config.bootstrap.push_back({*Endpoint::Parse("192.0.2.1:53"), UpstreamProtocol::kUdp, ""});
  EXPECT_TRUE(ReplaceUpstreams({"tls://dns.example"}, &config).ok());
}

TEST(ReplaceUpstreamsTest, RefusesWhatIsNoServerOrProvesNoName) {
  for (const char* url : {"", "9.9.9.9", "udp://", "udp://9.9.9.9#dns.quad9.net", "tcp://dns.quad9.net#dns.quad9.net",
                          "udp://9.9.9", "udp://9.9.9.9:0", "tls://9.9.9.9", "tls://9.9.9.9#", "tls://9.9.9.9#9.9.9.9",
                          "tls://dns.quad9.net#", "tls://dns.quad9.net:99999", "tls://9.9.9.9:0#a.example",
                          "tls://0.0.0.0#a.example", "https://9.9.9.9/dns-query"}) {
    Config config = DefaultConfig();
    const absl::Status status = ReplaceUpstreams({url}, &config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_NE(Message(status).find("tls://ADDRESS#NAME"), std::string::npos) << status;
    EXPECT_EQ(PrintConfig(config), PrintConfig(DefaultConfig()));
  }
  for (const std::vector<std::string>& twice : std::vector<std::vector<std::string>>{
           {"tls://9.9.9.9#a.example", "tls://9.9.9.9:853#a.example"}, {"udp://192.0.2.1", "udp://192.0.2.1:53"}}) {
    Config config = DefaultConfig();
    EXPECT_FALSE(ReplaceUpstreams(twice, &config).ok());
  }
}

TEST(ReplaceUpstreamsTest, ServersOfOneNameAreBounded) {
  std::vector<std::string> urls;
  for (size_t i = 0; i < Limits::kConfigAddressesMax; ++i) urls.push_back(StrCat("tls://192.0.2.", i, "#a.example"));
  Config config = DefaultConfig();
  EXPECT_TRUE(ReplaceUpstreams(urls, &config).ok());
  urls.emplace_back("tls://dns.example#a.example");
  EXPECT_FALSE(ReplaceUpstreams(urls, &config).ok());
}

}  // namespace
}  // namespace dotward
