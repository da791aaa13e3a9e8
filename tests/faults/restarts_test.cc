// Upstreams that go and come back, as they were or as somebody else.

#include "faults/fault_test.h"

namespace dotward {
namespace {

using std::chrono::steady_clock;

class RestartsTest : public FaultTest {
 protected:
  static void Stop(LoopbackDotServer& server) {
    server.StopListening();
    server.CloseAllConnections();
  }
  // From `since` to the first good answer that came behind it.
  static milliseconds FirstGoodAfter(const std::vector<ClientOutcome>& outcomes, steady_clock::time_point since) {
    steady_clock::time_point first = steady_clock::time_point::max();
    for (const ClientOutcome& outcome : outcomes) {
      if (outcome.good() && outcome.replied_at > since) first = std::min(first, outcome.replied_at);
    }
    return std::chrono::duration_cast<milliseconds>(first - since);
  }
};

TEST_F(RestartsTest, U4_WithTwoUpstreamsNoClientNoticesThatOneRestarts) {
  const auto restarted = MakeServer();
  const auto other = MakeServer();
  for (const auto& server : {restarted.get(), other.get()}) {
    server->SetManner({.delay_min = milliseconds(1), .delay_max = milliseconds(10)});
  }
  Start({restarted->endpoint(), other->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(2500)));
  load.WaitForSent(500);
  Stop(*restarted);
  load.WaitForSent(1000);
  restarted->StartListening();
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("restarted upstream", *restarted);
  PrintServer("other upstream", *other);
}

TEST_F(RestartsTest, U7_ASingleUpstreamThatRestartsIsBackWithinASecond) {
  const auto server = MakeServer();
  Start({server->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(500, milliseconds(3500)));
  load.WaitForSent(250);
  Stop(*server);
  load.WaitForSent(750);
  server->StartListening();
  const steady_clock::time_point back = steady_clock::now();
  const std::vector<ClientOutcome>& outcomes = load.Finish();
  const ClientReport report = Summarize(outcomes);
  PrintFigure("clients", report.ToString());
  PrintFigure("first good answer after the return", FirstGoodAfter(outcomes, back));
  PrintServer("upstream", *server);
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(report.good + report.failed, report.sent);
  EXPECT_EQ(report.failed_unexplained, 0U);
  EXPECT_LE(FirstGoodAfter(outcomes, back), milliseconds(1000) + kNoise);
  const ClientReport later = Summarize(
      outcomes, [&](const ClientOutcome& outcome) { return outcome.sent_at > back + milliseconds(1000) + kNoise; });
  EXPECT_GT(later.sent, 100U);
  EXPECT_EQ(later.good, later.sent);
}

TEST_F(RestartsTest, U1_ACertificateThatFailsWhileRunningStopsThatUpstreamAlone) {
  const auto replaced = MakeServer();
  const auto other = MakeServer();
  Start({replaced->endpoint(), other->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(500, milliseconds(2500)));
  load.WaitForSent(300);
  replaced->SetCertificate({.dns_names = {"other.test"}});
  replaced->CloseAllConnections();
  const LoopbackDotServer::Counters before = replaced->counters();
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("replaced upstream", *replaced);
  PrintServer("other upstream", *other);
  const LoopbackDotServer::Counters after = replaced->counters();
  EXPECT_GE(after.failed_handshakes, 1U);
  EXPECT_LE(after.failed_handshakes, 20U);
  EXPECT_EQ(after.handshakes, before.handshakes);
  EXPECT_EQ(after.application_octets, before.application_octets);
  EXPECT_EQ(after.octets_after_failure, 0U);
}

TEST_F(RestartsTest, U1_WithOneUpstreamABadCertificateIsExplainedAndAGoodOneServesAgain) {
  const auto server = MakeServer();
  Start({server->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(200, milliseconds(4000)));
  load.WaitForSent(100);
  server->SetCertificate(ExpiredCertificate());
  server->CloseAllConnections();
  const LoopbackDotServer::Counters before = server->counters();
  load.WaitForSent(350);
  EXPECT_EQ(server->counters().application_octets, before.application_octets);
  server->SetCertificate({});
  const steady_clock::time_point back = steady_clock::now();
  const std::vector<ClientOutcome>& outcomes = load.Finish();
  const ClientReport report = Summarize(outcomes);
  PrintFigure("clients", report.ToString());
  PrintFigure("first good answer after the good certificate", FirstGoodAfter(outcomes, back));
  PrintServer("upstream", *server);
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(report.good + report.failed, report.sent);
  EXPECT_EQ(report.failed_unexplained, 0U);
  EXPECT_GT(report.failed, 100U);
  EXPECT_LE(report.longest, milliseconds(2000) + kNoise);
  EXPECT_LE(FirstGoodAfter(outcomes, back), milliseconds(1000) + kNoise);
  EXPECT_EQ(server->counters().octets_after_failure, 0U);
}

}  // namespace
}  // namespace dotward
