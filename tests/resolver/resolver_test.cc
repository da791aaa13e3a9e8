#include "resolver/resolver.h"

#include <gtest/gtest.h>

#include <optional>

#include "resolver/error_reply.h"
#include "resolver_fixture.h"

namespace dotward {
namespace {

using std::chrono::seconds;

using ResolverTest = ResolverFixture;

TEST_F(ResolverTest, AsksUpstreamOnceAndThenAnswersFromTheCache) {
  const auto first = Ask(AQuery());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->answers.at(0).ttl, 300U);
  clock_.Advance(seconds(100));
  ASSERT_EQ(AnswerNow(AQuery("www.example.", 8)).disposition, Disposition::kAnswered);
  const auto second = Ask(AQuery("www.example.", 9));
  EXPECT_EQ(second->id, 9);
  EXPECT_EQ(second->answers.at(0).ttl, 200U);
  EXPECT_EQ(upstream_.asked().size(), 1U);
}

TEST_F(ResolverTest, C1_AnEntryIsGoneAtExactlyItsExpiry) {
  Ask(AQuery());
  clock_.Advance(seconds(299));
  EXPECT_EQ(Ask(AQuery())->answers.at(0).ttl, 1U);
  clock_.Advance(seconds(1));
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, C2_TtlZeroIsForEveryWaiterAndNotStored) {
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query, 0); });
  upstream_.Hold();
  std::optional<Octets> a;
  std::optional<Octets> b;
  Take(AQuery(), LocalClient(), a);
  Take(AQuery(), LocalClient(), b);
  Turn();
  upstream_.Release();
  Turn();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(MustReadMessage(*a).answers.at(0).ttl, 0U);
  EXPECT_EQ(MustReadMessage(*b).answers.at(0).ttl, 0U);
  EXPECT_EQ(upstream_.asked().size(), 1U);
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, C4_NegativeAnswersAreKeptForTheSoasTimeAndKeepTheSoa) {
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "example.", 900, 60); });
  EXPECT_EQ(Ask(AQuery())->rcode, 3);
  clock_.Advance(seconds(59));
  const auto cached = Ask(AQuery());
  EXPECT_EQ(cached->rcode, 3);
  ASSERT_EQ(cached->authorities.size(), 1U);
  EXPECT_EQ(cached->authorities[0].ttl, 1U);
  EXPECT_EQ(upstream_.asked().size(), 1U);
  clock_.Advance(seconds(1));
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, C5_NxdomainCoversEveryTypeOfTheName) {
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "example."); });
  Ask(AQuery());
  const auto other = Ask(MessageBuilder::Query(5, "www.EXAMPLE.", rr_type::kMx).Build());
  EXPECT_EQ(other->rcode, 3);
  ASSERT_EQ(other->questions.size(), 1U);
  EXPECT_EQ(other->questions[0].type, rr_type::kMx);
  EXPECT_EQ(other->questions[0].name, "www.EXAMPLE.");
  EXPECT_EQ(upstream_.asked().size(), 1U);
}

TEST_F(ResolverTest, C7_DoAndCdAreAskedAndStoredApart) {
  const auto query = [](bool dnssec_ok, bool cd) {
    MessageBuilder builder = MessageBuilder::Query(3, "www.example.", rr_type::kA);
    if (cd) builder.AddFlags(header_flag::kCd);
    return builder.WithEdns({.dnssec_ok = dnssec_ok}).Build();
  };
  for (const bool dnssec_ok : {false, true}) {
    for (const bool cd : {false, true}) {
      const auto reply = Ask(query(dnssec_ok, cd));
      EXPECT_EQ(reply->Has(header_flag::kCd), cd);
      ASSERT_TRUE(reply->edns);
      EXPECT_EQ(reply->edns->dnssec_ok, dnssec_ok);
      EXPECT_EQ(upstream_.asked().back().dnssec_ok, dnssec_ok);
      EXPECT_EQ(upstream_.asked().back().checking_disabled, cd);
    }
  }
  EXPECT_EQ(upstream_.asked().size(), 4U);
}

TEST_F(ResolverTest, C7_SignaturesAreLeftOutWithoutDo) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query)
        .Answer("www.example.", 300, A("192.0.2.1"))
        .Answer("www.example.", 300, Rrsig(rr_type::kA, "example."))
        .Build();
  });
  EXPECT_EQ(Ask(AQuery())->answers.size(), 1U);
  EXPECT_EQ(
      Ask(MessageBuilder::Query(3, "www.example.", rr_type::kA).WithEdns({.dnssec_ok = true}).Build())->answers.size(),
      2U);
}

