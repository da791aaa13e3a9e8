#ifndef DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_
#define DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_

#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "net/tls_credentials.h"
#include "net/tls_stream.h"
#include "upstream/attempt.h"
#include "upstream/back_off.h"
#include "upstream/upstream_connection.h"
#include "upstream/random_ids.h"
#include "upstream/timeouts.h"
#include "upstream/upstream_counters.h"

namespace dotward {

enum class UpstreamState : uint8_t { kIdle, kConnecting, kConnected, kFailing };
std::string_view UpstreamStateToString(UpstreamState state);

// One server address at one moment, for people and for metrics.
struct UpstreamSnapshot {
  std::string name;
  Endpoint endpoint;
  UpstreamState state = UpstreamState::kIdle;
  uint64_t connections_open = 0;
  uint64_t in_flight = 0;   // queries that wait for this server, those that wait for its connection included
  std::string tls_version;  // of the connection; empty where there is none
  std::string last_error;   // the last reason for trouble, with where and why; empty where there never was any

  // As UpstreamCounters has them.
  uint64_t queries = 0, retried = 0, responses = 0, nxdomain = 0, servfail = 0;
  uint64_t failed = 0, timeouts = 0, malformed = 0, mismatched = 0, late = 0;
  uint64_t connections = 0, connect_failures = 0, connections_lost = 0, handshakes_full = 0, handshakes_resumed = 0;
  uint64_t average_latency_microseconds = 0;
};

// One address of one upstream over DNS-over-TLS (RFC 7858). Connects when there is a query, shares one pipelined
// connection among all of them, and takes a second one only while the IDs of the first are used up. A query whose
// connection ends before its answer is asked once more on a fresh one (RFC 7766 §6.2.4). Nothing is sent before the
// server has proven its name (RFC 8310 §5, strict profile). Session tickets stay with the identity that they were made
// for. One event loop; not thread-safe but for counters().
class StreamUpstream final : public Upstream, private AttemptHolder {
 public:
  struct Options {
    std::shared_ptr<const std::string> name;  // as the configuration calls the upstream
    Endpoint endpoint;
    std::string auth_name;
    std::shared_ptr<const TlsClientCredentials> credentials;
  };

  // How good a choice this server is right now.
  enum class Readiness : uint8_t {
    kReady,     // connected, or nothing speaks against connecting
    kDoubtful,  // it failed last time or keeps us waiting: better after the ready ones
    kResting,   // it failed and is not tried before its back-off is over: every query would fail at once
  };

  // `timeouts` must outlive it.
  StreamUpstream(asio::io_context& loop, Timeouts& timeouts, Options options);
  ~StreamUpstream() override;  // after Join, or once the loop runs no more

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override;

  // The same without a coroutine and without a deadline, for who asks several servers: the attempt is done, maybe at
  // once, when there is an answer or no hope of one.
  void Start(Attempt& attempt, SteadyTime now);
  // To be called in place of a mere Withdraw where the asker's time is up.
  void GiveUp(Attempt& attempt, SteadyTime now);

  // Judges the server, and sees after it: a connection that has been silent for too long is closed, and a server whose
  // back-off is over is tried again even where nobody would choose it, so that it is noticed when it returns.
  Readiness Tend(SteadyTime now);

  // Fails what waits and takes no more; everything has ended when Join has.
  void Close();
  Task<> Join() { return tasks_.Join(); }

  const std::string& name() const { return *options_.name; }
  const std::string& label() const { return label_; }  // "quad9 9.9.9.9:853"
  const absl::Status& last_error() const { return last_error_; }
  const UpstreamCounters& counters() const { return counters_; }
  UpstreamSnapshot Snapshot() const;

 private:
  void Release(Attempt& attempt) override;

  // Finds a place for an attempt that nobody holds: on the connection, or waiting for one; or fails it.
  void Place(Attempt& attempt, SteadyTime now);
  void PlaceAll(AttemptList attempts, SteadyTime now);
  void StartConnecting(SteadyTime now);
  Task<> RunConnection();
  void ConnectFailed(const absl::Status& status, SteadyTime now);
  void ConnectionEnded(UpstreamConnection& connection, SteadyTime connected_at);
  enum class Waiting : uint8_t { kNothing, kQueries };
  // What the end of a connection says about the server.
  void JudgeEnd(const UpstreamConnection& connection, Waiting waiting, const absl::Status& reason, Duration lived,
                SteadyTime now);
  void Fail(Attempt& attempt, const absl::Status& status);
  absl::Status Error(std::string_view text) const;  // kUnavailable, behind the label

  void ReportTrouble(std::string_view event, SteadyTime now);  // last_error_
  void ReportConnected(const TlsStream& stream);

  asio::io_context& loop_;
  Timeouts& timeouts_;
  const Options options_;
  const std::string label_;
  RandomIds ids_;
  UpstreamCounters counters_;

  AttemptList waiting_;                         // for a connection
  UpstreamConnection* current_ = nullptr;            // lives in RunConnection's frame
  UpstreamConnection* retired_ = nullptr;            // its IDs were used up; waits for its last answers
  std::optional<SteadyTime> connecting_since_;  // set while a handshake is under way
  TlsCanceller* connect_canceller_ = nullptr;   // set in the same time
  TlsSessionTicket ticket_;
  BackOff back_off_;
  bool closed_ = false;

  absl::Status last_error_;
  std::string reported_text_;  // what the log was told last; empty where all is well
  SteadyTime reported_at_{};
  bool ever_connected_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_
