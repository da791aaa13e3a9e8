// Upstreams, or what lies before them, that end connections with queries under way.

#include "faults/fault_test.h"

namespace dotward {
namespace {

class CutConnectionsTest : public FaultTest {};

TEST_F(CutConnectionsTest, U4_AResetInTheMiddleOfAResponseHarmsNoClient) {
  const auto server = MakeServer();
  server->SetManner({.delay_min = milliseconds(5), .delay_max = milliseconds(20)});
  TcpProxy proxy(server->endpoint());
  Start({proxy.endpoint()});
  WarmUp();
  const uint64_t before = server->counters().queries;
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(1500)));
  load.WaitForSent(300);
  // A TLS record with a reply is shorter than 1,000 octets and no divisor of it: this ends inside one.
  proxy.CutAfter(Direction::kToClient, 1001, Cut::kReset);
  const ClientReport report = Summarize(load.Finish());
  ExpectUnharmed(report, milliseconds(500));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 2U);
  // What was in flight, some twenty queries, is asked again, and nothing else.
  EXPECT_LE(server->counters().queries - before, report.sent + 200);
}

TEST_F(CutConnectionsTest, U4_ACorruptRecordHarmsNoClient) {
  const auto server = MakeServer();
  server->SetManner({.delay_min = milliseconds(5), .delay_max = milliseconds(20)});
  TcpProxy proxy(server->endpoint());
  Start({proxy.endpoint()});
  WarmUp();
  for (const Direction direction : {Direction::kToClient, Direction::kToServer}) {
    ClientLoad load(resolver(), {.count = 1000, .rate = 1000, .zone = [direction](size_t number) {
                                   const bool to_client = direction == Direction::kToClient;
                                   return (to_client ? "c" : "s") + std::to_string(number) + ".example.";
                                 }});
    load.WaitForSent(300);
    proxy.CorruptAfter(direction, 1001);
    ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  }
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 3U);
}

TEST_F(CutConnectionsTest, U4_AnUpstreamThatClosesAfterEachQueryAnswersThemAll) {
  const auto server = MakeServer([](const LoopbackQuery& query) {
    return Actions{Action::Reply(PositiveAnswerTo(query.message)), Action::Close()};
  });
  Start({server->endpoint()});
  ClientLoad load(resolver(), {.count = 300, .in_flight_max = 1});
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("upstream", *server);
  EXPECT_LE(server->counters().handshakes, 301U);
  EXPECT_LE(server->counters().queries, 301U);
  EXPECT_GE(server->counters().resumed_handshakes, 290U);
}

// A close with queries unread is a reset, which may overtake the one answer: who meets that twice fails. So a server
// that closes in the middle is soon given no more than it takes.
TEST_F(CutConnectionsTest, U4_AnUpstreamThatClosesAfterEachQueryAnswersManyClients) {
  const auto server = MakeServer([](const LoopbackQuery& query) {
    return Actions{Action::Reply(PositiveAnswerTo(query.message)), Action::Close()};
  });
  Start({server->endpoint()});
  constexpr size_t kTogether = 10;
  ClientLoad load(resolver(), {.count = 300, .in_flight_max = kTogether});
  const ClientReport report = Summarize(load.Finish());
  PrintFigure("clients", report.ToString());
  PrintServer("upstream", *server);
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(report.failed_unexplained, 0U);
  // Two connections show what it does, with all that wait on each.
  EXPECT_GE(report.good, report.sent - kTogether);
  EXPECT_LE(server->counters().queries, report.sent + 5 * kTogether);
}

TEST_F(CutConnectionsTest, U4_AFinWithAHundredInFlightAsksEachOnceMore) {
  const auto server = MakeServer([](const LoopbackQuery& query) {
    if (query.connection != 0) return Actions{Action::Reply(PositiveAnswerTo(query.message))};
    return query.number == 99 ? Actions{Action::Close()} : Actions{};
  });
  Start({server->endpoint()});
  ClientLoad load(resolver(), {.count = 100, .in_flight_max = 100});
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 2U);
  EXPECT_EQ(server->counters().queries, 200U);
}

TEST_F(CutConnectionsTest, U4_AHalfClosedConnectionIsAsGoodAsAClosedOne) {
  const auto server = MakeServer();
  server->SetManner({.delay_min = milliseconds(5), .delay_max = milliseconds(20)});
  TcpProxy proxy(server->endpoint());
  Start({proxy.endpoint()});
  WarmUp();
  ClientLoad load(resolver(), ClientLoad::Steady(1000, milliseconds(1500)));
  load.WaitForSent(300);
  proxy.CutAll(Cut::kHalfClose);
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 2U);
}

}  // namespace
}  // namespace dotward