TEST_F(ResolverTest, C9_AThousandIdenticalMissesAreOneExchange) {
  upstream_.Hold();
  std::vector<std::optional<Octets>> replies(1000);
  Config wide = TestConfig();
  for (size_t i = 0; i < replies.size(); ++i) {
    // Different clients, different letters.
    const Client client{{IpAddress::V4({127, 0, static_cast<uint8_t>(i / 200), static_cast<uint8_t>(i % 200)}), 4000},
                        Transport::kUdp};
    Take(AQuery(i % 2 == 0 ? "www.example." : "WWW.example."), client, replies[i]);
  }
  Turn();
  EXPECT_EQ(upstream_.asked().size(), 1U);
  upstream_.Release();
  Turn();
  for (const auto& reply : replies) {
    ASSERT_TRUE(reply);
    EXPECT_EQ(MustReadMessage(*reply).answers.size(), 1U);
  }
  EXPECT_EQ(coalescer_.statistics().exchanges.value(), 1U);
  EXPECT_EQ(coalescer_.statistics().joined.value(), 999U);
}

TEST_F(ResolverTest, C9_AQuestionThatArrivesAfterItsAnswerIsNotAskedAgain) {
  std::optional<Octets> late;
  ASSERT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
  Ask(AQuery());
  Take(AQuery(), LocalClient(), late);
  Turn();
  EXPECT_TRUE(late);
  EXPECT_EQ(upstream_.asked().size(), 1U);
  EXPECT_EQ(coalescer_.statistics().answered_late.value(), 1U);
  // Two queries missed; the rechecks are no queries and count as none.
  EXPECT_EQ(cache_.Total(clock_.Now()).misses, 2U);
  EXPECT_EQ(cache_.Total(clock_.Now()).hits, 0U);
}

TEST_F(ResolverTest, C9_WhoJoinsLateIsAskedForAgainWhenTheFirstRunsOutOfTime) {
  upstream_.SetAnswer([](const Octets&) { return absl::DeadlineExceededError("fake: nobody answered"); });
  upstream_.Hold();
  std::optional<Octets> early;
  std::optional<Octets> late;
  Take(AQuery(), LocalClient(), early);
  Turn();
  clock_.Advance(seconds(4));
  Take(AQuery(), LocalClient(), late);
  Turn();
  clock_.Advance(seconds(1));
  upstream_.Release();
  upstream_.Hold();
  Turn();
  ASSERT_TRUE(early);
  EXPECT_EQ(MustReadMessage(*early).rcode, 2);
  EXPECT_FALSE(late);
  upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  upstream_.Release();
  Turn();
  ASSERT_TRUE(late);
  EXPECT_EQ(MustReadMessage(*late).answers.size(), 1U);
}

TEST_F(ResolverTest, C9_ASecondRoundEndsByTheDeadlineOfTheFirstWhoIsLeft) {
  upstream_.SetAnswer([](const Octets&) { return absl::DeadlineExceededError("fake: nobody answered"); });
  upstream_.Hold();
  const SteadyTime start = clock_.Now();
  std::vector<std::optional<Octets>> replies(3);
  for (const size_t i : {0U, 1U, 2U}) {
    clock_.Advance(seconds(i));  // asked at 0, 1 and 3 seconds, to be answered by 5, 6 and 8
    Take(AQuery(), LocalClient(), replies[i]);
    Turn();
  }
  clock_.Advance(seconds(2));
  upstream_.Release();
  upstream_.Hold();
  Turn();
  EXPECT_TRUE(replies[0]);
  EXPECT_FALSE(replies[1]);
  EXPECT_FALSE(replies[2]);
  ASSERT_EQ(upstream_.deadlines().size(), 2U);
  EXPECT_EQ(upstream_.deadlines()[1].at(), start + seconds(6));
  EXPECT_EQ(coalescer_.statistics().exchanges.value(), 1U);
  EXPECT_EQ(coalescer_.statistics().asked_again.value(), 1U);
  upstream_.Release();
  Turn();
}

TEST_F(ResolverTest, R3_FlagsAreOursWhateverTheUpstreamSet) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query)
        .Flags(header_flag::kQr | header_flag::kAa | header_flag::kZ)
        .Answer("www.example.", 300, A("192.0.2.1"))
        .Build();
  });
  for (int from_cache = 0; from_cache < 2; ++from_cache) {
    const auto reply = Ask(AQuery());
    EXPECT_FALSE(reply->Has(header_flag::kAa));
    EXPECT_FALSE(reply->Has(header_flag::kZ));
    EXPECT_TRUE(reply->Has(header_flag::kRa));
    EXPECT_TRUE(reply->Has(header_flag::kRd));
  }
}

