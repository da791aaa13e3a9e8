#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "dotward/config.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

ConfigParts Layers(std::vector<std::string> texts, std::vector<std::string> settings = {}) {
  ConfigParts parts;
  for (size_t i = 0; i < texts.size(); ++i)
    parts.texts.push_back({std::string(1, static_cast<char>('a' + i)), std::move(texts[i])});
  parts.settings = std::move(settings);
  return parts;
}

// The configuration of the layers; where it has errors, the test fails and gets the defaults.
Config Parse(std::vector<std::string> texts, std::vector<std::string> settings = {}) {
  ConfigResult result = ParseConfig(Layers(std::move(texts), std::move(settings)));
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.ToString();
  return result.ok() ? *std::move(result.config) : DefaultConfig();
}

std::vector<std::string> ErrorsOf(std::vector<std::string> texts, std::vector<std::string> settings = {}) {
  std::vector<std::string> errors;
  for (const ConfigError& error : ParseConfig(Layers(std::move(texts), std::move(settings))).errors) {
    errors.push_back(error.ToString());
  }
  return errors;
}

constexpr const char* kTwoUpstreams = R"(
upstreams:
  - { name: one, addresses: [192.0.2.1], auth_name: one.example }
  - { name: two, addresses: [192.0.2.2], auth_name: two.example, port: 8853 }
forward:
  - { zone: ., upstreams: [one, two] }
  - { zone: Corp.example, upstreams: [two], policy: ordered }
)";

TEST(LayersTest, ALaterScalarOverridesAndSectionsAreJoined) {
  const Config config =
      Parse({"cache: { size: 1MiB, max_ttl: 2h }\nworkers: 2", "cache: { max_ttl: 3h }", "workers: 4"});
  EXPECT_EQ(config.cache.size_octets, 1ULL << 20);
  EXPECT_EQ(config.cache.max_ttl, hours(3));
  EXPECT_EQ(config.workers, 4U);
}

TEST(LayersTest, ASectionWhoseKeysAreCommentedOutChangesNothing) {
  EXPECT_EQ(Parse({"cache: { max_ttl: 2h }", "cache:\n  # max_ttl: 3h\n"}).cache.max_ttl, hours(2));
  EXPECT_EQ(Parse({"cache:\n", "cache: { max_ttl: 2h }"}).cache.max_ttl, hours(2));
  EXPECT_EQ(Parse({"", "cache: { max_ttl: 2h }", "# nothing\n"}).cache.max_ttl, hours(2));
}

TEST(LayersTest, ALaterListReplaces) {
  const Config config = Parse({"listen: [192.0.2.1, 192.0.2.2]", "listen: [192.0.2.3]"});
  ASSERT_EQ(config.listen.size(), 1U);
  EXPECT_EQ(config.listen[0].endpoint.ToString(), "192.0.2.3:53");
}

