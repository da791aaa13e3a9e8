#include "admin/query_record.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kTypeAndClassOctets = 4;
constexpr size_t kOptionHeadOctets = 4;                          // code and length (RFC 6891 §6.1.2)
constexpr size_t kErrorOptionOctetsMin = kOptionHeadOctets + 2;  // the error's code (RFC 8914 §2)
static_assert(std::is_trivially_copyable_v<QueryRecord>);

}  // namespace

QueryRecord QueryRecord::Of(const AnsweredQuery& query) {
  QueryRecord record;
  record.received_at = query.received_at;
  record.duration = query.duration;
  record.client = query.client.endpoint.address;
  record.reply_octets = static_cast<uint32_t>(query.reply.size());
  record.rcode = query.rcode;
  record.transport = query.client.transport;
  record.source = query.source;
  if (!query.errors.empty()) {
    record.extended_error = static_cast<uint32_t>(query.errors.front().code);
  } else if (query.image != nullptr && query.image->error_options().size() >= kErrorOptionOctetsMin) {
    record.extended_error = ReadU16(&query.image->error_options()[kOptionHeadOctets]);
  }
  const OctetView question = query.query.question;
  if (question.size() > kTypeAndClassOctets) {
    record.qname_octets = static_cast<uint8_t>(question.size() - kTypeAndClassOctets);
    std::copy_n(question.begin(), record.qname_octets, record.qname.begin());
    record.qtype = ReadU16(&question[record.qname_octets]);
    record.qclass = ReadU16(&question[record.qname_octets + 2U]);
  }
  return record;
}

// Each record has its size before it. The release of put_ makes the octets before it visible to who acquires it, and
// that of taken_ gives their room back.
bool QueryRecordQueue::Put(const QueryRecord& record) {
  const uint64_t at = put_.load(std::memory_order_relaxed);
  const auto size = static_cast<uint32_t>(record.size());
  const size_t room = capacity() - static_cast<size_t>(at - taken_.load(std::memory_order_acquire));
  if (room < sizeof(size) + size) return false;
  CopyIn(at, &size, sizeof(size));
  CopyIn(at + sizeof(size), &record, size);
  put_.store(at + sizeof(size) + size, std::memory_order_release);
  return true;
}

bool QueryRecordQueue::Take(QueryRecord& record) {
  const uint64_t at = taken_.load(std::memory_order_relaxed);
  if (at == put_.load(std::memory_order_acquire)) return false;
  uint32_t size = 0;
  CopyOut(at, &size, sizeof(size));
  CopyOut(at + sizeof(size), &record, size);
  taken_.store(at + sizeof(size) + size, std::memory_order_release);
  return true;
}

bool QueryRecordQueue::empty() const {
  return taken_.load(std::memory_order_relaxed) == put_.load(std::memory_order_acquire);
}

// The queue is a ring: what runs over its end goes on at its beginning.
void QueryRecordQueue::CopyIn(uint64_t at, const void* from, size_t octets) {
  const size_t place = at % capacity();
  const size_t first = std::min(octets, capacity() - place);
  std::memcpy(&octets_[place], from, first);
  std::memcpy(&octets_[0], static_cast<const uint8_t*>(from) + first, octets - first);
}

void QueryRecordQueue::CopyOut(uint64_t at, void* to, size_t octets) const {
  const size_t place = at % capacity();
  const size_t first = std::min(octets, capacity() - place);
  std::memcpy(to, &octets_[place], first);
  std::memcpy(static_cast<uint8_t*>(to) + first, &octets_[0], octets - first);
}

}  // namespace dotward