Octets WithAd(const Octets& query) {
  return MessageBuilder::ResponseTo(query)
      .AddFlags(header_flag::kAd)
      .Answer("www.example.", 300, A("192.0.2.1"))
      .Build();
}

TEST_F(ResolverTest, R4_AdIsSeenByThoseWhoAskForIt) {
  upstream_.SetAnswer(&WithAd);
  EXPECT_FALSE(Ask(AQuery())->Has(header_flag::kAd));
  EXPECT_TRUE(Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).AddFlags(header_flag::kAd).Build())
                  ->Has(header_flag::kAd));
  EXPECT_TRUE(Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).WithEdns({.dnssec_ok = true}).Build())
                  ->Has(header_flag::kAd));
}

TEST_F(ResolverTest, R4_AdOfAnUnauthenticatedUpstreamIsNotRelayed) {
  upstream_.SetAnswer(&WithAd);
  upstream_.authenticated = false;
  EXPECT_FALSE(Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).AddFlags(header_flag::kAd).Build())
                   ->Has(header_flag::kAd));
}

class DistrustingResolverTest : public ResolverTest {
 protected:
  DistrustingResolverTest() : ResolverTest(TestConfig(), {.trust_upstream_ad = false}) {}
};

TEST_F(DistrustingResolverTest, R4_AdIsNotRelayedWhereTheOperatorDoesNotTrustIt) {
  upstream_.SetAnswer(&WithAd);
  EXPECT_FALSE(Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).AddFlags(header_flag::kAd).Build())
                   ->Has(header_flag::kAd));
}

TEST_F(ResolverTest, R6_ExtendedErrorsReachTheClientLiveAndCached) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query).Answer("www.example.", 300, A("192.0.2.1")).Build();
  });
  const auto with_ede = [](const Octets& query) {
    MessageBuilder builder = MessageBuilder(ReadMessage(query)->id);
    return builder.Flags(header_flag::kQr | header_flag::kRd | header_flag::kRa)
        .Question("www.example.", rr_type::kA)
        .Answer("www.example.", 300, A("192.0.2.1"))
        .WithEdns({.options = {Ede(EdeCode::kForgedAnswer, "by law")}})
        .Build();
  };
  upstream_.SetAnswer(with_ede);
  const Octets query = MessageBuilder::Query(1, "www.example.", rr_type::kA).WithEdns({}).Build();
  for (int from_cache = 0; from_cache < 2; ++from_cache) {
    const auto reply = Ask(query);
    const EdnsOption* error = reply->FindOption(edns_option::kEde);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->data, Join({Hex("00 04"), OctetsOf("fake: by law")}));
  }
}

TEST_F(ResolverTest, R6_AFailureCarriesItsCauseAndIsNotCached) {
  upstream_.SetAnswer([](const Octets&) { return absl::UnavailableError("fake 192.0.2.9:853: connection refused"); });
  const auto reply = Ask(MessageBuilder::Query(1, "www.example.", rr_type::kA).WithEdns({}).Build());
  EXPECT_EQ(reply->rcode, 2);
  const EdnsOption* error = reply->FindOption(edns_option::kEde);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->data, Join({Hex("00 16"), OctetsOf("fake 192.0.2.9:853: connection refused")}));
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, AnUpstreamsRcodeIsPassedOnButNotItsFormErr) {
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query, Rcode::kRefused); });
  EXPECT_EQ(Ask(AQuery())->rcode, 5);
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query, Rcode::kFormErr); });
  EXPECT_EQ(Ask(AQuery("another.example."))->rcode, 2);
}

