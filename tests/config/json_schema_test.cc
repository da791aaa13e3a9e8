#include "config/json_schema.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace dotward {
namespace {

constexpr const char* kFile = DOTWARD_SOURCE_DIR "/docs/dotward.schema.json";

TEST(RenderJsonSchemaTest, IsWhatTheFileSays) {
  const std::string rendered = RenderJsonSchema();
  if (std::getenv("DOTWARD_UPDATE_DOCS") != nullptr) std::ofstream(kFile) << rendered;
  std::ostringstream file;
  file << std::ifstream(kFile).rdbuf();
  EXPECT_EQ(file.str(), rendered)
      << "docs/dotward.schema.json is made from the schema; write it anew with "
         "DOTWARD_UPDATE_DOCS=1 build/release/tests/config_tests --gtest_filter=RenderJsonSchemaTest.*";
}

}  // namespace
}  // namespace dotward
