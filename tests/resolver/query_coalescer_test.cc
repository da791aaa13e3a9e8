#include "resolver/query_coalescer.h"

#include <gtest/gtest.h>

#include <array>
#include <asio/io_context.hpp>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::seconds;

// One client's question, and what became of it.
struct Asked {
  Asked(CompletionInbox& home, std::string_view text, const IpAddress& client, Deadline deadline)
      : name(*Name::Parse(text)), waiter(home, {.qname = name.wire(), .qtype = 1}, client, deadline) {}

  const Name name;
  ResolutionWaiter waiter;
  int completed = 0;
  ResolutionPtr resolution;
};

class QueryCoalescerTest : public testing::Test {
 protected:
  static constexpr size_t kPlaces = 8;

  QueryCoalescerTest()
      : cache_({.octets_max = 4 << 20, .shards = 4, .hash_seed = 1}),
        upstream_(loop_, clock_, [](const Octets& query) { return PositiveAnswerTo(query); }),
        coalescer_(loop_, upstream_, cache_, clock_, {.pending = {.waiting_per_client = kPlaces, .hash_seed = 1}}),
        completions_(loop_, [this](std::vector<CompletedWait>& batch) {
          for (CompletedWait& wait : batch) {
            Asked& asked = *by_waiter_.at(wait.waiter);
            ++asked.completed;
            asked.resolution = std::move(wait.resolution);
          }
        }) {
    upstream_.Hold();
  }
  ~QueryCoalescerTest() override {
    upstream_.Release();
    Turn();
    for (const Asked& asked : asked_) EXPECT_EQ(asked.completed, 1) << asked.name.ToString();
    EXPECT_EQ(coalescer_.statistics().in_flight.value(), 0U);
  }

  Asked& Ask(std::string_view name, std::string_view client = "192.0.2.1") {
    Asked& asked =
        asked_.emplace_back(completions_, name, *IpAddress::Parse(client), Deadline::After(clock_.Now(), seconds(5)));
    by_waiter_[&asked.waiter] = &asked;
    coalescer_.Submit(asked.waiter);
    return asked;
  }
  // A client that is no other's prefix.
  static std::string ClientNumber(size_t n) {
    return "10." + std::to_string(n / 256) + "." + std::to_string(n % 256) + ".1";
  }

  // A client that shares nothing with those that were given before: which do is chance. Asks a question.
  std::string ClientOnItsOwn() {
    while (true) {
      const std::string client = ClientNumber(clients_++);
      Ask("n" + std::to_string(clients_) + ".client.test.", client);
      Turn();
      if (shares_.insert(upstream_.asked().back().asker % LargeAnswerPace::kAllowances).second) return client;
    }
  }

  void Turn() {
    loop_.restart();
    loop_.poll();
  }

  static void ExpectGivenUp(const Asked& asked, std::string_view text) {
    ASSERT_EQ(asked.completed, 1) << asked.name.ToString();
    EXPECT_FALSE(asked.resolution->image);
    EXPECT_EQ(asked.resolution->rcode, Rcode::kServFail);
    ASSERT_EQ(asked.resolution->errors.size(), 1U);
    EXPECT_EQ(asked.resolution->errors[0].code, EdeCode::kNoReachableAuthority);
    EXPECT_NE(asked.resolution->errors[0].text.find(text), std::string::npos) << asked.resolution->errors[0].text;
  }

  const QueryCoalescer::Statistics& statistics() const { return coalescer_.statistics(); }

  asio::io_context loop_;
  ManualClock clock_;
  ResponseCache cache_;
  FakeUpstream upstream_;
  QueryCoalescer coalescer_;
  std::unordered_map<const ResolutionWaiter*, Asked*> by_waiter_;
  std::deque<Asked> asked_;
  size_t clients_ = 0;
  std::set<size_t> shares_;
  CompletionInbox completions_;
};

