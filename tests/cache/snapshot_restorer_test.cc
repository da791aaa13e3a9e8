#include "cache/snapshot_restorer.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cache/snapshot_octets.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Fate = SnapshotRestorer::Fate;

constexpr uint64_t kWritten = 1'790'000'000'000;
constexpr SteadyTime kBoot{seconds(30)};  // the machine has just started

struct Question {
  std::string name = "www.example.";
  uint16_t type = rr_type::kA;
  bool dnssec_ok = false;
  bool checking_disabled = false;
};

class SnapshotRestorerTest : public testing::Test {
 protected:
  // One cache, written `age` after its answers came, and another, loaded `away` after that.
  SnapshotRestorerTest() {
    Add({}, PositiveAnswerTo(Query("www.example.", rr_type::kA), 300));
    Add({.name = "none.example."}, NxdomainAnswerTo(Query("none.example.", rr_type::kA), "example."));
    Add({.name = "data.example.", .type = rr_type::kAaaa},
        NodataAnswerTo(Query("data.example.", rr_type::kAaaa), "example."));
    Add({.name = "cd.example.", .checking_disabled = true}, PositiveAnswerTo(Query("cd.example.", rr_type::kA), 300));
    Add({.name = "do.example.", .dnssec_ok = true}, MessageBuilder::ResponseTo(Query("do.example.", rr_type::kA))
                                                        .AddFlags(header_flag::kAd)
                                                        .Answer("do.example.", 300, A("192.0.2.9"))
                                                        .Answer("do.example.", 300, Rrsig(rr_type::kA, "example."))
                                                        .Build());
    Add({.name = "ede.example."}, MessageBuilder::ResponseTo(Query("ede.example.", rr_type::kA))
                                      .Answer("ede.example.", 300, Cname("alias.example."))
                                      .Answer("alias.example.", 60, A("192.0.2.8"))
                                      .WithEdns({.options = {Ede(EdeCode::kForgedAnswer, "filtered")}})
                                      .Build());
  }

  static Octets Query(std::string_view name, uint16_t type) { return MessageBuilder::Query(0, name, type).Build(); }

  void Add(const Question& question, const Octets& response) {
    const absl::StatusOr<Message> message = ParseResponse(response);
    ASSERT_TRUE(message.ok()) << message.status();
    absl::StatusOr<ImagePtr> image =
        ResponseImage::Build(*message, ClassifyResponse(*message, {}), AnswerOrigin("quad9", "9.9.9.9:853"), then_);
    ASSERT_TRUE(image.ok());
    const Octets name = WireName(question.name);
    before_.Insert(KeyOf(question, name), *std::move(image), then_);
    questions_.push_back(question);
  }

  Octets Write(Duration age) {
    const SteadyTime now = then_ + age;
    SnapshotEncoder encoder({.written_ms = kWritten, .trust = 0}, now);
    CacheCursor cursor;
    std::vector<CacheEntry> entries;
    while (before_.Walk(cursor, entries, now)) {
    }
    for (const CacheEntry& entry : entries) encoder.Add(entry);
    encoder.Finish();
    return {encoder.ready().begin(), encoder.ready().end()};
  }

  SnapshotRestorer::Options At(milliseconds away) const {
    return {
        .ttl = {}, .stale_max_age = stale_max_age_, .wall_now = WallTime(milliseconds(kWritten) + away), .now = kBoot};
  }

  void Load(const Octets& file, const SnapshotRestorer::Options& options) {
    after_.SetStaleMaxAge(options.stale_max_age);
    SnapshotReader reader(SourceOf(file));
    const absl::StatusOr<SnapshotHeader> header = reader.ReadHeader();
    ASSERT_TRUE(header.ok()) << header.status();
    SnapshotRestorer restorer(*header, options);
    while (true) {
      const absl::StatusOr<OctetView> chunk = reader.NextChunk();
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      if (chunk->empty()) return;
      SnapshotRecord record;
      for (OctetView rest = *chunk; !rest.empty();) {
        ASSERT_TRUE(TakeRecord(rest, record));
        SnapshotRestorer::Restored restored = restorer.Restore(record);
        fates_.push_back(restored.fate);
        if (!restored.image) continue;
        const ImagePtr image = restored.image;
        EXPECT_TRUE(after_.Restore(SnapshotRestorer::KeyOf(record, *image), image, options.now));
      }
    }
  }

  static CacheKey KeyOf(const Question& question, const Octets& name) {
    return {name, question.type, rr_class::kIn, question.dnssec_ok, question.checking_disabled};
  }
  std::optional<CachedResponse> LookupAfter(const Question& question, SteadyTime now) {
    const Octets name = WireName(question.name);
    return after_.Lookup(KeyOf(question, name), now);
  }
  std::optional<CachedResponse> LookupStaleAfter(const Question& question, SteadyTime now) {
    const Octets name = WireName(question.name);
    return after_.LookupStale(KeyOf(question, name), now);
  }
  std::optional<CachedResponse> LookupBefore(const Question& question, SteadyTime now) {
    const Octets name = WireName(question.name);
    return before_.Lookup(KeyOf(question, name), now);
  }

