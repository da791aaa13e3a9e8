#ifndef DOTWARD_UPSTREAM_HOST_RESOLVER_H_
#define DOTWARD_UPSTREAM_HOST_RESOLVER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/await.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "dns/name.h"
#include "dotward/clock.h"
#include "dotward/task.h"
#include "dotward/upstream.h"
#include "upstream/random_ids.h"

namespace dotward {

// Whether addresses of this machine may come out of a name. Only where the resolver is on this machine itself: else a
// lie would turn the queries of clients against services here.
enum class LoopbackAnswers : uint8_t { kRefuse, kAccept };

// An address that a server elsewhere can have: not unspecified, multicast, reserved (0.0.0.0/8, 240.0.0.0/4),
// link-local without an interface (fe80::/10) or, with kRefuse, loopback. Private ones are sound, for servers of one's
// own network.
bool IsSaneServerAddress(const IpAddress& address, LoopbackAnswers loopback);

// Keeps the addresses of one upstream that is given by host name. Asks for A and AAAA side by side, again when the TTL
// is over (within Limits::kHostTtlMin and kHostTtlMax) and when it is told that the upstream fails. What was known
// stays until there is something better: a resolution that fails, or that finds no address at all, changes nothing.
// Without an answer for both families it tries again at growing, jittered intervals.
//
// Made for an owner that makes and retires servers as the addresses change: it starts nothing before Start(), and calls
// `on_addresses` from its own task only, so never inside Start(), Refresh() or Close(). One event loop; not
// thread-safe.
class HostResolver {
 public:
  struct Timing {
    Duration answer_patience = Limits::kHostAnswerTime;
    Duration ttl_min = Limits::kHostTtlMin;
    Duration ttl_max = Limits::kHostTtlMax;
    Duration retry_min = Limits::kHostRetryMin;
    Duration retry_max = Limits::kHostRetryMax;
    Duration refresh_spacing = Limits::kHostRefreshSpacing;
  };
  struct Options {
    std::string host_name;  // as UpstreamConfig::host_names has it
    LoopbackAnswers loopback = LoopbackAnswers::kRefuse;
    Timing timing{};
  };
  // Gets the whole set, sorted, IPv4 first, never empty, when it differs from the one before. Must not destroy the
  // resolver.
  using AddressesFunction = std::function<void(const std::vector<IpAddress>&)>;

  // Any source of answers will do: bootstrap resolvers, or the other upstreams of the file. It must outlive this
  // object. kInvalidArgument where `host_name` is no domain name.
  static absl::StatusOr<std::unique_ptr<HostResolver>> Create(asio::io_context& loop, Upstream& source, Options options,
                                                              AddressesFunction on_addresses);
  ~HostResolver();  // after Join, or once the loop runs no more

  void Start();

  // The upstream's servers fail: perhaps they have moved. Resolves again now, or when the spacing since the last start
  // is over.
  void Refresh();
  // The network has changed: what failed may work now. As Refresh, and forgets how often it has failed.
  void NetworkChanged();

  const std::string& host_name() const { return options_.host_name; }
  // What on_addresses got last; empty before the first success.
  const std::vector<IpAddress>& addresses() const { return addresses_; }
  // Why the last resolution was no success; OK where it was one.
  const absl::Status& last_error() const { return last_error_; }

  // Asks no more; what is under way is taken back. Everything has ended when Join has.
  void Close();
  Task<> Join() { return tasks_.Join(); }

 private:
  static constexpr size_t kFamilies = 2;  // A, AAAA

  // What one round has found for one family.
  struct Found {
    std::vector<IpAddress> addresses;  // may be empty: the name has none
    Duration ttl{0};
  };

  HostResolver(asio::io_context& loop, Upstream& source, Options options, Name name, AddressesFunction on_addresses);

  Task<> Run();
  Task<> ResolveOnce();
  Task<> AskFor(size_t family, Deadline deadline, Cancellation& cancellation);
  absl::StatusOr<Found> ReadAnswer(const UpstreamResponse& response, uint16_t type) const;
  // Tells the owner where the set has changed with what this round has found so far.
  void Publish();
  // When the next round begins, by what this one has brought.
  SteadyTime NextRound(SteadyTime now);
  void RunAgainAt(SteadyTime at);
  void ReportFailure(SteadyTime now);

  asio::io_context& loop_;
  Upstream& source_;
  const Options options_;
  const Name name_;
  const AddressesFunction on_addresses_;
  RandomIds random_;

  // Of the round under way, or the last one.
  std::array<std::optional<Found>, kFamilies> found_;
  SteadyTime round_started_{};

  std::array<std::vector<IpAddress>, kFamilies> known_;
  std::vector<IpAddress> addresses_;
  unsigned failures_ = 0;  // rounds in a row that lacked an answer
  absl::Status last_error_;
  std::string reported_text_;  // what the log was told last; empty where all is well
  SteadyTime reported_at_{};

  SteadyTime next_round_{};
  SteadyTimer timer_;
  std::array<Cancellation*, kFamilies> cancellations_{};  // of the questions under way
  bool started_ = false;
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_HOST_RESOLVER_H_
