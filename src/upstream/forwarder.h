#ifndef DOTWARD_UPSTREAM_FORWARDER_H_
#define DOTWARD_UPSTREAM_FORWARDER_H_

#include <absl/status/statusor.h>

#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "dotward/config.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "upstream/stream_upstream.h"
#include "upstream/route_table.h"
#include "upstream/timeouts.h"

namespace dotward {

// The choice among servers. A name takes the route of the longest zone that it is in; a route has upstreams, an
// upstream has addresses, all in the order of the configuration. Within the one deadline of a query, the next server is
// asked when the one before has failed or answered with a failure, and is asked as well when it keeps us waiting: the
// first good answer of any of them wins. A server that failed lately comes after those that did not. Where none gives a
// good answer, the client gets the best of what came. One event loop; not thread-safe.
class Forwarder final : public Upstream {
 public:
  // Reads the CA files; connects to nothing. kInvalidArgument or kFailedPrecondition says which upstream or route is
  // at fault and why.
  static absl::StatusOr<std::unique_ptr<Forwarder>> Create(asio::io_context& loop, const Config& config);
  ~Forwarder() override;

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override;

  // One for each server address, in the order of the configuration. On the loop's thread.
  std::vector<UpstreamSnapshot> Snapshots() const;

  // Fails what waits and takes no more; when Join has ended, nothing of it runs.
  void Close();
  Task<> Join();

 private:
  // A server of a route. Addresses of one upstream have the same number: they are one service.
  struct Candidate {
    StreamUpstream* server = nullptr;
    size_t upstream = 0;
  };
  using Route = std::vector<Candidate>;
  class Race;

  explicit Forwarder(asio::io_context& loop);

  asio::io_context& loop_;
  Timeouts timeouts_;
  std::vector<std::unique_ptr<StreamUpstream>> servers_;
  std::vector<Route> routes_;
  RouteTable table_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_FORWARDER_H_
