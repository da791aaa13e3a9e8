#ifndef DOTWARD_TESTS_APP_SNAPSHOT_FIXTURE_H_
#define DOTWARD_TESTS_APP_SNAPSHOT_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dotward/message.h"
#include "dotward/response_cache.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"
#include "testing/temporary_folder.h"

namespace dotward {

struct FixedClock final : public Clock {
  FixedClock(SteadyTime now, WallTime wall) : now_(now), wall_(wall) {}
  SteadyTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_; }

 private:
  SteadyTime now_;
  WallTime wall_;
};

// A cache with numbered names, a clock, and a folder for its snapshot that goes with the test.
class SnapshotTest : public testing::Test {
 protected:
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::string path() const { return folder_ / "cache.snapshot"; }
  std::vector<std::string> Files() const { return folder_.Files(); }

  static ResponseCache::Options NewCache() { return {.octets_max = size_t{16} << 20U, .hash_seed = 4711}; }
  static std::string NameOf(int number) { return StrCat("host-", number, ".example."); }

  void Insert(ResponseCache& cache, int number, uint32_t ttl = 300) {
    const Octets response = PositiveAnswerTo(MessageBuilder::Query(0, NameOf(number), rr_type::kA).Build(), ttl);
    const absl::StatusOr<Message> message = ParseResponse(response);
    ASSERT_TRUE(message.ok());
    absl::StatusOr<ImagePtr> image =
        ResponseImage::Build(*message, ClassifyResponse(*message, {}), "quad9", clock_.Now());
    ASSERT_TRUE(image.ok());
    const Octets name = WireName(NameOf(number));
    cache.Insert({.qname = name, .qtype = rr_type::kA}, *std::move(image), clock_.Now());
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) Insert(cache_, i);
  }
  std::optional<CachedResponse> Lookup(ResponseCache& cache, int number, std::optional<SteadyTime> now = {}) {
    const Octets name = WireName(NameOf(number));
    return cache.Lookup({.qname = name, .qtype = rr_type::kA}, now.value_or(clock_.Now()));
  }
  std::optional<CachedResponse> LookupStale(ResponseCache& cache, int number, SteadyTime now) {
    const Octets name = WireName(NameOf(number));
    return cache.LookupStale({.qname = name, .qtype = rr_type::kA}, now);
  }

  ManualClock clock_;
  ResponseCache cache_{{.octets_max = size_t{16} << 20U}};

 private:
  const TemporaryFolder folder_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_APP_SNAPSHOT_FIXTURE_H_
