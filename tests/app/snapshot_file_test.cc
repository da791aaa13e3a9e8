#include "app/snapshot_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "app/snapshot_fixture.h"
#include "base/strings.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class SnapshotFileTest : public SnapshotTest {
 protected:
  absl::StatusOr<WrittenSnapshot> Write(uint32_t trust = 0) {
    return WriteSnapshotFile(path(), cache_, clock_, trust, [] { return false; });
  }
  absl::StatusOr<LoadedSnapshot> Load(ResponseCache& cache, uint32_t trust = 0, const TtlPolicy& ttl = {}) {
    return LoadSnapshotFile(path(), cache, clock_, ttl, trust, [] { return false; });
  }
};

TEST_F(SnapshotFileTest, ACacheIsThereAgainAfterARestart) {
  Fill(1000);
  clock_.Advance(seconds(10));
  const absl::StatusOr<WrittenSnapshot> written = Write();
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->entries, 1000U);
  EXPECT_EQ(written->octets, std::filesystem::file_size(path()));
  clock_.Advance(seconds(20));
  ResponseCache after(NewCache());
  const absl::StatusOr<LoadedSnapshot> loaded = Load(after);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->entries, 1000U);
  EXPECT_EQ(loaded->octets, written->octets);
  EXPECT_EQ(loaded->written_ms, written->written_ms);
  for (int i = 0; i < 1000; ++i) {
    const std::optional<CachedResponse> was = Lookup(cache_, i);
    const std::optional<CachedResponse> is = Lookup(after, i);
    ASSERT_TRUE(was && is) << i;
    EXPECT_EQ(is->image->ToMessage(), was->image->ToMessage());
    EXPECT_EQ(is->age_seconds, 30U);
    EXPECT_EQ(was->age_seconds, 30U);
  }
}

TEST_F(SnapshotFileTest, AFileThatIsSomethingElseIsNeitherReadNorReplaced) {
  Fill(1);
  std::ofstream(path()) << "root:x:0:0:root:/root:/bin/bash\n";
  ResponseCache after(NewCache());
  EXPECT_TRUE(absl::IsInvalidArgument(Load(after).status())) << Load(after).status();
  const absl::Status written = Write().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(written)) << written;
  EXPECT_NE(MessageOf(written).find("is not a snapshot of dotward"), std::string_view::npos) << written;
  EXPECT_EQ(std::filesystem::file_size(path()), 32U);
}

TEST_F(SnapshotFileTest, WhatIsNoRegularFileIsLeftAlone) {
  Fill(1);
  ResponseCache after(NewCache());
  std::filesystem::create_directory(path());
  EXPECT_FALSE(Load(after).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Write().status())) << Write().status();
  std::filesystem::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_FALSE(Load(after).ok()) << "and does not wait for a writer";
  EXPECT_TRUE(absl::IsFailedPrecondition(Write().status())) << Write().status();
}

TEST_F(SnapshotFileTest, ATornFileGivesNothingAndIsReplaced) {
  Fill(2000);
  ASSERT_TRUE(Write().ok());
  const uint64_t size = std::filesystem::file_size(path());
  std::filesystem::resize_file(path(), size - 1);
  ResponseCache after(NewCache());
  const absl::Status torn = Load(after).status();
  EXPECT_TRUE(absl::IsDataLoss(torn)) << torn;
  EXPECT_NE(MessageOf(torn).find(StrCat("octet ", size - 1)), std::string_view::npos) << torn;
  EXPECT_EQ(after.Total(clock_.Now()).entries, 0U) << "not even what stands before the tear";
  ASSERT_TRUE(Write().ok());
  EXPECT_TRUE(Load(after).ok());
}

TEST_F(SnapshotFileTest, WrittenUnderOtherSettingsItIsIgnored) {
  Fill(1);
  ASSERT_TRUE(Write(1).ok());
  ResponseCache after(NewCache());
  EXPECT_TRUE(absl::IsFailedPrecondition(Load(after, 2).status()));
  EXPECT_EQ(after.Total(clock_.Now()).entries, 0U);
  EXPECT_TRUE(Load(after, 1).ok());
}

