#ifndef DOTWARD_NET_STREAM_SESSION_H_
#define DOTWARD_NET_STREAM_SESSION_H_

#include <absl/status/status.h>

#include <asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <optional>
#include <string_view>

#include "base/await.h"
#include "base/deadline.h"
#include "base/ip_address.h"
#include "net/client_stream.h"

namespace dotward {

// What the streams of this layer have in common below their faces: one socket, how it is connected and in what time,
// how it ends, and the words for what went wrong. Shared with the tasks that wait, so that they can end after the
// stream has. One loop's thread.
class StreamSession : public std::enable_shared_from_this<StreamSession> {
 public:
  struct SetUpOptions {
    Deadline deadline;
    Duration connect_patience;   // for the TCP handshake alone
    StreamCanceller* canceller;  // may be null
  };

  explicit StreamSession(asio::io_context& loop);
  virtual ~StreamSession() = default;
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;

  // Connects where no connected socket was adopted, establishes the session, and closes it where that fails.
  static Task<absl::Status> SetUp(std::shared_ptr<StreamSession> self, SetUpOptions options);

  // What waits ends with ClosedError() on the loop's next turn.
  virtual void Close();

  bool closed() const { return closed_; }
  const Endpoint& peer() const { return peer_; }
  const Endpoint& local() const { return local_; }
  Duration handshake_time() const { return handshake_time_; }

 protected:
  enum class Phase : uint8_t { kConnect, kHandshake, kCertificate, kEstablished };

  // What follows the TCP handshake. The session outlives the task.
  virtual Task<absl::Status> Establish() = 0;

  // Takes a connected socket, which it owns from here on, on failure too.
  absl::Status Adopt(int descriptor);

  absl::Status Error(absl::StatusCode code, std::string_view text) const;
  absl::Status NetworkError(int error) const;
  // Why a closed session was closed: cancelled or out of time.
  absl::Status ClosedError() const;

  // Waits for the socket; false once the session has been closed. The session outlives the task.
  Task<bool> Wait(asio::posix::descriptor_base::wait_type direction);
  int descriptor() { return descriptor_.native_handle(); }
  bool has_descriptor() const { return descriptor_.is_open(); }
  // One recv into `buffer`, never waiting; the errno is in `error`, 0 where it succeeded.
  ssize_t Receive(std::span<uint8_t> buffer, int& error);
  // A Receive got less than it asked for since the last wait, so the next would get nothing.
  bool drained() const { return drained_; }
  // Sends as much of `octets` as the socket takes and cuts that from it: 0, EAGAIN where something is left, or the
  // errno of what failed.
  int Send(std::span<const uint8_t>& octets);
  // Where so many reads in a row have found octets that the loop's other work must have its turn: `if (TurnIsOver())
  // co_await NextTurn();` stands before each read, and CountRead() after each that succeeded.
  bool TurnIsOver() const;
  Task<> NextTurn();
  void CountRead() { ++reads_without_wait_; }

  Phase phase_ = Phase::kConnect;
  Endpoint peer_;

 private:
  struct OnDeadline {
    std::weak_ptr<StreamSession> session;
    uint64_t timer;
    void operator()(const asio::error_code& error) const;
  };

  absl::Status Own(int descriptor);
  Task<absl::Status> Connect();
  Task<absl::Status> ConnectAndEstablish(SetUpOptions options);
  void CloseAt(SteadyTime time);

  const Executor executor_;
  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  std::optional<SteadyTimer> deadline_;  // until the session is established
  uint64_t timers_ = 0;                  // tells the timer that runs from those before it
  bool connected_ = false;
  bool connects_ = false;  // to a server, instead of being one
  bool closed_ = false;
  bool timed_out_ = false;
  bool drained_ = false;
  size_t reads_without_wait_ = 0;
  Endpoint local_;
  SteadyTime started_at_;
  Duration handshake_time_{0};
};

}  // namespace dotward

#endif  // DOTWARD_NET_STREAM_SESSION_H_