  const SteadyTime then_{hours(500)};
  Duration stale_max_age_{0};
  ResponseCache before_{{.octets_max = size_t{4} << 20U}};
  ResponseCache after_{{.octets_max = size_t{4} << 20U, .hash_seed = 99}};
  std::vector<Question> questions_;
  std::vector<Fate> fates_;
};

TEST_F(SnapshotRestorerTest, EveryKindOfAnswerIsThereAgainAndAged) {
  Load(Write(seconds(10)), At(seconds(5)));
  ASSERT_EQ(fates_, std::vector<Fate>(questions_.size(), Fate::kFresh));
  for (const Question& question : questions_) {
    SCOPED_TRACE(question.name);
    const std::optional<CachedResponse> before = LookupBefore(question, then_ + seconds(15));
    const std::optional<CachedResponse> after = LookupAfter(question, kBoot);
    ASSERT_TRUE(before.has_value());
    ASSERT_TRUE(after.has_value());
    EXPECT_EQ(after->age_seconds, 15U);
    EXPECT_EQ(after->age_seconds, before->age_seconds);
    EXPECT_EQ(after->image->ToMessage(), before->image->ToMessage());
    EXPECT_EQ(after->image->lifetime_seconds(), before->image->lifetime_seconds());
    EXPECT_EQ(after->image->kind(), before->image->kind());
    EXPECT_EQ(after->image->behind_alias(), before->image->behind_alias());
    EXPECT_EQ(after->image->authentic_data(), before->image->authentic_data());
    EXPECT_EQ(after->image->upstream(), "quad9");
    EXPECT_EQ(after->image->origin().server(), "9.9.9.9:853");
  }
}

TEST_F(SnapshotRestorerTest, DoAndCdStayApart) {
  Load(Write(seconds(0)), At(seconds(0)));
  EXPECT_TRUE(LookupAfter({.name = "cd.example.", .checking_disabled = true}, kBoot));
  EXPECT_FALSE(LookupAfter({.name = "cd.example."}, kBoot));
  EXPECT_TRUE(LookupAfter({.name = "do.example.", .dnssec_ok = true}, kBoot));
  EXPECT_FALSE(LookupAfter({.name = "do.example."}, kBoot));
}

TEST_F(SnapshotRestorerTest, ADeniedNameIsDeniedForEveryType) {
  Load(Write(seconds(0)), At(seconds(0)));
  EXPECT_TRUE(LookupAfter({.name = "none.example.", .type = rr_type::kMx}, kBoot));
}

TEST_F(SnapshotRestorerTest, WhatHasExpiredMeanwhileIsStaleOrGone) {
  stale_max_age_ = seconds(1000);
  // The alias has lived 60 seconds, the addresses 300, the denials 900.
  Load(Write(seconds(10)), At(seconds(400)));
  EXPECT_EQ(std::count(fates_.begin(), fates_.end(), Fate::kStale), 4);
  EXPECT_EQ(std::count(fates_.begin(), fates_.end(), Fate::kFresh), 2);
  EXPECT_FALSE(LookupAfter({}, kBoot));
  const std::optional<CachedResponse> stale = LookupStaleAfter({}, kBoot);
  ASSERT_TRUE(stale.has_value());
  EXPECT_EQ(stale->age_seconds, 410U);
  EXPECT_TRUE(LookupStaleAfter({}, kBoot + seconds(889)));
  EXPECT_FALSE(LookupStaleAfter({}, kBoot + seconds(891)));
}

TEST_F(SnapshotRestorerTest, WhatIsTooOldToBeStaleIsLeftOut) {
  stale_max_age_ = seconds(100);
  Load(Write(seconds(0)), At(seconds(400)));
  EXPECT_EQ(std::count(fates_.begin(), fates_.end(), Fate::kTooOld), 4);
  EXPECT_FALSE(LookupStaleAfter({}, kBoot));
}

TEST_F(SnapshotRestorerTest, AtItsExpiryAnEntryIsGoneWhereNothingStaleIsGiven) {
  Load(Write(seconds(0)), At(seconds(300)));
  EXPECT_EQ(std::count(fates_.begin(), fates_.end(), Fate::kTooOld), 4);
}

TEST_F(SnapshotRestorerTest, AHundredYearsLaterNothingIsLeft) {
  stale_max_age_ = hours(24 * 30);
  Load(Write(seconds(0)), At(hours(24 * 365 * 100)));
  EXPECT_EQ(fates_, std::vector<Fate>(questions_.size(), Fate::kTooOld));
}

