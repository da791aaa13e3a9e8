#include "upstream/host_resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "testing/fake_upstream.h"
#include "testing/messages.h"
#include "testing/run_until.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What `text` says of a host: addresses, "-" for a family that has none.
using Addresses = std::vector<std::string>;

// Timers run on the real clock with short intervals; where a test claims that something does not happen, the interval
// is one that no test lives to see.
class HostResolverTest : public testing::Test {
 protected:
  ~HostResolverTest() override {
    source_.Release();
    if (resolver_ == nullptr) return;
    resolver_->Close();
    bool joined = false;
    TaskGroup joiner(loop_);
    joiner.Spawn(JoinResolver(joined));
    EXPECT_TRUE(RunUntil([&] { return joined && joiner.running() == 0; })) << "something still runs after Close";
  }

  // Every interval is far away unless the test brings it near.
  static HostResolver::Timing Patient() {
    return {.answer_patience = hours(1),
            .ttl_min = hours(1),
            .ttl_max = hours(24),
            .retry_min = hours(1),
            .retry_max = hours(1),
            .refresh_spacing = hours(1)};
  }

  HostResolver& Make(HostResolver::Timing timing, LoopbackAnswers loopback = LoopbackAnswers::kRefuse) {
    HostResolver::Options options;
    options.host_name = "dns.example";
    options.loopback = loopback;
    options.timing = timing;
    resolver_ = HostResolver::Create(loop_, source_, options, [this](const std::vector<IpAddress>& addresses) {
                  published_.push_back(Texts(addresses));
                }).value();
    return *resolver_;
  }

  // What the name has from now on.
  void Answer(Addresses a, Addresses aaaa, uint32_t ttl = 300) {
    source_.SetAnswer([a, aaaa, ttl](const Octets& query) -> absl::StatusOr<Octets> {
      const MessageRead read = MustReadMessage(query);
      std::vector<Rdata> rdata;
      if (read.questions.at(0).type == rr_type::kA) {
        for (const std::string& text : a) rdata.push_back(A(text));
      } else {
        for (const std::string& text : aaaa) rdata.push_back(Aaaa(text));
      }
      return rdata.empty() ? NodataAnswerTo(query, "example.") : PositiveAnswerTo(query, ttl, rdata);
    });
  }

  static Addresses Texts(const std::vector<IpAddress>& addresses) {
    Addresses texts;
    for (const IpAddress& address : addresses) texts.push_back(address.ToString());
    return texts;
  }

  bool RunUntil(const std::function<bool()>& condition) { return dotward::RunUntil(loop_, condition); }
  bool RunUntilAsked(size_t count) {
    return RunUntil([&] { return source_.asked().size() >= count; });
  }
  // Everything that can happen without time passing has happened.
  void Settle() {
    loop_.restart();
    while (loop_.poll() != 0) loop_.restart();
  }

  asio::io_context loop_;
  SystemClock clock_;
  FakeUpstream source_{loop_, clock_, [](const Octets& query) { return FailureAnswerTo(query); }};
  std::vector<Addresses> published_;
  std::unique_ptr<HostResolver> resolver_;

 private:
  Task<> JoinResolver(bool& joined) {
    co_await resolver_->Join();
    joined = true;
  }
};

TEST_F(HostResolverTest, AsksForBothFamiliesAndTellsTheWholeSetSorted) {
  Answer({"192.0.2.9", "192.0.2.1"}, {"2001:db8::2", "2001:db8::1"});
  HostResolver& resolver = Make(Patient());
  EXPECT_TRUE(source_.asked().empty());
  resolver.Start();
  EXPECT_TRUE(source_.asked().empty()) << "asked inside Start()";
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 4; }));
  EXPECT_EQ(published_.back(), (Addresses{"192.0.2.1", "192.0.2.9", "2001:db8::1", "2001:db8::2"}));
  ASSERT_EQ(source_.asked().size(), 2U);
  EXPECT_EQ(source_.asked()[0].name.ToString(), "dns.example.");
  EXPECT_EQ(source_.asked()[0].type, rr_type::kA);
  EXPECT_EQ(source_.asked()[1].type, rr_type::kAaaa);
  EXPECT_TRUE(resolver.last_error().ok());
}

