#ifndef DOTWARD_TESTING_FAKE_UPSTREAM_H_
#define DOTWARD_TESTING_FAKE_UPSTREAM_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/await.h"
#include "dotward/upstream.h"
#include "testing/messages.h"

namespace dotward {

// An upstream that a test scripts: `answer` turns the octets of a query into those of a response, or into a status.
// Its responses are parsed as real ones are. While held, exchanges wait until they are released or cancelled.
class FakeUpstream final : public Upstream {
 public:
  using AnswerFunction = std::function<absl::StatusOr<Octets>(const Octets& query)>;

  FakeUpstream(asio::io_context& loop, const Clock& clock, AnswerFunction answer)
      : loop_(loop), clock_(clock), answer_(std::move(answer)) {}

  Task<absl::StatusOr<UpstreamResponse>> Exchange(const UpstreamQuery& query, Deadline deadline) override {
    asked_.push_back(query);
    deadlines_.push_back(deadline);
    if (held_) {
      const auto gate = std::make_shared<Gate>(loop_.get_executor());
      gates_.push_back(gate);
      if (query.cancellation != nullptr) query.cancellation->Wakes(&gate->wakeup);
      while (!gate->open && !Cancelled(query)) co_await gate->wakeup.Wait();
      if (query.cancellation != nullptr) query.cancellation->Wakes(nullptr);
      if (!gate->open) {
        taken_back_.push_back(query.name);
        std::erase(gates_, gate);
        co_return absl::CancelledError("fake: taken back");
      }
    }
    co_return Respond(query);
  }

  RouteCondition ConditionOf(const UpstreamQuery& /*query*/) const override { return condition; }

  void SetAnswer(AnswerFunction answer) { answer_ = std::move(answer); }
  void Hold() { held_ = true; }
  void Release() {
    held_ = false;
    for (const auto& gate : std::exchange(gates_, {})) gate->Open();
  }
  // The one that has waited n-th longest, counted from 0, goes on; the others stay.
  void ReleaseOne(size_t n = 0) {
    gates_[n]->Open();
    gates_.erase(gates_.begin() + static_cast<std::ptrdiff_t>(n));
  }
  size_t held() const { return gates_.size(); }
  // Exchanges whose asker cancelled them while they were held.
  const std::vector<Name>& taken_back() const { return taken_back_; }
  const std::vector<UpstreamQuery>& asked() const { return asked_; }
  const std::vector<Deadline>& deadlines() const { return deadlines_; }
  bool authenticated = true;
  RouteCondition condition;

 private:
  struct Gate {
    explicit Gate(Executor executor) : wakeup(executor) {}
    void Open() {
      open = true;
      wakeup.Notify();
    }
    Wakeup wakeup;
    bool open = false;
  };

  static bool Cancelled(const UpstreamQuery& query) {
    return query.cancellation != nullptr && query.cancellation->cancelled();
  }

  absl::StatusOr<UpstreamResponse> Respond(const UpstreamQuery& query) {
    MessageBuilder builder = MessageBuilder::Query(0x4242, query.name.ToString(), query.type, query.klass);
    if (query.checking_disabled) builder.AddFlags(header_flag::kCd);
    builder.WithEdns({.dnssec_ok = query.dnssec_ok});
    absl::StatusOr<Octets> octets = answer_(builder.Build());
    if (!octets.ok()) return octets.status();
    UpstreamResponse response;
    response.octets = *std::move(octets);
    if (query.trace != nullptr) query.trace->CountResponse(response.octets.size());
    absl::StatusOr<Message> message = ParseResponse(response.octets);
    if (!message.ok()) return message.status();
    response.message = std::make_unique<const Message>(*std::move(message));
    response.upstream = std::make_shared<const std::string>("fake");
    response.origin = "fake";
    response.received_at = clock_.Now();
    response.authenticated = authenticated;
    return response;
  }

  asio::io_context& loop_;
  const Clock& clock_;
  AnswerFunction answer_;
  bool held_ = false;
  std::vector<std::shared_ptr<Gate>> gates_;
  std::vector<UpstreamQuery> asked_;
  std::vector<Name> taken_back_;
  std::vector<Deadline> deadlines_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_FAKE_UPSTREAM_H_
