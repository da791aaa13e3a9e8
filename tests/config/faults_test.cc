#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {
namespace {

// tests/data/config has one file a fault, FAULT.yaml, and beside it FAULT.errors: all that is to be said of it, a line
// for each error, without the file's name.
constexpr const char* kFolder = DOTWARD_SOURCE_DIR "/tests/data/config/";

std::vector<std::string> FilesThatEndIn(const std::string& extension) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ConfigFaultTest : public testing::TestWithParam<std::string> {};

TEST_P(ConfigFaultTest, IsReportedWithItsPlaceAndARemedy) {
  const std::string file = kFolder + GetParam() + ".yaml";
  const ConfigResult result = LoadConfig(file);
  EXPECT_FALSE(result.ok());
  std::vector<std::string> errors;
  for (const ConfigError& error : result.errors) {
    EXPECT_EQ(error.file, file);
    errors.push_back(error.ToString().substr(file.size() + 1));
  }
  std::vector<std::string> expected;
  std::ifstream lines(kFolder + GetParam() + ".errors");
  for (std::string line; std::getline(lines, line);) expected.push_back(line);
  EXPECT_EQ(errors, expected);
}

std::string WithoutHyphens(const testing::TestParamInfo<std::string>& fault) {
  std::string name = fault.param;
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigFaultTest, testing::ValuesIn(FilesThatEndIn(".yaml")), WithoutHyphens);

TEST(ConfigFaultsTest, EveryFaultHasItsErrors) {
  EXPECT_EQ(FilesThatEndIn(".yaml"), FilesThatEndIn(".errors"));
  EXPECT_GT(FilesThatEndIn(".yaml").size(), 80U);
}

}  // namespace
}  // namespace dotward
