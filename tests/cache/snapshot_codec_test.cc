#include "cache/snapshot_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "cache/snapshot_octets.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kWritten = 1'790'000'000'000;
constexpr SteadyTime kNow{std::chrono::hours(100)};

Octets AnswerFor(std::string_view name, uint16_t type = rr_type::kA, uint32_t ttl = 300) {
  return PositiveAnswerTo(MessageBuilder::Query(0, name, type).Build(), ttl);
}

CacheEntry EntryOf(const Octets& response, Duration age, AnswerOrigin origin = AnswerOrigin("quad9", "9.9.9.9:853")) {
  const absl::StatusOr<Message> message = ParseResponse(response);
  EXPECT_TRUE(message.ok());
  absl::StatusOr<ImagePtr> image = ResponseImage::Build(*message, ClassifyResponse(*message, {}), origin, kNow - age);
  EXPECT_TRUE(image.ok());
  CacheEntry entry;
  entry.image = *std::move(image);
  return entry;
}

Octets Encode(const std::vector<CacheEntry>& entries, uint32_t trust = 0) {
  Octets file;
  SnapshotEncoder encoder({.written_ms = kWritten, .trust = trust}, kNow);
  const auto take = [&] {
    file.insert(file.end(), encoder.ready().begin(), encoder.ready().end());
    encoder.ClearReady();
  };
  for (const CacheEntry& entry : entries) {
    encoder.Add(entry);
    take();
  }
  encoder.Finish();
  take();
  EXPECT_EQ(encoder.records(), entries.size());
  return file;
}

PlainRecord Plain() { return {.received_ms = kWritten, .message = AnswerFor("www.example.")}; }

TEST(SnapshotCodecTest, AnEntryIsWrittenAsTheFormatHasIt) {
  CacheEntry entry = EntryOf(AnswerFor("www.example."), seconds(40));
  entry.dnssec_ok = true;
  const Octets message = entry.image->ToMessage();
  const Octets record =
      PlainRecord{.flags = 1, .received_ms = kWritten - 40'000, .lifetime_seconds = 300, .message = message}.Build();
  EXPECT_EQ(Encode({entry}, 7), PlainSnapshot(kWritten, 7).Chunk({record}).End().octets());
}

TEST(SnapshotCodecTest, AnEmptyCacheIsAFileToo) {
  const Octets file = Encode({});
  EXPECT_EQ(file, PlainSnapshot(kWritten).End().octets());
  EXPECT_TRUE(ReadWhole(file).status.ok());
}

TEST(SnapshotCodecTest, ReadsWhatItHasWritten) {
  std::vector<CacheEntry> entries;
  for (int i = 0; i < 3; ++i) entries.push_back(EntryOf(AnswerFor(StrCat("host", i, ".example.")), milliseconds(1500)));
  entries[0].checking_disabled = true;
  entries[1].dnssec_ok = true;
  const Octets file = Encode(entries, 3);
  SnapshotReader reader(SourceOf(file));
  const absl::StatusOr<SnapshotHeader> header = reader.ReadHeader();
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->written_ms, kWritten);
  EXPECT_EQ(header->trust, 3U);
  const absl::StatusOr<OctetView> chunk = reader.NextChunk();
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  OctetView rest = *chunk;
  for (const CacheEntry& entry : entries) {
    SnapshotRecord record;
    ASSERT_TRUE(TakeRecord(rest, record));
    EXPECT_EQ(record.dnssec_ok, entry.dnssec_ok);
    EXPECT_EQ(record.checking_disabled, entry.checking_disabled);
    EXPECT_FALSE(record.authentic_data);
    EXPECT_EQ(record.received_ms, kWritten - 1500);
    EXPECT_EQ(record.lifetime_seconds, 300U);
    EXPECT_EQ(record.upstream, "quad9");
    EXPECT_EQ(record.server, "9.9.9.9:853");
    EXPECT_EQ(Octets(record.message.begin(), record.message.end()), entry.image->ToMessage());
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_TRUE(reader.NextChunk()->empty());
  EXPECT_EQ(reader.records(), 3U);
}

// A response of that length: texts of the root, and an extended error unless it is empty.
Octets ResponseOf(size_t octets, std::string_view error) {
  constexpr size_t kRecordOctets = 12;  // without the text
  MessageBuilder builder = MessageBuilder::ResponseTo(MessageBuilder::Query(0, ".", rr_type::kTxt).Build());
  if (!error.empty()) builder.WithEdns({.options = {Ede(EdeCode::kOther, error)}});
  for (size_t left = octets - builder.Build().size(); left > 0;) {
    // No rest that is too short for a record of its own.
    const size_t text = left < 512 ? left / 2 - kRecordOctets : 200;
    builder.Answer(".", 300, Txt(std::string(left < 256 ? left - kRecordOctets : text, 'x')));
    left -= kRecordOctets + (left < 256 ? left - kRecordOctets : text);
  }
  const Octets response = builder.Build();
  EXPECT_EQ(response.size(), octets);
  return response;
}

TEST(SnapshotCodecTest, ChunksAreBoundedAndHoldTheLongestMessage) {
  const std::string name(255, 'n');
  std::vector<CacheEntry> entries = {EntryOf(ResponseOf(kMessageOctetsMax, ""), seconds(0), AnswerOrigin(name, name))};
  for (int i = 0; i < 2000; ++i) entries.push_back(EntryOf(AnswerFor(StrCat("host", i, ".example.")), seconds(0)));
  const Octets file = Encode(entries);
  const ReadSnapshotFile read = ReadWhole(file);
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.records.size(), entries.size());
  EXPECT_EQ(read.chunks, (file.size() + SnapshotLimits::kChunkOctetsMax - 1) / SnapshotLimits::kChunkOctetsMax);
}

