#ifndef DOTWARD_UPSTREAM_ATTEMPT_H_
#define DOTWARD_UPSTREAM_ATTEMPT_H_

#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/await.h"
#include "base/ip_address.h"
#include "dns/query_builder.h"
#include "dns/types.h"
#include "dotward/clock.h"
#include "dotward/upstream.h"
#include "upstream/server_record.h"

namespace dotward {

// How a query travels to a server.
enum class QueryTransport : uint8_t { kTls, kTcp, kUdp };

// A question as it goes over the wire to one kind of server: its octets are made when they are sent, which is once but
// for those whose connection was lost. Padded for an encrypted transport (RFC 8467 §4.1); on a stream, the server is
// asked how long it keeps an idle connection (RFC 7828 §3.2.1). A value of two words; `query` must outlive it.
class WireQuery {
 public:
  WireQuery(const UpstreamQuery& query, QueryTransport transport) : query_(&query), transport_(transport) {}
  WireQuery(UpstreamQuery&&, QueryTransport) = delete;

  // Returns how many octets it is.
  size_t Write(uint16_t id, std::span<uint8_t, kBuiltQueryOctetsMax> out) const;
  // Whether `response` is one to this query under this ID (RFC 5452 §9.1).
  bool IsAnsweredBy(OctetView response, uint16_t id) const;

 private:
  const UpstreamQuery* query_;
  QueryTransport transport_;
};

class Attempt;

// Who has an attempt in hand: lets go of it when it is asked to, and tells it when it goes away itself.
class AttemptHolder {
 public:
  virtual void Release(Attempt& attempt) = 0;

 protected:
  ~AttemptHolder() = default;
};

// One question that is put to one server. The asker owns it, starts it with StreamUpstream::Start, sleeps on the Wakeup
// and looks whether it is done; to destroy it is to take the question back. A waiting attempt costs no timer and no
// coroutine of its own. One event loop.
class Attempt {
 public:
  // `asker`, and what `query` was made from, must outlive it.
  Attempt(WireQuery query, Wakeup& asker) : query_(query), asker_(asker) {}
  ~Attempt() { Withdraw(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // --- the asker's side ---
  bool done() const { return result_ != nullptr; }
  // When done(); to be moved from by who needs it.
  absl::StatusOr<UpstreamResponse>& result() {
    if (unparsed_by_ != nullptr) Parse();
    return *result_;
  }
  // Once after the server has come to doubt that it will answer.
  bool TakeDoubt() { return std::exchange(doubted_, false); }
  // Nobody waits any more. An answer that comes later reaches nobody.
  void Withdraw() {
    if (holder_ != nullptr) holder_->Release(*this);
    holder_ = nullptr;
  }

  // --- the server's side ---
  const WireQuery& query() const { return query_; }
  void HeldBy(AttemptHolder* holder) { holder_ = holder; }
  // Ends the attempt and wakes the asker on the loop's next turn.
  void Complete(absl::StatusOr<UpstreamResponse> result) {
    holder_ = nullptr;
    result_ = std::make_unique<absl::StatusOr<UpstreamResponse>>(std::move(result));
    asker_.Notify();
  }

  // The server keeps the attempt, and has reason to think that it will not answer: another had better be asked.
  void Doubt() {
    doubted_ = true;
    asker_.Notify();
  }

  // The same with a response that was matched to the query and is not parsed yet: the asker does that when it looks. So
  // the models of a batch of responses are made and freed one after another, which costs a third of making them all
  // first. `server` must outlive the attempt.
  void CompleteUnparsed(UpstreamResponse response, ServerRecord& server) {
    unparsed_by_ = &server;
    Complete(std::move(response));
  }

  // Once a connection, or a datagram, has the question.
  void Sent(SteadyTime now) {
    const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(now - started_at).count();
    waited_us = static_cast<uint32_t>(std::clamp<int64_t>(waited, 0, UINT32_MAX));
  }

  SteadyTime started_at{};
  uint32_t waited_us = 0;     // from there until it was sent, for the last time
  uint64_t batch = 0;         // the connection's batch that carries it
  uint16_t id = 0;            // on its connection
  uint8_t sends = 0;          // how often it has been put on a connection that then sent it
  uint8_t sends_in_vain = 0;  // of these, on connections that answered nobody
  bool counted = false;       // as a query of its server
  bool own = false;           // nobody's query but ours, to learn something: counted as a probe

 private:
  friend class AttemptList;

  void Parse();

  bool doubted_ = false;  // beside the other small ones: there may be very many attempts

  const WireQuery query_;
  Wakeup& asker_;
  AttemptHolder* holder_ = nullptr;
  Attempt* previous_ = nullptr;
  Attempt* next_ = nullptr;
  // On the heap: there may be very many attempts, and most of them wait.
  std::unique_ptr<absl::StatusOr<UpstreamResponse>> result_;
  ServerRecord* unparsed_by_ = nullptr;  // from whom a response came that nobody has looked at
};

// Attempts in the order in which they came, linked through themselves: any can leave at any time without a search.
// Does not own them; an attempt is in at most one list.
class AttemptList {
 public:
  AttemptList() = default;
  AttemptList(AttemptList&& other) noexcept { *this = std::move(other); }
  AttemptList& operator=(AttemptList&& other) noexcept {
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  void PushBack(Attempt& attempt);
  void Remove(Attempt& attempt);
  Attempt& PopFront();  // not empty

 private:
  Attempt* first_ = nullptr;
  Attempt* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_ATTEMPT_H_
