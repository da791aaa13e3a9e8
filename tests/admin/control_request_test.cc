#include "admin/control_request.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "dns/types.h"

namespace dotward {
namespace {

const std::string kFolder = DOTWARD_SOURCE_DIR "/tests/data/control";

std::string FileText(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

ControlRequest MustParse(std::string_view line) {
  const absl::StatusOr<ControlRequest> request = ParseControlRequest(line);
  EXPECT_TRUE(request.ok()) << line << ": " << request.status();
  return request.ok() ? *request : ControlRequest{};
}

TEST(ControlRequestTest, EveryCommandIsReadByItsName) {
  for (const char* command : {"status", "stats", "upstreams", "slow", "cache dump", "reload", "health"}) {
    const ControlRequest request = MustParse(StrCat(R"({"schema":1,"command":")", command, "\"}"));
    EXPECT_EQ(ControlCommandToString(request.command), command);
  }
  for (const char* command : {"cache lookup", "cache flush", "why", "query"}) {
    const ControlRequest request = MustParse(StrCat(R"({"schema":1,"command":")", command, R"(","name":"a.example"})"));
    EXPECT_EQ(ControlCommandToString(request.command), command);
    EXPECT_EQ(request.name.ToString(), "a.example.");
    EXPECT_FALSE(request.type);
  }
}

TEST(ControlRequestTest, WhatACommandTakesIsRead) {
  const ControlRequest query =
      MustParse(R"({"schema":1,"command":"query","name":"x.","type":"https","dnssec_ok":true,"upstream":"quad9"})");
  EXPECT_EQ(query.type, rr_type::kHttps);
  EXPECT_TRUE(query.dnssec_ok);
  EXPECT_FALSE(query.checking_disabled);
  EXPECT_EQ(query.upstream, "quad9");
  EXPECT_EQ(MustParse(R"({"schema":1,"command":"cache flush","name":"x.","scope":"zone"})").flush, FlushScope::kZone);
  const ControlRequest all = MustParse(R"({"schema":1,"command":"cache flush","scope":"all"})");
  EXPECT_EQ(all.flush, FlushScope::kAll);
  EXPECT_TRUE(all.name.is_root());
}

TEST(ControlRequestTest, WhatIsWrittenIsReadAsTheSame) {
  ControlRequest request;
  request.command = ControlCommand::kQuery;
  request.name = *Name::Parse("a\\.b\\200.example.");
  request.type = 65280;
  request.checking_disabled = true;
  request.upstream = "a \"name\"\n";
  const std::string line = RenderControlRequest(request);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(MustParse(line), request);
}

class ControlFaultTest : public testing::TestWithParam<std::string> {};

// A file a fault, and beside it what is said of it.
TEST_P(ControlFaultTest, IsRefusedAndSaysWhy) {
  const std::filesystem::path path = std::filesystem::path(kFolder) / GetParam();
  const absl::StatusOr<ControlRequest> request = ParseControlRequest(FileText(path.string() + ".request"));
  ASSERT_FALSE(request.ok());
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string said = std::string(MessageOf(request.status())) + "\n";
  if (std::getenv("DOTWARD_UPDATE_DATA") != nullptr) std::ofstream(path.string() + ".error") << said;
  EXPECT_EQ(said, FileText(path.string() + ".error"));
}

std::vector<std::string> Faults() {
  std::vector<std::string> faults;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".request") faults.push_back(entry.path().stem());
  }
  std::sort(faults.begin(), faults.end());
  return faults;
}
std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (const char c : info.param) name += c == '-' ? '_' : c;
  return name;
}
INSTANTIATE_TEST_SUITE_P(Files, ControlFaultTest, testing::ValuesIn(Faults()), TestName);

}  // namespace
}  // namespace dotward