TEST(SnapshotCodecTest, AnEntryWhoseErrorsMakeItTooLongIsLeftOut) {
  // The upstream's name is put in front of the error's text.
  const CacheEntry entry = EntryOf(ResponseOf(kMessageOctetsMax, "e"), seconds(0), AnswerOrigin(std::string(100, 'n')));
  ASSERT_GT(entry.image->ToMessage().size(), kMessageOctetsMax);
  SnapshotEncoder encoder({.written_ms = kWritten, .trust = 0}, kNow);
  encoder.Add(entry);
  EXPECT_EQ(encoder.records(), 0U);
}

TEST(SnapshotCodecTest, AnAgeBeyondTheClockIsTheBeginningOfTime) {
  SnapshotEncoder encoder({.written_ms = 1000, .trust = 0}, kNow);
  encoder.Add(EntryOf(AnswerFor("www.example."), seconds(40)));
  encoder.Finish();
  const ReadSnapshotFile read = ReadWhole(encoder.ready());
  ASSERT_EQ(read.records.size(), 1U);
  SnapshotRecord record;
  OctetView rest = read.records[0];
  ASSERT_TRUE(TakeRecord(rest, record));
  EXPECT_EQ(record.received_ms, 0U);
}

TEST(SnapshotCodecTest, ATimeBeforeTheEpochIsTheEpoch) {
  EXPECT_EQ(MillisecondsOf(WallTime(seconds(-1))), 0U);
  EXPECT_EQ(MillisecondsOf(WallTime(milliseconds(1234))), 1234U);
}

struct Fault {
  std::string name;
  Octets file;
  absl::StatusCode code;
  std::string says;
};

Octets Truncated(Octets octets, size_t size) {
  octets.resize(size);
  return octets;
}

