#ifndef DOTWARD_ADMIN_SLOW_QUERIES_H_
#define DOTWARD_ADMIN_SLOW_QUERIES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "admin/query_line.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "dotward/clock.h"
#include "dotward/upstream.h"
#include "resolver/query_observer.h"

namespace dotward {

// One query that took long or failed, with its way.
struct SlowQuery {
  WallTime received_at;
  std::string client;  // as far as the query log shows it
  Transport transport = Transport::kUdp;
  AnswerSource source = AnswerSource::kUpstream;
  std::string name;  // empty where it could not be read
  uint16_t type = 0;
  Rcode rcode = Rcode::kNoError;
  Duration duration{0};
  Duration elsewhere{0};  // of it, outside the exchange: on the way to the forwarding loop and back
  ExchangeTrace trace;
  std::string upstream;  // that answered; empty where nobody did, or its failure is in `reason`
  std::string reason;    // the first extended error: "22: quad9 …"
};

// Remembers the last of the queries that took longer than Limits::kSlowQueryTime or were answered SERVFAIL. Workers
// report to it and never wait for it: of more than Limits::kSlowQueriesPerSecond, and of those that two report in the
// same moment, only the number is kept. Thread-safe; a bounded number of octets.
class SlowQueries {
 public:
  explicit SlowQueries(const ClientPrivacy& privacy) : privacy_(privacy) {}

  static bool IsWorthKeeping(const AnsweredQuery& query) {
    return query.duration > Limits::kSlowQueryTime || query.rcode == Rcode::kServFail;
  }
  // `wall` is now.
  void Record(const AnsweredQuery& query, WallTime wall);
  // For those that come; what is kept stays as it is shown.
  void Apply(const ClientPrivacy& privacy);

  std::vector<SlowQuery> Latest() const;                                   // the newest first
  uint64_t seen() const { return seen_.load(std::memory_order_relaxed); }  // since the start, kept or not

 private:
  std::atomic<uint64_t> seen_{0};
  mutable Mutex mutex_;
  ClientPrivacy privacy_ ABSL_GUARDED_BY(mutex_);
  std::vector<SlowQuery> ring_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // where the oldest is, once the ring is full
  SteadyTime second_began_ ABSL_GUARDED_BY(mutex_) = SteadyTime::min();
  size_t in_second_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_SLOW_QUERIES_H_
