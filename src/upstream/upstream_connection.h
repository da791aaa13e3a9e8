#ifndef DOTWARD_UPSTREAM_UPSTREAM_CONNECTION_H_
#define DOTWARD_UPSTREAM_UPSTREAM_CONNECTION_H_

#include <absl/container/flat_hash_map.h>

#include <asio/io_context.hpp>
#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/await.h"
#include "base/deadline.h"
#include "dns/types.h"
#include "dotward/task.h"
#include "net/stream_framing.h"
#include "net/tls_stream.h"
#include "upstream/attempt.h"
#include "upstream/random_ids.h"
#include "upstream/upstream_counters.h"

namespace dotward {

// Why a connection is no more.
enum class ConnectionEnd : uint8_t {
  kOpen,        // it is
  kPeerClosed,  // the server's right at any time (RFC 7766 §6.2.4)
  kBroken,      // reading or writing failed
  kSilent,      // nothing came for too long, with queries waiting
  kViolation,   // the server sent what no server may send
  kClosedHere,  // we have no more use for it
};

// One TLS connection to one server: many queries in flight, answered in any order. A query gets a random ID that is
// free on the connection (RFC 5452 §9.2); a frame is accepted only by ID, QR, OPCODE and question together (RFC 5452
// §9.1, RFC 7766 §7). The ID of a query that was given up stays taken until its answer comes or the connection ends,
// so that a late answer reaches nobody. One event loop.
class UpstreamConnection final : private AttemptHolder {
 public:
  // `upstream` is the name put into responses. `ids` and `counters` must outlive Run().
  UpstreamConnection(asio::io_context& loop, std::unique_ptr<TlsStream> stream, std::shared_ptr<const std::string> upstream,
                RandomIds& ids, UpstreamCounters& counters);
  ~UpstreamConnection();

  // Reads and writes until the connection has ended; then end() says why. Call once.
  Task<> Run();

  bool open() const { return end_ == ConnectionEnd::kOpen; }
  // Whether one more query may be sent: it is open, an ID can be had, and the server takes what it is sent.
  bool HasRoom() const;
  // Puts the query behind those that wait to be written; all that are there on the loop's next turn leave together.
  // HasRoom() must hold.
  void Send(Attempt& attempt, SteadyTime now);

  // No new queries will come: closes when the last one that is waited for has ended.
  void Retire();
  void Close(ConnectionEnd end, std::string_view why);

  // Takes every attempt that had no answer. One whose octets never left has its send taken back.
  AttemptList TakeUnanswered();
  TlsSessionTicket TakeSessionTicket();

  ConnectionEnd end() const { return end_; }
  const std::string& end_text() const { return end_text_; }  // for operators
  size_t in_flight() const { return in_flight_; }
  size_t ids_taken() const { return taken_.size(); }
  uint64_t responses() const { return responses_; }
  // How long a query has been waiting without any response coming since; 0 where none is.
  Duration SilentFor(SteadyTime now) const;
  const TlsStream& stream() const { return *stream_; }

 private:
  void Release(Attempt& attempt) override;

  Task<> Write();
  Task<> Read();
  void HandleFrame(OctetView frame, SteadyTime now);
  void HandleUnmatched(uint16_t id);
  void Answer(Attempt& attempt, OctetView frame, SteadyTime now);
  uint16_t TakeFreeId();
  void FreeId(uint16_t id, SteadyTime now);

  const std::unique_ptr<TlsStream> stream_;
  const std::shared_ptr<const std::string> upstream_;
  RandomIds& ids_;
  UpstreamCounters& counters_;

  // By ID; null where the query was given up.
  absl::flat_hash_map<uint16_t, Attempt*> taken_;
  size_t in_flight_ = 0;           // of these, those that somebody waits for
  std::bitset<65'536> ever_used_;  // a response to an ID that was used before may be a duplicate
  size_t duplicates_ = 0;
  uint64_t responses_ = 0;
  std::optional<SteadyTime> waiting_since_;

  Octets output_;       // frames that are ready
  Octets sending_;      // frames that the writer has in hand
  uint64_t batch_ = 0;  // that of output_: what is in an earlier one has been handed to TLS
  Wakeup output_ready_;
  FrameReader frames_;

  bool retired_ = false;
  ConnectionEnd end_ = ConnectionEnd::kOpen;
  std::string end_text_;
  TlsSessionTicket ticket_;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_UPSTREAM_CONNECTION_H_
