#ifndef DOTWARD_TESTS_UPSTREAM_FAKE_SERVER_H_
#define DOTWARD_TESTS_UPSTREAM_FAKE_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "testing/messages.h"
#include "upstream/upstream_server.h"

namespace dotward {

// A server without a network: a test says how ready it is and what it answers, and time is what the test gives to
// Race::Advance. While `answer` is not set, attempts wait until the test completes them.
class FakeServer final : public UpstreamServer {
 public:
  using AnswerFunction = std::function<absl::StatusOr<Octets>(const Octets& query)>;

  FakeServer(asio::io_context& loop, Timeouts& timeouts, std::string name,
             const IpAddress& address = IpAddress::V4({192, 0, 2, 1}))
      : UpstreamServer(loop, timeouts, std::make_shared<const std::string>(std::move(name)), {address, 853},
                       QueryTransport::kTls) {}

  void Start(Attempt& attempt, SteadyTime now) override {
    ++started;
    attempt.started_at = now;
    if (refuse_with) return Fail(attempt, *refuse_with);
    attempt.sends = 1;
    record_.counters.queries.Add();
    under_way.push_back(&attempt);
    if (answer) Answer(under_way.size() - 1, now);
  }
  Readiness Tend(SteadyTime /*now*/, Urgency /*urgency*/) override {
    ++tended;
    return readiness;
  }
  bool Connected() const override { return connected; }
  void Prepare(SteadyTime /*now*/) override { ++prepared; }
  void NetworkChanged(SteadyTime /*now*/) override {}
  void Close() override {}
  Task<> Join() override { co_return; }
  void AddToSnapshot(UpstreamSnapshot& /*snapshot*/) const override {}

  // Ends the attempt that was started as the `index`th and is not done yet, with what `answer` says, or a plain answer.
  void Answer(size_t index, SteadyTime now) {
    std::array<uint8_t, kBuiltQueryOctetsMax> buffer;
    const size_t query_octets = under_way.at(index)->query().Write(0, buffer);
    const Octets query(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(query_octets));
    const absl::StatusOr<Octets> octets = answer ? answer(query) : PositiveAnswerTo(query);
    if (!octets.ok()) return under_way[index]->Complete(octets.status());
    UpstreamResponse response;
    response.octets = *octets;
    response.upstream = record_.name;
    response.received_at = now;
    under_way[index]->CompleteUnparsed(std::move(response), record_);
  }
  // As if so many queries had been answered, each in that time.
  void Learn(Duration latency, size_t answers = LatencyEstimator::kSamplesMin) {
    for (size_t i = 0; i < answers; ++i) record_.latency.Add(latency);
    record_.connect_time = latency;
  }
  void AddTrouble(SteadyTime now) { record_.AddTrouble(now); }

  Readiness readiness = Readiness::kReady;
  bool connected = true;
  AnswerFunction answer;
  std::optional<absl::Status> refuse_with;  // at once, before anything is sent
  size_t started = 0;
  size_t tended = 0;
  size_t prepared = 0;
  std::vector<Attempt*> under_way;  // every one that was started; those that are done may be gone
};

}  // namespace dotward

#endif  // DOTWARD_TESTS_UPSTREAM_FAKE_SERVER_H_