TEST(LayersTest, EntriesOfOneNameReplaceAndOthersAreAdded) {
  const Config config = Parse({kTwoUpstreams, R"(
upstreams:
  - { name: three, addresses: [192.0.2.3], protocol: udp }
  - { name: two, addresses: [192.0.2.22], auth_name: two.example }
forward:
  - { zone: corp.EXAMPLE., upstreams: [three] }
  - { zone: lab.example, upstreams: [two] }
)"});
  ASSERT_EQ(config.upstreams.size(), 3U);
  EXPECT_EQ(config.upstreams[0].name, "one");
  EXPECT_EQ(config.upstreams[1].name, "two");
  EXPECT_EQ(config.upstreams[1].addresses[0].ToString(), "192.0.2.22");
  EXPECT_EQ(config.upstreams[1].port, 853) << "as a whole: nothing of the entry that was replaced is left";
  EXPECT_EQ(config.upstreams[2].name, "three");
  ASSERT_EQ(config.forward.size(), 3U);
  EXPECT_EQ(config.forward[0].zone, ".");
  EXPECT_EQ(config.forward[1].upstreams, std::vector<std::string>{"three"});
  EXPECT_EQ(config.forward[1].policy, UpstreamPolicy::kLatency);
  EXPECT_EQ(config.forward[2].zone, "lab.example.");
}

TEST(LayersTest, ARouteWithoutAZoneIsTheDefaultOne) {
  const Config config = Parse({kTwoUpstreams, "forward: [{ upstreams: [two] }]"});
  ASSERT_EQ(config.forward.size(), 2U);
  EXPECT_EQ(config.forward[0].upstreams, std::vector<std::string>{"two"});
}

TEST(LayersTest, TheBuiltInUpstreamsAreReplacedByTheFirstListThatIsGiven) {
  const Config config = Parse({"", "upstreams: [{ name: one, addresses: [192.0.2.1], auth_name: one.example }]",
                               "upstreams: [{ name: two, addresses: [192.0.2.2], auth_name: two.example }]"});
  ASSERT_EQ(config.upstreams.size(), 2U);
  ASSERT_EQ(config.forward.size(), 1U);
  EXPECT_EQ(config.forward[0].upstreams, (std::vector<std::string>{"one", "two"}));
}

TEST(LayersTest, AnAnchorOfOneFileIsNotChangedByAnother) {
  const Config config = Parse({R"(
upstreams:
  - { name: one, addresses: &addresses [192.0.2.1], auth_name: one.example }
  - { name: two, addresses: *addresses, auth_name: two.example }
)",
                               "upstreams: [{ name: one, addresses: [192.0.2.9], auth_name: one.example }]"});
  EXPECT_EQ(config.upstreams[0].addresses[0].ToString(), "192.0.2.9");
  EXPECT_EQ(config.upstreams[1].addresses[0].ToString(), "192.0.2.1");
}

TEST(LayersTest, AnErrorNamesTheTextThatItIsIn) {
  EXPECT_EQ(ErrorsOf({"workers: 0\ncache: { size: 1MiB }", "query:\n  any: all\n", "cache: { sise: 1MiB }"}),
            (std::vector<std::string>{"a:1:10: workers: \"0\" is out of range; accepted: auto, 1 to 256 threads",
                                      "b:2:8: query.any: \"all\" is not accepted; accepted: minimal | forward",
                                      "c:1:10: cache.sise: unknown key; did you mean \"size\"?"}));
}

TEST(LayersTest, WhatIsReplacedIsNotReported) {
  EXPECT_EQ(Parse({"workers: 0", "workers: 2"}).workers, 2U);
  EXPECT_EQ(Parse({"workers: ${DOTWARD_NO_SUCH_VARIABLE}", "workers: 2"}).workers, 2U);
}

TEST(LayersTest, NamesAreCheckedOverAllTexts) {
  EXPECT_EQ(ErrorsOf({kTwoUpstreams, "forward: [{ zone: lab.example, upstreams: [twoo] }]"}),
            std::vector<std::string>{
                "b:1:44: forward[2].upstreams[0]: there is no upstream \"twoo\"; did you mean \"two\"?"});
  EXPECT_EQ(ErrorsOf({kTwoUpstreams,
                      "forward: [{ zone: lab.example, upstreams: [two] }, { zone: lab.example, upstreams: [one] }]"}),
            std::vector<std::string>{"b:1:60: forward[3].zone: \"lab.example.\" has a route already, at line 1"});
  EXPECT_EQ(ErrorsOf({kTwoUpstreams,
                      "upstreams: [{ name: two, addresses: [192.0.2.2], auth_name: a.example }, "
                      "{ name: two, addresses: [192.0.2.2], auth_name: a.example }]"}),
            std::vector<std::string>{"b:1:82: upstreams[2].name: \"two\" is the name of an upstream above"});
}

TEST(LayersTest, AKeyThatOneTextGivesTwiceIsReportedThere) {
  EXPECT_EQ(ErrorsOf({"workers: 2", "workers: 3\nworkers: 4"}),
            std::vector<std::string>{"b:2:1: workers: is given twice; first at line 1"});
  EXPECT_EQ(ErrorsOf({"workers: 2\nworkers: 3", "workers: 4"}),
            std::vector<std::string>{"a:2:1: workers: is given twice; first at b, line 1"});
}

