// How many handshakes traffic costs: one where the upstream keeps the connection, few where it does not.

#include <thread>

#include "faults/fault_test.h"

namespace dotward {
namespace {

using std::chrono::steady_clock;

class ConnectionReuseTest : public FaultTest {
 protected:
  // Bursts of queries with short gaps, then a gap that is longer than what the upstream keeps.
  void ExpectNoErrorsAndFewHandshakes(milliseconds idle_close, milliseconds duration) {
    const auto server = MakeServer();
    server->SetManner({.idle_close = idle_close});
    Start({server->endpoint()});
    size_t sent = 0, good = 0, gaps = 0;
    milliseconds longest{0};
    steady_clock::time_point last = steady_clock::now();
    const steady_clock::time_point end = last + duration;
    while (last < end) {
      const bool burst = sent % 6 != 0;
      std::this_thread::sleep_for(burst ? idle_close / 5 : idle_close * 7 / 4);
      // A busy machine makes some of the short gaps long.
      if (steady_clock::now() - last > idle_close / 2) ++gaps;
      ClientLoad load(resolver(), {.count = 1, .sockets = 1, .zone = [sent](size_t) {
                                     return "z" + std::to_string(sent) + ".example.";
                                   }});
      const ClientReport report = Summarize(load.Finish());
      last = steady_clock::now();
      ++sent;
      good += report.good;
      longest = std::max(longest, report.longest);
    }
    PrintFigure("clients", std::to_string(sent) + " queries, " + std::to_string(good) + " good, " +
                               std::to_string(gaps) + " long gaps between them");
    PrintFigure("longest wait", longest);
    PrintServer("upstream", *server);
    EXPECT_EQ(good, sent);
    EXPECT_GT(gaps, 5U);
    EXPECT_LE(longest, milliseconds(250) + kNoise);
    EXPECT_LE(server->counters().handshakes, gaps + 1);
    // All but the first know the server; one ticket may have been lost with its connection.
    EXPECT_GE(server->counters().resumed_handshakes + 2, server->counters().handshakes);
  }
};

TEST_F(ConnectionReuseTest, U3_TenThousandQueriesOverOneConnectionAreOneHandshake) {
  const auto server = MakeServer();
  Start({server->endpoint()});
  ClientLoad load(resolver(), {.count = 10'000, .in_flight_max = 200});
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(500));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().connections, 1U);
  EXPECT_EQ(server->counters().handshakes, 1U);
  EXPECT_EQ(server->counters().queries, 10'000U);
}

TEST_F(ConnectionReuseTest, U8_AnUpstreamThatClosesIdleConnectionsCostsNoErrorsAndOneHandshakeAGap) {
  ExpectNoErrorsAndFewHandshakes(milliseconds(200), milliseconds(4500));
}
TEST_F(ConnectionReuseTest, U8_SlowIdleCloseAfterASecondForAMinute) {
  ExpectNoErrorsAndFewHandshakes(milliseconds(1000), milliseconds(60'000));
}

TEST_F(ConnectionReuseTest, U8_SteadyTrafficKeepsAConnectionThatWouldBeClosedWhenIdle) {
  const auto server = MakeServer();
  server->SetManner({.idle_close = milliseconds(750)});
  Start({server->endpoint()});
  ClientLoad load(resolver(), ClientLoad::Steady(20, milliseconds(2000)));
  ExpectUnharmed(Summarize(load.Finish()), milliseconds(200));
  PrintServer("upstream", *server);
  EXPECT_EQ(server->counters().handshakes, 1U);
}

TEST_F(ConnectionReuseTest, U8_AKeepaliveThatTheUpstreamSendsIsObeyed) {
  // 0.3 s: whoever obeys closes first, and the server sees no query on a connection that it is about to close.
  const auto server = MakeServer([](const LoopbackQuery& query) {
    return Actions{Action::Reply(WithOption(PositiveAnswerTo(query.message), KeepaliveOption(3)))};
  });
  Start({server->endpoint()});
  WarmUp(3);
  EXPECT_TRUE(server->WaitUntil(
      [](const LoopbackDotServer::Counters& counters) { return counters.closed_connections == 1; }, milliseconds(5000)))
      << "the connection outlived what the server keeps";
  EXPECT_EQ(server->counters().handshakes, 1U);
}

}  // namespace
}  // namespace dotward
