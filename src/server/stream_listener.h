#ifndef DOTWARD_SERVER_STREAM_LISTENER_H_
#define DOTWARD_SERVER_STREAM_LISTENER_H_

#include <asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <unordered_map>

#include "base/await.h"
#include "base/limit_log.h"
#include "dotward/task.h"
#include "net/descriptor.h"
#include "server/connection_limiter.h"
#include "server/listener_context.h"
#include "server/statistics.h"
#include "server/stream_connection.h"

namespace dotward {

// Accepts TCP connections from one listening socket and serves them on one loop. Accepting never ends by itself: where
// descriptors run out it rests and tries again, and the connections wait in the kernel meanwhile.
class StreamListener {
 public:
  // The references outlive it, and it outlives the loop's last turn or a finished Stop().
  StreamListener(ListenerContext& context, Descriptor listening, ConnectionLimiter& limiter,
                 StreamStatistics& statistics, const StreamPatience& patience);
  ~StreamListener();
  StreamListener(const StreamListener&) = delete;
  StreamListener& operator=(const StreamListener&) = delete;

  const Endpoint& local() const { return local_; }

  // Of the connections that are accepted from now on.
  void SetPatience(const StreamPatience& patience) { patience_ = patience; }

  void Start();
  // Accepts no connection and reads no query from now on.
  void StopReading();
  // Ends when every query that was read has been answered and all connections are closed. Calls StopReading().
  Task<> Stop();

 private:
  enum class AcceptOutcome : uint8_t { kWait, kRest };

  Task<> AcceptConnections();
  AcceptOutcome AcceptBatch();
  void Admit(Descriptor connected, const Endpoint& peer);
  void Refused(LimitReason reason, const IpAddress& client) const;
  Task<> Serve(StreamConnection* connection, IpAddress counted_as);

  ListenerContext& context_;
  Descriptor listening_;
  const Endpoint local_;
  ConnectionLimiter& limiter_;
  StreamStatistics& statistics_;
  StreamPatience patience_;
  // Tells when connections have come; the descriptor stays listening_'s.
  asio::posix::basic_stream_descriptor<Executor> readiness_;
  SteadyTimer back_off_;
  bool failing_ = false;  // the last accept failed, and that has been logged
  bool stopping_ = false;
  // Owned here and not by the coroutines that serve them: one that is parked in its connection would own itself.
  std::unordered_map<StreamConnection*, std::unique_ptr<StreamConnection>> connections_;
  TaskGroup tasks_;  // AcceptConnections and one Serve a connection
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_STREAM_LISTENER_H_
