#ifndef DOTWARD_ADMIN_QUERY_RECORD_H_
#define DOTWARD_ADMIN_QUERY_RECORD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/ip_address.h"
#include "base/limits.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/query_handler.h"
#include "resolver/query_observer.h"

namespace dotward {

// What the query log keeps of one answered query, until it is written. A plain copy, made on the worker's thread; of
// `qname` only the first `qname_octets` count.
struct QueryRecord {
  static constexpr uint32_t kNoExtendedError = UINT32_MAX;

  SteadyTime received_at;
  Duration duration;
  IpAddress client;
  uint32_t extended_error = kNoExtendedError;  // the first
  uint32_t reply_octets = 0;
  uint16_t qtype = 0;
  uint16_t qclass = 0;
  Rcode rcode = Rcode::kNoError;
  Transport transport = Transport::kUdp;
  AnswerSource source = AnswerSource::kCache;
  uint8_t qname_octets = 0;  // 0 where the question could not be read
  std::array<uint8_t, kNameOctetsMax> qname;

  static QueryRecord Of(const AnsweredQuery& query);
  // Octets of the record that count.
  size_t size() const { return offsetof(QueryRecord, qname) + qname_octets; }
};

// Where records wait: one thread puts them in, one takes them out, and neither ever waits for the other.
class QueryRecordQueue {
 public:
  // False, and nothing kept, where there is no room. The putting thread.
  bool Put(const QueryRecord& record);
  // False where it is empty. The taking thread.
  bool Take(QueryRecord& record);
  bool empty() const;

  static size_t constexpr capacity() { return Limits::kQueryLogQueueOctets; }

 private:
  void CopyIn(uint64_t at, const void* from, size_t octets);
  void CopyOut(uint64_t at, void* to, size_t octets) const;

  std::unique_ptr<uint8_t[]> octets_ = std::make_unique<uint8_t[]>(capacity());
  // Octets since the beginning; each is written by one thread, on a cache line of its own.
  alignas(64) std::atomic<uint64_t> put_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_QUERY_RECORD_H_
