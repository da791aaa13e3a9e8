// No upstream can be reached for a while, under load: what clients get meanwhile, what it costs, and how soon it is
// over.

#include <algorithm>
#include <array>
#include <ostream>
#include <thread>

#include "faults/fault_test.h"
#include "faults/private_network.h"

namespace dotward {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

enum class Outage : uint8_t {
  kSilence,        // connections stall, and new ones get no answer
  kReset,          // connections are reset, and so are new ones
  kFirewallDrop,   // the kernel drops every segment
  kFirewallReset,  // the kernel answers every segment with RST
};

struct OutageCase {
  Outage how;
  seconds duration;
};

void PrintTo(const OutageCase& outage, std::ostream* stream) { *stream << outage.duration.count() << " s"; }

std::string NameOf(const testing::TestParamInfo<OutageCase>& info) {
  constexpr std::array kNames = {"Silence", "Reset", "FirewallDrop", "FirewallReset"};
  return std::string(kNames[static_cast<size_t>(info.param.how)]) + std::to_string(info.param.duration.count()) + "s";
}

class OutageTest : public FaultTest, public testing::WithParamInterface<OutageCase> {
 protected:
  static constexpr double kRate = 300;

  void Begin(TcpProxy& proxy) {
    switch (GetParam().how) {
      case Outage::kSilence:
        proxy.SetNewConnections(NewConnections::kHang);
        proxy.StallAll(true);
        return;
      case Outage::kReset:
        proxy.SetNewConnections(NewConnections::kReset);
        proxy.CutAll(Cut::kReset);
        return;
      case Outage::kFirewallDrop:
        return PrivateNetwork::Block(proxy.endpoint().port, "DROP");
      case Outage::kFirewallReset:
        return PrivateNetwork::Block(proxy.endpoint().port, "REJECT");
    }
  }
  // The connects that were seen, 0 where nothing can see them.
  uint64_t End(TcpProxy& proxy) {
    const bool firewall = GetParam().how == Outage::kFirewallDrop || GetParam().how == Outage::kFirewallReset;
    const uint64_t connects = firewall ? PrivateNetwork::BlockedConnects() : proxy.counters().connections;
    if (firewall) PrivateNetwork::Unblock();
    proxy.StallAll(false);
    proxy.SetNewConnections(NewConnections::kServe);
    return connects;
  }
};

TEST_P(OutageTest, U7_ClientsAreToldAtOnceProbesAreFewAndAnswersAreBackWithinASecond) {
  const bool firewall = GetParam().how == Outage::kFirewallDrop || GetParam().how == Outage::kFirewallReset;
  if (firewall) {
    const std::string missing = PrivateNetwork::Enter();
    if (!missing.empty()) GTEST_SKIP() << missing << ", and so NO TEST of this outage";
  }
  const auto server = MakeServer();
  TcpProxy proxy(server->endpoint());
  Start({proxy.endpoint()});
  WarmUp();
  // Until it is told to stop: a busy machine may need a while to end the outage.
  ClientLoad load(resolver(), ClientLoad::Steady(kRate, GetParam().duration + seconds(60)));
  load.WaitForSent(static_cast<size_t>(kRate / 2));
  const uint64_t connects_before = proxy.counters().connections;
  Begin(proxy);
  const steady_clock::time_point begun = steady_clock::now();
  std::this_thread::sleep_until(begun + GetParam().duration);
  const steady_clock::time_point ending = steady_clock::now();
  const uint64_t connects_seen = End(proxy);
  const steady_clock::time_point ended = steady_clock::now();
  std::this_thread::sleep_until(ended + seconds(1) + kNoise + seconds(1));
  load.StopSending();
  const uint64_t connects = firewall ? connects_seen : connects_seen - connects_before;

  const std::vector<ClientOutcome>& outcomes = load.Finish();
  const ClientReport all = Summarize(outcomes);
  const ClientReport during = Summarize(outcomes, [&](const ClientOutcome& outcome) {
    return outcome.sent_at > begun + seconds(1) && outcome.sent_at < ending - seconds(1);
  });
  const ClientReport later =
      Summarize(outcomes, [&](const ClientOutcome& outcome) { return outcome.sent_at > ended + seconds(1) + kNoise; });
  steady_clock::time_point first_good = steady_clock::time_point::max();
  for (const ClientOutcome& outcome : outcomes) {
    if (outcome.good() && outcome.replied_at > ending) first_good = std::min(first_good, outcome.replied_at);
  }
  // An answer may be there while the end of the outage is still being made.
  const auto back = std::chrono::duration_cast<milliseconds>(std::max(first_good, ended) - ended);
  PrintFigure("all clients", all.ToString());
  PrintFigure("clients in the outage but its first and last second", during.ToString());
  PrintFigure("time that it took to end the outage", std::chrono::duration_cast<milliseconds>(ended - ending));
  PrintFigure("first good answer after the end", back);
  PrintFigure("connects seen in the outage", std::to_string(connects));
  PrintServer("upstream", *server);

  EXPECT_EQ(all.lost, 0U);
  EXPECT_EQ(all.good + all.failed, all.sent);
  EXPECT_EQ(all.failed_unexplained, 0U);
  EXPECT_LE(all.longest, seconds(2) + kNoise);
  EXPECT_EQ(during.failed, during.sent);
  EXPECT_LE(back, seconds(1) + kNoise);
  EXPECT_GT(later.sent, 100U);
  EXPECT_EQ(later.good, later.sent);
  // A few quick ones at the start, then at most four a second; segments that the kernel sends again count as well.
  EXPECT_LE(connects, 10U + 4U * static_cast<uint64_t>(GetParam().duration.count()));
  if (GetParam().how != Outage::kSilence) {
    EXPECT_GE(connects, static_cast<uint64_t>(GetParam().duration.count()) / 2);
  }
}

constexpr seconds kShort{4};
INSTANTIATE_TEST_SUITE_P(Outages, OutageTest,
                         testing::Values(OutageCase{Outage::kSilence, seconds(3)}, OutageCase{Outage::kReset, kShort},
                                         OutageCase{Outage::kFirewallDrop, kShort},
                                         OutageCase{Outage::kFirewallReset, kShort}),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(
    Slow, OutageTest,
    testing::Values(OutageCase{Outage::kFirewallDrop, seconds(10)}, OutageCase{Outage::kFirewallReset, seconds(10)},
                    OutageCase{Outage::kReset, seconds(30)}, OutageCase{Outage::kFirewallDrop, seconds(60)},
                    OutageCase{Outage::kFirewallReset, seconds(60)}, OutageCase{Outage::kFirewallDrop, seconds(300)},
                    OutageCase{Outage::kFirewallReset, seconds(300)}),
    NameOf);

}  // namespace
}  // namespace dotward
