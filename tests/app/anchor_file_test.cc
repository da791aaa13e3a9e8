#include "app/anchor_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace dotward {
namespace {

class AnchorFileTest : public testing::Test {
 protected:
  AnchorFileTest() {
    std::string folder = testing::TempDir() + "anchors-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~AnchorFileTest() override { std::filesystem::remove_all(folder_); }

  // Returns when it is written.
  static void Write(const std::string& path, const std::string& text) { AnchorFile(path).Write(text); }

  std::string folder_;
};

TEST_F(AnchorFileTest, StandsBesideTheSnapshot) {
  Config config;
  EXPECT_EQ(AnchorFile::PathOf(config), "");
  config.cache.snapshot.path = "/var/lib/dotward/cache";
  EXPECT_EQ(AnchorFile::PathOf(config), "/var/lib/dotward/cache.anchors");
}

TEST_F(AnchorFileTest, HoldsWhatWasWrittenLastAndIsNobodyElses) {
  const std::string path = folder_ + "/cache.anchors";
  EXPECT_EQ(AnchorFile(path).Read(), "");
  Write(path, "one");
  AnchorFile file(path);
  EXPECT_EQ(file.Read(), "one");
  file.Write("two");
  file.Write("three");
  file.Write("four");
  Write(folder_ + "/other", "");
  {
    AnchorFile last(path);
    last.Write("five");
  }
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_F(AnchorFileTest, WhatAKilledProcessLeftIsReplaced) {
  const std::string path = folder_ + "/cache.anchors";
  std::ofstream(path + ".tmp") << "half of";
  Write(path, "whole");
  EXPECT_EQ(AnchorFile(path).Read(), "whole");
}

TEST_F(AnchorFileTest, FolderThatIsNotThereHarmsNobody) {
  const std::string path = folder_ + "/nowhere/cache.anchors";
  Write(path, "text");
  EXPECT_EQ(AnchorFile(path).Read(), "");
}

TEST_F(AnchorFileTest, WithoutAPathNothingIsReadOrWritten) {
  Write("", "text");
  EXPECT_EQ(AnchorFile("").Read(), "");
}

}  // namespace
}  // namespace dotward
