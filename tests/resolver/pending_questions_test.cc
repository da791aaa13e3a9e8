#include "resolver/pending_questions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace dotward {
namespace {

constexpr Deadline kDeadline{SteadyTime::max()};

struct Waiter {
  Waiter(std::string_view text, const std::string& client)
      : name(*Name::Parse(text)), waiter({.qname = name.wire(), .qtype = 1}, *IpAddress::Parse(client), kDeadline) {}
  const Name name;
  PendingWaiter waiter;
};

TEST(PendingQuestionsTest, FindsAQuestionByAllThatTellsItApartAndNotByCase) {
  PendingQuestions pending({});
  const Name name = *Name::Parse("www.example.");
  PendingExchange exchange({.qname = name.wire(), .qtype = 1}, kDeadline);
  pending.Start(exchange);
  const Name other_case = *Name::Parse("WWW.eXample.");
  const Name other = *Name::Parse("wwx.example.");
  EXPECT_EQ(pending.Find({.qname = other_case.wire(), .qtype = 1}), &exchange);
  EXPECT_EQ(pending.Find({.qname = other.wire(), .qtype = 1}), nullptr);
  EXPECT_EQ(pending.Find({.qname = name.wire(), .qtype = 28}), nullptr);
  EXPECT_EQ(pending.Find({.qname = name.wire(), .qtype = 1, .qclass = 3}), nullptr);
  EXPECT_EQ(pending.Find({.qname = name.wire(), .qtype = 1, .dnssec_ok = true}), nullptr);
  EXPECT_EQ(pending.Find({.qname = name.wire(), .qtype = 1, .checking_disabled = true}), nullptr);
  pending.End(exchange);
  EXPECT_EQ(pending.Find({.qname = name.wire(), .qtype = 1}), nullptr);
}

TEST(PendingQuestionsTest, OtherLimitsCountFromTheNextWaiterOn) {
  PendingQuestions pending({.waiting_per_client = 100, .ipv4_prefix = 32});
  std::list<PendingExchange> exchanges;
  std::list<Waiter> waiters;
  const auto wait = [&](int number, const std::string& client) -> PendingWaiter& {
    Waiter& waiter = waiters.emplace_back("w.d" + std::to_string(number) + ".test.", client);
    pending.Start(exchanges.emplace_back(waiter.waiter.question, kDeadline));
    pending.Wait(waiter.waiter, exchanges.back());
    return waiter.waiter;
  };
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(pending.FindSurplus(wait(i, "192.0.2.1")));
  pending.SetOptions({.waiting_per_client = 4, .ipv4_prefix = 24});
  // The client is another one now; who waited is still counted for the old one, until nobody is left.
  EXPECT_FALSE(pending.FindSurplus(wait(10, "192.0.2.1")));
  EXPECT_EQ(pending.clients(), 2U);
  pending.SetOptions({.waiting_per_client = 4, .ipv4_prefix = 32});
  const auto surplus = pending.FindSurplus(wait(11, "192.0.2.1"));
  ASSERT_TRUE(surplus);
  EXPECT_EQ(surplus->waiter, &waiters.front().waiter) << "the oldest";
  for (Waiter& waiter : waiters) pending.Leave(waiter.waiter);
  EXPECT_EQ(pending.clients(), 0U);
  for (PendingExchange& exchange : exchanges) pending.End(exchange);
}

TEST(PendingQuestionsTest, SuffixesAreFoundOnlyWhereALimitCanBeNear) {
  PendingQuestions pending({.waiting_per_client = 8});
  std::list<PendingExchange> exchanges;
  std::list<Waiter> waiters;
  const auto wait = [&](const std::string& name, const std::string& client) {
    Waiter& waiter = waiters.emplace_back(name, client);
    pending.Start(exchanges.emplace_back(waiter.waiter.question, kDeadline));
    pending.Wait(waiter.waiter, exchanges.back());
  };
  const auto leave_first = [&] {
    pending.Leave(waiters.front().waiter);
    pending.End(exchanges.front());
    waiters.pop_front();
    exchanges.pop_front();
  };
  for (int i = 0; i < 4; ++i) wait("w.d" + std::to_string(i) + ".test.", "192.0.2.1");
  wait("w.d9.test.", "192.0.2.2");
  EXPECT_EQ(pending.suffixes(), 0U);
  wait("w.d5.test.", "192.0.2.1");  // more than half of this client's places
  EXPECT_EQ(pending.suffixes(), 5U);
  while (!waiters.empty()) leave_first();
  EXPECT_EQ(pending.suffixes(), 0U);
  EXPECT_EQ(pending.clients(), 0U);

  const auto client = [](size_t i) { return "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250); };
  for (size_t i = 0; i < Limits::kPendingPerSuffixMax; ++i) wait("w" + std::to_string(i) + ".test.", client(i));
  EXPECT_EQ(pending.suffixes(), 0U);
  wait("w.last.test.", "192.0.2.1");  // more exchanges than one suffix may have
  EXPECT_EQ(pending.suffixes(), Limits::kPendingPerSuffixMax + 1);
  while (!waiters.empty()) leave_first();
  EXPECT_EQ(pending.suffixes(), 0U);
  EXPECT_EQ(pending.exchanges(), 0U);
}

// The same rules written down as plainly as can be: lists in the order of arrival, counted anew each time.
class NaiveBook {
 public:
  struct Wait {
    PendingWaiter* waiter;
    const PendingExchange* exchange;
    std::string client;
    std::string suffix;
  };
  explicit NaiveBook(size_t places) : places_(places) {}

  std::vector<Wait> waits;
  std::vector<std::pair<const PendingExchange*, std::string>> exchanges;  // with their suffixes

  PendingWaiter* Surplus() const {
    const Wait& newest = waits.back();
    const auto of_client = [&](const Wait& wait) { return wait.client == newest.client; };
    if (PendingWaiter* first = FirstIfOver(of_client, places_)) {
      for (const Wait& each : waits) {
        const auto of_suffix = [&](const Wait& wait) { return of_client(wait) && wait.suffix == each.suffix; };
        PendingWaiter* const of_crowd = of_client(each) ? FirstIfOver(of_suffix, (places_ + 1) / 2) : nullptr;
        if (of_crowd != nullptr) return of_crowd;
      }
      return first;
    }
    const auto of_suffix = [&](const auto& exchange) { return exchange.second == newest.suffix; };
    if (static_cast<size_t>(std::ranges::count_if(exchanges, of_suffix)) > Limits::kPendingPerSuffixMax) {
      const PendingExchange* oldest = std::ranges::find_if(exchanges, of_suffix)->first;
      return std::ranges::find(waits, oldest, &Wait::exchange)->waiter;
    }
    return nullptr;
  }

 private:
  template <typename Predicate>
  PendingWaiter* FirstIfOver(Predicate predicate, size_t limit) const {
    if (static_cast<size_t>(std::ranges::count_if(waits, predicate)) <= limit) return nullptr;
    return std::ranges::find_if(waits, predicate)->waiter;
  }
  const size_t places_;
};

// Clients come and go, and their number swings around every point at which the book begins or ends to count by suffix.
TEST(PendingQuestionsTest, WhatWasJoinedJustNowIsNeverTheSurplusHoweverOldItIs) {
  PendingQuestions pending({.waiting_per_client = 1'000'000});
  std::list<PendingExchange> exchanges;
  std::list<Waiter> waiters;
  for (size_t i = 0; i < Limits::kPendingPerSuffixMax; ++i) {
    Waiter& waiter = waiters.emplace_back("w" + std::to_string(i) + ".x.test.", "192.0.2.1");
    pending.Start(exchanges.emplace_back(waiter.waiter.question, kDeadline));
    pending.Wait(waiter.waiter, exchanges.back());
    ASSERT_FALSE(pending.FindSurplus(waiter.waiter));
  }
  // One more that nobody waits for, as a refresh is; then the oldest is asked for once more.
  const Name name = *Name::Parse("refresh.x.test.");
  PendingExchange refresh({.qname = name.wire(), .qtype = 1}, kDeadline);
  pending.Start(refresh);
  Waiter again("w0.x.test.", "192.0.2.2");
  pending.Wait(again.waiter, exchanges.front());
  const auto surplus = pending.FindSurplus(again.waiter);
  ASSERT_TRUE(surplus);
  EXPECT_NE(surplus->exchange, &exchanges.front());
  EXPECT_EQ(surplus->exchange, &*std::next(exchanges.begin()));
  pending.Leave(again.waiter);
  for (Waiter& waiter : waiters) pending.Leave(waiter.waiter);
  for (PendingExchange& exchange : exchanges) pending.End(exchange);
  pending.End(refresh);
}

TEST(PendingQuestionsTest, AgreesWithANaiveBook) {
  constexpr size_t kPlaces = 9;
  PendingQuestions pending({.waiting_per_client = kPlaces, .hash_seed = 3});
  NaiveBook naive(kPlaces);
  std::list<PendingExchange> exchanges;
  std::list<Waiter> waiters;
  std::mt19937 random(11);
  const auto below = [&random](size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random); };
  size_t by_suffix_of_process = 0;

  const auto leave = [&](PendingWaiter& waiter) {
    PendingExchange& exchange = *waiter.exchange;
    pending.Leave(waiter);
    std::erase_if(naive.waits, [&](const NaiveBook::Wait& wait) { return wait.waiter == &waiter; });
    std::erase_if(waiters, [&](const Waiter& each) { return &each.waiter == &waiter; });
    if (!exchange.waiting.empty()) return;
    pending.End(exchange);
    std::erase_if(naive.exchanges, [&](const auto& each) { return each.first == &exchange; });
    std::erase_if(exchanges, [&](const PendingExchange& each) { return &each == &exchange; });
  };

  size_t population = 0;
  for (int step = 0; step < 12'000; ++step) {
    if (step % 3000 == 0) population = step % 6000 == 0 ? 1'600 : 300;
    if (waiters.size() > population || (below(8) == 0 && !waiters.empty())) {
      leave(*naive.waits[below(naive.waits.size())].waiter);
      continue;
    }
    // Most questions are of one domain, as in a flood.
    const std::string suffix = "d" + std::to_string(below(8) < 7 ? 0 : below(20)) + ".test.";
    const size_t client = below(700);
    const std::string address = "10." + std::to_string(client % 7) + "." + std::to_string(client / 7) + ".1";
    Waiter& waiter = waiters.emplace_back("n" + std::to_string(below(3'000)) + "." + suffix, address);
    PendingExchange* exchange = pending.Find(waiter.waiter.question);
    if (exchange == nullptr) {
      exchange = &exchanges.emplace_back(waiter.waiter.question, kDeadline);
      pending.Start(*exchange);
      naive.exchanges.emplace_back(exchange, suffix);
    }
    pending.Wait(waiter.waiter, *exchange);
    naive.waits.push_back({&waiter.waiter, exchange, address, suffix});
    while (true) {
      const auto surplus = pending.FindSurplus(waiter.waiter);
      PendingWaiter* const expected = naive.Surplus();
      ASSERT_EQ(surplus ? surplus->waiter : nullptr, expected) << "step " << step;
      if (!surplus) break;
      ASSERT_NE(surplus->waiter, &waiter.waiter);
      by_suffix_of_process += surplus->waiter->client != waiter.waiter.client ? 1U : 0U;
      leave(*surplus->waiter);
    }
    ASSERT_EQ(pending.exchanges(), naive.exchanges.size());
  }
  EXPECT_GT(by_suffix_of_process, 0U);
  while (!naive.waits.empty()) leave(*naive.waits.back().waiter);
  EXPECT_EQ(pending.exchanges(), 0U);
  EXPECT_EQ(pending.clients(), 0U);
  EXPECT_EQ(pending.suffixes(), 0U);
}

}  // namespace
}  // namespace dotward
