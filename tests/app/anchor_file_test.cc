#include "app/anchor_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "testing/temporary_folder.h"

namespace dotward {
namespace {

class AnchorFileTest : public testing::Test {
 protected:
  // Returns when it is written.
  static void Write(const std::string& path, const std::string& text) { AnchorFile(path).Write(text); }

  const TemporaryFolder folder_;
};

TEST_F(AnchorFileTest, StandsBesideTheSnapshot) {
  Config config;
  EXPECT_EQ(AnchorFile::PathOf(config), "");
  config.cache.snapshot.path = "/var/lib/dotward/cache";
  EXPECT_EQ(AnchorFile::PathOf(config), "/var/lib/dotward/cache.anchors");
}

TEST_F(AnchorFileTest, HoldsWhatWasWrittenLast) {
  const std::string path = folder_ / "cache.anchors";
  EXPECT_EQ(AnchorFile(path).Read(), "");
  Write(path, "one");
  AnchorFile file(path);
  EXPECT_EQ(file.Read(), "one");
  file.Write("two");
  file.Write("three");
  file.Write("four");
  Write(folder_ / "other", "");
  {
    AnchorFile last(path);
    last.Write("five");
  }
  EXPECT_EQ(file.Read(), "five");
  EXPECT_EQ(folder_.Files(), (std::vector<std::string>{"cache.anchors", "other"}));
}

TEST_F(AnchorFileTest, FolderThatIsNotThereHarmsNobody) {
  const std::string path = folder_ / "nowhere/cache.anchors";
  Write(path, "text");
  EXPECT_EQ(AnchorFile(path).Read(), "");
}

TEST_F(AnchorFileTest, WhatIsNoFileOfItsOwnIsNotRead) {
  const std::string path = folder_ / "cache.anchors";
  Write(folder_ / "another", "text");
  std::filesystem::create_symlink(folder_ / "another", path);
  EXPECT_EQ(AnchorFile(path).Read(), "");
  Write(path, "own");
  EXPECT_EQ(AnchorFile(path).Read(), "own");
  EXPECT_EQ(AnchorFile(folder_ / "another").Read(), "text");
}

TEST_F(AnchorFileTest, WithoutAPathNothingIsReadOrWritten) {
  Write("", "text");
  EXPECT_EQ(AnchorFile("").Read(), "");
}

}  // namespace
}  // namespace dotward
