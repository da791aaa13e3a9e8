#include "net/stream_framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace dotward {
namespace {

using Message = std::vector<uint8_t>;
using Stream = std::vector<uint8_t>;

Message MessageOf(size_t octets, unsigned seed) {
  Message message(octets);
  for (size_t i = 0; i < octets; ++i) message[i] = static_cast<uint8_t>(seed + i * 7);
  return message;
}

Stream StreamOf(const std::vector<Message>& messages) {
  Stream stream;
  for (const Message& message : messages) EXPECT_TRUE(AppendFrame(stream, message));
  return stream;
}

void TakeAll(FrameReader& reader, std::vector<Message>& messages) {
  while (const auto message = reader.Next()) messages.emplace_back(message->begin(), message->end());
}

// Gives the stream to the reader in pieces of the sizes that `next_size` chooses.
template <typename NextSize>
std::vector<Message> ReadInPieces(FrameReader& reader, const Stream& stream, NextSize next_size) {
  std::vector<Message> messages;
  for (size_t at = 0; at < stream.size();) {
    const std::span<uint8_t> space = reader.Space();
    if (space.empty()) {
      ADD_FAILURE() << "no space although every whole frame was taken, at octet " << at;
      break;
    }
    const size_t size = std::min({space.size(), stream.size() - at, size_t{next_size()}});
    std::copy_n(&stream[at], size, space.begin());
    reader.Commit(size);
    at += size;
    TakeAll(reader, messages);
    EXPECT_LE(reader.capacity(), kFrameOctetsMax);
  }
  return messages;
}

TEST(AppendFrameTest, WritesTheLengthInNetworkOrder) {
  Stream stream;
  EXPECT_TRUE(AppendFrame(stream, MessageOf(0x0102, 0)));
  ASSERT_EQ(stream.size(), size_t{0x0104});
  EXPECT_EQ(stream[0], 0x01);
  EXPECT_EQ(stream[1], 0x02);
}

TEST(AppendFrameTest, LongestMessageIs65535Octets) {
  Stream stream;
  EXPECT_TRUE(AppendFrame(stream, MessageOf(65'535, 0)));
  EXPECT_EQ(stream.size(), size_t{65'537});
  EXPECT_FALSE(AppendFrame(stream, MessageOf(65'536, 0)));
  EXPECT_EQ(stream.size(), size_t{65'537}) << "a message that cannot be framed leaves no octet behind";
}

TEST(FrameReaderTest, HasNothingAtFirst) {
  FrameReader reader;
  EXPECT_FALSE(reader.Next().has_value());
  EXPECT_EQ(reader.pending_octets(), 0U);
}

TEST(FrameReaderTest, S3_LengthPrefixMayBeSplitOverReads) {
  FrameReader reader;
  std::vector<Message> messages =
      ReadInPieces(reader, StreamOf({MessageOf(300, 1), MessageOf(5, 2)}), [] { return 1; });
  EXPECT_EQ(messages, (std::vector<Message>{MessageOf(300, 1), MessageOf(5, 2)}));
}

TEST(FrameReaderTest, PendingOctetsTellAnUnfinishedFrame) {
  FrameReader reader;
  const Stream stream = StreamOf({MessageOf(4, 1)});
  std::copy_n(stream.begin(), 3, reader.Space().begin());
  reader.Commit(3);
  EXPECT_FALSE(reader.Next().has_value());
  EXPECT_EQ(reader.pending_octets(), 3U);
  std::copy_n(stream.begin() + 3, 3, reader.Space().begin());
  reader.Commit(3);
  EXPECT_TRUE(reader.Next().has_value());
  EXPECT_EQ(reader.pending_octets(), 0U);
}

TEST(FrameReaderTest, EmptyFrameIsAnEmptyMessage) {
  FrameReader reader;
  EXPECT_EQ(ReadInPieces(reader, StreamOf({{}, MessageOf(1, 9), {}}), [] { return 64; }),
            (std::vector<Message>{{}, MessageOf(1, 9), {}}));
}

TEST(FrameReaderTest, LongestFramesPassBackToBack) {
  FrameReader reader;
  const std::vector<Message> sent = {MessageOf(65'535, 1), MessageOf(65'535, 2), MessageOf(65'534, 3), {}};
  EXPECT_EQ(ReadInPieces(reader, StreamOf(sent), [] { return 16'384; }), sent);
}

TEST(FrameReaderTest, ALengthAloneReservesNothing) {
  FrameReader reader(4096);
  const std::span<uint8_t> space = reader.Space();
  space[0] = 0xff;
  space[1] = 0xff;
  reader.Commit(2);
  EXPECT_FALSE(reader.Next().has_value());
  EXPECT_GE(reader.Space().size(), 1U);
  EXPECT_EQ(reader.capacity(), 4096U);
}

TEST(FrameReaderTest, BufferGrowsToTheLongestFrameAndGoesBack) {
  FrameReader reader(4096);
  ReadInPieces(reader, StreamOf({MessageOf(65'535, 1)}), [] { return 16'384; });
  EXPECT_EQ(reader.capacity(), kFrameOctetsMax);
  EXPECT_EQ(reader.Space().size(), 4096U);
  EXPECT_EQ(reader.capacity(), 4096U);
}

TEST(FrameReaderTest, MoreThanTheSpaceIsTakenAsAllOfIt) {
  FrameReader reader(16);
  EXPECT_EQ(reader.Space().size(), 16U);
  std::fill_n(reader.Space().begin(), 16, uint8_t{0});
  reader.Commit(1'000'000);
  std::vector<Message> messages;
  TakeAll(reader, messages);
  EXPECT_EQ(messages.size(), 8U);
}

TEST(FrameReaderTest, WholeFramesThatAreNotTakenAreKept) {
  FrameReader reader(16);
  const Stream stream = StreamOf({MessageOf(6, 1), MessageOf(6, 2)});
  std::copy(stream.begin(), stream.end(), reader.Space().begin());
  reader.Commit(stream.size());
  EXPECT_TRUE(reader.Space().empty());
  std::vector<Message> messages;
  TakeAll(reader, messages);
  EXPECT_EQ(messages, (std::vector<Message>{MessageOf(6, 1), MessageOf(6, 2)}));
}

TEST(FrameReaderTest, AnyChunkingGivesTheSameFrames) {
  std::mt19937 random(20261101);
  for (int round = 0; round < 300; ++round) {
    std::vector<Message> sent;
    for (unsigned i = 0; i < 1 + random() % 20; ++i) {
      // Mostly short, at times around the sizes where the buffer grows, at times as long as can be.
      const size_t sizes[] = {random() % 64, random() % 64, random() % 600, 4090 + random() % 12,
                              65'530 + random() % 6};
      sent.push_back(MessageOf(sizes[random() % std::size(sizes)], static_cast<unsigned>(random())));
    }
    const size_t chunk_max = size_t{1} << random() % 17;
    FrameReader reader(size_t{1} << random() % 15);
    ASSERT_EQ(ReadInPieces(reader, StreamOf(sent), [&] { return 1 + random() % chunk_max; }), sent)
        << "round " << round;
    ASSERT_EQ(reader.pending_octets(), 0U);
  }
}

}  // namespace
}  // namespace dotward