TEST_F(QueryCoalescerTest, A3_AClientOverItsLimitLosesItsOldestQuestion) {
  for (size_t i = 0; i < kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  Turn();
  EXPECT_EQ(statistics().over_limit.value(), 0U);
  Ask("www.new.test.");
  Ask("www.newer.test.");
  Turn();
  ExpectGivenUp(asked_[0], "this client has too many");
  ExpectGivenUp(asked_[1], "this client has too many");
  for (size_t i = 2; i < asked_.size(); ++i) EXPECT_EQ(asked_[i].completed, 0) << i;
  EXPECT_EQ(statistics().given_up_client.value(), 2U);
  EXPECT_EQ(statistics().over_limit.value(), 2U);
  EXPECT_EQ(statistics().failures.value(), 0U);
}

TEST_F(QueryCoalescerTest, A3_AClientIsAPrefix) {
  // One /56; the IPv4 addresses are two clients.
  for (size_t i = 0; i < kPlaces; ++i)
    Ask("www.d" + std::to_string(i) + ".test.", "2001:db8:0:ff::" + std::to_string(i));
  Ask("www.v4.test.", "192.0.2.1");
  Ask("www.v4.test.", "192.0.2.2");
  Ask("www.other.test.", "2001:db8:0:100::1");
  Turn();
  EXPECT_EQ(statistics().over_limit.value(), 0U);
  Ask("www.new.test.", "2001:db8:0:1::1");
  Turn();
  ExpectGivenUp(asked_[0], "this client has too many");
  EXPECT_EQ(statistics().over_limit.value(), 1U);
}

TEST_F(QueryCoalescerTest, A3_OneClientsLimitIsNobodyElses) {
  Asked& other = Ask("www.other.test.", "192.0.2.99");
  for (size_t i = 0; i < 3 * kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  Turn();
  EXPECT_EQ(other.completed, 0);
  EXPECT_EQ(statistics().given_up_client.value(), 2 * kPlaces);
}

TEST_F(QueryCoalescerTest, X10_OneDomainHoldsHalfOfAClientsPlaces) {
  Asked& alive = Ask("www.alive.test.");
  for (size_t i = 1; i < kPlaces; ++i) Ask("r" + std::to_string(i) + ".dead.test.");
  Turn();
  EXPECT_EQ(statistics().over_limit.value(), 0U) << "the places that nobody else wants are free to all";
  for (size_t i = 0; i < 100; ++i) Ask("x.r" + std::to_string(i) + ".DEAD.test.");
  Turn();
  EXPECT_EQ(alive.completed, 0);
  ExpectGivenUp(asked_[1], "of this domain");
  EXPECT_EQ(statistics().given_up_suffix.value(), 100U);
  // Others take them back, down to a half.
  for (size_t i = 0; i < kPlaces / 2 - 1; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  Turn();
  EXPECT_EQ(alive.completed, 0);
  EXPECT_EQ(statistics().given_up_suffix.value(), 100U + kPlaces / 2 - 1);
  EXPECT_EQ(statistics().given_up_client.value(), 0U);
  Ask("www.one.more.test.");
  Turn();
  EXPECT_EQ(alive.completed, 1) << "from there on the oldest of all is given up";
  EXPECT_EQ(statistics().given_up_client.value(), 1U);
  EXPECT_EQ(upstream_.held(), kPlaces);
}

TEST_F(QueryCoalescerTest, X10_OneDomainHoldsAShareOfTheProcess) {
  Asked& alive = Ask("www.alive.test.", "192.0.2.99");
  for (size_t i = 0; i < Limits::kPendingPerSuffixMax; ++i)
    Ask("r" + std::to_string(i) + ".dead.test.", ClientNumber(i));
  // Two clients wait for the oldest question of the domain: both are given up with it.
  Asked& joined = Ask("r0.dead.test.", "192.0.2.98");
  Turn();
  EXPECT_EQ(statistics().over_limit.value(), 0U);
  for (size_t i = 0; i < 3; ++i) Ask("new" + std::to_string(i) + ".dead.test.", ClientNumber(5000 + i));
  Turn();
  EXPECT_EQ(alive.completed, 0);
  for (size_t i = 1; i <= 3; ++i) ExpectGivenUp(asked_[i], "of this domain");
  ExpectGivenUp(joined, "of this domain");
  EXPECT_EQ(asked_[4].completed, 0);
  EXPECT_EQ(statistics().given_up_suffix.value(), 4U);
  EXPECT_EQ(upstream_.held(), 1 + Limits::kPendingPerSuffixMax);
}

TEST_F(QueryCoalescerTest, X10_AProcessThatAsksTooMuchGivesUpTheOldestExchange) {
  const auto name = [](size_t i) { return "www.d" + std::to_string(i) + ".test."; };
  for (size_t i = 0; i < Limits::kExchangesMax; ++i) Ask(name(i), ClientNumber(i));
  Turn();
  EXPECT_EQ(statistics().over_limit.value(), 0U);
  Ask(name(Limits::kExchangesMax), "192.0.2.1");
  Turn();
  ExpectGivenUp(asked_[0], "too many questions are unanswered");
  EXPECT_EQ(asked_[1].completed, 0);
  EXPECT_EQ(statistics().over_limit.value(), 1U);
  EXPECT_EQ(upstream_.held(), Limits::kExchangesMax);
}

TEST_F(QueryCoalescerTest, TooManyWhoWaitForOneQuestionLoseTheFirst) {
  for (size_t i = 0; i <= Limits::kWaitersPerExchangeMax; ++i) Ask("www.test.", ClientNumber(i));
  Turn();
  ExpectGivenUp(asked_[0], "too many questions are unanswered");
  EXPECT_EQ(asked_[1].completed, 0);
  EXPECT_EQ(upstream_.asked().size(), 1U);
  EXPECT_EQ(statistics().taken_back.value(), 0U);
}

TEST_F(QueryCoalescerTest, X11_AQuestionThatNobodyWaitsForIsTakenBackAtOnce) {
  for (size_t i = 0; i <= kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  Turn();
  ASSERT_EQ(upstream_.taken_back().size(), 1U);
  EXPECT_EQ(upstream_.taken_back()[0].ToString(), "www.d0.test.");
  EXPECT_EQ(upstream_.held(), kPlaces);
  EXPECT_EQ(statistics().in_flight.value(), kPlaces);
  EXPECT_EQ(statistics().taken_back.value(), 1U);
}

TEST_F(QueryCoalescerTest, AQuestionThatAnotherClientWaitsForGoesOn) {
  Asked& other = Ask("www.d0.test.", "192.0.2.99");
  for (size_t i = 0; i <= kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  Turn();
  ExpectGivenUp(asked_[1], "this client has too many");
  EXPECT_TRUE(upstream_.taken_back().empty());
  upstream_.Release();
  Turn();
  ASSERT_EQ(other.completed, 1);
  EXPECT_TRUE(other.resolution->image);
}

TEST_F(QueryCoalescerTest, AQuestionThatWasTakenBackStartsAnew) {
  for (size_t i = 0; i <= kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  // In one turn: the exchange that was given up is still winding down when its question is asked again.
  Asked& again = Ask("www.d0.test.", "192.0.2.99");
  Turn();
  EXPECT_EQ(upstream_.asked().size(), kPlaces + 2);
  upstream_.Release();
  Turn();
  ASSERT_EQ(again.completed, 1);
  EXPECT_TRUE(again.resolution->image);
}

TEST_F(QueryCoalescerTest, AnAnswerThatCrossesTheTakingBackIsKept) {
  Ask("www.d0.test.");
  Turn();
  for (size_t i = 1; i <= kPlaces; ++i) Ask("www.d" + std::to_string(i) + ".test.");
  upstream_.ReleaseOne(0);
  Turn();
  ExpectGivenUp(asked_[0], "this client has too many");
  EXPECT_EQ(cache_.Total(clock_.Now()).insertions, 1U);
}

TEST_F(QueryCoalescerTest, WhatWasAskedBeforeAnswersWereToBeJudgedIsNotKept) {
  const Asked& before = Ask("www.d0.test.");
  Turn();
  coalescer_.Adopt({.validated = true, .pending = {.waiting_per_client = kPlaces, .hash_seed = 1}});
  upstream_.Release();
  Turn();
  ASSERT_EQ(before.completed, 1);
  EXPECT_TRUE(before.resolution->image);
  EXPECT_EQ(cache_.Total(clock_.Now()).insertions, 0U);
}

// Who floods is not to take those along who ask for the same.
TEST_F(QueryCoalescerTest, X9_WhereTheShareOfWhoCameFirstIsUsedUpItIsAskedInTheNameOfTheOthers) {
  upstream_.Release();
  const std::array clients{ClientOnItsOwn(), ClientOnItsOwn(), ClientOnItsOwn()};
  const size_t before = upstream_.asked().size();
  upstream_.SetAnswer([&, before](const Octets& query) -> absl::StatusOr<Octets> {
    if (upstream_.asked().back().asker == upstream_.asked()[before].asker) return absl::AbortedError("fake: too many");
    return PositiveAnswerTo(query);
  });
  upstream_.Hold();
  const Asked& first = Ask("www.d0.test.", clients[0]);
  const Asked& same = Ask("www.d0.test.", clients[0]);
  const Asked& other = Ask("www.d0.test.", clients[1]);
  const Asked& third = Ask("www.d0.test.", clients[2]);
  Turn();
  upstream_.ReleaseOne();
  Turn();
  for (const Asked* asked : {&first, &same}) {
    ASSERT_EQ(asked->completed, 1);
    EXPECT_EQ(asked->resolution->rcode, Rcode::kServFail);
    EXPECT_EQ(asked->resolution->errors[0].text, "fake: too many");
  }
  EXPECT_EQ(other.completed, 0);
  upstream_.Release();
  Turn();
  for (const Asked* asked : {&other, &third}) {
    ASSERT_EQ(asked->completed, 1);
    EXPECT_TRUE(asked->resolution->image);
  }
  EXPECT_EQ(upstream_.asked().size(), before + 2);
  EXPECT_EQ(statistics().asked_again.value(), 1U);
}

TEST_F(QueryCoalescerTest, X9_WhereNobodysShareIsEnoughEachIsTriedOnce) {
  upstream_.Release();
  const std::array clients{ClientOnItsOwn(), ClientOnItsOwn(), ClientOnItsOwn()};
  const size_t before = upstream_.asked().size();
  upstream_.SetAnswer([](const Octets&) -> absl::StatusOr<Octets> { return absl::AbortedError("fake: too many"); });
  upstream_.Hold();
  for (size_t i = 0; i < 12; ++i) Ask("www.d0.test.", clients[i % 3]);
  Turn();
  upstream_.Release();
  Turn();
  EXPECT_EQ(upstream_.asked().size(), before + 3);
}

TEST_F(QueryCoalescerTest, X7_WhoAsksForLargeAnswersWaitsAndThoseWhoJoinDoNot) {
  upstream_.Release();
  const std::array clients{ClientOnItsOwn(), ClientOnItsOwn(), ClientOnItsOwn()};
  const std::vector<Rdata> many(4000, A("192.0.2.1"));
  upstream_.SetAnswer([&](const Octets& query) { return PositiveAnswerTo(query, 0, many); });
  // Nobody knows yet how large they are; all of it is paid for afterwards.
  for (size_t i = 0; statistics().paced.value() == 0; ++i) {
    Ask("large" + std::to_string(i) + ".test.", clients[0]);
    Turn();
  }
  const Asked& waits = asked_.back();
  EXPECT_EQ(waits.completed, 0);
  const size_t before = upstream_.asked().size();
  const Asked& other = Ask("other.test.", clients[1]);
  Turn();
  EXPECT_EQ(other.completed, 1);
  EXPECT_EQ(upstream_.asked().size(), before + 1);
  const Asked& joins = Ask(waits.name.ToString(), clients[2]);
  Turn();
  EXPECT_EQ(joins.completed, 1);
  EXPECT_EQ(waits.completed, 1);
  EXPECT_EQ(upstream_.asked().size(), before + 2);
}

// A turn that comes late leaves no time for an answer; that is nobody's fault but the one's who used up the allowance.
TEST_F(QueryCoalescerTest, C6_WhatIsAskedLateIsNotRememberedAsAFailure) {
  upstream_.Release();
  const std::string client = ClientOnItsOwn();
  const std::vector<Rdata> many(4000, A("192.0.2.1"));
  upstream_.SetAnswer([&](const Octets& query) { return PositiveAnswerTo(query, 0, many); });
  for (size_t i = 0; statistics().paced.value() == 0; ++i) {
    Ask("large" + std::to_string(i) + ".test.", client);
    Turn();
  }
  const Asked& late = asked_.back();
  upstream_.SetAnswer(
      [](const Octets&) -> absl::StatusOr<Octets> { return absl::DeadlineExceededError("fake: late"); });
  clock_.Advance(seconds(3));
  while (late.completed == 0) {
    loop_.restart();
    loop_.run_one();
  }
  EXPECT_EQ(late.resolution->errors[0].text, "fake: late");
  EXPECT_EQ(statistics().failures_remembered.value(), 0U);
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  const Asked& again = Ask(late.name.ToString(), ClientOnItsOwn());
  Turn();
  ASSERT_EQ(again.completed, 1);
  EXPECT_TRUE(again.resolution->image);
}

TEST_F(QueryCoalescerTest, WhoWaitsForATurnIsGivenUpAsOthersAre) {
  const std::vector<Rdata> many(4000, A("192.0.2.1"));
  upstream_.SetAnswer([&](const Octets& query) { return PositiveAnswerTo(query, 0, many); });
  upstream_.Release();
  for (size_t i = 0; statistics().paced.value() == 0; ++i) {
    Ask("large" + std::to_string(i) + ".test.", ClientNumber(1));
    Turn();
  }
  const Asked& oldest = asked_.back();
  for (size_t i = 0; i < kPlaces; ++i) Ask("more.d" + std::to_string(i) + ".test.", ClientNumber(1));
  Turn();
  ExpectGivenUp(oldest, "this client has too many");
  EXPECT_EQ(statistics().taken_back.value(), 1U);
  while (statistics().in_flight.value() > 0) {
    clock_.Advance(seconds(1));
    loop_.restart();
    loop_.run_one();
  }
}

// Any order of questions, answers and clients: nobody is forgotten, nobody is answered twice, no limit is exceeded.
TEST_F(QueryCoalescerTest, EveryWaiterIsCompletedExactlyOnce) {
  std::mt19937 random(7);
  const auto below = [&random](size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random); };
  for (int step = 0; step < 20'000; ++step) {
    switch (below(4)) {
      case 0:
      case 1:
        Ask("n" + std::to_string(below(6)) + ".d" + std::to_string(below(5)) + ".test.", ClientNumber(below(4)));
        break;
      case 2:
        if (upstream_.held() > 0) upstream_.ReleaseOne(below(upstream_.held()));
        break;
      default:
        if (below(50) == 0) clock_.Advance(seconds(4));
        if (below(20) == 0) ++upstream_.condition.returns;  // what failed is asked again
        Turn();
        break;
    }
    EXPECT_LE(upstream_.held(), 4 * kPlaces);
    if (below(400) == 0) {
      upstream_.SetAnswer([how = below(4)](const Octets& query) -> absl::StatusOr<Octets> {
        if (how == 0) return absl::DeadlineExceededError("fake: nobody answered");
        if (how == 1) return absl::AbortedError("fake: too many");
        return PositiveAnswerTo(query, 0);
      });
    }
  }
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query, 0); });
  EXPECT_GT(statistics().given_up_client.value(), 0U);
  EXPECT_GT(statistics().given_up_suffix.value(), 0U);
  EXPECT_GT(statistics().taken_back.value(), 0U);
  EXPECT_GT(statistics().asked_again.value(), 0U);
  EXPECT_GT(statistics().failures_remembered.value(), 0U);
}

}  // namespace
}  // namespace dotward