TEST_F(HostResolverTest, AFamilyThatIsNeverAnsweredCostsTheOtherNoTime) {
  Answer({"192.0.2.1"}, {});
  source_.Hold();
  HostResolver& resolver = Make(Patient());
  resolver.Start();
  ASSERT_TRUE(RunUntilAsked(2));
  EXPECT_TRUE(published_.empty());
  source_.ReleaseOne();
  ASSERT_TRUE(RunUntil([&] { return !published_.empty(); }));
  EXPECT_EQ(published_.back(), Addresses{"192.0.2.1"});
}

TEST_F(HostResolverTest, FollowsAliasesAndNothingElse) {
  source_.SetAnswer([](const Octets& query) -> absl::StatusOr<Octets> {
    if (MustReadMessage(query).questions.at(0).type != rr_type::kA) return NodataAnswerTo(query, "example.");
    return MessageBuilder::ResponseTo(query)
        .Answer("dns.example.", 300, Cname("anycast.example."))
        .Answer("anycast.example.", 300, A("192.0.2.1"))
        .Answer("evil.example.", 300, A("192.0.2.66"))
        .Additional("dns.example.", 300, A("192.0.2.67"))
        .Build();
  });
  Make(Patient()).Start();
  ASSERT_TRUE(RunUntil([&] { return !published_.empty(); }));
  EXPECT_EQ(published_.back(), Addresses{"192.0.2.1"});
}

TEST_F(HostResolverTest, ResolvesAgainWhenTheTtlIsOverAndTellsChangesOnly) {
  HostResolver::Timing timing = Patient();
  timing.ttl_min = milliseconds(1);
  timing.ttl_max = milliseconds(2);
  Answer({"192.0.2.1", "192.0.2.2"}, {});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntilAsked(10));
  EXPECT_EQ(published_.size(), 1U);
  Answer({"192.0.2.2", "192.0.2.1"}, {});  // rotated
  ASSERT_TRUE(RunUntilAsked(20));
  EXPECT_EQ(published_.size(), 1U);
  Answer({"192.0.2.3"}, {"2001:db8::1"});
  ASSERT_TRUE(RunUntil([&] { return published_.back() == (Addresses{"192.0.2.3", "2001:db8::1"}); }));
}

TEST_F(HostResolverTest, ATtlIsHeldWithinItsBounds) {
  // An hour in the answer, a few milliseconds at most: it is asked for again soon.
  HostResolver::Timing timing = Patient();
  timing.ttl_min = milliseconds(1);
  timing.ttl_max = milliseconds(2);
  Answer({"192.0.2.1"}, {}, 3600);
  Make(timing).Start();
  ASSERT_TRUE(RunUntilAsked(6));
}

TEST_F(HostResolverTest, ATtlOfZeroIsNoReasonToAskAllTheTime) {
  Answer({"192.0.2.1"}, {}, 0);
  HostResolver& resolver = Make(Patient());
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return !resolver.addresses().empty(); }));
  Settle();
  EXPECT_EQ(source_.asked().size(), 2U);
}

TEST_F(HostResolverTest, KeepsTheLastKnownAddressesWhateverFails) {
  HostResolver::Timing timing = Patient();
  timing.ttl_min = timing.retry_min = timing.retry_max = milliseconds(1);
  timing.ttl_max = milliseconds(1);
  Answer({"192.0.2.1"}, {"2001:db8::1"});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 2; }));
  const size_t published = published_.size();
  const std::vector<FakeUpstream::AnswerFunction> failures = {
      [](const Octets&) -> absl::StatusOr<Octets> { return absl::UnavailableError("no network"); },
      [](const Octets& query) -> absl::StatusOr<Octets> { return FailureAnswerTo(query, Rcode::kServFail); },
      [](const Octets& query) -> absl::StatusOr<Octets> { return FailureAnswerTo(query, Rcode::kRefused); },
      [](const Octets& query) -> absl::StatusOr<Octets> { return NxdomainAnswerTo(query, "example."); },
      [](const Octets& query) -> absl::StatusOr<Octets> { return NodataAnswerTo(query, "example."); },
      [](const Octets& query) -> absl::StatusOr<Octets> { return TruncatedAnswerTo(query); }};
  for (const FakeUpstream::AnswerFunction& failure : failures) {
    source_.SetAnswer(failure);
    const size_t asked = source_.asked().size();
    ASSERT_TRUE(RunUntilAsked(asked + 6));
    EXPECT_FALSE(resolver.last_error().ok());
    EXPECT_EQ(Texts(resolver.addresses()), (Addresses{"192.0.2.1", "2001:db8::1"}));
  }
  EXPECT_EQ(published_.size(), published);
}

