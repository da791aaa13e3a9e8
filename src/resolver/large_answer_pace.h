#ifndef DOTWARD_RESOLVER_LARGE_ANSWER_PACE_H_
#define DOTWARD_RESOLVER_LARGE_ANSWER_PACE_H_

#include <absl/status/status.h>

#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/await.h"
#include "base/deadline.h"
#include "base/intrusive_list.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

class BoundedWait;

// How fast each client is served with large answers. They all come over the same few connections and are read by one
// loop, one after the other, so whoever asks for nothing but large ones would keep everybody waiting behind them. What
// is larger than most answers ever are is taken from an allowance of the client's, which fills as time goes by; who has
// used it up waits until it is filled, and nobody else does. How large an answer will be nobody knows: until it has
// come it is taken for as large as the client's last ones. Clients are told apart by hash (UpstreamQuery::asker): some
// of them share an allowance. What nobody asks for is free. One event loop; not thread-safe.
class LargeAnswerPace {
 public:
  // A question that waits for its turn, on the stack of who waits.
  class Turn {
   public:
    explicit Turn(uint16_t asker) : asker_(asker) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    uint16_t asker() const { return asker_; }   // in whose name it is asked
    uint32_t taken() const { return *taken_; }  // once its turn has come

   private:
    friend class LargeAnswerPace;
    uint16_t asker_;
    std::optional<uint32_t> taken_;
    BoundedWait* wait_ = nullptr;
    ListHook<Turn> in_allowance_;
  };

  // Askers have one together whose hashes leave the same remainder.
  static constexpr size_t kAllowances = 2048;

  // Both must outlive it.
  LargeAnswerPace(asio::io_context& loop, const Clock& clock);

  // The octets that are taken for an answer, until Settle; nullopt where it has to wait for its turn.
  std::optional<uint32_t> Take(uint16_t asker);
  // Ends when it is the question's turn, for which the octets are taken; or with kCancelled, or with kAborted at the
  // deadline. Turns of one allowance come in the order in which they were waited for.
  Task<absl::Status> Wait(Turn* turn, Deadline deadline, Cancellation* cancellation);
  // Somebody else asks for the same: where they need not wait, it is asked in their name.
  void Offer(Turn& turn, uint16_t asker);
  // So many octets beyond the usual came, with an answer or with what else was asked for it.
  void Settle(uint16_t asker, uint32_t taken, uint32_t came, bool answered);

  // Ends all waits with kAborted, and from now on at once. Join ends when nobody waits.
  void Close();
  Task<> Join() { return timer_running_.Join(); }

 private:
  struct Allowance {
    int64_t octets = 0;                // as of `at`; below zero where more came than was taken
    SteadyTime at{SteadyTime::min()};  // it was full before
    uint32_t expected = 0;             // of an answer, beyond the usual
    IntrusiveList<Turn, &Turn::in_allowance_> waiting;
    ListHook<Allowance> in_waited_for;
  };

  Allowance& Of(uint16_t asker) { return allowances_[asker % kAllowances]; }
  void Fill(Allowance& allowance, SteadyTime now) const;
  std::optional<uint32_t> TakeFrom(Allowance& allowance);
  void Enter(Turn& turn);
  void Leave(Turn& turn);
  void Begin(Turn& turn, uint32_t taken);
  void BeginDue(Allowance& allowance);
  // How long it takes until it is the first one's turn who waits.
  static Duration FilledIn(const Allowance& allowance);
  Task<> RunTimer();

  asio::io_context& loop_;
  const Clock& clock_;
  std::vector<Allowance> allowances_{kAllowances};
  IntrusiveList<Allowance, &Allowance::in_waited_for> waited_for_;
  bool closed_ = false;
  SteadyTimer timer_;
  TaskGroup timer_running_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_LARGE_ANSWER_PACE_H_
