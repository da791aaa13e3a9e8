#ifndef DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_
#define DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ip_address.h"
#include "base/limits.h"
#include "dotward/task.h"
#include "net/client_stream.h"
#include "net/tls_credentials.h"
#include "upstream/attempt.h"
#include "upstream/back_off.h"
#include "upstream/random_ids.h"
#include "upstream/upstream_connection.h"
#include "upstream/upstream_server.h"

namespace dotward {

// One address of one upstream over DNS-over-TLS (RFC 7858) or plain TCP. Connects when there is a query, and shares one
// pipelined connection among all of them. A new one takes its place when its IDs are used up, when it ends, and when it
// becomes suspect; then the queries of the old one are asked again there, each once more at the most (RFC 7766
// §6.2.4). Nothing is sent before a TLS server has proven who it is (RFC 8310 §5, strict profile). Session tickets stay
// with the identity that they were made for.
//
// Health is a matter of connections, never of names: a server is failing from when a connection to it could not be made
// or was of no use until one has brought an answer. Meanwhile clients fail at once, and one connection at a time is
// tried, at growing intervals.
class StreamUpstream final : public UpstreamServer, private AttemptHolder, private UpstreamConnection::Owner {
 public:
  struct Options {
    std::shared_ptr<const std::string> name;  // as the configuration calls the upstream
    Endpoint endpoint;
    QueryTransport transport = QueryTransport::kTls;  // or kTcp, without what follows
    std::string auth_name;
    std::shared_ptr<const TlsClientCredentials> credentials;
  };

  // `timeouts` must outlive it.
  StreamUpstream(asio::io_context& loop, Timeouts& timeouts, Options options);
  ~StreamUpstream() override;  // after Join, or once the loop runs no more

  void Start(Attempt& attempt, SteadyTime now) override;
  Readiness Tend(SteadyTime now, Urgency urgency) override;
  bool Connected() const override { return Usable(current_) && !current_->HasHadEnough(); }
  void Prepare(SteadyTime now) override;
  void NetworkChanged(SteadyTime now) override;
  void Close() override;
  Task<> Join() override { return tasks_.Join(); }

 private:
  void Release(Attempt& attempt) override;
  void OnSuspected(UpstreamConnection& connection, SteadyTime now) override;
  void OnAlive(UpstreamConnection& connection, SteadyTime now) override;
  void AddToSnapshot(UpstreamSnapshot& snapshot) const override;

  static bool Usable(const UpstreamConnection* connection) { return connection != nullptr && connection->open(); }
  // Calls `visit` for every connection there is.
  template <typename Visitor>
  void ForEachConnection(Visitor visit) const {
    if (current_ != nullptr) visit(*current_);
    for (UpstreamConnection* connection : others_) visit(*connection);
  }

  // Finds a place for an attempt that nobody holds: on the connection, or waiting for one; or fails it.
  void Place(Attempt& attempt, SteadyTime now);
  void PlaceAll(AttemptList attempts, SteadyTime now);
  // It has failed more than once in a row, and only now: no query waits for the next try.
  bool FailsAtOnce(SteadyTime now) const;

  bool HasRoomForConnection() const { return others_.size() < Limits::kConnectionsPerServerMax; }
  void StartConnecting(SteadyTime now);
  Task<> RunConnection();
  Task<absl::StatusOr<std::unique_ptr<ClientStream>>> Connect(SteadyTime started);
  // How long the server may take to give a first sign.
  Duration ConnectPatience() const;
  void Connected(UpstreamConnection& connection, SteadyTime now);
  // No new query for it: it ends when it has answered those it has.
  void Replace(UpstreamConnection* connection);
  void ConnectFailed(const absl::Status& status, SteadyTime started, SteadyTime now);
  void ConnectionEnded(UpstreamConnection& connection, SteadyTime connected_at);
  enum class Waiting : uint8_t { kNothing, kQueries };
  // What the end of a connection says about the server.
  void JudgeEnd(const UpstreamConnection& connection, Waiting waiting, const absl::Status& reason,
                SteadyTime connected_at, SteadyTime now);
  void UpdateState(SteadyTime now);
  void ReportConnected(const ClientStream& stream);

  const Options options_;
  RandomIds ids_;

  AttemptList waiting_;                    // for a connection
  UpstreamConnection* current_ = nullptr;  // takes new queries. Connections live in the frames of RunConnection
  absl::InlinedVector<UpstreamConnection*, 2> others_;  // suspect, or replaced and waiting for their last answers
  std::optional<SteadyTime> connecting_since_;          // set while a connection is being made
  StreamCanceller* connect_canceller_ = nullptr;        // set in the same time
  bool silent_ = false;                                 // a connection was suspected, and nothing has answered since
  bool connect_again_ = false;                          // the one being made was overtaken by a change of the network
  TlsSessionTicket ticket_;
  BackOff back_off_;
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_STREAM_UPSTREAM_H_