std::vector<Fault> Faults() {
  const Octets record = Plain().Build();
  PlainRecord unknown_flag = Plain();
  unknown_flag.flags = 8;
  PlainRecord from_the_future = Plain();
  from_the_future.received_ms = SnapshotLimits::kMillisecondsMax + 1;
  const Octets sound = PlainSnapshot(kWritten).Chunk({record}).End().octets();
  Octets bad_header = sound;
  bad_header[19] ^= 1;
  Octets bad_record = sound;
  bad_record[28 + 8 + 20] ^= 1;
  using enum absl::StatusCode;
  return {
      {"Empty", {}, kDataLoss, "octet 0: nothing has been written"},
      {"Zeros", Octets(4096, 0), kDataLoss, "octet 0: nothing has been written"},
      {"Foreign", OctetsOf("root:x:0:0:root:/root:/bin/bash\n"), kInvalidArgument, "not a snapshot of dotward"},
      {"ForeignAndShort", OctetsOf("hi\n"), kInvalidArgument, "not a snapshot of dotward"},
      {"Newer", PlainSnapshot(kWritten, 0, 2).Raw(Octets(100, 1)).octets(), kUnimplemented, "version is 2"},
      {"VersionNought", PlainSnapshot(kWritten, 0, 0).End().octets(), kDataLoss, "header makes no sense"},
      {"WrittenAfterAllTime", PlainSnapshot(SnapshotLimits::kMillisecondsMax + 1).End().octets(), kDataLoss,
       "header makes no sense"},
      {"HeaderOnly", Truncated(sound, 28), kDataLoss, "octet 28: it ends between"},
      {"HalfHeader", Truncated(sound, 20), kDataLoss, "octet 20: it ends in its header"},
      {"HeaderChecksum", bad_header, kDataLoss, "octet 0: the checksum of its header"},
      {"HalfChunk", Truncated(sound, 60), kDataLoss, "octet 60: it ends in the middle"},
      {"ChunkChecksum", bad_record, kDataLoss, "octet 28: the checksum of its part"},
      {"ChunkTooLong", PlainSnapshot(kWritten).Part(SnapshotLimits::kChunkOctetsMax + 1, {}).octets(), kDataLoss,
       "octet 28: a part is longer"},
      {"NoEnd", PlainSnapshot(kWritten).Chunk({record}).octets(), kDataLoss, "it ends between"},
      {"EndCutShort", Truncated(sound, sound.size() - 3), kDataLoss, "it ends in its last part"},
      {"OneRecordTooFew", PlainSnapshot(kWritten).Chunk({record}).End(2).octets(), kDataLoss, "1 records instead of 2"},
      {"OneRecordTooMany", PlainSnapshot(kWritten).Chunk({record}).End(0).octets(), kDataLoss,
       "1 records instead of 0"},
      {"BehindTheEnd", PlainSnapshot(kWritten).End().Raw({0}).octets(), kDataLoss, "behind its end"},
      {"TwoFilesInOne", Join({sound, sound}), kDataLoss, "behind its end"},
      {"HalfARecord", PlainSnapshot(kWritten).Chunk({record, Truncated(record, 30)}).End(2).octets(), kDataLoss,
       StrCat("octet ", 28 + 8 + record.size(), ": a record makes no sense")},
      {"NoMessageInRecord", PlainSnapshot(kWritten).Chunk({Truncated(record, 16)}).End().octets(), kDataLoss,
       "octet 36: a record makes no sense"},
      {"UnknownFlag", PlainSnapshot(kWritten).Chunk({unknown_flag.Build()}).End().octets(), kDataLoss,
       "a record makes no sense"},
      {"ReceivedAfterAllTime", PlainSnapshot(kWritten).Chunk({from_the_future.Build()}).End().octets(), kDataLoss,
       "a record makes no sense"},
  };
}

class SnapshotFaultTest : public testing::TestWithParam<Fault> {};

TEST_P(SnapshotFaultTest, IsFoundAndNamed) {
  const ReadSnapshotFile read = ReadWhole(GetParam().file);
  EXPECT_EQ(read.status.code(), GetParam().code) << read.status;
  EXPECT_NE(MessageOf(read.status).find(GetParam().says), std::string_view::npos) << read.status;
}

INSTANTIATE_TEST_SUITE_P(All, SnapshotFaultTest, testing::ValuesIn(Faults()),
                         [](const auto& fault) { return fault.param.name; });

// Several chunks, so that cuts and changes between and inside them are tried.
Octets FileOfChunks() {
  const Octets first = Plain().Build();
  PlainRecord other = Plain();
  other.message = AnswerFor("other.example.");
  return PlainSnapshot(kWritten).Chunk({first, other.Build()}).Chunk({other.Build()}).Chunk({first}).End().octets();
}

TEST(SnapshotPropertyTest, AFileThatIsCutAnywhereIsRefused) {
  const Octets file = FileOfChunks();
  ASSERT_TRUE(ReadWhole(file).status.ok());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(ReadWhole(Truncated(file, size)).status.code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(SnapshotPropertyTest, AFileWithAFlippedBitIsRefused) {
  const Octets file = FileOfChunks();
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    Octets damaged = file;
    damaged[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(ReadWhole(damaged).status.ok()) << "bit " << bit;
  }
}

TEST(SnapshotPropertyTest, AFileWithoutOneOfItsOctetsIsRefused) {
  const Octets file = FileOfChunks();
  for (size_t at = 0; at < file.size(); ++at) {
    Octets damaged = file;
    damaged.erase(damaged.begin() + static_cast<ptrdiff_t>(at));
    EXPECT_FALSE(ReadWhole(damaged).status.ok()) << "octet " << at;
  }
}

TEST(SnapshotCodecTest, WhatTheSourceCannotReadIsItsError) {
  SnapshotReader reader([](std::span<uint8_t>) { return absl::UnavailableError("input/output error"); });
  EXPECT_EQ(reader.ReadHeader().status(), absl::UnavailableError("input/output error"));
}

}  // namespace
}  // namespace dotward
