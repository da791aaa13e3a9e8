#ifndef DOTWARD_UPSTREAM_DATAGRAM_UPSTREAM_H_
#define DOTWARD_UPSTREAM_DATAGRAM_UPSTREAM_H_

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>

#include <array>
#include <asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/limits.h"
#include "dotward/task.h"
#include "upstream/attempt.h"
#include "upstream/back_off.h"
#include "upstream/random_ids.h"
#include "upstream/timeouts.h"
#include "upstream/upstream_server.h"

namespace dotward {

// One address of one upstream over UDP (RFC 1035 §4.2.1), in the clear, for servers of one's own network.
//
// Whoever can guess a query's port and ID can answer it, so both are as hard to guess as they can be (RFC 5452 §9.2):
// each query goes from a fresh connected socket, whose port the kernel draws at random, under a random ID, and never
// from two sockets at a time (RFC 5452 §5). What does not answer the question is ignored; where there is too much of
// it, somebody is guessing, and the question goes over TCP, as it does when the answer is truncated (RFC 7766 §5) or
// cannot be read. A query without an answer is sent again from a new socket, at growing intervals, a few times.
//
// There is no connection that could be healthy, and a name that nobody answers says nothing about the server. So after
// some queries in a row that nobody has answered it is asked for the root's NS records, which every resolver knows;
// when that is not answered either, it is failing: clients fail at once, until one of the probes that follow at growing
// intervals is answered. Refused ports and unreachable networks say the same at once.
class DatagramUpstream final : public UpstreamServer, private AttemptHolder {
 public:
  struct Options {
    std::shared_ptr<const std::string> name;  // as the configuration calls the upstream
    Endpoint endpoint;
    Duration retry_min = Limits::kDatagramRetryMin;  // the first interval between two sends, at the least
  };

  // `timeouts` must outlive it. `over_tcp` is the same server over TCP, and becomes its own.
  DatagramUpstream(asio::io_context& loop, Timeouts& timeouts, Options options,
                   std::unique_ptr<UpstreamServer> over_tcp);
  ~DatagramUpstream() override;  // after Join, or once the loop runs no more

  void Start(Attempt& attempt, SteadyTime now) override;
  Readiness Tend(SteadyTime now, Urgency urgency) override;
  // It has answered, and not failed since.
  bool Connected() const override { return state() == UpstreamState::kConnected; }
  void NetworkChanged(SteadyTime now) override;
  void Close() override;
  Task<> Join() override;

 private:
  class Flight;
  enum class Purpose : uint8_t { kQuery, kProbe };

  // Of an attempt that waits for a socket.
  void Release(Attempt& attempt) override;
  void AddToSnapshot(UpstreamSnapshot& snapshot) const override;

  void Launch(Attempt& attempt, Purpose purpose);
  void LaunchWaiting();
  Task<> Fly(std::unique_ptr<Flight> owned);
  // Opens a socket of its own for the flight's next send, and sends.
  absl::Status Send(Flight& flight);
  // Reads what comes for the flight until its socket is closed.
  Task<> Receive(Flight& flight);
  void HandleDatagram(Flight& flight, OctetView datagram, SteadyTime now);
  void AskOverTcp(Flight& flight, SteadyTime now);
  // The kernel says that the server cannot be reached.
  void Refuse(Flight& flight, const absl::Status& error, SteadyTime now);
  Duration FirstPatience() const;

  // What it says about the server that it has answered, that a query was not answered in time, that it fails.
  void Heard(SteadyTime now);
  void Missed();
  void Failed(std::string_view event, const absl::Status& error, SteadyTime started, SteadyTime now);
  void StartProbe();
  Task<> Probe();

  const Duration retry_min_;
  std::unique_ptr<UpstreamServer> over_tcp_;
  RandomIds ids_;
  BackOff back_off_;
  AttemptList waiting_;                   // for a socket
  absl::flat_hash_set<Flight*> flights_;  // each lives in its Fly's frame
  size_t missed_ = 0;                     // sends in a row that were not answered in time
  bool probing_ = false;
  bool closed_ = false;
  std::array<uint8_t, Limits::kDatagramOctetsMax + 1> buffer_;  // of one read; one more shows what is too long
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_DATAGRAM_UPSTREAM_H_
