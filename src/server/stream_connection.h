#ifndef DOTWARD_SERVER_STREAM_CONNECTION_H_
#define DOTWARD_SERVER_STREAM_CONNECTION_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "base/await.h"
#include "base/limits.h"
#include "dotward/query_handler.h"
#include "dotward/task.h"
#include "net/stream_framing.h"
#include "server/byte_stream.h"
#include "server/listener_context.h"
#include "server/statistics.h"

namespace dotward {

// How patient a connection is. Tests shorten these.
struct StreamPatience {
  Duration idle = std::chrono::seconds(30);       // limits.tcp_idle
  Duration message = Limits::kStreamMessageTime;  // from the first octet of a query to its last
  Duration write = Limits::kStreamWriteTime;      // until a client that does not read is given up
  Duration linger = Limits::kStreamLingerTime;    // for a client to take the last replies
  Duration drain = std::chrono::seconds(6);       // from a stop to the end, whatever the client does
};

// Serves one connection (RFC 7766): queries may come pipelined and cut anywhere, replies leave as they are ready, in
// any order, those that are ready together in one write. A client that has sent its end of stream still gets all its
// replies. What one client can make us hold is bounded: the queries that wait (kStreamPipelineMax) and the octets that
// it does not read (kStreamOutputOctetsMax); at either bound nothing more is read from it. Belongs to one loop.
class StreamConnection final : private OutputBudget::Holder {
 public:
  // `context` and `statistics` outlive it. It lives until Run() has ended or the loop runs no more.
  StreamConnection(ListenerContext& context, std::unique_ptr<ByteStream> stream, const Client& client,
                   StreamStatistics& statistics, const StreamPatience& patience);
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  // Serves until the connection is closed and no query of it waits any more. Called once.
  Task<> Run();

  // Reads no more; Run() ends when the queries that were read have been answered, and the replies read or `patience` is
  // over.
  void Drain(Duration patience);

 private:
  class LaterSink;

  Task<> ReadQueries();
  void HandleQuery(OctetView query);
  void SendLater(OctetView reply);
  void QueueReply(OctetView reply);
  Task<> WriteReplies();
  Task<> Linger();

  // Closes the connection when a deadline passes.
  Task<> Watch();
  struct NextDeadline {
    SteadyTime at = SteadyTime::max();
    Counter* count = nullptr;  // what to count it as
  };
  NextDeadline FindDeadline();
  void Abort();
  void GiveUpOutput() override;

  bool HasRoom() const { return waiting_ < Limits::kStreamPipelineMax && unsent_ < Limits::kStreamOutputOctetsMax; }

  ListenerContext& context_;
  const std::unique_ptr<ByteStream> stream_;
  const Client client_;
  StreamStatistics& statistics_;
  const StreamPatience patience_;

  FrameReader frames_;
  SteadyTime read_at_;  // when the octets that are being looked at came
  size_t waiting_ = 0;  // queries in the hands of AnswerLater
  Octets output_;       // framed replies that WriteReplies has not taken yet
  Octets writing_;      // those that it is writing
  size_t unsent_ = 0;   // octets of both that have not been written

  // What the deadlines are counted from.
  SteadyTime last_activity_;
  std::optional<SteadyTime> frame_since_;  // a query has begun and is not complete
  std::optional<SteadyTime> write_since_;  // the client has not read since
  std::optional<SteadyTime> linger_since_;
  std::optional<SteadyTime> drain_since_;
  Duration drain_patience_{0};
  bool reading_ = false;  // waits for the client, who alone can be late then

  bool broken_ = false;       // closed before its time; nothing can be written any more
  bool client_done_ = false;  // has sent its end of stream
  bool reading_over_ = false;
  bool wrote_last_ = false;  // replies were written after reading was over
  bool no_more_replies_ = false;
  bool over_ = false;

  Wakeup room_;          // the reader waits here
  Wakeup none_waits_;    // Run waits here
  Wakeup output_ready_;  // the writer waits here
  SteadyTimer timer_;    // the watch waits here
  TaskGroup writer_;
  TaskGroup watch_;
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_STREAM_CONNECTION_H_
