// Upstreams that do not close, but do not answer either: all of them, some queries of them, or too slowly.

#include "faults/fault_test.h"

namespace dotward {
namespace {

class SilenceTest : public FaultTest {};

TEST_F(SilenceTest, U5_ASilentConnectionUnderLoadIsReplacedByAnother) {
  const auto server = MakeServer();
  Start({server->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(2000)));
  load.WaitForSent(300);
  server->SetSilence(LoopbackSilence::kOpenConnections);
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(1000));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 2U);
}

TEST_F(SilenceTest, U5_ASilentUpstreamUnderLoadIsReplacedByTheOther) {
  const auto silent = MakeServer();
  const auto other = MakeServer();
  Start({silent->endpoint(), other->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(2000)));
  load.WaitForSent(300);
  silent->SetSilence(LoopbackSilence::kAll);
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(600));
  PrintServer("silent upstream", *silent);
  PrintServer("other upstream", *other);
  EXPECT_LE(silent->counters().handshakes, 8U);
  EXPECT_LE(other->counters().handshakes, 1U);
}

TEST_F(SilenceTest, U9_OneOfTwoUpstreamsThatIsUnreachableFromTheStartHarmsNoClient) {
  const auto server = MakeServer();
  for (const bool unreachable_first : {true, false}) {
    TcpProxy black_hole(server->endpoint());
    black_hole.SetNewConnections(NewConnections::kHang);
    if (unreachable_first) {
      Start({black_hole.endpoint(), server->endpoint()});
    } else {
      Start({server->endpoint(), black_hole.endpoint()});
    }
    ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(1500)));
    ExpectUnharmed(Summarize(load.Finish()), milliseconds(1000));
    service_.reset();
  }
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 2U);
}

TEST_F(SilenceTest, U3_AnswersInRandomOrderAreAllTold) {
  const auto server = MakeServer();
  server->SetManner({.delay_max = milliseconds(50), .seed = 7});
  Start({server->endpoint()});
  ClientLoad load(resolver(), {.count = 10'000, .in_flight_max = 300});
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(200));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 1U);
  EXPECT_EQ(server->counters().queries, 10'000U);
}

TEST_F(SilenceTest, U5_OneQueryInAHundredThatIsNeverAnsweredIsAskedElsewhere) {
  const auto careless = MakeServer();
  const auto other = MakeServer();
  careless->SetManner({.lost_share = 0.01, .seed = 3});
  Start({careless->endpoint(), other->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(2000)));
  const ClientReport report = Summarize(load.Finish());
  ExpectUnharmed(report, milliseconds(1000));
  PrintServer("careless upstream", *careless);
  PrintServer("other upstream", *other);
  EXPECT_GT(careless->counters().lost, 5U);
  // Queries that stay unanswered say nothing about their connection.
  EXPECT_EQ(careless->counters().handshakes, 1U);
}

TEST_F(SilenceTest, U5_WithOneUpstreamLostQueriesDelayNoOthers) {
  const auto careless = MakeServer();
  careless->SetManner({.lost_share = 0.01, .seed = 3});
  Config config = MakeConfig({careless->endpoint()});
  config.query.deadline = milliseconds(3000);
  Start(config);
  WarmUp(1);
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(2000)));
  const ClientReport report = Summarize(load.Finish());
  PrintFigure("clients", report.ToString());
  PrintServer("upstream", *careless);
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(report.failed_unexplained, 0U);
  // What is lost is asked once more in time; one in ten thousand is lost again.
  EXPECT_GE(report.good + 3, report.sent);
  EXPECT_LE(report.median, milliseconds(50) + kNoise);
  EXPECT_LE(report.longest, config.query.deadline + kNoise);
  EXPECT_EQ(careless->counters().handshakes, 1U);
}

TEST_F(SilenceTest, U10_ASlowDripOfSingleOctetsIsPutTogether) {
  const auto server = MakeServer();
  TcpProxy proxy(server->endpoint());
  Start({proxy.endpoint()});
  WarmUp(1);
  proxy.Drip(Direction::kToClient, milliseconds(1));
  ClientLoad load(resolver(), {.count = 5, .in_flight_max = 1});
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(1500));
  PrintServer("upstream", *server);
}

TEST_F(SilenceTest, U5_AnUpstreamThatDripsLosesItsClientsToTheOther) {
  const auto slow = MakeServer();
  const auto other = MakeServer();
  TcpProxy proxy(slow->endpoint());
  Start({proxy.endpoint(), other->endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(500, milliseconds(2000)));
  load.WaitForSent(200);
  // A reply would take ten seconds: octets that come are no sign of answers.
  proxy.Drip(Direction::kToClient, milliseconds(100));
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(1000));
  PrintServer("slow upstream", *slow);
  PrintServer("other upstream", *other);
}

}  // namespace
}  // namespace dotward
