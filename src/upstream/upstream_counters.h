#ifndef DOTWARD_UPSTREAM_UPSTREAM_COUNTERS_H_
#define DOTWARD_UPSTREAM_UPSTREAM_COUNTERS_H_

#include "base/counter.h"
#include "base/duration_histogram.h"

namespace dotward {

// What happened at one server address since the start. A question of our own is counted as a probe, and what becomes of
// it is not. Written on the forwarding loop, readable on any thread; never reset.
struct UpstreamCounters {
  Counter queries;               // put on a connection, once each however often they were sent
  Counter retried;               // sent once more because their connection was lost
  Counter hedges;                // of the queries, those of which an earlier server was late
  Counter hedges_won;            // of these, those that were answered here first
  Counter responses;             // accepted and parsed, with any RCODE
  Counter nxdomain;              // of these
  Counter servfail;              // of these
  Counter failed;                // ended without a usable message: unreachable, lost twice, malformed, or out of time
  Counter timeouts;              // of these, out of time
  Counter malformed;             // responses that matched a query and could not be parsed
  Counter mismatched;            // frames that matched no query: another ID, another question, no response at all
  Counter late;                  // responses to queries that nobody waited for any more
  Counter latency_microseconds;  // summed over `responses`
  Counter probes;                // questions of our own, to see whether a connection or the server is alive
  DurationHistogram durations;   // of `responses`, from when the query was put to the server

  Counter connections;  // opened
  Counter connect_failures;
  Counter handshakes_full;
  Counter handshakes_resumed;
  Counter connections_suspected;  // silent for too long; some of them were cleared again
  Counter connections_lost;       // ended by somebody else than us, with queries waiting
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_UPSTREAM_COUNTERS_H_