TEST_F(SnapshotFileTest, WhatIsInTheCacheStays) {
  Fill(10);
  ASSERT_TRUE(Write().ok());
  ResponseCache after(NewCache());
  Insert(after, 3, 77);
  const absl::StatusOr<LoadedSnapshot> loaded = Load(after);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->entries, 9U);
  EXPECT_EQ(loaded->not_stored, 1U);
  EXPECT_EQ(Lookup(after, 3)->image->lifetime_seconds(), 77U);
}

TEST_F(SnapshotFileTest, ASmallerCacheTakesWhatFits) {
  Fill(5000);
  ASSERT_TRUE(Write().ok());
  ResponseCache after({.octets_max = size_t{256} << 10U, .shards = 1});
  const absl::StatusOr<LoadedSnapshot> loaded = Load(after);
  ASSERT_TRUE(loaded.ok());
  EXPECT_GT(loaded->entries, 500U);
  EXPECT_EQ(loaded->entries + loaded->not_stored, 5000U);
  EXPECT_EQ(after.Total(clock_.Now()).evictions, 0U);
}

TEST_F(SnapshotFileTest, WithTheClockAt1970NothingIsFresh) {
  cache_.SetStaleMaxAge(hours(24));
  Fill(10);
  ASSERT_TRUE(Write().ok());
  ResponseCache after(NewCache());
  after.SetStaleMaxAge(hours(24));
  const FixedClock clock{SteadyTime(seconds(20)), WallTime(seconds(20))};
  const absl::StatusOr<LoadedSnapshot> loaded = LoadSnapshotFile(path(), after, clock, {}, 0, [] { return false; });
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(loaded->age_unknown);
  EXPECT_EQ(loaded->entries, 10U);
  EXPECT_EQ(loaded->stale, 10U);
  EXPECT_FALSE(Lookup(after, 0, clock.Now()));
  EXPECT_TRUE(LookupStale(after, 0, clock.Now()));
}

TEST_F(SnapshotFileTest, WhatIsTooOldToBeGivenIsNotWritten) {
  cache_.SetStaleMaxAge(seconds(50));
  Fill(10);
  clock_.Advance(seconds(300 + 49));
  EXPECT_EQ(Write()->entries, 10U);
  clock_.Advance(seconds(1));
  EXPECT_EQ(Write()->entries, 0U);
}

TEST_F(SnapshotFileTest, AFolderThatIsMissingIsAnErrorThatNamesIt) {
  Fill(1);
  const std::string nowhere = (folder() / "nowhere" / "cache").string();
  const absl::Status written = WriteSnapshotFile(nowhere, cache_, clock_, 0, [] { return false; }).status();
  EXPECT_FALSE(written.ok());
  EXPECT_NE(MessageOf(written).find(nowhere), std::string_view::npos) << written;
  ResponseCache after(NewCache());
  EXPECT_TRUE(absl::IsNotFound(LoadSnapshotFile(nowhere, after, clock_, {}, 0, [] { return false; }).status()));
}

TEST_F(SnapshotFileTest, WhatCannotBeWrittenLeavesTheFormerFile) {
  Fill(10);
  ASSERT_TRUE(Write().ok());
  const uint64_t size = std::filesystem::file_size(path());
  Fill(5000);
  std::filesystem::create_directory(path() + ".tmp");
  EXPECT_TRUE(absl::IsUnavailable(Write().status())) << Write().status();
  EXPECT_EQ(std::filesystem::file_size(path()), size);
}

TEST_F(SnapshotFileTest, WhoGivesUpLeavesNothing) {
  Fill(5000);
  int turns = 0;
  const auto give_up = [&turns] { return ++turns > 3; };
  EXPECT_TRUE(absl::IsCancelled(WriteSnapshotFile(path(), cache_, clock_, 0, give_up).status()));
  EXPECT_TRUE(Files().empty());
  ASSERT_TRUE(Write().ok());
  turns = 0;
  ResponseCache after(NewCache());
  EXPECT_TRUE(absl::IsCancelled(LoadSnapshotFile(path(), after, clock_, {}, 0, give_up).status()));
}

}  // namespace
}  // namespace dotward
