#include "app/state_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/status_macros.h"
#include "base/strings.h"
#include "testing/messages.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

absl::Status Replace(const std::string& path, std::string_view text) {
  ASSIGN_OR_RETURN(FileReplacement file, FileReplacement::Begin(path));
  const Octets octets = OctetsOf(text);
  const size_t half = octets.size() / 2;
  RETURN_IF_ERROR(file.Write(OctetView(octets).first(half)));
  RETURN_IF_ERROR(file.Write(OctetView(octets).subspan(half)));
  return file.Commit();
}

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class StateFileTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "state";
  const std::vector<std::string> alone_ = {"state"};
};

TEST_F(StateFileTest, AReplacementHasAllThatWasWrittenAndNobodyElseMayReadIt) {
  const mode_t former = umask(0);
  ASSERT_TRUE(Replace(path_, "one").ok());
  ASSERT_TRUE(Replace(path_, "another").ok());
  umask(former);
  EXPECT_EQ(TextOf(path_), "another");
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(folder_.Files(), alone_);
}

TEST_F(StateFileTest, AReplacementThatIsGivenUpLeavesTheFormerFile) {
  ASSERT_TRUE(Replace(path_, "one").ok());
  {
    absl::StatusOr<FileReplacement> begun = FileReplacement::Begin(path_);
    ASSERT_TRUE(begun.ok());
    ASSERT_TRUE(begun->Write(OctetsOf("half of")).ok());
    const FileReplacement moved = *std::move(begun);
    EXPECT_EQ(folder_.Files().size(), 2U) << "a move gives nothing up";
  }
  EXPECT_EQ(TextOf(path_), "one");
  EXPECT_EQ(folder_.Files(), alone_);
}

TEST_F(StateFileTest, WhatAKilledProcessLeftIsReplaced) {
  std::ofstream(path_ + ".tmp") << "half of what was to be written, and much more of it";
  ASSERT_TRUE(Replace(path_, "whole").ok());
  EXPECT_EQ(TextOf(path_), "whole");
  EXPECT_EQ(folder_.Files(), alone_);
}

TEST_F(StateFileTest, ALinkInPlaceOfEitherFileIsNotFollowed) {
  const std::string precious = folder_ / "precious";
  std::ofstream(precious) << "precious";
  std::filesystem::create_symlink(precious, path_ + ".tmp");
  std::filesystem::create_symlink(precious, path_);
  EXPECT_TRUE(absl::IsInvalidArgument(OpenStateFile(path_).status())) << OpenStateFile(path_).status();
  ASSERT_TRUE(Replace(path_, "own").ok());
  EXPECT_EQ(TextOf(precious), "precious");
  EXPECT_EQ(TextOf(path_), "own");
}

TEST_F(StateFileTest, AFileIsReadAsFarAsThereIsSpace) {
  ASSERT_TRUE(Replace(path_, "0123456789").ok());
  const absl::StatusOr<Descriptor> file = OpenStateFile(path_);
  ASSERT_TRUE(file.ok());
  Octets space(7);
  EXPECT_EQ(*ReadStateFile(*file, path_, space), 7U);
  EXPECT_EQ(space, OctetsOf("0123456"));
  EXPECT_EQ(*ReadStateFile(*file, path_, space), 3U);
  EXPECT_EQ(*ReadStateFile(*file, path_, space), 0U);
}

TEST_F(StateFileTest, WhatIsNoRegularFileIsNotReadAndWaitsForNobody) {
  EXPECT_TRUE(absl::IsInvalidArgument(OpenStateFile(folder_.path()).status()));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(OpenStateFile(path_).status()));
  const Descriptor folder = Descriptor(open(folder_.path().c_str(), O_RDONLY | O_CLOEXEC));
  Octets space(1);
  const absl::Status unread = ReadStateFile(folder, "a folder", space).status();
  EXPECT_TRUE(absl::IsUnavailable(unread)) << unread;
  EXPECT_EQ(MessageOf(unread), "cannot read a folder: Is a directory");
}

TEST_F(StateFileTest, AFolderStandsInTheWayAndStays) {
  std::filesystem::create_directories(path_ + "/full");
  const absl::Status replaced = Replace(path_, "text");
  EXPECT_TRUE(absl::IsUnavailable(replaced)) << replaced;
  EXPECT_EQ(MessageOf(replaced), StrCat("cannot rename to ", path_, ": Is a directory"));
  EXPECT_EQ(folder_.Files(), alone_);
}

TEST_F(StateFileTest, AFolderThatIsMissingIsAnErrorThatSaysSo) {
  const std::string nowhere = folder_ / "nowhere/state";
  const absl::Status replaced = Replace(nowhere, "text");
  EXPECT_TRUE(absl::IsNotFound(replaced)) << replaced;
  EXPECT_EQ(MessageOf(replaced),
            StrCat("cannot make ", nowhere, ".tmp: No such file or directory; its folder has to be there"));
  EXPECT_TRUE(absl::IsNotFound(OpenStateFile(nowhere).status()));
}

// In a child, since limits and accounts are the process's: exits with 0 where `claim` holds.
template <typename Claim>
void ExpectInChild(Claim claim) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(claim() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST_F(StateFileTest, WhereTheDiskTakesOnlyPartTheFormerFileStaysAndNothingElseIsLeft) {
  ASSERT_TRUE(Replace(path_, "former").ok());
  ExpectInChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    // The second write goes in part, and then not at all.
    const absl::Status replaced = Replace(path_, std::string(1500, 'x'));
    return absl::IsUnavailable(replaced) &&
           MessageOf(replaced) == StrCat("cannot write ", path_, ".tmp: File too large");
  });
  EXPECT_EQ(TextOf(path_), "former");
  EXPECT_EQ(folder_.Files(), alone_);
}

TEST_F(StateFileTest, WhoMayNotWriteToTheFolderIsToldSoAndLeavesTheFormerFile) {
  ASSERT_TRUE(Replace(path_, "former").ok());
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0555));
  ExpectInChild([&] {
    // Root may write anywhere.
    if (geteuid() == 0 && setuid(65534) != 0) return false;
    const absl::Status replaced = Replace(path_, "text");
    return absl::IsUnavailable(replaced) &&
           MessageOf(replaced) == StrCat("cannot make ", path_,
                                         ".tmp: Permission denied; its folder has to be writable for the account that "
                                         "dotward runs as");
  });
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  EXPECT_EQ(TextOf(path_), "former");
  EXPECT_EQ(folder_.Files(), alone_);
}

}  // namespace
}  // namespace dotward
