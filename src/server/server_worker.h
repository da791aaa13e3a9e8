#ifndef DOTWARD_SERVER_SERVER_WORKER_H_
#define DOTWARD_SERVER_SERVER_WORKER_H_

#include <asio/io_context.hpp>
#include <memory>
#include <vector>

#include "dotward/clock.h"
#include "dotward/query_handler.h"
#include "dotward/task.h"
#include "server/connection_limiter.h"
#include "server/listener_context.h"
#include "server/statistics.h"
#include "server/stream_listener.h"
#include "server/udp_listener.h"

namespace dotward {

// One worker's sockets, bound and not yet served.
struct WorkerSockets {
  std::vector<UdpSocket> udp;
  std::vector<Descriptor> tcp;
};

// Everything that one worker listens on, served on its loop. Start, Stop and the destructor belong to the loop's
// thread, or to any while the loop does not run.
class ServerWorker {
 public:
  // The references outlive it, and it outlives the loop's last turn or a finished Stop().
  ServerWorker(WorkerSockets sockets, asio::io_context& loop, QueryHandler& handler, const Clock& clock,
               ConnectionLimiter& limiter, const StreamPatience& patience, UdpStatistics& udp_statistics,
               StreamStatistics& stream_statistics);
  ServerWorker(const ServerWorker&) = delete;
  ServerWorker& operator=(const ServerWorker&) = delete;

  // Of the connections that are accepted from now on. On the loop's thread.
  void SetPatience(const StreamPatience& patience);

  // Begins to serve when the loop runs.
  void Start();

  // Reads no query and accepts no connection from now on, and ends when everything that was read has been answered and
  // all sockets are closed. That takes as long as the handler's slowest answer; whoever has less time stops the loop.
  Task<> Stop();

 private:
  ListenerContext context_;
  std::vector<std::unique_ptr<UdpListener>> udp_;
  std::vector<std::unique_ptr<StreamListener>> streams_;
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_SERVER_WORKER_H_
