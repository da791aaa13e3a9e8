// The parts of the layer that need no network.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/limits.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"
#include "upstream/attempt.h"
#include "upstream/back_off.h"
#include "upstream/random_ids.h"
#include "upstream/route_table.h"
#include "upstream/timeouts.h"
#include "upstream_fixture.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;

Octets WireOctets(const UpstreamQuery& query, QueryTransport transport = QueryTransport::kTls) {
  std::array<uint8_t, kBuiltQueryOctetsMax> octets;
  const size_t size = WireQuery(query, transport).Write(1, octets);
  return Octets(octets.begin(), octets.begin() + static_cast<ptrdiff_t>(size));
}

TEST(WireQueryTest, E7_IsPaddedTo128Octets) {
  UpstreamQuery query;
  for (const char* name : {".", "a.", "www.example.",
                           "a.rather.long.name.that.needs.more.than.one.block.of.padding."
                           "when.it.is.written.out.in.full.with.all.of.its.labels.example."}) {
    query.name = Name::Parse(name).value();
    const Octets octets = WireOctets(query);
    EXPECT_EQ(octets.size() % 128, 0U) << name;
    EXPECT_NE(MustReadMessage(octets).FindOption(edns_option::kPadding), nullptr) << name;
  }
}

TEST(WireQueryTest, E7_IsNotPaddedWhereEverybodyCanReadIt) {
  for (const QueryTransport transport : {QueryTransport::kTcp, QueryTransport::kUdp}) {
    EXPECT_EQ(MustReadMessage(WireOctets(QueryFor("www.example."), transport)).FindOption(edns_option::kPadding),
              nullptr);
  }
}

// RFC 7828 §3.2.1: never over UDP.
TEST(WireQueryTest, U8_AsksHowLongAnIdleStreamIsKept) {
  const auto keepalive = [](QueryTransport transport) {
    const MessageRead read = MustReadMessage(WireOctets(QueryFor("www.example."), transport));
    const auto* option = read.FindOption(edns_option::kKeepalive);
    return option == nullptr ? std::optional<size_t>() : option->data.size();
  };
  EXPECT_EQ(keepalive(QueryTransport::kTls), 0U);
  EXPECT_EQ(keepalive(QueryTransport::kTcp), 0U);
  EXPECT_EQ(keepalive(QueryTransport::kUdp), std::nullopt);
}

TEST(WireQueryTest, R5_CarriesDoAndCd) {
  for (const bool dnssec_ok : {false, true}) {
    for (const bool checking_disabled : {false, true}) {
      UpstreamQuery query;
      query.name = Name::Parse("example.").value();
      query.type = rr_type::kAaaa;
      query.dnssec_ok = dnssec_ok;
      query.checking_disabled = checking_disabled;
      const MessageRead read = MustReadMessage(WireOctets(query));
      EXPECT_EQ(read.edns->dnssec_ok, dnssec_ok);
      EXPECT_EQ(read.Has(header_flag::kCd), checking_disabled);
      EXPECT_TRUE(read.Has(header_flag::kRd));
      EXPECT_EQ(read.questions.at(0).type, rr_type::kAaaa);
    }
  }
}

TEST(AttemptListTest, AnyMemberCanLeave) {
  const UpstreamQuery question;
  const WireQuery query(question, QueryTransport::kTls);
  asio::io_context loop;
  Wakeup wakeup(loop.get_executor());
  for (size_t leaving = 0; leaving < 3; ++leaving) {
    Attempt first(query, wakeup);
    Attempt second(query, wakeup);
    Attempt third(query, wakeup);
    const std::vector<Attempt*> all{&first, &second, &third};
    AttemptList list;
    for (Attempt* attempt : all) list.PushBack(*attempt);
    list.Remove(*all[leaving]);
    EXPECT_EQ(list.size(), 2U);
    for (Attempt* attempt : all) {
      if (attempt != all[leaving]) {
        EXPECT_EQ(&list.PopFront(), attempt);
      }
    }
    EXPECT_TRUE(list.empty());
  }
}

