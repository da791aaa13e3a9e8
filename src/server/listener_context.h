#ifndef DOTWARD_SERVER_LISTENER_CONTEXT_H_
#define DOTWARD_SERVER_LISTENER_CONTEXT_H_

#include <algorithm>
#include <array>
#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/query_handler.h"
#include "net/udp_batch.h"
#include "server/output_budget.h"

namespace dotward {

// An amount that several parts of one loop share. Single-threaded.
class Budget {
 public:
  explicit Budget(size_t max) : max_(max) {}

  // False, and nothing taken, where less than `amount` is left.
  bool Take(size_t amount) {
    if (amount > max_ - taken_) return false;
    taken_ += amount;
    return true;
  }
  void Give(size_t amount) { taken_ -= std::min(amount, taken_); }
  size_t taken() const { return taken_; }

 private:
  const size_t max_;
  size_t taken_ = 0;
};

// What all listeners of one worker share: whom they serve, the limits that count for the worker as a whole, and buffers
// that nobody keeps anything in across a suspension. Belongs to one loop's thread.
struct ListenerContext {
  ListenerContext(asio::io_context& loop_in, QueryHandler& handler_in, const Clock& clock_in)
      : loop(loop_in), handler(handler_in), clock(clock_in) {}

  asio::io_context& loop;
  QueryHandler& handler;
  const Clock& clock;

  Budget pending{Limits::kPendingPerWorkerMax};  // queries
  OutputBudget stream_output{Limits::kStreamOutputPerWorkerMax};

  UdpReceiveBatch received{Limits::kUdpBatch, Limits::kUdpQueryOctetsMax};
  std::vector<uint8_t> stream_reply = std::vector<uint8_t>(kMessageOctetsMax);
  std::array<uint8_t, 4096> discarded{};  // what is read only to be forgotten
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_LISTENER_CONTEXT_H_
