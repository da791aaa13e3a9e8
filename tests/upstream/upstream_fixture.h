#ifndef DOTWARD_TESTS_UPSTREAM_UPSTREAM_FIXTURE_H_
#define DOTWARD_TESTS_UPSTREAM_UPSTREAM_FIXTURE_H_

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "dotward/upstream.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"
#include "testing/run_until.h"
#include "upstream/stream_upstream.h"
#include "upstream/timeouts.h"

namespace dotward {

inline UpstreamQuery QueryFor(std::string_view name, uint16_t type = rr_type::kA) {
  UpstreamQuery query;
  query.name = Name::Parse(name).value();
  query.type = type;
  return query;
}

// The QNAME of a query that a server has got.
inline std::string NameOf(OctetView message) { return MustReadMessage(message).questions.at(0).name; }

// One exchange under way.
struct Asked {
  UpstreamQuery query;
  std::optional<absl::StatusOr<UpstreamResponse>> result;

  bool done() const { return result.has_value(); }
  bool answered() const { return done() && result->ok(); }
  uint16_t rcode() const { return MustReadMessage((*result)->octets).rcode; }
  std::string text() const { return std::string(MessageOf(result->status())); }
};

// The event loop runs on the test's thread, inside RunUntil only. Everything that a test starts has ended, and every
// server object is joined, when the test is over.
class UpstreamFixture : public testing::Test {
 protected:
  static constexpr std::chrono::seconds kDeadline{20};  // of a query that is going to be answered

  ~UpstreamFixture() override {
    for (const auto& upstream : upstreams_) upstream->Close();
    timeouts_.Close();
    bool joined = false;
    TaskGroup joiner(loop_);
    joiner.Spawn(JoinAll(joined));
    EXPECT_TRUE(RunUntil([&] { return joined && joiner.running() == 0; })) << "something still runs after Close";
    EXPECT_EQ(timeouts_.size(), 0U);
  }

  bool RunUntil(const std::function<bool()>& condition) { return dotward::RunUntil(loop_, condition); }

  StreamUpstream& Add(const Endpoint& endpoint, const std::string& ca_file, const std::string& auth_name = "dns.test") {
    StreamUpstream::Options options;
    options.name = std::make_shared<const std::string>("test");
    options.endpoint = endpoint;
    options.auth_name = auth_name;
    options.credentials = TlsClientCredentials::Create(ca_file).value();
    upstreams_.push_back(std::make_unique<StreamUpstream>(loop_, timeouts_, std::move(options)));
    return *upstreams_.back();
  }
  StreamUpstream& Add(const LoopbackDotServer& server) { return Add(server.endpoint(), server.ca_file()); }

  Asked& Ask(Upstream& upstream, UpstreamQuery query, Duration patience = kDeadline) {
    Asked& asked = asked_.emplace_back();
    asked.query = std::move(query);
    tasks_.Spawn(Exchange(upstream, asked, Deadline::After(std::chrono::steady_clock::now(), patience)));
    return asked;
  }
  Asked& Ask(Upstream& upstream, std::string_view name, Duration patience = kDeadline) {
    return Ask(upstream, QueryFor(name), patience);
  }
  // Many names, "q0.test." and so on.
  std::vector<Asked*> AskMany(Upstream& upstream, size_t count, Duration patience = kDeadline) {
    std::vector<Asked*> asked;
    for (size_t i = 0; i < count; ++i) asked.push_back(&Ask(upstream, StrCat("q", i, ".test."), patience));
    return asked;
  }
  Asked& AskAndWait(Upstream& upstream, std::string_view name, Duration patience = kDeadline) {
    Asked& asked = Ask(upstream, name, patience);
    EXPECT_TRUE(RunUntil([&] { return asked.done(); })) << name;
    return asked;
  }
  bool RunUntilAllDone(const std::vector<Asked*>& all) {
    return RunUntil([&] {
      for (const Asked* asked : all) {
        if (!asked->done()) return false;
      }
      return true;
    });
  }

  asio::io_context loop_;
  Timeouts timeouts_{loop_};
  std::vector<std::unique_ptr<StreamUpstream>> upstreams_;
  std::list<Asked> asked_;
  TaskGroup tasks_{loop_};

 private:
  static Task<> Exchange(Upstream& upstream, Asked& asked, Deadline deadline) {
    absl::StatusOr<UpstreamResponse> result = co_await upstream.Exchange(asked.query, deadline);
    asked.result.emplace(std::move(result));
  }
  Task<> JoinAll(bool& joined) {
    co_await tasks_.Join();
    for (const auto& upstream : upstreams_) co_await upstream->Join();
    co_await timeouts_.Join();
    joined = true;
  }
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_UPSTREAM_UPSTREAM_FIXTURE_H_
