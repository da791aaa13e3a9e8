#include "app/control_arguments.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "dns/types.h"

namespace dotward {
namespace {

absl::StatusOr<CommandLine> Parse(std::vector<std::string> arguments) { return ParseCommandLine(arguments); }

ControlRequest RequestOf(std::vector<std::string> arguments) {
  const absl::StatusOr<CommandLine> parsed = Parse(std::move(arguments));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  if (!parsed.ok()) return {};
  EXPECT_EQ(parsed->command, Command::kControl);
  return parsed->control;
}

TEST(ControlArgumentsTest, EachSubcommandBecomesItsRequest) {
  EXPECT_EQ(RequestOf({"status"}).command, ControlCommand::kStatus);
  EXPECT_EQ(RequestOf({"stats"}).command, ControlCommand::kStats);
  EXPECT_EQ(RequestOf({"upstreams"}).command, ControlCommand::kUpstreams);
  EXPECT_EQ(RequestOf({"cache", "dump"}).command, ControlCommand::kCacheDump);
  EXPECT_EQ(RequestOf({"reload"}).command, ControlCommand::kReload);
  const ControlRequest lookup = RequestOf({"cache", "lookup", "www.example", "https", "--do"});
  EXPECT_EQ(lookup.command, ControlCommand::kCacheLookup);
  EXPECT_EQ(lookup.name.ToString(), "www.example.");
  EXPECT_EQ(lookup.type, rr_type::kHttps);
  EXPECT_TRUE(lookup.dnssec_ok && !lookup.checking_disabled);
  const ControlRequest query = RequestOf({"query", "--upstream", "quad9", ".", "NS", "--cd"});
  EXPECT_EQ(query.command, ControlCommand::kQuery);
  EXPECT_EQ(query.upstream, "quad9");
  EXPECT_TRUE(query.name.is_root() && query.checking_disabled);
  EXPECT_FALSE(RequestOf({"why", "example"}).type);
}

TEST(ControlArgumentsTest, FlushTakesANameAZoneOrAll) {
  EXPECT_EQ(RequestOf({"cache", "flush", "a.example"}).flush, FlushScope::kName);
  const ControlRequest zone = RequestOf({"cache", "flush", "--zone", "example"});
  EXPECT_EQ(zone.flush, FlushScope::kZone);
  EXPECT_EQ(zone.name.ToString(), "example.");
  EXPECT_EQ(RequestOf({"cache", "flush", "--all"}).flush, FlushScope::kAll);
}

TEST(ControlArgumentsTest, WhereAndHowIsReadBesideIt) {
  const absl::StatusOr<CommandLine> parsed =
      Parse({"stats", "--socket=/tmp/x.sock", "--json", "--config", "a.yaml", "--set", "admin.socket=/y"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->socket, "/tmp/x.sock");
  EXPECT_EQ(parsed->config_file, "a.yaml");
  EXPECT_EQ(parsed->settings, std::vector<std::string>{"admin.socket=/y"});
  EXPECT_TRUE(parsed->json);
  EXPECT_EQ(Parse({"healthcheck", "--socket", "/tmp/x.sock"})->socket, "/tmp/x.sock");
}

TEST(ControlArgumentsTest, WhatIsWrongIsSaid) {
  const auto error = [](std::vector<std::string> arguments) {
    const absl::Status status = Parse(std::move(arguments)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(MessageOf(status));
  };
  const std::string see = "; \"dotward help\" lists what there is";
  EXPECT_EQ(error({"cache"}),
            "usage: dotward cache lookup NAME [TYPE] [--do] [--cd] | dotward cache dump | dotward "
            "cache flush NAME | --zone NAME | --all" +
                see);
  EXPECT_EQ(error({"why"}), "usage: dotward why NAME [TYPE]" + see);
  EXPECT_EQ(error({"why", "a", "A", "b"}), "usage: dotward why NAME [TYPE]" + see);
  EXPECT_EQ(error({"status", "now"}), "usage: dotward status" + see);
  EXPECT_EQ(error({"why", "a", "AAAAA"}), "\"AAAAA\" is not a record type such as AAAA or TYPE65280" + see);
  EXPECT_EQ(error({"status", "--zone", "x"}), "\"dotward status\" takes no \"--zone\"" + see);
  EXPECT_EQ(error({"stats", "--socket"}), "--socket needs a value" + see);
  EXPECT_EQ(error({"cache", "flush", "a", "--all"}), "\"dotward cache flush\" takes no \"--all\"" + see);
  EXPECT_EQ(error({"cache", "flush", "--all", "a"}), "usage: dotward cache flush NAME | --zone NAME | --all" + see);
  EXPECT_EQ(error({"why", "a..b"}).substr(0, 6), "\"a..b\"");
  EXPECT_EQ(error({"check", "--socket", "x"}), "there is no option \"--socket\"" + see);
}

}  // namespace
}  // namespace dotward
