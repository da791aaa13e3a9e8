#ifndef DOTWARD_UPSTREAM_UPSTREAM_SERVER_H_
#define DOTWARD_UPSTREAM_UPSTREAM_SERVER_H_

#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration_histogram.h"
#include "base/ip_address.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "upstream/attempt.h"
#include "upstream/server_record.h"
#include "upstream/timeouts.h"

namespace dotward {

enum class UpstreamState : uint8_t { kIdle, kConnecting, kConnected, kFailing };
std::string_view UpstreamStateToString(UpstreamState state);

// One server address at one moment, for people and for metrics.
struct UpstreamSnapshot {
  std::string name;
  Endpoint endpoint;
  std::string protocol;  // "tls", "tcp", "udp"
  UpstreamState state = UpstreamState::kIdle;
  Duration in_state_for{0};
  uint64_t connections_open = 0;
  uint64_t connections_connecting = 0;  // being made
  uint64_t connections_busy = 0;        // of those that are open: with queries under way
  uint64_t connections_idle = 0;        // of these: without
  uint64_t in_flight = 0;   // queries that wait for this server, those that wait for its connection included
  std::string tls_version;  // of the connection; empty where there is none
  std::string last_error;   // the last reason for trouble, with where and why; empty where there never was any

  // As UpstreamCounters has them.
  uint64_t queries = 0, retried = 0, hedges = 0, hedges_won = 0, responses = 0, nxdomain = 0, servfail = 0;
  uint64_t failed = 0, timeouts = 0, malformed = 0, mismatched = 0, late = 0, probes = 0;
  uint64_t connections = 0, connect_failures = 0, connections_lost = 0, connections_suspected = 0;
  uint64_t handshakes_full = 0, handshakes_resumed = 0;
  uint64_t average_latency_microseconds = 0;
  DurationTotals durations;

  Duration latency_median{0};  // over about the last thousand answers; zero before the first
  Duration latency_p95{0};
  std::optional<Duration> idle_limit;  // how long the server keeps a silent connection, as far as it is known
};

// Adds what only ever grows: the counters and the durations.
void AddCounts(UpstreamSnapshot& total, const UpstreamSnapshot& part);

// One address of one upstream: takes attempts, and answers or fails them. What is common to the ways of asking is here;
// how a query travels is for those who derive from it. One event loop; not thread-safe but for the counters.
class UpstreamServer : public Upstream {
 public:
  // How good a choice this server is right now.
  enum class Readiness : uint8_t {
    kReady,     // connected, or nothing speaks against connecting
    kDoubtful,  // it failed last time or keeps us waiting: better after the ready ones
    kResting,   // it failed, and every query would fail at once
  };
  // Whether a client waits for this server because there is no better one. Who has failed is tried again sooner then.
  enum class Urgency : uint8_t { kOthersServe, kNobodyElse };

  // The question alone to this server: see Upstream. What counts is the server's address, not the upstream's name.
  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) final;

  // The same without a coroutine and without a deadline, for who asks several servers: the attempt is done, maybe at
  // once, when there is an answer or no hope of one. Its query was prepared for transport().
  virtual void Start(Attempt& attempt, SteadyTime now) = 0;
  // The asker's time is up: takes the attempt back and counts it. An asker who has what it wanted uses
  // Attempt::Withdraw.
  void GiveUp(Attempt& attempt, SteadyTime now);

  // Judges the server, and sees after it: one whose back-off is over is tried again, even if nobody would choose it, so
  // that it is noticed when it returns.
  virtual Readiness Tend(SteadyTime now, Urgency urgency) = 0;
  // A query that is put to it now leaves at once: nothing has to be set up first.
  virtual bool Connected() const = 0;
  // Queries are going to come: sets up what they would have to wait for, if anything.
  virtual void Prepare(SteadyTime /*now*/) {}
  // Addresses, routes or links have changed, or the machine has slept: nothing that was learned of the way to the
  // server holds any more.
  virtual void NetworkChanged(SteadyTime now) = 0;

  // Fails what waits and takes no more; everything has ended when Join has.
  virtual void Close() = 0;
  virtual Task<> Join() = 0;

  QueryTransport transport() const { return transport_; }
  const std::string& label() const { return record_.label; }
  const ServerRecord& record() const { return record_; }
  // For who asks several servers and counts why.
  UpstreamCounters& counters() { return record_.counters; }
  const absl::Status& last_error() const { return last_error_; }
  bool failing() const { return state_ == UpstreamState::kFailing; }
  // How often it was in trouble, failing or silent, and answers again.
  uint64_t returns() const { return returns_; }
  // How good it is among those that serve: its smoothed latency, multiplied by its recent failures; zero where nothing
  // is known yet.
  Duration Score(SteadyTime now) const;

  // Is not to be asked before `until`, for a reason that has nothing to do with its connections.
  void Banish(SteadyTime until, absl::Status why);
  void Pardon() { banished_until_ = SteadyTime::min(); }
  bool banished(SteadyTime now) const { return now < banished_until_; }
  UpstreamSnapshot Snapshot() const;

 protected:
  // `timeouts` must outlive it.
  UpstreamServer(asio::io_context& loop, Timeouts& timeouts, std::shared_ptr<const std::string> name,
                 const Endpoint& endpoint, QueryTransport transport);

  // The state, the connections and the queries under way.
  virtual void AddToSnapshot(UpstreamSnapshot& snapshot) const = 0;

  void Fail(Attempt& attempt, const absl::Status& status);
  absl::Status Error(std::string_view text) const;  // kUnavailable, behind the label
  void SetState(UpstreamState state, SteadyTime now);
  UpstreamState state() const { return state_; }
  // It was silent, and answers again. Where it was failing, the state says so.
  void CountReturn() { ++returns_; }

  // Remembers why the server is in trouble, and logs it unless the same was said lately.
  void ReportTrouble(std::string_view event, absl::Status error, SteadyTime now);
  // True where the next good news is worth a line: the first, or one after trouble.
  bool TakeNews();

  asio::io_context& loop_;
  Timeouts& timeouts_;
  ServerRecord record_;

 private:
  const QueryTransport transport_;
  UpstreamState state_ = UpstreamState::kIdle;
  SteadyTime state_since_;
  uint64_t returns_ = 0;
  absl::Status last_error_;
  SteadyTime banished_until_ = SteadyTime::min();
  struct Reported {
    std::string gist;
    SteadyTime at;
  };
  bool IsNewsOfTrouble(std::string_view text, SteadyTime now);
  std::vector<Reported> reported_;  // what the log was told lately; empty where all is well
  bool ever_reported_well_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_UPSTREAM_SERVER_H_
