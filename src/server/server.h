#ifndef DOTWARD_SERVER_SERVER_H_
#define DOTWARD_SERVER_SERVER_H_

#include <absl/status/statusor.h>

#include <memory>
#include <vector>

#include "base/ip_address.h"
#include "dotward/config.h"
#include "server/connection_limiter.h"
#include "server/server_worker.h"
#include "server/statistics.h"

namespace dotward {

// What the configuration says to listen on, for all workers together. Binding and serving are two steps: everything is
// bound before anything is served, so that a server never runs by halves, and privileges can be dropped in between.
//
//   ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Bind(config, workers));
//   std::unique_ptr<ServerWorker> worker = server->MakeWorker(0, loop, handler, clock);   // one for each loop
//   worker->Start();
class Server {
 public:
  // Binds a UDP and a TCP socket to each of config.listen for each of `workers`, which is at least 1. Port 0 takes a
  // port that is free for both. [::1] and [::] are left out, with a warning, on a machine without IPv6, where something
  // else is listened on. Fails as a whole otherwise: kInvalidArgument for endpoints that exclude each other, else as
  // BindError says.
  static absl::StatusOr<std::unique_ptr<Server>> Bind(const Config& config, size_t workers);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens, in the order of config.listen, with the ports that were taken.
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  size_t workers() const { return sockets_.size(); }

  // Makes the worker of number `worker`, once for each. The server outlives it.
  std::unique_ptr<ServerWorker> MakeWorker(size_t worker, asio::io_context& loop, QueryHandler& handler,
                                           const Clock& clock);

  // Limits on connections as `config` has them, from the next one on. Thread-safe.
  void SetLimits(const Config& config);
  // What each ServerWorker is to be told beside that.
  static StreamPatience PatienceOf(const Config& config);

  // What all workers did, as of now. Thread-safe.
  UdpTotals udp_totals() const;
  StreamTotals stream_totals() const;

 private:
  // Of one worker; on cache lines of their own, because each worker writes its own all the time.
  struct alignas(64) Statistics {
    UdpStatistics udp;
    StreamStatistics streams;
  };

  Server(const Config& config, size_t workers);
  absl::Status BindFirst(const Endpoint& wanted);
  absl::Status BindSiblings();

  ConnectionLimiter limiter_;
  const StreamPatience patience_;
  std::vector<Endpoint> endpoints_;
  std::vector<WorkerSockets> sockets_;  // one a worker; empty once MakeWorker has given them away
  std::vector<Statistics> statistics_;  // one a worker; never resized
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_SERVER_H_
