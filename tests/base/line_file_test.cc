#include "base/line_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

class LineFileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name = "log") const { return folder_ / name; }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  const TemporaryFolder folder_;
};

TEST_F(LineFileTest, AppendsToWhatIsThere) {
  std::ofstream(Path()) << "before\n";
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  EXPECT_TRUE(file.Append("one\n"));
  EXPECT_TRUE(file.Append("two\nthree\n", 2));
  EXPECT_EQ(Read(Path()), "before\none\ntwo\nthree\n");
  EXPECT_EQ(file.lost(), 0U);
}

TEST_F(LineFileTest, OpensAnewAfterARotation) {
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  file.Append("old\n");
  std::filesystem::rename(Path(), Path("log.1"));
  file.Append("still old\n");
  ASSERT_TRUE(file.Open(Path()).ok());
  file.Append("new\n");
  EXPECT_EQ(Read(Path("log.1")), "old\nstill old\n");
  EXPECT_EQ(Read(Path()), "new\n");
}

TEST_F(LineFileTest, FailureToOpenNamesTheFileAndKeepsTheOldOne) {
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  const absl::Status status = file.Open(Path("nowhere/log"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(MessageOf(status).find(Path("nowhere/log")), std::string_view::npos);
  EXPECT_TRUE(file.Append("goes on\n"));
  EXPECT_EQ(Read(Path()), "goes on\n");
}

TEST_F(LineFileTest, FullDiskCostsTheLineAndNothingElse) {
  LineFile file;
  ASSERT_TRUE(file.Open("/dev/full").ok());
  EXPECT_FALSE(file.Append("one\n"));
  EXPECT_FALSE(file.Append("two\nthree\n", 2));
  EXPECT_EQ(file.lost(), 3U);
}

// What a limit of the file's size cuts is what a disk that fills up cuts: the beginning of the line is there.
TEST_F(LineFileTest, RestOfALineThatWasCutIsNotTakenForAPartOfTheNext) {
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 6;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_FALSE(file.Append("0123456789\n"));
  EXPECT_FALSE(file.Append("lost\n"));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(file.Append("whole\n"));
  EXPECT_EQ(Read(Path()), "012345\nwhole\n");
  EXPECT_EQ(file.lost(), 2U);
}

TEST_F(LineFileTest, FileOfRootsIsGivenAway) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  file.GiveTo(65534, 65534);
  struct stat status {};
  ASSERT_EQ(stat(Path().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534U);
  EXPECT_EQ(status.st_mode & 0777, 0640U & ~022U & 0777);
}

TEST_F(LineFileTest, FileThatIsLinkedFromElsewhereIsNotGivenAway) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  std::ofstream(Path("precious")) << "root's\n";
  for (const bool symbolic : {false, true}) {
    std::filesystem::remove(Path());
    if (symbolic) {
      std::filesystem::create_symlink(Path("precious"), Path());
    } else {
      std::filesystem::create_hard_link(Path("precious"), Path());
    }
    LineFile file;
    ASSERT_TRUE(file.Open(Path()).ok());
    file.GiveTo(65534, 65534);
    struct stat status {};
    ASSERT_EQ(stat(Path("precious").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U) << symbolic;
  }
}

TEST_F(LineFileTest, FolderThatTakesNoNewFileIsNamed) {
  LineFile file;
  ASSERT_TRUE(file.Open(Path()).ok());
  EXPECT_TRUE(file.MayBeMadeAgain().ok());
  if (geteuid() != 0) {
    chmod(folder_.path().c_str(), 0555);
  } else {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const absl::Status status = file.MayBeMadeAgain();
  if (geteuid() == 65534) {
    ASSERT_EQ(seteuid(0), 0);
  }
  chmod(folder_.path().c_str(), 0755);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(MessageOf(status).find(folder_.path().string()), std::string_view::npos);
}

}  // namespace
}  // namespace dotward
