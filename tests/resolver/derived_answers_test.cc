// Answers that follow from others: without what DO adds, and below a name that does not exist.

#include "resolver/derived_answers.h"

#include <gtest/gtest.h>

#include <string>

#include "resolver/resolver_limits.h"
#include "resolver_fixture.h"

namespace dotward {
namespace {

using std::chrono::seconds;

Octets SignedAnswerTo(const Octets& query) {
  const std::string name = MustReadMessage(query).questions.at(0).name;
  return MessageBuilder::ResponseTo(query)
      .Answer(name, 300, A("192.0.2.1"))
      .Answer(name, 300, Rrsig(rr_type::kA, "example."))
      .Build();
}
Octets Query(std::string_view name, bool dnssec_ok, uint16_t type = rr_type::kA) {
  return MessageBuilder::Query(1, name, type).WithEdns({.dnssec_ok = dnssec_ok}).Build();
}

class DerivedAnswersTest : public ResolverFixture {
 protected:
  explicit DerivedAnswersTest(QueryCoalescer::Options options = {}) : ResolverFixture(TestConfig(), options) {}
  size_t asked() const { return upstream_.asked().size(); }
  const QueryCoalescer::Statistics& statistics() const { return coalescer_.statistics(); }
};

TEST_F(DerivedAnswersTest, C7_WhatWasFetchedWithDoAnswersWithoutItAndIsStoredSoWithItsTimes) {
  upstream_.SetAnswer(&SignedAnswerTo);
  EXPECT_EQ(Ask(Query("www.example.", true))->answers.size(), 2U);
  clock_.Advance(seconds(100));
  const auto plain = Ask(Query("WWW.example.", false));
  ASSERT_EQ(plain->answers.size(), 1U);
  EXPECT_EQ(plain->answers[0].type, rr_type::kA);
  EXPECT_EQ(plain->answers[0].ttl, 200U);
  EXPECT_EQ(statistics().without_dnssec.value(), 1U);
  EXPECT_EQ(AnswerNow(Query("www.example.", false)).disposition, Disposition::kAnswered);
  EXPECT_EQ(asked(), 1U);
  clock_.Advance(seconds(200));
  EXPECT_EQ(AnswerNow(Query("www.example.", false)).disposition, Disposition::kLater) << "both expire together";
}

TEST_F(DerivedAnswersTest, C7_NeverTheOtherWayRoundNorAcrossCd) {
  upstream_.SetAnswer(&SignedAnswerTo);
  Ask(Query("www.example.", false));
  EXPECT_EQ(Ask(Query("www.example.", true))->answers.size(), 2U);
  EXPECT_EQ(asked(), 2U);
  Ask(MessageBuilder::Query(1, "cd.example.", rr_type::kA)
          .AddFlags(header_flag::kCd)
          .WithEdns({.dnssec_ok = true})
          .Build());
  Ask(Query("cd.example.", false));
  EXPECT_EQ(asked(), 4U);
}

TEST_F(DerivedAnswersTest, C5_ADenialForEveryTypeLosesItsProofsToo) {
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "example."); });
  Ask(Query("www.example.", true));
  EXPECT_EQ(Ask(Query("www.example.", false, rr_type::kAaaa))->rcode, 3);
  EXPECT_EQ(AnswerNow(Query("www.example.", false, rr_type::kTxt)).disposition, Disposition::kAnswered);
  EXPECT_EQ(asked(), 1U);
}

// --- everything asked with DO ---

class AskedWithDo : public DerivedAnswersTest {
 protected:
  AskedWithDo() : DerivedAnswersTest({.ask_with_dnssec = true}) { upstream_.SetAnswer(&SignedAnswerTo); }
};

TEST_F(AskedWithDo, C7_EachGetsItsFormOfOneAnswer) {
  upstream_.Hold();
  std::optional<Octets> plain;
  std::optional<Octets> with_dnssec;
  Take(Query("www.example.", false), LocalClient(), plain);
  Take(Query("www.example.", true), LocalClient(), with_dnssec);
  Turn();
  upstream_.Release();
  Turn();
  ASSERT_TRUE(plain && with_dnssec);
  EXPECT_EQ(MustReadMessage(*plain).answers.size(), 1U);
  EXPECT_EQ(MustReadMessage(*with_dnssec).answers.size(), 2U);
  EXPECT_EQ(asked(), 1U);
  EXPECT_TRUE(upstream_.asked()[0].dnssec_ok);
  EXPECT_EQ(cache_.Total(clock_.Now()).entries, 2U);
}

TEST_F(AskedWithDo, C7_OnlyWhatSomebodyWantsIsStored) {
  Ask(Query("www.example.", false));
  EXPECT_TRUE(upstream_.asked()[0].dnssec_ok);
  const Name name = *Name::Parse("www.example.");
  const auto entries = cache_.EntriesOf(name.wire(), clock_.Now());
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_FALSE(entries[0].dnssec_ok);
}

TEST_F(AskedWithDo, C6_AFailureIsOneForBoth) {
  upstream_.SetAnswer([](const Octets& query) { return FailureAnswerTo(query); });
  Ask(Query("www.example.", false));
  EXPECT_EQ(Ask(Query("www.example.", true))->rcode, 2);
  EXPECT_EQ(asked(), 1U);
}

