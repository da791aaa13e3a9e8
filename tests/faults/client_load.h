#ifndef DOTWARD_FAULTS_CLIENT_LOAD_H_
#define DOTWARD_FAULTS_CLIENT_LOAD_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ip_address.h"

namespace dotward {

// What became of one query of a client.
struct ClientOutcome {
  std::chrono::steady_clock::time_point sent_at;
  std::chrono::steady_clock::time_point replied_at;
  int rcode = -1;            // -1: no reply
  bool has_records = false;  // in the answer section
  int extended_error = -1;   // of the first EDE, -1: none
  unsigned replies = 0;      // more than one is a fault

  bool answered() const { return replies != 0; }
  bool good() const { return rcode == 0 && has_records; }
  std::chrono::milliseconds wait() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(replied_at - sent_at);
  }
};

// Counts over outcomes.
struct ClientReport {
  size_t sent = 0;
  size_t lost = 0;  // no reply
  size_t good = 0;
  size_t failed = 0;              // SERVFAIL
  size_t failed_unexplained = 0;  // SERVFAIL without EDE
  size_t duplicates = 0;
  std::chrono::milliseconds median{0}, p99{0}, longest{0};  // of those that were answered

  std::string ToString() const;
};
ClientReport Summarize(const std::vector<ClientOutcome>& outcomes,
                       const std::function<bool(const ClientOutcome&)>& which = nullptr);

// Clients that send queries over UDP from several sockets, on a thread of their own: at a steady rate, whatever becomes
// of the replies, or as fast as the replies come. Query number i asks for the A record of n<i>.<zone(i)>.
class ClientLoad {
 public:
  struct Options {
    size_t count = 0;
    double rate = 0;           // a second; 0: as fast as in_flight_max lets it
    size_t in_flight_max = 0;  // 0: no limit
    size_t sockets = 8;
    // Each name under a registrable domain of its own, unless this says otherwise.
    std::function<std::string(size_t)> zone;
    // How long after the last query replies are waited for, if they do not all come before.
    std::chrono::milliseconds patience = std::chrono::seconds(8);
  };

  // `count` follows from the rate and the duration.
  static Options Steady(double rate, std::chrono::milliseconds duration);

  ClientLoad(const Endpoint& server, Options options);
  ~ClientLoad();
  ClientLoad(const ClientLoad&) = delete;
  ClientLoad& operator=(const ClientLoad&) = delete;

  // They give up after a guard's time, and abort the test.
  void WaitForSent(size_t count) const;
  void WaitForGood(size_t count) const;
  size_t sent() const { return sent_; }
  size_t good() const { return good_; }

  // Sends no more, even if `count` is not reached.
  void StopSending() { stopped_ = true; }
  // Waits for the end. An outcome for each query that was sent.
  const std::vector<ClientOutcome>& Finish();

 private:
  class Sockets;
  void Run();

  const Endpoint server_;
  const Options options_;
  std::vector<ClientOutcome> outcomes_;  // the thread's until it has ended
  std::atomic<size_t> sent_{0}, good_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

// One line of the test's output, for figures that a claim is about or that nobody claims.
void PrintFigure(const std::string& what, const std::string& figure);
void PrintFigure(const std::string& what, std::chrono::milliseconds figure);

}  // namespace dotward

#endif  // DOTWARD_FAULTS_CLIENT_LOAD_H_
