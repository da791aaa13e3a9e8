// A question that is put to another upstream, because the answer of one cannot be right.

#include <gtest/gtest.h>

#include "forwarder_fixture.h"

namespace dotward {
namespace {

using Actions = std::vector<LoopbackAction>;

LoopbackDotServer::Script Says(std::string address) {
  return [address](const LoopbackQuery& query) {
    return Actions{LoopbackAction::Reply(PositiveAnswerTo(query.message, 300, {A(address)}))};
  };
}

class SecondOpinionTest : public ForwarderFixture {
 protected:
  absl::StatusOr<UpstreamResponse> AskNotFrom(Forwarder& forwarder, const std::string& upstream) {
    UpstreamQuery query;
    query.name = *Name::Parse("www.example.");
    query.type = rr_type::kA;
    query.not_from = &upstream;
    absl::StatusOr<UpstreamResponse> result = absl::UnknownError("nothing came");
    bool done = false;
    TaskGroup tasks(loop_);
    const Deadline deadline = Deadline::After(std::chrono::steady_clock::now(), std::chrono::seconds(5));
    tasks.Spawn(Store(forwarder.Exchange(query, deadline), result, done));
    EXPECT_TRUE(RunUntil([&] { return done && tasks.running() == 0; }));
    return result;
  }

 private:
  static Task<> Store(Task<absl::StatusOr<UpstreamResponse>> exchange, absl::StatusOr<UpstreamResponse>& result,
                      bool& done) {
    result = co_await std::move(exchange);
    done = true;
  }
};

TEST_F(SecondOpinionTest, ItComesFromAnotherUpstream) {
  policy_ = UpstreamPolicy::kOrdered;
  Forwarder& forwarder = Forward({Says("192.0.2.10"), Says("192.0.2.20")});
  const absl::StatusOr<UpstreamResponse> response = AskNotFrom(forwarder, "u0");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(*response->upstream, "u1");
  EXPECT_EQ(QueriesAt(0), 0U);
}

TEST_F(SecondOpinionTest, WithOneUpstreamThereIsNone) {
  Forwarder& forwarder = Forward({Says("192.0.2.10")});
  const absl::StatusOr<UpstreamResponse> response = AskNotFrom(forwarder, "u0");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(response.status().message(), "no upstream but u0 for this name");
  EXPECT_EQ(QueriesAt(0), 0U);
}

}  // namespace
}  // namespace dotward
