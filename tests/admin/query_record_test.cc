#include "admin/query_record.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/strings.h"

namespace dotward {
namespace {

QueryRecord RecordOf(uint32_t number, uint8_t qname_octets) {
  QueryRecord record;
  record.reply_octets = number;
  record.qname_octets = qname_octets;
  record.qname.fill(static_cast<uint8_t>(number));
  return record;
}

TEST(QueryRecordQueueTest, GivesBackWhatWasPutInOrder) {
  const auto queue = std::make_unique<QueryRecordQueue>();
  EXPECT_TRUE(queue->empty());
  EXPECT_TRUE(queue->Put(RecordOf(1, 255)));
  EXPECT_TRUE(queue->Put(RecordOf(2, 0)));
  EXPECT_FALSE(queue->empty());
  QueryRecord record;
  ASSERT_TRUE(queue->Take(record));
  EXPECT_EQ(record.reply_octets, 1U);
  EXPECT_EQ(record.qname_octets, 255);
  EXPECT_EQ(record.qname[254], 1);
  ASSERT_TRUE(queue->Take(record));
  EXPECT_EQ(record.reply_octets, 2U);
  EXPECT_FALSE(queue->Take(record));
  EXPECT_TRUE(queue->empty());
}

TEST(QueryRecordQueueTest, IsBoundedAndRefusesWhatHasNoRoom) {
  const auto queue = std::make_unique<QueryRecordQueue>();
  uint32_t put = 0;
  while (queue->Put(RecordOf(put, 200))) ++put;
  const size_t each = RecordOf(0, 200).size() + sizeof(uint32_t);
  EXPECT_EQ(put, QueryRecordQueue::capacity() / each);
  EXPECT_FALSE(queue->Put(RecordOf(put, 200)));
  QueryRecord record;
  ASSERT_TRUE(queue->Take(record));
  EXPECT_TRUE(queue->Put(RecordOf(put, 200)));
}

// What two threads hand over while the ring is run through many times arrives whole and in order; what was refused is
// missing, and nothing else.
TEST(QueryRecordQueueTest, HandsOverBetweenTwoThreads) {
  constexpr uint32_t kRecords = 300'000;
  const auto queue = std::make_unique<QueryRecordQueue>();
  uint32_t refused = 0;
  std::atomic<bool> done{false};
  std::thread putting([&] {
    for (uint32_t i = 0; i < kRecords; ++i) {
      if (!queue->Put(RecordOf(i, static_cast<uint8_t>(i % 256)))) ++refused;
    }
    done.store(true);
  });
  uint32_t taken = 0;
  uint32_t next = 0;
  bool sound = true;
  QueryRecord record;
  while (true) {
    const bool last = done.load();
    while (queue->Take(record)) {
      ++taken;
      sound &= record.reply_octets >= next && record.qname_octets == record.reply_octets % 256;
      for (size_t i = 0; i < record.qname_octets; ++i) {
        sound &= record.qname[i] == static_cast<uint8_t>(record.reply_octets);
      }
      next = record.reply_octets + 1;
    }
    if (last) break;
  }
  putting.join();
  EXPECT_TRUE(sound);
  EXPECT_EQ(taken + refused, kRecords);
}

}  // namespace
}  // namespace dotward