TEST_F(SnapshotRestorerTest, BeforeTheFileWasWrittenEverythingHasJustExpired) {
  stale_max_age_ = seconds(1000);
  SnapshotRestorer::Options options = At(seconds(0));
  options.wall_now = WallTime(hours(3));  // 1970
  Load(Write(seconds(10)), options);
  EXPECT_EQ(fates_, std::vector<Fate>(questions_.size(), Fate::kStale));
  EXPECT_FALSE(LookupAfter({}, kBoot));
  EXPECT_TRUE(LookupStaleAfter({}, kBoot));
  EXPECT_TRUE(LookupStaleAfter({}, kBoot + seconds(999)));
  EXPECT_FALSE(LookupStaleAfter({}, kBoot + seconds(1001)));
}

TEST_F(SnapshotRestorerTest, WithAClockThatKnowsNoAgeNothingIsFreshWhereNothingStaleIsGiven) {
  Load(Write(seconds(10)), At(milliseconds(-1)));
  EXPECT_EQ(fates_, std::vector<Fate>(questions_.size(), Fate::kTooOld));
}

TEST_F(SnapshotRestorerTest, WhatCameAfterTheFileWasWrittenHasNoAgeThatCanBeTrusted) {
  stale_max_age_ = seconds(1000);
  const PlainRecord record{.received_ms = kWritten + 1,
                           .message = PositiveAnswerTo(Query("www.example.", rr_type::kA), 300)};
  Load(PlainSnapshot(kWritten).Chunk({record.Build()}).End().octets(), At(seconds(1)));
  EXPECT_EQ(fates_, std::vector<Fate>{Fate::kStale});
}

TEST_F(SnapshotRestorerTest, TheTtlsOfNowApply) {
  SnapshotRestorer::Options options = At(seconds(5));
  options.ttl.max_ttl = 20;
  Load(Write(seconds(10)), options);
  const std::optional<CachedResponse> found = LookupAfter({}, kBoot);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->image->TimeLeft(kBoot), seconds(5));
}

TEST_F(SnapshotRestorerTest, ALifetimeOfAllTimeIsTheLongestThereIs) {
  PlainRecord record{.received_ms = 0,
                     .lifetime_seconds = UINT32_MAX,
                     .message = PositiveAnswerTo(Query("www.example.", rr_type::kA), 300)};
  const Octets long_ago = record.Build();
  record.received_ms = kWritten;
  Load(PlainSnapshot(kWritten).Chunk({long_ago, record.Build()}).End().octets(), At(seconds(1)));
  EXPECT_EQ(fates_, (std::vector{Fate::kTooOld, Fate::kFresh}));
  EXPECT_FALSE(LookupAfter({}, kBoot + seconds(299)));
}

TEST_F(SnapshotRestorerTest, AMessageThatNobodyWouldStoreIsUnusable) {
  const Octets query = Query("www.example.", rr_type::kA);
  for (const Octets& message : {Octets{}, Octets(12, 0xff), query, FailureAnswerTo(query), TruncatedAnswerTo(query),
                                MessageBuilder::ResponseTo(query).Answer("other.example.", 300, A("192.0.2.1")).Build(),
                                PositiveAnswerTo(query, 0)}) {
    fates_.clear();
    Load(PlainSnapshot(kWritten)
             .Chunk({PlainRecord{.received_ms = kWritten, .message = message}.Build()})
             .End()
             .octets(),
         At(seconds(1)));
    EXPECT_EQ(fates_, std::vector<Fate>{Fate::kUnusable});
  }
}

TEST_F(SnapshotRestorerTest, NoSignatureIsTakenForWhoDidNotAskForAny) {
  const Octets signed_answer = MessageBuilder::ResponseTo(Query("www.example.", rr_type::kA))
                                   .Answer("www.example.", 300, A("192.0.2.9"))
                                   .Answer("www.example.", 300, Rrsig(rr_type::kA, "example."))
                                   .Build();
  const PlainRecord record{.received_ms = kWritten, .message = signed_answer};
  Load(PlainSnapshot(kWritten).Chunk({record.Build()}).End().octets(), At(seconds(1)));
  const std::optional<CachedResponse> found = LookupAfter({}, kBoot);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->image->counts()[0], 1U);
}

TEST_F(SnapshotRestorerTest, AFileBringsNoMoreOriginsThanItMay) {
  SnapshotRestorer restorer({.written_ms = kWritten, .trust = 0}, At(seconds(1)));
  const Octets message = PositiveAnswerTo(Query("www.example.", rr_type::kA), 300);
  size_t named = 0;
  for (size_t i = 0; i <= SnapshotLimits::kOriginsMax; ++i) {
    const std::string upstream = StrCat("upstream-", i);
    SnapshotRecord record;
    record.received_ms = kWritten;
    record.lifetime_seconds = 300;
    record.upstream = upstream;
    record.message = message;
    const ImagePtr image = restorer.Restore(record).image;
    ASSERT_TRUE(image);
    if (image->upstream() == upstream) ++named;
  }
  EXPECT_EQ(named, SnapshotLimits::kOriginsMax);
}

}  // namespace
}  // namespace dotward
