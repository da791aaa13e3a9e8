#ifndef DOTWARD_SERVER_STATISTICS_H_
#define DOTWARD_SERVER_STATISTICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/counter.h"

namespace dotward {

// What the UDP sockets did. With Counter it belongs to one socket and is written by its loop alone; with uint64_t it is
// a sum that somebody has read. Every datagram that was received is counted once more: as a reply, or as dropped for a
// reason, or it waits.
template <typename Count>
struct UdpCounts {
  Count queries{};             // datagrams received, whatever was in them
  Count replies{};             // datagrams handed to the kernel
  Count deferred{};            // queries that had to wait for an upstream
  Count dropped_oversized{};   // longer than Limits::kUdpQueryOctetsMax
  Count dropped_source{};      // from a source that nothing may be sent to
  Count dropped_silent{};      // the handler owed no reply
  Count dropped_pending{};     // Limits::kPendingPerWorkerMax queries were waiting
  Count dropped_unsendable{};  // replies that the kernel refused: no route, a packet filter
  Count dropped_blocked{};     // replies that waited Limits::kUdpSendTime for the socket
  Count receive_failures{};    // recvmmsg calls that failed
  Count receive_calls{};       // with at least one datagram
  Count send_calls{};

  static constexpr auto Fields() {
    return std::to_array<std::pair<std::string_view, Count UdpCounts::*>>({
        {"queries", &UdpCounts::queries},
        {"replies", &UdpCounts::replies},
        {"deferred", &UdpCounts::deferred},
        {"dropped_oversized", &UdpCounts::dropped_oversized},
        {"dropped_source", &UdpCounts::dropped_source},
        {"dropped_silent", &UdpCounts::dropped_silent},
        {"dropped_pending", &UdpCounts::dropped_pending},
        {"dropped_unsendable", &UdpCounts::dropped_unsendable},
        {"dropped_blocked", &UdpCounts::dropped_blocked},
        {"receive_failures", &UdpCounts::receive_failures},
        {"receive_calls", &UdpCounts::receive_calls},
        {"send_calls", &UdpCounts::send_calls},
    });
  }
};

// What the stream listeners and their connections did; as above.
template <typename Count>
struct StreamCounts {
  Count accepted{};
  Count open{};                // now
  Count refused_total{};       // closed at once: limits.tcp_connections are open
  Count refused_per_client{};  // closed at once: the client has limits.tcp_connections_per_client
  Count accept_failures{};     // for want of descriptors or memory
  Count queries{};
  Count replies{};           // put into a connection's output
  Count deferred{};          // queries that had to wait for an upstream
  Count dropped_silent{};    // the handler owed no reply
  Count dropped_pending{};   // Limits::kPendingPerWorkerMax queries were waiting
  Count empty_frames{};      // connections closed for a message of no octets
  Count idle_timeouts{};     // closed after limits.tcp_idle
  Count message_timeouts{};  // closed: a query was not complete in Limits::kStreamMessageTime
  Count write_timeouts{};    // closed: nothing was read for Limits::kStreamWriteTime
  Count output_overflows{};  // closed: Limits::kStreamOutputPerWorkerMax of replies were not read
  Count broken{};            // reset by the client or the network

  static constexpr auto Fields() {
    return std::to_array<std::pair<std::string_view, Count StreamCounts::*>>({
        {"accepted", &StreamCounts::accepted},
        {"open", &StreamCounts::open},
        {"refused_total", &StreamCounts::refused_total},
        {"refused_per_client", &StreamCounts::refused_per_client},
        {"accept_failures", &StreamCounts::accept_failures},
        {"queries", &StreamCounts::queries},
        {"replies", &StreamCounts::replies},
        {"deferred", &StreamCounts::deferred},
        {"dropped_silent", &StreamCounts::dropped_silent},
        {"dropped_pending", &StreamCounts::dropped_pending},
        {"empty_frames", &StreamCounts::empty_frames},
        {"idle_timeouts", &StreamCounts::idle_timeouts},
        {"message_timeouts", &StreamCounts::message_timeouts},
        {"write_timeouts", &StreamCounts::write_timeouts},
        {"output_overflows", &StreamCounts::output_overflows},
        {"broken", &StreamCounts::broken},
    });
  }
};

using UdpStatistics = UdpCounts<Counter>;
using UdpTotals = UdpCounts<uint64_t>;
using StreamStatistics = StreamCounts<Counter>;
using StreamTotals = StreamCounts<uint64_t>;

// Adds what the counters hold now. Any thread may call it while the loop counts on.
template <template <typename> typename Counts>
void AddTo(Counts<uint64_t>& total, const Counts<Counter>& part) {
  constexpr auto kTotals = Counts<uint64_t>::Fields();
  constexpr auto kParts = Counts<Counter>::Fields();
  for (size_t i = 0; i < kTotals.size(); ++i) total.*kTotals[i].second += (part.*kParts[i].second).value();
}

}  // namespace dotward

#endif  // DOTWARD_SERVER_STATISTICS_H_
