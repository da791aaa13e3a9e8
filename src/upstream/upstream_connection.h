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
#include "dns/types.h"
#include "dotward/task.h"
#include "net/client_stream.h"
#include "net/stream_framing.h"
#include "upstream/attempt.h"
#include "upstream/random_ids.h"
#include "upstream/server_record.h"
#include "upstream/timeouts.h"

namespace dotward {

// Why a connection is no more.
enum class ConnectionEnd : uint8_t {
  kOpen,        // it is
  kPeerClosed,  // the server's right at any time (RFC 7766 §6.2.4)
  kBroken,      // reading or writing failed
  kSilent,      // nothing came for too long, although it was asked what every server answers
  kViolation,   // the server sent what no server may send
  kClosedHere,  // we have no more use for it
};

// One stream to one server: many queries in flight, answered in any order. A query gets a random ID that is free on
// the connection (RFC 5452 §9.2); a frame is accepted only by ID, QR, OPCODE and question together (RFC 5452 §9.1,
// RFC 7766 §7). The ID of a query that was given up stays taken until its answer comes or the connection ends, so that
// a late answer reaches nobody.
//
// It watches over itself. While queries wait and nothing has been read for patience(), it is suspect, and its owner
// learns of it; that nothing is *written* matters not, so no stream of new queries can keep a dead connection alive.
// Half way there it asks for the root's NS records, which every server answers: so names that nobody answers never
// cast doubt on a server. A suspect connection that stays silent as long again is closed. One on which nothing happens
// is closed shortly before the server would do it. One event loop.
class UpstreamConnection final : private AttemptHolder {
 public:
  // Who made it, and is told what becomes of it while it runs. Neither call may destroy the connection.
  class Owner {
   public:
    // It has been silent for too long, or is no longer where the network leads.
    virtual void OnSuspected(UpstreamConnection& connection, SteadyTime now) = 0;
    // The first answer of all, the first since it was suspected, or one to Probe().
    virtual void OnAlive(UpstreamConnection& connection, SteadyTime now) = 0;

   protected:
    ~Owner() = default;
  };

  // Everything must outlive Run(). `transport` is how its queries were prepared.
  UpstreamConnection(asio::io_context& loop, Timeouts& timeouts, std::unique_ptr<ClientStream> stream,
                     QueryTransport transport, ServerRecord& server, RandomIds& ids, Owner& owner);
  ~UpstreamConnection();

  // Reads and writes until the connection has ended; then end() says why. Call once.
  Task<> Run();

  bool open() const { return end_ == ConnectionEnd::kOpen; }
  bool suspect() const { return suspect_since_.has_value(); }
  bool retired() const { return retired_; }
  // Whether one more query may be sent: it is open, an ID can be had, and the server takes what it is sent.
  bool HasRoom() const;
  // It has been sent all that this server takes on one connection; see PipelineLimit.
  bool HasHadEnough() const { return sent_ >= queries_max_; }
  // Puts the query behind those that wait to be written; all that are there on the loop's next turn leave together.
  // HasRoom() must hold.
  void Send(Attempt& attempt, SteadyTime now);

  // Asks whether the server is there, unless that question is under way.
  void Probe(SteadyTime now);
  // The network has changed. Suspects the connection at once where its own address is not the one that packets to the
  // server would have now; otherwise asks the server, and waits for the answer for only a short time.
  void NetworkChanged(SteadyTime now, const std::optional<IpAddress>& address_now);
  // No new queries will come: closes when the last one that is waited for has ended.
  void Retire();
  void Close(ConnectionEnd end, std::string_view why);

  // What the sends of this connection's attempts were good for.
  enum class Sent : uint8_t {
    kInVain,  // nothing: it may have been the query itself that did the harm
    kServed,  // others were answered meanwhile
    kAll,     // no matter: they are not sent again
  };
  // Takes every attempt that had no answer and may be sent once more, oldest first; with kAll the others too. One whose
  // octets never left has its send taken back.
  AttemptList TakeUnanswered(Sent sent);
  TlsSessionTicket TakeSessionTicket();

  ConnectionEnd end() const { return end_; }
  const std::string& end_text() const { return end_text_; }  // for operators
  size_t in_flight() const { return in_flight_; }
  size_t ids_taken() const { return taken_.size(); }
  uint64_t responses() const { return responses_; }
  // How long a query has been waiting without any response coming since; 0 where none is.
  Duration SilentFor(SteadyTime now) const;
  // How long a silence makes it suspect: four times what the server usually takes, within limits.
  Duration patience() const;
  const ClientStream& stream() const { return *stream_; }

 private:
  struct Taken {
    Attempt* attempt;  // null where the query was given up
    SteadyTime sent_at;
  };

  void Release(Attempt& attempt) override;

  Task<> Write();
  Task<> Read();
  Task<> Watch();
  // Does what is due, and says when something may be next.
  SteadyTime LookAfter(SteadyTime now);
  SteadyTime LookAfterWaiting(SteadyTime now);
  SteadyTime LookAfterIdle(SteadyTime now);
  void Suspect(SteadyTime now);

  void Put(Attempt& attempt, SteadyTime now);
  void HandleFrame(OctetView frame, SteadyTime now);
  void HandleUnmatched(uint16_t id);
  enum class Answered : uint8_t { kQuery, kProbe };
  void HandleAnswered(uint16_t id, SteadyTime now, Answered answered);
  void Answer(Attempt& attempt, OctetView frame, SteadyTime now);
  bool IsProbe(const Attempt& attempt) const { return probe_ && &attempt == &*probe_; }
  uint16_t TakeFreeId();
  void CloseIfRetired();

  const std::unique_ptr<ClientStream> stream_;
  ServerRecord& server_;
  RandomIds& ids_;
  Owner& owner_;
  const bool authenticated_;  // the server has proven who it is

  absl::flat_hash_map<uint16_t, Taken> taken_;  // by ID
  size_t in_flight_ = 0;                        // of these, those that somebody waits for
  std::bitset<65'536> ever_used_;               // a response to an ID that was used before may be a duplicate
  size_t duplicates_ = 0;
  uint64_t responses_ = 0;
  const size_t queries_max_;
  size_t sent_ = 0;  // queries, without our own

  // The watch. Queries have been waiting, and nothing has been read, since waiting_since_.
  std::optional<SteadyTime> waiting_since_;
  std::optional<SteadyTime> suspect_since_;
  std::optional<SteadyTime> answer_due_;  // of the question after a change of the network
  SteadyTime last_activity_;
  SteadyTime watch_armed_for_ = SteadyTime::max();
  int warm_questions_ = 0;  // since the last query
  Wakeup watch_;
  Timeout watch_timeout_;
  const UpstreamQuery probe_query_;
  const QueryTransport transport_;
  std::optional<Attempt> probe_;

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
