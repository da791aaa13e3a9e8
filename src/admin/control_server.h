#ifndef DOTWARD_ADMIN_CONTROL_SERVER_H_
#define DOTWARD_ADMIN_CONTROL_SERVER_H_

#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "admin/control_request.h"
#include "admin/control_socket.h"
#include "admin/service_control.h"
#include "base/await.h"
#include "base/limits.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

// How patient the control socket is. Tests shorten these.
struct ControlPatience {
  Duration request = Limits::kControlRequestTime;  // from the connection to the end of the request
  Duration write = Limits::kControlWriteTime;      // without progress, for a client that does not read
};

// Answers the control socket on a thread of its own, so that no client of it can slow a query: one request a
// connection, see control_request.h. Whoever is slow keeps a place among Limits::kControlConnectionsMax and little
// memory: long replies are made as they are read.
class ControlServer {
 public:
  // `service` and `clock` must outlive it.
  ControlServer(ControlSocket socket, ServiceControl& service, const Clock& clock,
                const ControlPatience& patience = {});
  ~ControlServer();  // Stop()
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  void Start();
  // Closes every connection and ends the thread. Blocks until then, and that is until the questions that somebody asks
  // through it have ended: after the service has stopped they all have.
  void Stop();

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;

  Task<> AcceptConnections();
  void AcceptBatch();
  void Admit(Descriptor connected);
  void Close();

  Task<> Serve(ConnectionPtr connection);
  // Closes the connection when it has been waited for too long.
  Task<> Watch(ConnectionPtr connection);
  // The request line; empty where the client went away or took too long.
  Task<std::string> ReadRequest(ConnectionPtr connection);
  Task<> Reply(ConnectionPtr connection, ControlRequest request);
  Task<> ReplyWithEntries(ConnectionPtr connection, ControlRequest request);
  Task<std::string> AskUpstream(ControlRequest request);
  std::string ReplyAtOnce(const ControlRequest& request);
  // Adds a line to what is to be written, and writes when enough has gathered. False where the client has gone.
  Task<bool> Send(ConnectionPtr connection, std::string line);
  Task<bool> Flush(ConnectionPtr connection);

  ControlSocket socket_;
  ServiceControl& service_;
  const Clock& clock_;
  const ControlPatience patience_;
  asio::io_context loop_{1};
  asio::posix::basic_stream_descriptor<Executor> readiness_;
  SteadyTimer back_off_;
  std::unordered_set<ConnectionPtr> connections_;
  bool stopping_ = false;
  bool failing_ = false;
  TaskGroup tasks_{loop_};
  std::thread thread_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_CONTROL_SERVER_H_
