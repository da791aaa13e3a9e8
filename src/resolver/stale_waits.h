#ifndef DOTWARD_RESOLVER_STALE_WAITS_H_
#define DOTWARD_RESOLVER_STALE_WAITS_H_

#include <array>
#include <asio/io_context.hpp>
#include <functional>

#include "base/await.h"
#include "base/intrusive_list.h"
#include "dns/response_image.h"
#include "dotward/clock.h"
#include "dotward/task.h"

namespace dotward {

struct PendingExchange;

// What has expired and still answers a question that is being asked (RFC 8767). Lives as long as its exchange.
struct StaleAnswer {
  StaleAnswer(PendingExchange& exchange_in, SteadyTime since_in) : exchange(exchange_in), since(since_in) {}
  StaleAnswer(const StaleAnswer&) = delete;
  StaleAnswer& operator=(const StaleAnswer&) = delete;

  PendingExchange& exchange;
  std::array<ImagePtr, 2> images;  // for who did not set DO and who did; null where there is none
  const SteadyTime since;          // a client waits for something better
  bool due = false;                // it has waited for long enough: whoever has a stale answer gets it
  ListHook<StaleAnswer> in_order;
};

// When those who wait for a fresh answer get the stale one instead: all wait equally long, so one timer serves all.
// Single-threaded, on the loop.
class StaleWaits {
 public:
  using WhenDue = std::function<void(StaleAnswer&)>;

  // `when_due` is called once for each answer that has become due, while it is none of ours any more.
  StaleWaits(asio::io_context& loop, const Clock& clock, Duration client_timeout, WhenDue when_due);

  // Counts for those who wait already, too.
  void SetClientTimeout(Duration client_timeout);

  // From Add until it is due or removed, an answer is awaited. They are added in the order of `since`.
  void Add(StaleAnswer& answer);
  void Remove(StaleAnswer& answer);  // due or not

  // Tells those who are due. Also to be called by whoever is about to look at answers, so that none of them is found
  // waiting past its time.
  void Tell(SteadyTime now);

  // Ends when none is awaited.
  Task<> Join() { return timer_running_.Join(); }

 private:
  Task<> RunTimer();
  SteadyTime DueAt(const StaleAnswer& answer) const;

  const Clock& clock_;
  Duration client_timeout_;
  const WhenDue when_due_;
  IntrusiveList<StaleAnswer, &StaleAnswer::in_order> waiting_;  // by since
  SteadyTimer timer_;
  TaskGroup timer_running_;
};

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_STALE_WAITS_H_
