#ifndef DOTWARD_UPSTREAM_IDLE_LIMIT_H_
#define DOTWARD_UPSTREAM_IDLE_LIMIT_H_

#include <optional>

#include "dotward/clock.h"

namespace dotward {

// How long one server keeps a connection on which nothing happens: what it said (RFC 7828), or what it did. Whoever
// closes first saves the other's surprise: a query that crosses a close has to be sent twice.
class IdleLimit {
 public:
  // The server's edns-tcp-keepalive; it holds until the next one. Zero asks us to close when nothing is waited for.
  void Told(Duration limit) { told_ = limit; }
  // The server closed a connection after so long a silence; believed when it has done about the same twice, since once
  // it may have been restarted. Forgotten after Limits::kIdleLimitMemory, since a server
  // that we leave first cannot show that it has become more patient.
  void Observed(Duration silence, SteadyTime now);
  // Queries come this far apart.
  void QuerySent(SteadyTime now);

  // What is known of the server; nullopt where it is nothing.
  std::optional<Duration> learned(SteadyTime now) const;
  // How long a silent connection is kept from here: under what was learned, with a margin for the way there.
  Duration Keep(SteadyTime now) const;
  // Queries come so often that a connection which the server would close is worth a question now and then.
  bool WorthKeepingWarm(SteadyTime now) const;

 private:
  std::optional<Duration> told_;
  std::optional<Duration> last_close_;
  std::optional<Duration> observed_;
  SteadyTime observed_at_{};
  SteadyTime last_query_ = SteadyTime::min();
  Duration mean_gap_{0};
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_IDLE_LIMIT_H_