TEST_F(HostResolverTest, OneFamilysFailureTakesNothingFromTheOther) {
  HostResolver::Timing timing = Patient();
  timing.ttl_min = timing.ttl_max = timing.retry_min = timing.retry_max = milliseconds(1);
  Answer({"192.0.2.1"}, {"2001:db8::1"});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 2; }));
  source_.SetAnswer([](const Octets& query) -> absl::StatusOr<Octets> {
    if (MustReadMessage(query).questions.at(0).type == rr_type::kAaaa) return absl::UnavailableError("lost");
    return PositiveAnswerTo(query, 300, {A("192.0.2.2")});
  });
  ASSERT_TRUE(RunUntil([&] { return published_.back() == (Addresses{"192.0.2.2", "2001:db8::1"}); }));
  // What is missing is asked for again soon, whatever the TTL of what is there.
  ASSERT_TRUE(RunUntilAsked(source_.asked().size() + 6));
}

TEST_F(HostResolverTest, AFamilyThatHasNoAddressesAnyMoreIsDroppedWhileTheOtherHasSome) {
  HostResolver::Timing timing = Patient();
  timing.ttl_min = timing.ttl_max = milliseconds(1);
  Answer({"192.0.2.1"}, {"2001:db8::1"});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 2; }));
  Answer({}, {"2001:db8::1"});
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 1; }));
  EXPECT_EQ(published_.back(), Addresses{"2001:db8::1"});
  Answer({"192.0.2.1"}, {});
  ASSERT_TRUE(RunUntil([&] { return published_.back() == Addresses{"192.0.2.1"}; }));
}

TEST_F(HostResolverTest, PromiseU9StartsWithoutNetworkAndResolvesWhenThereIsOne) {
  HostResolver::Timing timing = Patient();
  timing.retry_min = milliseconds(1);
  timing.retry_max = milliseconds(4);
  source_.SetAnswer([](const Octets&) -> absl::StatusOr<Octets> { return absl::UnavailableError("no network"); });
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntilAsked(20));
  EXPECT_TRUE(published_.empty());
  EXPECT_NE(MessageOf(resolver.last_error()).find("dns.example"), std::string_view::npos);
  EXPECT_NE(MessageOf(resolver.last_error()).find("no network"), std::string_view::npos);
  Answer({"192.0.2.1"}, {});
  ASSERT_TRUE(RunUntil([&] { return !published_.empty(); }));
  EXPECT_EQ(published_.back(), Addresses{"192.0.2.1"});
}

TEST_F(HostResolverTest, RetriesAtGrowingIntervals) {
  HostResolver::Timing timing = Patient();
  timing.retry_min = milliseconds(8);
  timing.retry_max = milliseconds(64);
  std::vector<SteadyTime> asked_at;
  source_.SetAnswer([&asked_at](const Octets& query) -> absl::StatusOr<Octets> {
    if (MustReadMessage(query).questions.at(0).type == rr_type::kA)
      asked_at.push_back(std::chrono::steady_clock::now());
    return absl::UnavailableError("no network");
  });
  Make(timing).Start();
  ASSERT_TRUE(RunUntil([&] { return asked_at.size() == 6; }));
  // A timer never fires early, and at least half of the interval is not random: 4, 8, 16, 32, 32 ms.
  EXPECT_GE(asked_at[1] - asked_at[0], milliseconds(4));
  EXPECT_GE(asked_at[2] - asked_at[1], milliseconds(8));
  EXPECT_GE(asked_at[3] - asked_at[2], milliseconds(16));
  EXPECT_GE(asked_at[4] - asked_at[3], milliseconds(32));
  EXPECT_GE(asked_at[5] - asked_at[4], milliseconds(32));
}

