#include "config/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace dotward {
namespace {

constexpr const char* kPage = DOTWARD_SOURCE_DIR "/docs/configuration.md";

TEST(RenderReferenceTest, IsWhatThePageSays) {
  const std::string rendered = RenderReference();
  if (std::getenv("DOTWARD_UPDATE_DOCS") != nullptr) std::ofstream(kPage) << rendered;
  std::ostringstream page;
  page << std::ifstream(kPage).rdbuf();
  // On a difference GoogleTest prints the lines that differ.
  EXPECT_EQ(page.str(), rendered)
      << "docs/configuration.md is made from the schema; write it anew with "
         "DOTWARD_UPDATE_DOCS=1 build/release/tests/config_tests --gtest_filter=RenderReferenceTest.*";
}

}  // namespace
}  // namespace dotward