TEST_F(ResolverTest, S2_ATruncatedResponseIsNeverAnAnswer) {
  upstream_.SetAnswer([](const Octets& query) { return TruncatedAnswerTo(query); });
  EXPECT_EQ(Ask(AQuery())->rcode, 2);
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, S1_ALargeAnswerIsTruncatedForUdpAndWholeForTcp) {
  upstream_.SetAnswer([](const Octets& query) {
    MessageBuilder builder = MessageBuilder::ResponseTo(query);
    for (int i = 0; i < 40; ++i) builder.Answer("www.example.", 300, Txt(std::string(60, 'x')));
    return builder.Build();
  });
  const Octets query =
      MessageBuilder::Query(1, "www.example.", rr_type::kTxt).WithEdns({.payload_octets = 1232}).Build();
  for (int from_cache = 0; from_cache < 2; ++from_cache) {
    const auto over_udp = Ask(query);
    EXPECT_TRUE(over_udp->Has(header_flag::kTc));
    EXPECT_TRUE(over_udp->answers.empty());
    EXPECT_TRUE(over_udp->edns);
  }
  const auto over_tcp = Ask(query, LocalClient(Transport::kTcp));
  EXPECT_FALSE(over_tcp->Has(header_flag::kTc));
  EXPECT_EQ(over_tcp->answers.size(), 40U);
  EXPECT_EQ(upstream_.asked().size(), 1U);
}

TEST_F(ResolverTest, X3_RecordsForOtherNamesAreNeverPartOfAnAnswer) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query)
        .Answer("www.example.", 300, A("192.0.2.1"))
        .Answer("bank.example.", 300, A("192.0.2.66"))
        .Authority("bank.example.", 300, Ns("ns.evil.example."))
        .Additional("ns.evil.example.", 300, A("192.0.2.66"))
        .Build();
  });
  const auto reply = Ask(AQuery());
  ASSERT_EQ(reply->answers.size(), 1U);
  EXPECT_EQ(reply->answers[0].data_text, "192.0.2.1");
  EXPECT_TRUE(reply->authorities.empty());
  EXPECT_TRUE(reply->additionals.empty());
  EXPECT_EQ(AnswerNow(AQuery("bank.example.")).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, X3_DataForOtherNamesIsNoDenialOfTheName) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query)
        .Answer("evil.test.", 300, A("192.0.2.66"))
        .Authority("example.", 300, Soa(300))
        .Build();
  });
  EXPECT_EQ(Ask(AQuery())->rcode, 2);
  EXPECT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
}

TEST_F(ResolverTest, E3_AnErrorForAnOptWithoutAQuestionHasAnOpt) {
  const auto reply = Ask(MessageBuilder(1).Flags(header_flag::kRd).WithEdns({}).Build());
  EXPECT_EQ(reply->rcode, 1);
  EXPECT_TRUE(reply->edns);
  const auto badvers = Ask(MessageBuilder(1).Flags(header_flag::kRd).WithEdns({.version = 1}).Build());
  EXPECT_EQ(badvers->rcode, 16);
  EXPECT_EQ(resolver_.statistics().of(Rcode::kNoError).value(), 0U);
  EXPECT_EQ(resolver_.statistics().of(Rcode::kFormErr).value(), 1U);
  EXPECT_EQ(resolver_.statistics().of(Rcode::kBadVers).value(), 1U);
}

TEST_F(ResolverTest, AQueryThatFindsNoRoomToWaitIsCountedAsDropped) {
  ASSERT_EQ(AnswerNow(AQuery()).disposition, Disposition::kLater);
  EXPECT_EQ(resolver_.statistics().waiting.value(), 1U);
  resolver_.AnswerNever();
  EXPECT_EQ(resolver_.statistics().waiting.value(), 0U);
  EXPECT_EQ(resolver_.statistics().of(QueryEnd::kDropped).value(), 1U);
  EXPECT_EQ(resolver_.statistics().of(QueryEnd::kForwarded).value(), 0U);
}

TEST_F(ResolverTest, Q10_WithoutRdOnlyTheCacheAnswers) {
  const Octets query = MessageBuilder::Query(1, "www.example.", rr_type::kA).Flags(0).Build();
  EXPECT_EQ(Ask(query)->rcode, 5);
  EXPECT_TRUE(upstream_.asked().empty());
  Ask(AQuery());
  const auto cached = Ask(query);
  EXPECT_EQ(cached->rcode, 0);
  EXPECT_FALSE(cached->Has(header_flag::kRd));
}

TEST_F(ResolverTest, Q1_Q2_Q3_E1_FaultsGetTheirOutcomeAndAreNeverForwarded) {
  EXPECT_EQ(Ask(MessageBuilder(1).Flags(header_flag::kRd).Build())->rcode, 1);
  EXPECT_FALSE(Ask(MessageBuilder(1).Flags(header_flag::kQr).Question("a.", rr_type::kA).Build()));
  EXPECT_EQ(Ask(MessageBuilder::Query(1, "a.", rr_type::kA).Opcode(4).Build())->rcode, 4);
  const auto badvers = Ask(MessageBuilder::Query(1, "a.", rr_type::kA).WithEdns({.version = 1}).Build());
  EXPECT_EQ(badvers->rcode, 16);
  EXPECT_EQ(badvers->edns->version, 0);
  EXPECT_FALSE(Ask(Octets(5)));
  EXPECT_TRUE(upstream_.asked().empty());
}

