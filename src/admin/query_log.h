#ifndef DOTWARD_ADMIN_QUERY_LOG_H_
#define DOTWARD_ADMIN_QUERY_LOG_H_

#include <absl/status/status.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/query_line.h"
#include "admin/query_record.h"
#include "base/counter.h"
#include "base/line_file.h"
#include "base/mutex.h"
#include "dotward/clock.h"
#include "dotward/config.h"
#include "resolver/query_observer.h"

namespace dotward {

// Writes queries that were answered as lines of JSON, on a thread of its own. A worker puts a record of each into a
// queue that nobody else writes to and never waits: what finds no room is dropped and counted. The thread sleeps
// without end while there is nothing to write, and there is none before the log was on for the first time.
class QueryLog {
 public:
  struct Options {
    bool enabled = false;
    std::string file;     // empty: where the other events go
    double sample = 1.0;  // the share of queries that is logged, by chance
    ClientPrivacy privacy;

    static Options Of(const Config& config);
  };
  // Since the start.
  struct Statistics {
    uint64_t written = 0;
    uint64_t dropped = 0;  // found no room in a queue
    uint64_t lost = 0;     // could not be written to the file
  };

  // A worker's way in.
  class Queue {
   public:
    // Whether this query is to be put in: off, one load and a branch; else a draw, where only a share is logged.
    bool Wants() {
      const uint64_t share = share_.load(std::memory_order_acquire);
      return share != 0 && (share == kAll || Draw() < share);
    }
    void Put(const AnsweredQuery& query);

   private:
    friend class QueryLog;
    static constexpr uint64_t kAll = UINT64_MAX;

    Queue(QueryLog& log, uint64_t seed) : log_(log), state_(seed) {}
    // xorshift64*: nothing depends on it but which queries are logged.
    uint64_t Draw() {
      state_ ^= state_ >> 12;
      state_ ^= state_ << 25;
      state_ ^= state_ >> 27;
      return state_ * 0x2545F4914F6CDD1DULL;
    }

    QueryLog& log_;
    std::atomic<uint64_t> share_{0};  // of 2^64; 0 is off
    uint64_t state_;                  // the worker's
    Counter dropped_;
    std::unique_ptr<QueryRecordQueue> records_;  // made before share_ is not 0 for the first time
  };

  QueryLog(size_t workers, const Clock& clock);
  // Writes what has been put in. No worker runs any more.
  ~QueryLog();
  QueryLog(const QueryLog&) = delete;
  QueryLog& operator=(const QueryLog&) = delete;

  Queue& queue(size_t worker) { return *queues_[worker]; }

  // All below are thread-safe.

  // kUnavailable says which file cannot be opened and why; then everything stays as it was.
  absl::Status Apply(const Options& options);
  // After a rotation.
  absl::Status Reopen();
  // As LineFile's.
  void GiveTo(uid_t user, gid_t group);
  absl::Status MayBeMadeAgain();
  Statistics statistics() const;

 private:
  void Run();
  // Whether there was anything.
  bool WriteAll();
  void TellLosses(SteadyTime now);
  void Sleep();
  void Awaken();

  const Clock& clock_;
  std::vector<std::unique_ptr<Queue>> queues_;

  mutable Mutex mutex_;
  Options options_ ABSL_GUARDED_BY(mutex_);
  LineFile file_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<QueryLineWriter> writer_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_ ABSL_GUARDED_BY(mutex_);

  // The thread's.
  std::string lines_;
  SteadyTime told_at_ = SteadyTime::min();
  uint64_t told_ = 0;

  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> lost_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> sleeping_{0};  // 1: the thread waits to be woken
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_QUERY_LOG_H_
