#ifndef DOTWARD_BASE_LIMIT_TALLY_H_
#define DOTWARD_BASE_LIMIT_TALLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ip_address.h"
#include "base/limits.h"
#include "dotward/clock.h"

namespace dotward {

// How often one limit was reached and by whom, for a log that those who reach it cannot fill: the first time is told at
// once, what follows as one line an interval (Limits::kLimitLogInterval). Time is an argument; a fixed number of
// octets; not thread-safe.
class LimitTally {
 public:
  struct Line {
    uint64_t times;        // since the line before
    uint64_t clients;      // how many could be told apart; at most Limits::kLimitLogClientsMax
    IpPrefix client = {};  // the one that reached it most often; with clients != 0
  };

  // What is to be written at once, if anything.
  std::optional<Line> Add(const IpPrefix& client, SteadyTime now);
  // More of the same, by clients that nobody has looked at; after an Add.
  void AddUnknown(uint64_t times) { times_ += times; }
  // What is to be written at `now`, if anything: where the interval is over.
  std::optional<Line> TakeDue(SteadyTime now);
  // Whatever has not been told.
  std::optional<Line> TakeRest();

  bool open(SteadyTime now) const { return now < ends_; }  // what comes now waits for the end of the interval
  // When the next line is due; nullopt while nothing is owed.
  std::optional<SteadyTime> NextDue() const;

 private:
  struct Client {
    IpPrefix prefix;
    uint64_t times = 0;
  };

  void Count(const IpPrefix& client);
  Line Take();

  SteadyTime ends_ = SteadyTime::min();  // of the interval in which lines wait
  uint64_t times_ = 0;
  std::array<Client, Limits::kLimitLogClientsMax> clients_;
  size_t known_ = 0;  // of clients_
};

}  // namespace dotward

#endif  // DOTWARD_BASE_LIMIT_TALLY_H_
