#include "app/command_line.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

absl::StatusOr<CommandLine> Parse(std::vector<std::string> arguments) { return ParseCommandLine(arguments); }

TEST(CommandLineTest, RunIsTheDefaultSubcommand) {
  EXPECT_EQ(Parse({})->command, Command::kRun);
  EXPECT_EQ(Parse({"--listen", "127.0.0.1:5300"})->command, Command::kRun);
  EXPECT_EQ(Parse({"run"})->command, Command::kRun);
}

TEST(CommandLineTest, TakesValuesBehindABlankOrAnEqualsSign) {
  const auto parsed = Parse({"run", "--config", "a.yaml", "--listen=127.0.0.1:1", "--listen", "[::1]:2", "--upstream",
                             "tls://9.9.9.9#dns.quad9.net"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->config_file, "a.yaml");
  EXPECT_EQ(parsed->listen, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
  EXPECT_EQ(parsed->upstreams, (std::vector<std::string>{"tls://9.9.9.9#dns.quad9.net"}));
}

TEST(CommandLineTest, SaysWhichArgumentIsWrong) {
  for (const auto& [arguments, quoted] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{{{"serve"}, "\"serve\""},
                                                                     {{"run", "--confg", "x"}, "\"--confg\""},
                                                                     {{"run", "extra"}, "\"extra\""},
                                                                     {{"--config"}, "--config needs a value"},
                                                                     {{"--listen="}, "--listen needs a value"},
                                                                     {{"check"}, "check needs --config FILE"}}) {
    const auto parsed = Parse(arguments);
    ASSERT_FALSE(parsed.ok());
    EXPECT_NE(parsed.status().ToString().find(quoted), std::string::npos) << parsed.status();
  }
}

TEST(EffectiveConfigTest, TheCommandLineReplacesTheFilesLists) {
  CommandLine command_line;
  command_line.config_file = DOTWARD_SOURCE_DIR "/conf/dotward.yaml";
  command_line.listen = {"127.0.0.1:5300"};
  command_line.upstreams = {"tls://127.0.0.1:8853#dns.test"};
  const ConfigResult result = EffectiveConfig(command_line);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.config->listen.size(), 1U);
  EXPECT_EQ(result.config->listen[0].endpoint.ToString(), "127.0.0.1:5300");
  ASSERT_EQ(result.config->upstreams.size(), 1U);
  EXPECT_EQ(result.config->upstreams[0].auth_name, "dns.test");
  EXPECT_EQ(result.config->upstreams[0].port, 8853);
  ASSERT_EQ(result.config->forward.size(), 1U);
  EXPECT_EQ(result.config->forward[0].zone, ".");
}

TEST(EffectiveConfigTest, UpstreamsInTheClearAreWarnedOfOnceWhoeverGivesThem) {
  const std::string file = testing::TempDir() + "clear.yaml";
  std::ofstream(file) << "upstreams: [{ name: a, addresses: [192.0.2.1], protocol: udp }]\n";
  CommandLine command_line;
  command_line.config_file = file;
  ASSERT_EQ(EffectiveConfig(command_line).warnings.size(), 1U);
  EXPECT_NE(EffectiveConfig(command_line).warnings[0].message.find("in the clear to a;"), std::string::npos);

  command_line.upstreams = {"tcp://192.0.2.2"};
  const ConfigResult replaced = EffectiveConfig(command_line);
  ASSERT_EQ(replaced.warnings.size(), 1U);
  EXPECT_TRUE(replaced.warnings[0].ToString().starts_with(
      "command line: warning: queries for every name go in the clear to 192.0.2.2;"))
      << replaced.warnings[0].ToString();

  command_line.upstreams = {"tls://192.0.2.2#dns.test"};
  EXPECT_TRUE(EffectiveConfig(command_line).warnings.empty());
}

TEST(RunCommandTest, CheckPrintsAWarningAndAcceptsTheFile) {
  const std::string file = testing::TempDir() + "checked_clear.yaml";
  std::ofstream(file) << "upstreams: [{ name: a, addresses: [192.0.2.1], protocol: udp }]\n";
  testing::internal::CaptureStderr();
  const ExitCode code = RunCommand(std::vector<std::string>{"check", "--config", file});
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, ExitCode::kOk);
  EXPECT_TRUE(
      printed.starts_with(file + ":1:58: upstreams[0].protocol: warning: queries for every name go in the clear"))
      << printed;
}

// The errors and warnings of a configuration file with this line, without the names of the files.
std::vector<std::string> FindingsOf(const TemporaryFolder& folder, const std::string& line) {
  CommandLine command_line;
  command_line.config_file = folder / "dotward.yaml";
  std::ofstream(command_line.config_file) << line << "\n";
  const ConfigResult result = EffectiveConfig(command_line);
  std::vector<std::string> findings;
  for (const std::vector<ConfigError>& list : {result.errors, result.warnings}) {
    for (const ConfigError& finding : list) {
      std::string text = finding.ToString();
      for (size_t at; (at = text.find(folder.path())) != std::string::npos;) {
        text.erase(at, folder.path().string().size() + 1);
      }
      findings.push_back(std::move(text));
    }
  }
  return findings;
}

TEST(EffectiveConfigTest, AFileWithoutSoundTrustAnchorsIsRefusedWithItsLine) {
  const TemporaryFolder folder;
  const std::string anchors = folder / "anchors";
  const std::string line = "dnssec: { trust_anchors: " + anchors;
  const auto findings = [&](std::string_view text, const std::string& rest = " }") {
    std::ofstream(anchors) << text;
    return FindingsOf(folder, line + rest);
  };
  using Findings = std::vector<std::string>;
  const std::string good = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
  EXPECT_EQ(findings(good), Findings());
  const std::string place = "dotward.yaml:1:26: dnssec.trust_anchors: ";
  EXPECT_EQ(findings(""), Findings{place + "anchors:1: no trust anchor in it"});
  EXPECT_EQ(findings(good + "\n. IN A 192.0.2.1\n"),
            Findings{place + "anchors:3: a A record; DS and DNSKEY can be trust anchors"});
  EXPECT_EQ(findings("", ", validation: off }"), Findings()) << "nobody reads it";
}

TEST(EffectiveConfigTest, ANegativeTrustAnchorWhoseTimeIsOverIsWarnedOf) {
  const TemporaryFolder folder;
  const std::string line = "dnssec: { negative_trust_anchors: [a.example until 2099-01-31, b.example until 2020-01-31]";
  EXPECT_EQ(
      FindingsOf(folder, line + " }"),
      std::vector<std::string>{"dotward.yaml:1:35: dnssec.negative_trust_anchors: warning: \"b.example. until "
                               "2020-01-31T00:00:00Z\" is over, so the zone is validated; take it out, or give it "
                               "another end"});
  EXPECT_TRUE(FindingsOf(folder, line + ", validation: off }").empty());
}

TEST(EffectiveConfigTest, WhatTheCommandLineBringsIsChecked) {
  for (const char* url : {"9.9.9.9", "tls://9.9.9.9", "tls://9.9.9.9#", "https://9.9.9.9#x", "tls://#dns.quad9.net"}) {
    CommandLine command_line;
    command_line.config_file = DOTWARD_SOURCE_DIR "/conf/dotward.yaml";
    command_line.upstreams = {url};
    const ConfigResult result = EffectiveConfig(command_line);
    ASSERT_FALSE(result.ok()) << url;
    EXPECT_EQ(result.errors.at(0).file, "command line");
  }
}

}  // namespace
}  // namespace dotward
