#ifndef DOTWARD_ADMIN_HTTP_SERVER_H_
#define DOTWARD_ADMIN_HTTP_SERVER_H_

#include <absl/status/statusor.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <list>
#include <memory>
#include <thread>

#include "admin/http_protocol.h"
#include "base/await.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "dotward/clock.h"
#include "dotward/task.h"
#include "net/descriptor.h"
#include "server/tcp_stream.h"

namespace dotward {

// How patient the endpoint is. Tests shorten these.
struct HttpPatience {
  Duration request = Limits::kHttpRequestTime;  // from the connection to the end of the request
  Duration reply = Limits::kHttpReplyTime;      // until the client has taken the reply
  Duration linger = Limits::kHttpLingerTime;    // for the client to close behind it
};

// An HTTP endpoint on a thread of its own: short requests, one a connection, answered one after another. Whoever is
// slow costs nothing but a place among Limits::kHttpConnectionsMax, and loses it first when others come.
class HttpServer {
 public:
  // Binds; nobody is served before Start. Port 0 lets the kernel choose. The site is called on the endpoint's thread.
  // For the errors see BindError.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Create(const Endpoint& where, HttpProtocol::Site site,
                                                            const HttpPatience& patience = {});
  ~HttpServer();  // Stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void Start();
  // Closes every connection and ends the thread. Blocks until then; for as long as the site takes, where it is at work.
  void Stop();

  const Endpoint& listening() const { return local_; }

 private:
  struct Connection;

  HttpServer(Descriptor listening, HttpProtocol::Site site, const HttpPatience& patience);

  Task<> AcceptConnections();
  bool AcceptBatch();
  void Admit(Descriptor connected, const Endpoint& peer);
  void MakeRoom();
  Task<> Serve(Connection* connection);
  Task<> Exchange(Connection& connection);
  Task<bool> ReadRequest(Connection& connection);
  Task<bool> WriteReply(Connection& connection);
  static Task<> Linger(Connection& connection);
  static Task<> Watch(Connection* connection);
  Task<> WindDown();

  const HttpPatience patience_;
  asio::io_context loop_{1};
  asio::executor_work_guard<Executor> work_{loop_.get_executor()};
  Descriptor listening_;
  const Endpoint local_;
  // Tells when connections have come; the descriptor stays listening_'s.
  asio::posix::basic_stream_descriptor<Executor> readiness_;
  SteadyTimer back_off_{loop_.get_executor()};
  HttpProtocol protocol_;
  std::list<std::unique_ptr<Connection>> connections_;  // the oldest first
  bool stopping_ = false;
  TaskGroup tasks_{loop_};
  TaskGroup stopping_task_{loop_};
  std::thread thread_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_HTTP_SERVER_H_