TEST(LayersTest, EveryTextThatIsNoYamlIsReported) {
  const std::vector<std::string> errors = ErrorsOf({"workers: [", "", "a: b: c", "x: \x01"});
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_TRUE(errors[0].starts_with("a:")) << errors[0];
  EXPECT_TRUE(errors[1].starts_with("c:1:5: not valid YAML")) << errors[1];
  EXPECT_TRUE(errors[2].starts_with("d:1:4: the control character")) << errors[2];
  EXPECT_EQ(ErrorsOf({"workers: 2", "- a\n"}).at(0),
            "b:1:1: a configuration is a mapping: lines of the form \"key: value\"");
}

TEST(LayersTest, TheTextsTogetherAreBounded) {
  const std::string half(Limits::kConfigOctetsMax / 2, '\n');
  EXPECT_TRUE(ErrorsOf({half, half}).empty());
  EXPECT_EQ(ErrorsOf({half, half, "\n", "workers: 0"}),
            std::vector<std::string>{"c: and what stands before it are longer than the 4 MiB that are accepted"});
}

TEST(SettingsTest, WinOverTheFilesAndTheLastOverTheFirst) {
  const Config config =
      Parse({"cache: { max_ttl: 2h, min_ttl: 1s }"}, {"cache.max_ttl=3h", "workers=2", "workers=4", "cache.stale={}"});
  EXPECT_EQ(config.cache.max_ttl, hours(3));
  EXPECT_EQ(config.cache.min_ttl, seconds(1));
  EXPECT_EQ(config.workers, 4U);
}

TEST(SettingsTest, TakeYamlAndReplaceListsAsAWhole) {
  const Config config = Parse({kTwoUpstreams}, {"forward=[{ zone: ., upstreams: [two] }]", "listen=[192.0.2.1]",
                                                "log.file=\"/a=b\"", "query={ any: forward }"});
  ASSERT_EQ(config.forward.size(), 1U);
  EXPECT_EQ(config.forward[0].upstreams, std::vector<std::string>{"two"});
  EXPECT_EQ(config.listen.at(0).endpoint.ToString(), "192.0.2.1:53");
  EXPECT_EQ(config.log.file, "/a=b");
  EXPECT_EQ(config.query.any, AnyPolicy::kForward);
}

TEST(SettingsTest, ErrorsSayThatTheyAreOfTheCommandLine) {
  for (const auto& [setting, error] : std::vector<std::pair<std::string, std::string>>{
           {"workers=0", "command line: workers: \"0\" is out of range; accepted: auto, 1 to 256 threads"},
           {"cache.sise=1MiB", "command line: cache.sise: unknown key; did you mean \"size\"?"},
           {"cache=1MiB", "command line: cache: is a section; its keys stand indented below it"},
           {"workers.x=1",
            "command line: workers: a mapping stands where a whole number belongs; accepted: auto, 1 "
            "to 256 threads"},
           {"user=", "command line: user: no value; write the name of an account"},
           {"workers", "command line: --set \"workers\": write KEY=VALUE, such as cache.max_ttl=1h"},
           {"=1", "command line: --set \"=1\": write KEY=VALUE, such as cache.max_ttl=1h"},
           {"a..b=1", "command line: --set \"a..b=1\": write KEY=VALUE, such as cache.max_ttl=1h"},
           {"log={ level: info, level: debug }", "command line: log.level: is given twice"},
           {"listen=[",
            "command line: --set \"listen=[\": the value: not valid YAML: a \"[\" before this is not "
            "closed, or a \",\" is missing"},
           {"user=${DOTWARD_NO_SUCH_VARIABLE}",
            "command line: user: the environment variable DOTWARD_NO_SUCH_VARIABLE "
            "is not set; set it, or write ${DOTWARD_NO_SUCH_VARIABLE:-default}"}}) {
    EXPECT_EQ(ErrorsOf({"workers: 2"}, {setting}), std::vector<std::string>{error});
  }
  std::string deep = "a";
  for (size_t i = 0; i < Limits::kConfigDepthMax; ++i) deep += ".a";
  EXPECT_EQ(ErrorsOf({}, {deep + "=1"}).size(), 1U);
}

