#ifndef DOTWARD_SERVER_UDP_LISTENER_H_
#define DOTWARD_SERVER_UDP_LISTENER_H_

#include <asio/posix/basic_stream_descriptor.hpp>
#include <span>
#include <vector>

#include "base/await.h"
#include "dotward/task.h"
#include "net/udp_batch.h"
#include "net/udp_socket.h"
#include "server/listener_context.h"
#include "server/statistics.h"

namespace dotward {

// Serves the queries of one UDP socket on one loop: reads up to Limits::kUdpBatch datagrams with one system call,
// answers from what is at hand, and sends those replies with one more. Queries that must wait become tasks, and
// replies that come together leave together. Answering at once allocates nothing.
class UdpListener {
 public:
  // `context` and `statistics` outlive it, and it outlives the loop's last turn or a finished Stop().
  UdpListener(ListenerContext& context, UdpSocket socket, UdpStatistics& statistics);
  ~UdpListener();
  UdpListener(const UdpListener&) = delete;
  UdpListener& operator=(const UdpListener&) = delete;

  const Endpoint& local() const { return socket_.local(); }

  void Start();
  // Reads no more from now on.
  void StopReading();
  // Ends when the replies to everything that was read have been sent and the socket is closed. Calls StopReading().
  Task<> Stop();

 private:
  class LaterSink;
  struct LaterReply {
    Octets octets;
    UdpPath path;
  };

  Task<> Serve();
  void HandleBatch(SteadyTime now);
  void HandleDatagram(size_t index, SteadyTime now);
  void Defer(size_t index, const Client& client, SteadyTime now);
  void SendLater(OctetView reply, const UdpPath& path);
  Task<> SendLaterReplies();
  // Sends what the socket takes and gives what it did not.
  std::span<mmsghdr> SendNow(std::span<mmsghdr> messages);
  // Waits for the socket, at most Limits::kUdpSendTime; false where replies had to be dropped.
  Task<bool> SendPatiently(std::span<mmsghdr> messages);
  Task<> BackOff(absl::Status failure);

  ListenerContext& context_;
  UdpSocket socket_;
  UdpStatistics& statistics_;
  // Tells when the socket is ready; the descriptor stays the socket's.
  asio::posix::basic_stream_descriptor<Executor> readiness_;
  SteadyTimer back_off_;
  bool failing_ = false;   // the last receive failed, and that has been logged
  bool stopping_ = false;  // reads no more
  bool closing_ = false;   // nobody will add a later reply

  UdpSendBatch replies_;  // of the batch that is being answered
  std::vector<LaterReply> later_;
  std::vector<LaterReply> sending_;  // taken out of later_, in the hands of SendLaterReplies
  UdpSendBatch later_batch_;
  Wakeup later_ready_;
  size_t waiting_ = 0;  // queries in the hands of AnswerLater
  Wakeup none_waits_;   // Stop waits here

  TaskGroup tasks_;  // Serve, SendLaterReplies
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_UDP_LISTENER_H_
