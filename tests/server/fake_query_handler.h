#ifndef DOTWARD_SERVER_FAKE_QUERY_HANDLER_H_
#define DOTWARD_SERVER_FAKE_QUERY_HANDLER_H_

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "dotward/query_handler.h"

namespace dotward {

// Does what the query's text says, so that a test of a listener can be read at the place where it asks:
//   "now …"     answered at once, with the same text
//   "big N …"   answered at once, with N octets
//   "later …"   kLater, then answered with the same text when the test releases it
//   anything else is dropped
class FakeQueryHandler final : public QueryHandler {
 public:
  ImmediateReply AnswerNow(OctetView query, const Client& client, SteadyTime now, std::span<uint8_t> buffer) override {
    ++queries_;
    last_client_ = client;
    last_now_ = now;
    // Not std::string: asking must cost no allocation of the test's own.
    const std::string_view text(reinterpret_cast<const char*>(query.data()), query.size());
    if (text.starts_with("now")) {
      std::copy(query.begin(), query.end(), buffer.begin());
      return {Disposition::kAnswered, query.size()};
    }
    if (text.starts_with("big ")) {
      size_t octets = 0;
      std::from_chars(text.data() + 4, text.data() + text.size(), octets);
      std::fill_n(buffer.begin(), octets, uint8_t{'b'});
      return {Disposition::kAnswered, octets};
    }
    if (text.starts_with("later")) return {Disposition::kLater, 0};
    return {Disposition::kDropped, 0};
  }

  void AnswerLater(OctetView query, const Client& client, SteadyTime, std::unique_ptr<ReplySink> sink) override {
    last_later_client_ = client;
    waiting_.push_back({std::string(query.begin(), query.end()), std::move(sink)});
  }

  void AnswerNever() override { ++never_; }
  // Queries that had no room to wait in.
  size_t never() const { return never_; }
  // Queries that AnswerLater holds.
  size_t waiting() const { return waiting_.size(); }
  // Gives the query of this text its reply, which is the text itself unless another is given.
  void Release(const std::string& text) { Release(text, Octets(text.begin(), text.end())); }
  void Release(const std::string& text, const Octets& reply) {
    const auto waiter = std::ranges::find(waiting_, text, &Waiter::text);
    if (waiter == waiting_.end()) return;
    const std::unique_ptr<ReplySink> sink = std::move(waiter->sink);
    waiting_.erase(waiter);
    sink->Send(reply);
  }
  void ReleaseAll() {
    while (!waiting_.empty()) Release(waiting_.front().text);
  }
  void ReleaseAllWith(const Octets& reply) {
    while (!waiting_.empty()) Release(waiting_.front().text, reply);
  }

  size_t queries() const { return queries_; }
  const Client& last_client() const { return last_client_; }
  const Client& last_later_client() const { return last_later_client_; }
  SteadyTime last_now() const { return last_now_; }

 private:
  struct Waiter {
    std::string text;
    std::unique_ptr<ReplySink> sink;
  };

  std::list<Waiter> waiting_;
  size_t queries_ = 0;
  size_t never_ = 0;
  Client last_client_;
  Client last_later_client_;
  SteadyTime last_now_{};
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_FAKE_QUERY_HANDLER_H_
