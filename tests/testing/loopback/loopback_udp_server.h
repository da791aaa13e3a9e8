#ifndef DOTWARD_TESTING_LOOPBACK_LOOPBACK_UDP_SERVER_H_
#define DOTWARD_TESTING_LOOPBACK_LOOPBACK_UDP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/ip_address.h"
#include "dns/types.h"

namespace dotward {

// One datagram that a client has sent.
struct LoopbackDatagram {
  Octets message;
  Endpoint client;
  size_t number = 0;  // from 0, over the server's life
  std::chrono::steady_clock::time_point received_at{};
};

// One datagram that the server sends.
struct LoopbackReply {
  LoopbackReply(Octets octets_in) : octets(std::move(octets_in)) {}  // NOLINT: a reply is its octets
  // To a client that asked earlier.
  LoopbackReply To(const Endpoint& endpoint) &&;
  // From another port of the server's address.
  LoopbackReply FromElsewhere() &&;

  Octets octets;
  Endpoint to{};  // port 0: who has asked
  bool from_elsewhere = false;
};

// A DNS server over UDP on a loopback address and a port of its own, on a thread of its own, that does what a script
// says. All members are thread-safe; the script runs on the server's thread, one call at a time. Stops and joins when
// destroyed. What a resolver asks for its own sake, `. NS`, is answered and counted apart, and not shown to the script.
class LoopbackUdpServer {
 public:
  // An empty result means that nothing is sent.
  using Script = std::function<std::vector<LoopbackReply>(const LoopbackDatagram&)>;

  struct Counters {
    uint64_t queries = 0;  // without probes
    uint64_t probes = 0;
  };

  // Answers every query with PositiveAnswerTo(query).
  LoopbackUdpServer();
  explicit LoopbackUdpServer(Script script, IpAddress address = IpAddress::V4({127, 0, 0, 1}));
  ~LoopbackUdpServer();
  LoopbackUdpServer(const LoopbackUdpServer&) = delete;
  LoopbackUdpServer& operator=(const LoopbackUdpServer&) = delete;

  // A script that sends nothing.
  static Script Silence();

  Endpoint endpoint() const;
  void SetScript(Script script);
  // Whether `. NS` is answered; it is unless this says otherwise.
  void AnswerProbes(bool answer);

  // Nobody listens on the port from now on: the kernel says so to whoever sends. Then it is taken again.
  void StopListening();
  void StartListening();

  Counters counters() const;
  // Queries in order of arrival, without probes.
  std::vector<LoopbackDatagram> queries() const;
  // False after `patience`, which is a guard against tests that hang and no part of any claim.
  bool WaitForQueries(uint64_t count, std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_LOOPBACK_LOOPBACK_UDP_SERVER_H_
