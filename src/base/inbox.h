#ifndef DOTWARD_BASE_INBOX_H_
#define DOTWARD_BASE_INBOX_H_

#include <asio/post.hpp>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "dotward/task.h"

namespace dotward {

// Hands values from any thread to one event loop, in batches: only the first value of a batch wakes the loop, and the
// consumer gets all that has gathered by the time it runs. What bounds the queue is the sender's business: every value
// belongs to a query that has already been admitted.
template <typename T>
class Inbox {
 public:
  using Consumer = std::function<void(std::vector<T>&)>;

  // `consumer` runs on `loop` and may take the values out of the vector; the vector's memory is used again.
  Inbox(asio::io_context& loop, Consumer consumer) : loop_(loop), consumer_(std::move(consumer)) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Thread-safe.
  void Push(T value) {
    if (PushUnseen(std::move(value))) Wake();
  }
  // For whoever has more to push at once: true where the loop does not know of the batch yet, and Wake has to follow
  // soon, whoever else pushes meanwhile. Thread-safe, both.
  [[nodiscard]] bool PushUnseen(T value) {
    const std::lock_guard lock(mutex_);
    arriving_.push_back(std::move(value));
    return arriving_.size() == 1;
  }
  void Wake() { asio::post(loop_, Deliver{this}); }

 private:
  struct Deliver {
    Inbox* inbox;
    void operator()() { inbox->DeliverBatch(); }
  };

  void DeliverBatch() {
    batch_.clear();
    {
      const std::lock_guard lock(mutex_);
      batch_.swap(arriving_);
    }
    consumer_(batch_);
  }

  asio::io_context& loop_;
  const Consumer consumer_;
  std::vector<T> batch_;  // the loop's thread only
  std::mutex mutex_;
  std::vector<T> arriving_;  // guarded by mutex_
};

}  // namespace dotward

#endif  // DOTWARD_BASE_INBOX_H_