TEST_F(ResolverTest, A1_AStrangerLearnsNothingEvenFromABrokenQuery) {
  const Client stranger{*Endpoint::Parse("192.0.2.1:40000"), Transport::kUdp};
  Ask(AQuery());
  for (const Octets& query : {AQuery(), AQuery("other.example."), MessageBuilder(1).Flags(header_flag::kRd).Build()}) {
    EXPECT_EQ(Ask(query, stranger)->rcode, 5);
  }
  EXPECT_EQ(upstream_.asked().size(), 1U);
}

TEST_F(ResolverTest, A3_WhoWaitsForTooMuchIsToldSoAndItsNewestIsAnswered) {
  upstream_.Hold();
  std::vector<std::optional<Octets>> replies(201);
  for (size_t i = 0; i < replies.size(); ++i) {
    const Octets query =
        MessageBuilder::Query(7, "www.n" + std::to_string(i) + ".example.", rr_type::kA).WithEdns({}).Build();
    Take(query, LocalClient(), replies[i]);
  }
  Turn();
  EXPECT_EQ(upstream_.asked().size(), 201U);
  ASSERT_TRUE(replies.front());
  const MessageRead given_up = MustReadMessage(*replies.front());
  EXPECT_EQ(given_up.rcode, 2);
  const EdnsOption* error = given_up.FindOption(edns_option::kEde);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->data, Join({Hex("00 16"), OctetsOf("given up: this client has too many unanswered questions, and "
                                                      "this was its oldest")}));
  for (size_t i = 1; i < replies.size(); ++i) EXPECT_FALSE(replies[i]) << i;
  upstream_.Release();
  Turn();
  ASSERT_TRUE(replies.back());
  EXPECT_EQ(MustReadMessage(*replies.back()).answers.size(), 1U);
}

TEST_F(ResolverTest, X10_AQuestionThatWasGivenUpIsNotRememberedAsAFailure) {
  upstream_.Hold();
  std::vector<std::optional<Octets>> replies(202);
  for (size_t i = 0; i < replies.size(); ++i) {
    Take(AQuery("n" + std::to_string(i) + ".dead.example."), LocalClient(), replies[i]);
  }
  Turn();
  ASSERT_TRUE(replies[0] && replies[1]);
  EXPECT_EQ(MustReadMessage(*replies[0]).rcode, 2);
  upstream_.Release();
  Turn();
  const auto again = Ask(AQuery("n0.dead.example."));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->answers.size(), 1U);
}

TEST_F(ResolverTest, A7_AFloodOfRandomNamesLeavesNamesInUseInTheCache) {
  constexpr int kInUse = 50;
  for (int i = 0; i < kInUse; ++i) Ask(AQuery("n" + std::to_string(i) + ".use.example."));
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "flooded.example."); });
  int lost = 0;
  for (int i = 0; i < 30'000; ++i) {
    Ask(AQuery("r" + std::to_string(i) + ".flooded.example."));
    if (i % 20 != 0) continue;
    const Octets used = AQuery("n" + std::to_string(i / 20 % kInUse) + ".use.example.");
    lost += AnswerNow(used).disposition == Disposition::kAnswered ? 0 : 1;
  }
  EXPECT_EQ(lost, 0);
  EXPECT_GT(cache_.Total(clock_.Now()).evictions, 1000U);
}

TEST(ErrorReplyTest, EveryStatusBecomesServfailWithItsText) {
  EXPECT_EQ(ErrorReplyFor(absl::UnavailableError("x")).error.code, EdeCode::kNoReachableAuthority);
  EXPECT_EQ(ErrorReplyFor(absl::DeadlineExceededError("x")).error.code, EdeCode::kNoReachableAuthority);
  EXPECT_EQ(ErrorReplyFor(absl::UnauthenticatedError("x")).error.code, EdeCode::kNetworkError);
  EXPECT_EQ(ErrorReplyFor(absl::DataLossError("x")).error.code, EdeCode::kNetworkError);
  EXPECT_EQ(ErrorReplyFor(absl::ResourceExhaustedError("x")).error.code, EdeCode::kNotReady);
  EXPECT_EQ(ErrorReplyFor(absl::InternalError("x")).error.text, "x");
}

}  // namespace
}  // namespace dotward
