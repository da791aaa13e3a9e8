// Names of one zone that nobody answers, by the thousand: everybody else is served as ever.

#include <unistd.h>

#include <fstream>

#include "faults/fault_test.h"

namespace dotward {
namespace {

// A sanitizer makes everything several times slower, and keeps freed memory for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr double kFlood = 1000, kMebibytesMax = 1024;
#else
constexpr double kFlood = 5000, kMebibytesMax = 64;
#endif

double ResidentMebibytes() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

bool IsDead(OctetView query) {
  static const Octets kZone = WireName("dead.example.");
  return std::search(query.begin(), query.end(), kZone.begin(), kZone.end()) != query.end();
}

class DeadZoneTest : public FaultTest {};

TEST_F(DeadZoneTest, X10_FiveThousandQueriesASecondForADeadZoneHarmNobodyElse) {
  // Neither the server nor the clients keep anything of a query, so that the memory is the resolver's.
  const auto server = MakeServer(
      [](const LoopbackQuery& query) {
        if (IsDead(query.message)) return Actions{};
        return Actions{Action::Reply(PositiveAnswerTo(query.message))};
      },
      {.keep_queries = false});
  Start({server->endpoint()});
  const auto cached_zone = [](size_t number) { return "cached" + std::to_string(number) + ".example."; };
  const ClientLoad::Options cached{.count = 2000, .in_flight_max = 50, .zone = cached_zone};
  ASSERT_EQ(Summarize(ClientLoad(resolver(), cached).Finish()).good, cached.count);

  const std::chrono::seconds duration(7);
  const double before = ResidentMebibytes();
  double most = before;
  ClientLoad::Options dead = ClientLoad::Steady(kFlood, duration);
  dead.zone = [](size_t) { return "dead.example."; };
  dead.patience = milliseconds(100);
  ClientLoad flood(resolver(), dead);
  ClientLoad::Options known = ClientLoad::Steady(static_cast<double>(cached.count) / 7, duration);
  known.zone = cached_zone;
  ClientLoad known_names(resolver(), known);
  ClientLoad new_names(resolver(), ClientLoad::Steady(300, duration));
  for (size_t i = 1; i <= 100; ++i) {
    flood.WaitForSent(dead.count / 100 * i);
    most = std::max(most, ResidentMebibytes());
  }
  const ClientReport cached_report = Summarize(known_names.Finish());
  const ClientReport new_report = Summarize(new_names.Finish());
  const ClientReport dead_report = Summarize(flood.Finish());
  PrintFigure("cached names", cached_report.ToString());
  PrintFigure("other new names", new_report.ToString());
  PrintFigure("names of the dead zone", dead_report.ToString());
  PrintFigure("resident memory", std::to_string(before) + " MiB, then at most " + std::to_string(most) + " MiB");
  PrintServer("upstream", *server);
  EXPECT_GE(dead_report.sent, dead.count);
  EXPECT_EQ(dead_report.good, 0U);
  EXPECT_EQ(cached_report.good, cached_report.sent);
  EXPECT_GE(static_cast<double>(new_report.good), 0.99 * static_cast<double>(new_report.sent));
  EXPECT_LE(new_report.p99, milliseconds(50) + kNoise / 5);
  EXPECT_LE(most - before, kMebibytesMax);
  // The names say nothing about the upstream.
  EXPECT_EQ(server->counters().handshakes, 1U);
}

}  // namespace
}  // namespace dotward
