#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "admin/metrics.h"

namespace dotward {
namespace {

constexpr const char* kPage = DOTWARD_SOURCE_DIR "/docs/metrics.md";

TEST(MetricsReferenceTest, ThePageHasEveryMetricAsTheTableSays) {
  std::ostringstream read;
  read << std::ifstream(kPage).rdbuf();
  std::string page = read.str();
  const size_t begin = page.find("| metric | type |");
  ASSERT_NE(begin, std::string::npos) << kPage;
  const size_t end = page.find("\n\n", begin) + 1;
  ASSERT_NE(end, 0U);
  if (std::getenv("DOTWARD_UPDATE_DOCS") != nullptr) {
    page.replace(begin, end - begin, RenderMetricRows());
    std::ofstream(kPage) << page;
    return;
  }
  EXPECT_EQ(page.substr(begin, end - begin), RenderMetricRows())
      << "the table of docs/metrics.md is made from src/admin/metrics_table.cc; write it anew with "
         "DOTWARD_UPDATE_DOCS=1 build/release/tests/admin_tests --gtest_filter=MetricsReferenceTest.*";
}

}  // namespace
}  // namespace dotward
