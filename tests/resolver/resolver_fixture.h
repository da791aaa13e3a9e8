#ifndef DOTWARD_TESTS_RESOLVER_RESOLVER_FIXTURE_H_
#define DOTWARD_TESTS_RESOLVER_RESOLVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <array>
#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resolver/resolver.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"

namespace dotward {

inline Config TestConfig() {
  Config config;
  config.access.allow = {*IpPrefix::Parse("127.0.0.0/8")};
  return config;
}

class StoringSink final : public ReplySink {
 public:
  explicit StoringSink(std::optional<Octets>& stored) : stored_(stored) {}
  void Send(OctetView reply) override { stored_.emplace(reply.begin(), reply.end()); }

 private:
  std::optional<Octets>& stored_;
};

// A resolver with everything below it, worker and forwarding loop on one io_context, time standing still.
class ResolverFixture : public testing::Test {
 protected:
  explicit ResolverFixture(Config config = TestConfig(), QueryCoalescer::Options options = {})
      : config_(std::make_shared<const Config>(std::move(config))),
        cache_({.octets_max = 4 << 20, .shards = 4, .hash_seed = 1}),
        upstream_(loop_, clock_, [](const Octets& query) { return PositiveAnswerTo(query); }),
        coalescer_(loop_, upstream_, cache_, clock_, options),
        resolver_(loop_, std::make_shared<const ServingState>(config_, ServerIdentity()), cache_, coalescer_, clock_) {}

  static Client LocalClient(Transport transport = Transport::kUdp) {
    return {*Endpoint::Parse("127.0.0.1:40000"), transport};
  }

  ImmediateReply AnswerNow(const Octets& query, const Client& client = LocalClient()) {
    return resolver_.AnswerNow(query, client, clock_.Now(), buffer_);
  }

  // What the client gets, by whichever face; nullopt where nothing is sent.
  std::optional<MessageRead> Ask(const Octets& query, const Client& client = LocalClient()) {
    const ImmediateReply reply = AnswerNow(query, client);
    if (reply.disposition == Disposition::kDropped) return std::nullopt;
    if (reply.disposition == Disposition::kAnswered) {
      return MustReadMessage(OctetView(buffer_).first(reply.octets));
    }
    std::optional<Octets> later;
    Take(query, client, later);
    Turn();
    EXPECT_TRUE(later.has_value());
    if (!later || later->empty()) return std::nullopt;
    return MustReadMessage(*later);
  }

  // Asks by the patient face; `reply` is there when it has come.
  void Take(const Octets& query, const Client& client, std::optional<Octets>& reply) {
    resolver_.AnswerLater(query, client, clock_.Now(), std::make_unique<StoringSink>(reply));
  }

  void FailWith(const absl::Status& status) {
    upstream_.SetAnswer([status](const Octets&) { return status; });
  }

  void Turn() {
    loop_.restart();
    loop_.poll();
  }

  asio::io_context loop_;
  ManualClock clock_;
  const std::shared_ptr<const Config> config_;
  ResponseCache cache_;
  FakeUpstream upstream_;
  QueryCoalescer coalescer_;
  Resolver resolver_;
  std::array<uint8_t, 4096> buffer_{};
};

// The extended errors of a reply that has an OPT record: "22: no answer".
inline std::vector<std::string> Errors(const MessageRead& reply) {
  std::vector<std::string> errors;
  for (const EdnsOption& option : reply.edns->options) {
    if (option.code != edns_option::kEde) continue;
    errors.push_back(std::to_string(option.data[0] * 256 + option.data[1]) + ": " +
                     std::string(option.data.begin() + 2, option.data.end()));
  }
  return errors;
}

inline Octets AQuery(std::string_view name = "www.example.", uint16_t id = 7) {
  return MessageBuilder::Query(id, name, rr_type::kA).Build();
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_RESOLVER_RESOLVER_FIXTURE_H_