TEST(RandomIdsTest, R2_AreSpreadEvenly) {
  RandomIds ids;
  constexpr size_t kDraws = 64 * 4096;
  std::vector<size_t> buckets(64);
  size_t neighbours = 0;
  uint16_t last = ids.Next();
  for (size_t i = 0; i < kDraws; ++i) {
    const uint16_t id = ids.Next();
    ++buckets[id >> 10U];
    neighbours += static_cast<uint16_t>(id - last) == 1 ? 1 : 0;
    last = id;
  }
  // 4,096 expected in each, with a standard deviation of 64: eight of them never happen by chance.
  for (const size_t count : buckets) EXPECT_NEAR(static_cast<double>(count), 4096, 8 * 64);
  EXPECT_LT(neighbours, 64U);  // 4 expected
}

TEST(BackOffTest, DoublesUpToItsLimitsWithJitter) {
  const ManualClock clock;
  for (const uint16_t random : std::initializer_list<uint16_t>{0, 40'000, 65'535}) {
    BackOff back_off;
    Duration longest = Limits::kBackOffMin;
    Duration longest_urgent = Limits::kBackOffMin;
    for (int failure = 0; failure < 50; ++failure) {
      back_off.Failed(BackOff::Failure::kConnect, clock.Now(), clock.Now(), random);
      const Duration delay = back_off.retry_at() - clock.Now();
      EXPECT_GE(delay, longest / 2);
      EXPECT_LE(delay, longest);
      const Duration urgent_delay = back_off.urgent_at() - clock.Now();
      EXPECT_GE(urgent_delay, longest_urgent / 2);
      EXPECT_LE(urgent_delay, longest_urgent);
      longest = std::min<Duration>(2 * longest, Limits::kBackOffMax);
      longest_urgent = std::min<Duration>(2 * longest_urgent, Limits::kBackOffUrgentMax);
    }
  }
}