class DropInTest : public testing::Test {
 protected:
  DropInTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/dotward.d");
  }
  ~DropInTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  ConfigResult Load() const { return LoadConfig(Path("dotward.yaml")); }

  const std::string folder_ = StrCat(testing::TempDir(), "drop_ins_", getpid());
};

TEST_F(DropInTest, AreTakenInTheOrderOfTheirNames) {
  Write("dotward.yaml", "workers: 1");
  Write("dotward.d/20-b.yaml", "workers: 2\ncache: { max_ttl: 2h }");
  Write("dotward.d/10-a.yaml", "workers: 3");
  const ConfigResult result = Load();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->workers, 2U);
  EXPECT_EQ(result.config->cache.max_ttl, hours(2));
  EXPECT_EQ(LoadConfig(Path("dotward.yaml"), {"workers=5"}).config->workers, 5U);
}

TEST_F(DropInTest, OthersThanYamlFilesAreLeftAlone) {
  Write("dotward.yaml", "workers: 1");
  for (const char* name : {"a.yaml.dpkg-old", "b.yml", ".c.yaml", "d.yaml~", "README"}) {
    Write(StrCat("dotward.d/", name), "workers: 2");
  }
  EXPECT_EQ(Load().config->workers, 1U);
}

TEST_F(DropInTest, AreThereWithoutAFile) {
  Write("dotward.d/a.yaml", "workers: 2");
  EXPECT_EQ(LoadDropIns(Path("dotward.yaml"), {}).config->workers, 2U);
  EXPECT_EQ(LoadDropIns(Path("nowhere/dotward.yaml"), {"workers=3"}).config->workers, 3U);
  EXPECT_EQ(PrintConfig(*LoadDropIns(Path("nowhere/dotward.yaml"), {}).config), PrintConfig(DefaultConfig()));
}

TEST_F(DropInTest, AnErrorNamesTheFile) {
  Write("dotward.yaml", "workers: 1");
  Write("dotward.d/a.yaml", "\nworkers: none");
  ASSERT_EQ(Load().errors.size(), 1U);
  EXPECT_EQ(
      Load().errors[0].ToString(),
      Path("dotward.d/a.yaml") + ":2:10: workers: \"none\" is not a whole number; accepted: auto, 1 to 256 threads");
}

TEST_F(DropInTest, OneThatCannotBeReadIsAnError) {
  Write("dotward.yaml", "workers: 1");
  std::filesystem::create_directory(Path("dotward.d/a.yaml"));
  std::filesystem::create_symlink("/nonexistent", Path("dotward.d/b.yaml"));
  ASSERT_EQ(Load().errors.size(), 2U);
  EXPECT_EQ(Load().errors[0].ToString(), Path("dotward.d/a.yaml") + ": cannot be read: Is a directory");
  EXPECT_EQ(Load().errors[1].ToString(), Path("dotward.d/b.yaml") + ": cannot be read: No such file or directory");
}

TEST_F(DropInTest, TheirNumberIsBounded) {
  Write("dotward.yaml", "workers: 1");
  for (size_t i = 0; i < Limits::kConfigDropInsMax; ++i) Write(StrCat("dotward.d/", i, ".yaml"), "workers: 2");
  EXPECT_EQ(Load().config->workers, 2U);
  Write("dotward.d/more.yaml", "workers: 2");
  ASSERT_EQ(Load().errors.size(), 1U);
  EXPECT_EQ(Load().errors[0].ToString(), Path("dotward.d") + ": has more than 256 drop-in files");
}

TEST(ConfigPlacesTest, SayWhereFilesAndAccountsAreNamed) {
  ConfigResult result = ParseConfig(
      Layers({"", StrCat("user: x\nupstreams:\n  - { name: a, addresses: [192.0.2.1], auth_name: a.example, ca_file: ",
                         DOTWARD_SOURCE_DIR "/LICENSE", " }")}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.places.size(), 2U);
  result.Refuse("upstreams[0].ca_file", "is wrong");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.errors.at(0).ToString(), "b:3:71: upstreams[0].ca_file: is wrong");
}

}  // namespace
}  // namespace dotward