TEST_F(AskedWithDo, C8_EachGetsItsFormOfTheStaleAnswer) {
  cache_.SetStaleMaxAge(std::chrono::hours(1));
  Ask(Query("www.example.", true));
  Ask(Query("www.example.", false));
  clock_.Advance(seconds(300));
  upstream_.SetAnswer([](const Octets&) { return absl::UnavailableError("fake: refused"); });
  EXPECT_EQ(Ask(Query("www.example.", true))->answers.size(), 2U);
  EXPECT_EQ(Ask(Query("www.example.", false))->answers.size(), 1U);
}

// --- below what does not exist ---

Octets ValidatedDenialOf(const Octets& query) {
  Octets denial = NxdomainAnswerTo(query, "example.");
  denial[3] |= 0x20;  // AD
  return denial;
}

class PromiseC5 : public DerivedAnswersTest {
 protected:
  PromiseC5() { upstream_.SetAnswer(&ValidatedDenialOf); }
  void Recover() {
    upstream_.SetAnswer([](const Octets& query) { return PositiveAnswerTo(query); });
  }
};

TEST_F(PromiseC5, WhatIsBelowAValidatedDenialDoesNotExist) {
  Ask(AQuery("gone.example."));
  Recover();
  clock_.Advance(seconds(100));
  const auto reply = Ask(MessageBuilder::Query(7, "a.b.GONE.example.", rr_type::kTxt).Build());
  EXPECT_EQ(reply->rcode, 3);
  EXPECT_EQ(reply->questions.at(0).name, "a.b.GONE.example.");
  ASSERT_EQ(reply->authorities.size(), 1U);
  EXPECT_EQ(reply->authorities[0].ttl, 800U);
  EXPECT_EQ(statistics().denied_by_cut.value(), 1U);
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(cache_.Total(clock_.Now()).entries, 1U) << "it is not stored";
  EXPECT_EQ(Ask(AQuery("beside.example."))->rcode, 0);
  EXPECT_EQ(Ask(AQuery("notgone.example."))->rcode, 0);
}

TEST_F(PromiseC5, ADenialThatNobodyValidatedDeniesItsNameAlone) {
  upstream_.SetAnswer([](const Octets& query) { return NxdomainAnswerTo(query, "example."); });
  Ask(AQuery("gone.example."));
  Recover();
  EXPECT_EQ(Ask(AQuery("www.gone.example."))->rcode, 0);
}

TEST_F(PromiseC5, ADenialBehindAnAliasDeniesAnotherName) {
  upstream_.SetAnswer([](const Octets& query) {
    return MessageBuilder::ResponseTo(query)
        .AddFlags(header_flag::kAd)
        .WithRcode(Rcode::kNxDomain)
        .Answer("alias.example.", 300, Cname("gone.example."))
        .Authority("example.", 900, Soa(900))
        .Build();
  });
  EXPECT_EQ(Ask(AQuery("alias.example."))->rcode, 3);
  Recover();
  EXPECT_EQ(Ask(AQuery("www.alias.example."))->rcode, 0);
}

TEST_F(PromiseC5, NoDataDeniesNothingBelow) {
  upstream_.SetAnswer([](const Octets& query) {
    Octets nodata = NodataAnswerTo(query, "example.");
    nodata[3] |= 0x20;
    return nodata;
  });
  Ask(AQuery("empty.example."));
  Recover();
  EXPECT_EQ(Ask(AQuery("www.empty.example."))->rcode, 0);
}

TEST_F(PromiseC5, C7_ForCdAndForAnotherDoItDeniesNothing) {
  Ask(AQuery("gone.example."));
  Recover();
  EXPECT_EQ(Ask(MessageBuilder::Query(1, "a.gone.example.", rr_type::kA).AddFlags(header_flag::kCd).Build())->rcode, 0);
  EXPECT_EQ(Ask(Query("b.gone.example.", true))->rcode, 0);
}

TEST_F(PromiseC5, AnExpiredDenialDeniesNothing) {
  Ask(AQuery("gone.example."));
  Recover();
  clock_.Advance(seconds(900));
  EXPECT_EQ(Ask(AQuery("www.gone.example."))->rcode, 0);
}

TEST_F(PromiseC5, WhatAnotherRouteAnswersDeniesNothing) {
  Ask(AQuery("example."));
  Recover();
  upstream_.condition.zone_octets = WireName("internal.example.").size();
  EXPECT_EQ(Ask(AQuery("www.internal.example."))->rcode, 0);
  upstream_.condition.zone_octets = WireName("example.").size();
  EXPECT_EQ(Ask(AQuery("www2.internal.example."))->rcode, 3) << "its own route may";
}

// The zone above says that nothing is delegated, and is right; below there is a zone of another way all the same.
TEST_F(PromiseC5, ADenialOfADsIsOfTheZoneAbove) {
  Ask(MessageBuilder::Query(1, "corp.", rr_type::kDs).Build());
  Recover();
  upstream_.condition.zone_octets = WireName("corp.").size();
  EXPECT_EQ(Ask(MessageBuilder::Query(1, "a.corp.", rr_type::kDs).Build())->rcode, 0);
}

TEST_F(PromiseC5, LimitCutAncestors_ANameOfManyLabelsIsLookedUpABoundedNumberOfTimes) {
  Ask(AQuery("gone.example."));
  Recover();
  std::string name = "gone.example.";
  for (size_t i = 0; i < ResolverLimits::kCutAncestorsMax; ++i) name = "x." + name;
  EXPECT_EQ(Ask(AQuery(name))->rcode, 3);
  EXPECT_EQ(Ask(AQuery("x." + name))->rcode, 0);
}

}  // namespace
}  // namespace dotward