TEST(BackOffTest, CountsFromTheStartOfTheTry) {
  ManualClock clock;
  BackOff back_off;
  const SteadyTime started = clock.Now();
  clock.Advance(milliseconds(60));
  back_off.Failed(BackOff::Failure::kConnect, started, clock.Now(), 65'535);
  EXPECT_LE(back_off.urgent_at(), started + Limits::kBackOffMin);
  clock.Advance(std::chrono::seconds(1));
  back_off.Failed(BackOff::Failure::kConnect, started, clock.Now(), 65'535);
  EXPECT_TRUE(back_off.MayTryUrgentlyAt(clock.Now())) << "a try that took longer than the interval was the wait";
}

TEST(BackOffTest, EndsExactlyAtItsTime) {
  ManualClock clock;
  BackOff back_off;
  EXPECT_TRUE(back_off.MayTryAt(clock.Now()));
  back_off.Failed(BackOff::Failure::kConnect, clock.Now(), clock.Now(), 0);
  EXPECT_FALSE(back_off.MayTryAt(back_off.retry_at() - std::chrono::nanoseconds(1)));
  EXPECT_TRUE(back_off.MayTryAt(back_off.retry_at()));
}

TEST(BackOffTest, TheFirstLostConnectionIsReplacedAtOnceAndTheSecondIsNot) {
  const ManualClock clock;
  BackOff back_off;
  back_off.Failed(BackOff::Failure::kConnection, clock.Now(), clock.Now(), 0);
  EXPECT_TRUE(back_off.MayTryAt(clock.Now()));
  back_off.Failed(BackOff::Failure::kConnection, clock.Now(), clock.Now(), 0);
  EXPECT_FALSE(back_off.MayTryAt(clock.Now()));
}

TEST(BackOffTest, ASuccessForgetsAllFailures) {
  const ManualClock clock;
  BackOff back_off;
  for (int i = 0; i < 10; ++i) back_off.Failed(BackOff::Failure::kConnect, clock.Now(), clock.Now(), 65'535);
  back_off.Succeeded();
  EXPECT_TRUE(back_off.MayTryAt(clock.Now()));
  EXPECT_EQ(back_off.failures(), 0U);
}

TEST(RouteTableTest, TheLongestZoneWinsWhateverTheCase) {
  RouteTable table;
  EXPECT_TRUE(table.Add(Name::Parse(".").value(), 0));
  EXPECT_TRUE(table.Add(Name::Parse("Example.").value(), 1));
  EXPECT_TRUE(table.Add(Name::Parse("deep.down.example.").value(), 2));
  EXPECT_FALSE(table.Add(Name::Parse("EXAMPLE.").value(), 3)) << "one zone, one route";
  const auto find = [&table](std::string_view name) { return table.Find(WireName(name)); };
  EXPECT_EQ(find("."), 0U);
  EXPECT_EQ(find("org."), 0U);
  EXPECT_EQ(find("example."), 1U);
  EXPECT_EQ(find("eXaMpLe."), 1U);
  EXPECT_EQ(find("down.example."), 1U);
  EXPECT_EQ(find("deep.down.example."), 2U);
  EXPECT_EQ(find("a.b.DEEP.Down.example."), 2U);
  EXPECT_EQ(find("notexample."), 0U) << "labels are compared whole";
  EXPECT_EQ(find("deeper.down.example."), 1U);
}

TEST(RouteTableTest, ANameOutsideEveryZoneHasNoRoute) {
  RouteTable table;
  EXPECT_EQ(table.Find(WireName(".")), std::nullopt);
  EXPECT_TRUE(table.Add(Name::Parse("example.").value(), 0));
  EXPECT_EQ(table.Find(WireName(".")), std::nullopt);
  EXPECT_EQ(table.Find(WireName("org.")), std::nullopt);
}

TEST(RouteTableTest, TakesTheLongestNames) {
  RouteTable table;
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  EXPECT_TRUE(table.Add(Name::Parse(longest).value(), 1));
  EXPECT_EQ(table.Find(WireName(longest)), 1U);
  EXPECT_EQ(table.Find(WireName(longest.substr(2))), std::nullopt);
}

Task<> SleepUntil(Timeouts& timeouts, Wakeup& wakeup, SteadyTime at, std::vector<int>& order, int number) {
  Timeout timeout(timeouts, wakeup);
  timeout.Set(at);
  while (!timeout.expired()) co_await wakeup.Wait();
  order.push_back(number);
}

TEST(TimeoutsTest, WakeInOrderOfTimeHoweverTheyWereSet) {
  asio::io_context loop;
  Timeouts timeouts(loop);
  TaskGroup tasks(loop);
  Wakeup first(loop.get_executor());
  Wakeup second(loop.get_executor());
  Wakeup third(loop.get_executor());
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<int> order;
  tasks.Spawn(SleepUntil(timeouts, third, now + milliseconds(30), order, 3));
  tasks.Spawn(SleepUntil(timeouts, first, now + milliseconds(10), order, 1));
  tasks.Spawn(SleepUntil(timeouts, second, now + milliseconds(20), order, 2));
  while (tasks.running() != 0) loop.run_one_for(milliseconds(100));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(std::chrono::steady_clock::now(), now + milliseconds(30));
  timeouts.Close();
  loop.run();  // ends, because nothing is left
  EXPECT_EQ(timeouts.size(), 0U);
}

TEST(TimeoutsTest, OneThatWasNeverUsedLeavesNothingOnTheLoop) {
  asio::io_context loop;
  { const Timeouts timeouts(loop); }
  EXPECT_EQ(loop.run(), 0U);
}

TEST(TimeoutsTest, ACancelledOneWakesNobodyAndIsGone) {
  asio::io_context loop;
  Timeouts timeouts(loop);
  Wakeup wakeup(loop.get_executor());
  Timeout cancelled(timeouts, wakeup);
  {
    Timeout destroyed(timeouts, wakeup);
    cancelled.Set(std::chrono::steady_clock::now() + milliseconds(1));
    destroyed.Set(std::chrono::steady_clock::now() + milliseconds(1));
    EXPECT_EQ(timeouts.size(), 2U);
    cancelled.Cancel();
  }
  EXPECT_EQ(timeouts.size(), 0U);
  loop.run_for(milliseconds(5));
  EXPECT_FALSE(cancelled.expired());
  timeouts.Close();
  loop.restart();
  loop.run();
}

}  // namespace
}  // namespace dotward