TEST_F(HostResolverTest, AFailingUpstreamMakesItResolveAgainButNotTooOften) {
  HostResolver::Timing timing = Patient();
  timing.refresh_spacing = milliseconds(20);
  Answer({"192.0.2.1"}, {});
  HostResolver& resolver = Make(timing);
  resolver.Refresh();  // before it was started: nothing
  const auto before = std::chrono::steady_clock::now();
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return !resolver.addresses().empty(); }));
  Answer({"192.0.2.2"}, {});
  for (int i = 0; i < 1000; ++i) resolver.Refresh();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().front().ToString() == "192.0.2.2"; }));
  // The spacing counts from the start of the round before; a timer never fires early.
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(20));
  Settle();
  EXPECT_EQ(source_.asked().size(), 4U);
}

TEST_F(HostResolverTest, PromiseU6AChangeOfTheNetworkEndsALongWait) {
  HostResolver::Timing timing = Patient();
  timing.retry_min = milliseconds(1);
  Answer({"192.0.2.1"}, {});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return !resolver.addresses().empty(); }));
  Answer({"192.0.2.2"}, {});
  resolver.NetworkChanged();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().front().ToString() == "192.0.2.2"; }));
}

TEST_F(HostResolverTest, AddressesThatNoServerElsewhereCanHaveAreLeftOut) {
  Answer({"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.1.2.3", "240.0.0.1", "10.0.0.1"},
         {"::", "::1", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "fd00::1"});
  HostResolver& resolver = Make(Patient());
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 2; }));
  EXPECT_EQ(published_.back(), (Addresses{"10.0.0.1", "fd00::1"}));
}

TEST_F(HostResolverTest, NothingButUnusableAddressesIsAFailure) {
  Answer({"127.0.0.1"}, {"::1"});
  HostResolver& resolver = Make(Patient());
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return !resolver.last_error().ok(); }));
  EXPECT_TRUE(published_.empty());
}

TEST_F(HostResolverTest, LoopbackAddressesAreSoundFromAResolverOnThisMachine) {
  Answer({"127.0.0.1"}, {"::1"});
  HostResolver& resolver = Make(Patient(), LoopbackAnswers::kAccept);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return resolver.addresses().size() == 2; }));
  EXPECT_EQ(published_.back(), (Addresses{"127.0.0.1", "::1"}));
}

TEST_F(HostResolverTest, NoMoreAddressesThanTheLimitAreKeptAndAlwaysTheSame) {
  Addresses many;
  for (int i = 0; i < 200; ++i) many.push_back(StrCat("192.0.2.", i));
  HostResolver::Timing timing = Patient();
  timing.ttl_min = timing.ttl_max = milliseconds(1);
  Answer(many, {});
  HostResolver& resolver = Make(timing);
  resolver.Start();
  ASSERT_TRUE(RunUntil([&] { return !resolver.addresses().empty(); }));
  EXPECT_EQ(resolver.addresses().size(), Limits::kConfigAddressesMax / 2);
  std::reverse(many.begin(), many.end());
  Answer(many, {});
  ASSERT_TRUE(RunUntilAsked(source_.asked().size() + 4));
  EXPECT_EQ(published_.size(), 1U);
}

TEST_F(HostResolverTest, CloseTakesBackWhatIsUnderWay) {
  source_.Hold();
  HostResolver& resolver = Make(Patient());
  resolver.Start();
  ASSERT_TRUE(RunUntilAsked(2));
  for (const UpstreamQuery& query : source_.asked()) EXPECT_FALSE(query.cancellation->cancelled());
  resolver.Close();
  for (const UpstreamQuery& query : source_.asked()) EXPECT_TRUE(query.cancellation->cancelled());
  Answer({"192.0.2.1"}, {});
  source_.Release();
  Settle();
  EXPECT_TRUE(published_.empty()) << "an answer that comes behind Close reached the owner";
}

TEST_F(HostResolverTest, ANameThatIsNoneIsRefused) {
  HostResolver::Options options;
  options.host_name = "a..example";
  EXPECT_EQ(HostResolver::Create(loop_, source_, options, nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace dotward
