#ifndef DOTWARD_BASE_COUNTER_H_
#define DOTWARD_BASE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace dotward {

// A count with one writing thread and any number of readers. Adding is a plain load and store: no locked instruction
// on the query path. Counters are never reset by reading.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void Subtract(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace dotward

#endif  // DOTWARD_BASE_COUNTER_H_
