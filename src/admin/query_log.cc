#include "admin/query_log.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace dotward {
namespace {

uint64_t ShareOf(const QueryLog::Options& options) {
  if (!options.enabled || options.sample <= 0) return 0;
  if (options.sample >= 1) return UINT64_MAX;
  // At least one in 2^64, and never what stands for all.
  return std::max<uint64_t>(1, static_cast<uint64_t>(options.sample * 0x1p64));
}

}  // namespace

QueryLog::Options QueryLog::Options::Of(const Config& config) {
  return {.enabled = config.log.queries.enabled,
          .file = config.log.queries.file,
          .sample = config.log.queries.sample,
          .privacy = {config.log.queries.client_address, config.limits.client_prefix.ipv4,
                      config.limits.client_prefix.ipv6}};
}

void QueryLog::Queue::Put(const AnsweredQuery& query) {
  if (!records_->Put(QueryRecord::Of(query))) {
    dropped_.Add();
    return;
  }
  // Before the thread sleeps it says so, and looks once more: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (log_.sleeping_.load(std::memory_order_relaxed) != 0) log_.Awaken();
}

QueryLog::QueryLog(size_t workers, const Clock& clock) : clock_(clock) {
  const auto seed = static_cast<uint64_t>(clock.WallNow().time_since_epoch().count());
  for (size_t worker = 0; worker < workers; ++worker) {
    queues_.push_back(std::unique_ptr<Queue>(new Queue(*this, (seed + worker) | 1)));
  }
}

QueryLog::~QueryLog() {
  stopping_.store(true);
  Awaken();
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

absl::Status QueryLog::Apply(const Options& options) {
  const MutexLock lock(mutex_);
  if (options.enabled) {
    // Also where it is open already: the name may stand for another file by now.
    const absl::Status opened = file_.Open(options.file);
    if (!opened.ok()) return opened;
  }
  options_ = options;
  writer_ = std::make_unique<QueryLineWriter>(options.privacy);
  for (const auto& queue : queues_) {
    if (options.enabled && queue->records_ == nullptr) queue->records_ = std::make_unique<QueryRecordQueue>();
    queue->share_.store(ShareOf(options), std::memory_order_release);
  }
  if (options.enabled && !thread_.joinable()) {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "query log");
  }
  return absl::OkStatus();
}

absl::Status QueryLog::Reopen() {
  const MutexLock lock(mutex_);
  return options_.enabled ? file_.Open(file_.path()) : absl::OkStatus();
}

void QueryLog::GiveTo(uid_t user, gid_t group) {
  const MutexLock lock(mutex_);
  file_.GiveTo(user, group);
}

absl::Status QueryLog::MayBeMadeAgain() {
  const MutexLock lock(mutex_);
  return file_.MayBeMadeAgain();
}

QueryLog::Statistics QueryLog::statistics() const {
  Statistics statistics{.written = written_.load(), .lost = lost_.load()};
  for (const auto& queue : queues_) statistics.dropped += queue->dropped_.value();
  return statistics;
}

void QueryLog::Run() {
  while (true) {
    const bool stopping = stopping_.load();
    const bool any = WriteAll();
    TellLosses(clock_.Now());
    if (stopping) return;
    if (any) {
      std::this_thread::sleep_for(Limits::kQueryLogBatchTime);
    } else {
      Sleep();
    }
  }
}

bool QueryLog::WriteAll() {
  // Steady time has no date; the difference to civil time is that of now.
  const WallTime wall = clock_.WallNow();
  const SteadyTime steady = clock_.Now();
  const auto civil = [&](SteadyTime at) { return wall - std::chrono::duration_cast<WallTime::duration>(steady - at); };
  bool any = false;
  QueryRecord record;
  for (const auto& queue : queues_) {
    // A worker that has queries all the time keeps nobody from being written: as much as a queue can hold, and on.
    size_t octets = 0;
    bool more = queue->records_ != nullptr;
    while (more && octets < QueryRecordQueue::capacity()) {
      const MutexLock lock(mutex_);
      uint64_t count = 0;
      lines_.clear();
      while (lines_.size() < Limits::kQueryLogWriteOctets && (more = queue->records_->Take(record))) {
        writer_->Append(record, civil(record.received_at), lines_);
        octets += record.size();
        ++count;
      }
      if (count == 0) break;
      any = true;
      const bool kept = file_.path().empty() ? LogWrittenLines(lines_, count) : file_.Append(lines_, count);
      (kept ? written_ : lost_).fetch_add(count, std::memory_order_relaxed);
    }
  }
  return any;
}

void QueryLog::TellLosses(SteadyTime now) {
  const Statistics total = statistics();
  if (total.dropped + total.lost == told_) return;
  if (told_ != 0 && now < told_at_ + Limits::kQueryLogNewsInterval && !stopping_.load()) return;
  told_ = total.dropped + total.lost;
  told_at_ = now;
  Log(LogLevel::kWarning, "queries are missing in the query log: its disk is full or too slow",
      {{"dropped", total.dropped}, {"lost", total.lost}});
}

void QueryLog::Sleep() {
  sleeping_.store(1);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool nothing = std::all_of(queues_.begin(), queues_.end(), [](const std::unique_ptr<Queue>& queue) {
    return queue->records_ == nullptr || queue->records_->empty();
  });
  if (nothing && !stopping_.load()) sleeping_.wait(1);
  sleeping_.store(0);
}

void QueryLog::Awaken() {
  if (sleeping_.exchange(0) != 0) sleeping_.notify_one();
}

}  // namespace dotward
