#include "dnssec/validating_upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "dns/wire.h"
#include "dnssec/test_world.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Section kAnswer = Section::kAnswer;
constexpr Section kAuthority = Section::kAuthority;

Name N(std::string_view text) { return *Name::Parse(text); }

class ValidatingUpstreamTest : public ::testing::Test {
 protected:
  ValidatingUpstreamTest() {
    world_.Delegate(".", "example.");
    world_.On("www.example.", rr_type::kA).Signed(Example(), kAnswer, "www.example.", {A("192.0.2.1")});
    validator_.Adopt({.anchors = world_.Anchors(), .aggressive_nsec = false});
  }
  ~ValidatingUpstreamTest() override {
    upstream_.Release();
    validator_.Close();
    loop_.restart();
    loop_.run();
  }

  TestSigner& Example() { return world_.signer("example."); }

  static UpstreamQuery Query(std::string_view name, uint16_t type = rr_type::kA) {
    UpstreamQuery query;
    query.name = N(name);
    query.type = type;
    return query;
  }
  Deadline Soon() const { return Deadline::After(clock_.Now(), std::chrono::seconds(5)); }
  absl::StatusOr<UpstreamResponse> Exchange(const UpstreamQuery& query) {
    return RunTask(loop_, validator_.Exchange(query, Soon()));
  }
  // Starts an exchange whose answer comes, and whose chain of trust is waited for.
  void StartAndHoldChain(Outcome<absl::StatusOr<UpstreamResponse>>& outcome, TaskGroup& tasks,
                         const UpstreamQuery& query) {
    upstream_.Hold();
    outcome.From(tasks, validator_.Exchange(query, Soon()));
    loop_.poll();
    upstream_.ReleaseOne();
    loop_.restart();
    loop_.poll();
  }
  // What the validator hands up, read by other code than its own.
  MessageRead Ask(std::string_view name, uint16_t type = rr_type::kA) {
    const auto response = Exchange(Query(name, type));
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->message->octets().data(), response->octets.data());
    // What was found in the octets before they were changed must not be left.
    EXPECT_EQ(response->message->scan().flags, ReadU16(&response->octets[header::kFlags]));
    for (const RecordEdges& record : response->message->scan().records) {
      EXPECT_EQ(record.ttl, ReadU32(&response->octets[record.ttl_offset()]));
    }
    return MustReadMessage(response->octets);
  }
  static std::string ErrorIn(const MessageRead& message) {
    const EdnsOption* option = message.FindOption(edns_option::kEde);
    return option == nullptr
               ? ""
               : StrCat(int{option->data[1]}, " ", std::string(option->data.begin() + 2, option->data.end()));
  }
  void ExpectSecure(std::string_view name, uint16_t type = rr_type::kA) {
    const MessageRead message = Ask(name, type);
    EXPECT_TRUE(message.Has(header_flag::kAd)) << name << " " << ErrorIn(message);
    EXPECT_NE(message.rcode, 2) << name;
  }
  void ExpectInsecure(std::string_view name, uint16_t type = rr_type::kA) {
    const MessageRead message = Ask(name, type);
    EXPECT_FALSE(message.Has(header_flag::kAd)) << name;
    EXPECT_NE(message.rcode, 2) << name << " " << ErrorIn(message);
  }
  void ExpectBogus(std::string_view name, EdeCode code, std::string_view text, uint16_t type = rr_type::kA) {
    const MessageRead message = Ask(name, type);
    EXPECT_EQ(message.rcode, 2) << name;
    EXPECT_FALSE(message.Has(header_flag::kAd));
    EXPECT_THAT(message.answers, IsEmpty());
    EXPECT_THAT(ErrorIn(message), HasSubstr(StrCat(int{static_cast<uint16_t>(code)}, " "))) << name;
    EXPECT_THAT(ErrorIn(message), HasSubstr(std::string(text))) << name;
  }
  std::vector<std::string> Asked() const {
    std::vector<std::string> asked;
    for (const UpstreamQuery& query : upstream_.asked()) {
      asked.push_back(StrCat(TypeToString(query.type), " ", query.name.ToString()));
    }
    return asked;
  }

  asio::io_context loop_;
  ManualClock clock_;
  TestWorld world_;
  FakeUpstream upstream_{loop_, clock_, [this](const Octets& query) { return world_.Answer(query); }};
  ValidatingUpstream validator_{loop_, upstream_, clock_};
};

// --- secure ---

TEST_F(ValidatingUpstreamTest, WhatTheChainVouchesForIsSecure) {
  ExpectSecure("www.example.");
  EXPECT_THAT(Asked(), ElementsAre("A www.example.", "DNSKEY .", "DNSKEY example.", "DS example."));
  EXPECT_EQ(validator_.statistics().secure.value(), 1U);
}

TEST_F(ValidatingUpstreamTest, PromiseR5UpstreamsAreAskedWithCdAndDo) {
  ExpectSecure("www.example.");
  for (const UpstreamQuery& query : upstream_.asked()) {
    EXPECT_TRUE(query.checking_disabled);
    EXPECT_TRUE(query.dnssec_ok);
  }
}

TEST_F(ValidatingUpstreamTest, AWarmChainCostsOneQueryAndOneCheck) {
  ExpectSecure("www.example.");
  const size_t asked = upstream_.asked().size();
  const uint64_t checks = validator_.statistics().signature_checks.value();
  ExpectSecure("www.example.");
  EXPECT_EQ(upstream_.asked().size(), asked + 1);
  EXPECT_EQ(validator_.statistics().signature_checks.value(), checks + 1);
}

TEST_F(ValidatingUpstreamTest, AChainThatIsOldIsFetchedAnew) {
  ExpectSecure("www.example.");
  clock_.Advance(std::chrono::seconds(301));
  const size_t asked = upstream_.asked().size();
  ExpectSecure("www.example.");
  EXPECT_EQ(upstream_.asked().size(), asked + 4);
}

TEST_F(ValidatingUpstreamTest, QuestionsWithCdAreHandedOnUnjudged) {
  world_.Anew("www.example.", rr_type::kA).Plain(kAnswer, "www.example.", {A("192.0.2.9")});
  UpstreamQuery query = Query("www.example.");
  query.checking_disabled = true;
  const auto response = Exchange(query);
  EXPECT_EQ(MustReadMessage(response->octets).answers.size(), 1U);
  EXPECT_THAT(Asked(), ElementsAre("A www.example."));
  EXPECT_FALSE(upstream_.asked()[0].dnssec_ok);
}

TEST_F(ValidatingUpstreamTest, TtlsAreCutToWhatTheSignaturesAllow) {
  const std::vector<Rdata> data = {A("192.0.2.1")};
  world_.Anew("www.example.", rr_type::kA)
      .Plain(kAnswer, "www.example.", data, 86400)
      .Plain(kAnswer, "www.example.", {Example().Sign("www.example.", 86400, data, {.original_ttl = 60})}, 86400);
  const MessageRead message = Ask("www.example.");
  EXPECT_TRUE(message.Has(header_flag::kAd));
  EXPECT_EQ(message.answers.at(0).ttl, 60U);
  EXPECT_EQ(message.answers.at(1).ttl, 60U);
}

TEST_F(ValidatingUpstreamTest, ADeepZoneIsFoundWithoutAskingForEveryLabelAbove) {
  world_.Delegate("example.", "a.b.c.d.example.");
  world_.On("www.a.b.c.d.example.", rr_type::kA)
      .Signed(world_.signer("a.b.c.d.example."), kAnswer, "www.a.b.c.d.example.", {A("192.0.2.1")});
  ExpectSecure("www.a.b.c.d.example.");
  EXPECT_EQ(upstream_.asked().size(), 6U);
}

TEST_F(ValidatingUpstreamTest, AZoneBetweenIsFoundByWhoSignedTheDs) {
  world_.Delegate("example.", "c.example.");
  world_.Delegate("c.example.", "a.b.c.example.");
  world_.On("www.a.b.c.example.", rr_type::kA)
      .Signed(world_.signer("a.b.c.example."), kAnswer, "www.a.b.c.example.", {A("192.0.2.1")});
  ExpectSecure("www.a.b.c.example.");
}

TEST_F(ValidatingUpstreamTest, EachSupportedAlgorithmAndDigestCarriesAChain) {
  for (const auto algorithm : {LDNS_SIGN_RSASHA256, LDNS_SIGN_RSASHA512, LDNS_SIGN_ECDSAP256SHA256,
                               LDNS_SIGN_ECDSAP384SHA384, LDNS_SIGN_ED25519, LDNS_SIGN_ED448}) {
    for (const uint8_t digest : {uint8_t{2}, uint8_t{4}}) {
      const std::string zone = StrCat("z", int{algorithm}, "-", int{digest}, ".example.");
      world_.Delegate("example.", zone, algorithm, digest);
      world_.On(zone, rr_type::kA).Signed(world_.signer(zone), kAnswer, zone, {A("192.0.2.1")});
      ExpectSecure(zone);
    }
  }
}

// --- denial ---

TEST_F(ValidatingUpstreamTest, ProvenNameErrorsAndMissingTypesAreSecure) {
  world_.On("no.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .SignedNsec(Example(), "example.", "www.example.", {rr_type::kNs, rr_type::kSoa});
  world_.On("www.example.", rr_type::kMx)
      .SignedSoa(Example())
      .SignedNsec(Example(), "www.example.", "example.", {rr_type::kA});
  ExpectSecure("no.example.");
  ExpectSecure("www.example.", rr_type::kMx);
}

TEST_F(ValidatingUpstreamTest, ADenialWithoutProofIsBogus) {
  world_.On("no.example.", rr_type::kA).Rcode(Rcode::kNxDomain).SignedSoa(Example());
  world_.NoCut("example.", "no.example.");
  ExpectBogus("no.example.", dnssec_error::kNsecMissing, "A no.example.: not proven not to exist");
}

TEST_F(ValidatingUpstreamTest, ADenialIsSaidToLackItsProofWhereThatOfItsDsLacksItToo) {
  world_.On("no.example.", rr_type::kA).Rcode(Rcode::kNxDomain).SignedSoa(Example());
  world_.On("no.example.", rr_type::kDs).Rcode(Rcode::kNxDomain).SignedSoa(Example());
  ExpectBogus("no.example.", dnssec_error::kNsecMissing, "example.: A no.example.: not proven not to exist");
}

TEST_F(ValidatingUpstreamTest, ADenialByTheWrongRangeIsBogus) {
  world_.On("no.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .SignedNsec(Example(), "p.example.", "www.example.", {rr_type::kA});
  ExpectBogus("no.example.", dnssec_error::kNsecMissing, "not proven not to exist");
}

TEST_F(ValidatingUpstreamTest, ADenialOfTheParentDoesNotReachBelowACut) {
  // A replay: the parent's NSEC at the delegation, and its SOA.
  world_.Delegate("example.", "sub.example.");
  world_.On("www.sub.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .SignedNsec(Example(), "sub.example.", "www.example.", {rr_type::kNs, rr_type::kDs});
  ExpectBogus("www.sub.example.", dnssec_error::kNsecMissing, "not proven");
}

TEST_F(ValidatingUpstreamTest, WildcardAnswersNeedTheirProof) {
  world_.On("a.example.", rr_type::kA)
      .Expanded(Example(), "*.example.", "a.example.", {A("192.0.2.1")})
      .SignedNsec(Example(), "*.example.", "www.example.", {rr_type::kA});
  world_.On("b.example.", rr_type::kA).Expanded(Example(), "*.example.", "b.example.", {A("192.0.2.1")});
  ExpectSecure("a.example.");
  ExpectBogus("b.example.", dnssec_error::kNsecMissing, "made from a wildcard without a proof");
}

TEST_F(ValidatingUpstreamTest, IterationsOverTheLimitMakeAnAnswerInsecureAndSaySo) {
  world_.On("no.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .Signed(Example(), kAuthority, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.",
              {Nsec3("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", {rr_type::kA}, 0, 51)});
  const MessageRead message = Ask("no.example.");
  EXPECT_EQ(message.rcode, 3);
  EXPECT_FALSE(message.Has(header_flag::kAd));
  EXPECT_EQ(ErrorIn(message), "27 example.: NSEC3 with more than 50 iterations");
}

// --- insecure ---

TEST_F(ValidatingUpstreamTest, WhatIsBelowAnUnsignedDelegationIsInsecure) {
  world_.DelegateUnsigned("example.", "plain.example.");
  world_.On("www.plain.example.", rr_type::kA).Plain(kAnswer, "www.plain.example.", {A("192.0.2.1")});
  ExpectInsecure("www.plain.example.");
  EXPECT_EQ(validator_.statistics().insecure.value(), 1U);
  const size_t asked = upstream_.asked().size();
  ExpectInsecure("www.plain.example.");
  EXPECT_EQ(upstream_.asked().size(), asked + 1);
}

TEST_F(ValidatingUpstreamTest, LabelsWithoutACutAreWalkedOver) {
  world_.NoCut("example.", "c.example.");
  world_.NoCut("example.", "b.c.example.");
  world_.DelegateUnsigned("example.", "a.b.c.example.");
  world_.On("a.b.c.example.", rr_type::kA).Plain(kAnswer, "a.b.c.example.", {A("192.0.2.1")});
  ExpectInsecure("a.b.c.example.");
}

TEST_F(ValidatingUpstreamTest, PromiseR4AnUpstreamsOwnAdIsCleared) {
  world_.DelegateUnsigned("example.", "plain.example.");
  world_.On("plain.example.", rr_type::kA).Plain(kAnswer, "plain.example.", {A("192.0.2.1")});
  upstream_.SetAnswer([this](const Octets& query) {
    absl::StatusOr<Octets> answer = world_.Answer(query);
    if (answer.ok()) (*answer)[3] |= 0x20U;
    return answer;
  });
  ExpectInsecure("plain.example.");
  // A failure is no answer, and has no AD either.
  EXPECT_FALSE(Ask("refused.example.").Has(header_flag::kAd));
}

TEST_F(ValidatingUpstreamTest, Sha1AloneIsInsecureAndSaysSo) {
  world_.Delegate("example.", "old.example.", LDNS_SIGN_ED25519, 1);
  world_.On("old.example.", rr_type::kA)
      .Signed(world_.signer("old.example."), kAnswer, "old.example.", {A("192.0.2.1")});
  const MessageRead message = Ask("old.example.");
  EXPECT_FALSE(message.Has(header_flag::kAd));
  EXPECT_EQ(message.answers.size(), 2U);
  EXPECT_EQ(ErrorIn(message), "2 old.example.: DS: no digest that is supported");
}

TEST_F(ValidatingUpstreamTest, AZoneWithUnsupportedAlgorithmsAloneIsInsecure) {
  // The zones of the appendices of RFC 4035 and RFC 5155 are signed with algorithms 5 and 7.
  world_.Delegate("example.", "rsasha1.example.", LDNS_SIGN_RSASHA1);
  world_.On("rsasha1.example.", rr_type::kA)
      .Signed(world_.signer("rsasha1.example."), kAnswer, "rsasha1.example.", {A("192.0.2.1")});
  ExpectInsecure("rsasha1.example.");
}

// So that whoever is to be held to a share of what comes knows all of it.
TEST_F(ValidatingUpstreamTest, WhatCameForTheChainIsCountedWithTheAnswer) {
  const auto enlarge = [this](const std::string& name, uint16_t type, size_t beyond) {
    world_.On(name, type)
        .Plain(Section::kAdditional, ".", {Txt(std::string(ExchangeTrace::kUsualOctets + beyond, 'x'))});
  };
  enlarge("www.example.", rr_type::kA, 10'000);
  enlarge("example.", rr_type::kDs, 2'000);
  enlarge("example.", rr_type::kDnskey, 500);
  UpstreamQuery query = Query("www.example.");
  ExchangeTrace cold;
  query.trace = &cold;
  ASSERT_TRUE(Exchange(query).ok());
  ASSERT_EQ(upstream_.asked().size(), 4U) << "answer, root's keys, DS, keys";
  ExchangeTrace warm;
  query.trace = &warm;
  ASSERT_TRUE(Exchange(query).ok());
  EXPECT_GE(warm.beyond_usual, 10'000U);
  EXPECT_GE(cold.beyond_usual, warm.beyond_usual + 2'500);
}

TEST_F(ValidatingUpstreamTest, BelowANegativeAnchorNothingIsAsked) {
  auto anchors = world_.Anchors();
  anchors->AddNegative(N("example."), std::nullopt);
  validator_.Adopt({.anchors = anchors});
  ExpectInsecure("www.example.");
  EXPECT_THAT(Asked(), ElementsAre("A www.example."));
}

TEST_F(ValidatingUpstreamTest, WithoutAnAnchorAnswersAreIndeterminate) {
  validator_.Adopt({.anchors = std::make_shared<TrustAnchors>()});
  const MessageRead message = Ask("www.example.");
  EXPECT_FALSE(message.Has(header_flag::kAd));
  EXPECT_FALSE(message.answers.empty());
  EXPECT_EQ(ErrorIn(message), "5 www.example.: no trust anchor is above it");
  EXPECT_EQ(validator_.statistics().indeterminate.value(), 1U);
}

// --- whose word counts ---

class AnchorBelowTest : public ValidatingUpstreamTest {
 protected:
  // A zone with an anchor of its own, below the root or below a zone that is not signed.
  void Adopt(const std::string& zone) {
    TestSigner& signer = world_.Establish(zone);
    validator_.Adopt({.anchors = world_.Anchors({".", zone})});
    world_.On("www." + zone, rr_type::kA).Signed(signer, kAnswer, "www." + zone, {A("192.0.2.1")});
    ExpectSecure("www." + zone);
  }
};

TEST_F(AnchorBelowTest, ZonesAboveItDenyNothingBelow) {
  Adopt("corp.");
  world_.NoCut("corp.", "mail.corp.");
  world_.On("mail.corp.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(world_.signer("."))
      .SignedNsec(world_.signer("."), ".", "zz.", {rr_type::kNs, rr_type::kSoa});
  ExpectBogus("mail.corp.", dnssec_error::kNsecMissing, "not proven not to exist");
  world_.On("corp.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(world_.signer("."))
      .SignedNsec(world_.signer("."), ".", "zz.", {rr_type::kNs, rr_type::kSoa});
  ExpectBogus("corp.", dnssec_error::kNsecMissing, "not proven not to exist");
  // But that it is no delegation of theirs is theirs to say.
  world_.On("corp.", rr_type::kDs)
      .SignedSoa(world_.signer("."))
      .SignedNsec(world_.signer("."), "corp.", "zz.", {rr_type::kNs});
  ExpectSecure("corp.", rr_type::kDs);
}

TEST_F(AnchorBelowTest, ZonesAboveItSignNothingBelow) {
  Adopt("corp.example.");
  world_.NoCut("corp.example.", "mail.corp.example.");
  world_.On("mail.corp.example.", rr_type::kA).Signed(Example(), kAnswer, "mail.corp.example.", {A("192.0.2.66")});
  ExpectBogus("mail.corp.example.", dnssec_error::kRrsigsMissing, "mail.corp.example.");
}

TEST_F(AnchorBelowTest, AnUnsignedZoneBetweenDeniesNothingBelow) {
  world_.DelegateUnsigned(".", "plain.");
  Adopt("island.plain.");
  for (const char* name : {"a.island.plain.", "b.island.plain."}) world_.NoCut("island.plain.", name);
  // Whatever else is signed in it.
  world_.On("a.island.plain.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .Plain(kAuthority, "plain.", {Soa(300)})
      .SignedNsec(world_.signer("."), ".", "zz.", {rr_type::kNs, rr_type::kSoa});
  ExpectBogus("a.island.plain.", dnssec_error::kNsecMissing, "not proven not to exist");
  world_.On("b.island.plain.", rr_type::kA)
      .Plain(kAuthority, "plain.", {Soa(300)})
      .SignedNsec(world_.signer("."), "zz.", ".", {rr_type::kNs});
  ExpectBogus("b.island.plain.", dnssec_error::kNsecMissing, "not proven not to be there");
}

class NegativeAnchorTest : public ValidatingUpstreamTest {
 protected:
  void Adopt(std::string_view negative) {
    auto anchors = world_.Anchors();
    anchors->AddNegative(N(negative), std::nullopt);
    validator_.Adopt({.anchors = anchors});
  }
};

TEST_F(NegativeAnchorTest, MayBeInsideAZone) {
  Adopt("www.example.");
  world_.Anew("www.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "www.example.", {A("192.0.2.1")},
              {.inception = At(-std::chrono::hours(48)), .expiration = At(-std::chrono::hours(24))});
  ExpectInsecure("www.example.");
  // Its neighbours are judged as ever, with the proofs that stand at it.
  world_.On("x.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .SignedNsec(Example(), "www.example.", "zz.example.", {rr_type::kA})
      .SignedNsec(Example(), "example.", "a.example.", {rr_type::kNs, rr_type::kSoa});
  ExpectSecure("x.example.");
}

TEST_F(NegativeAnchorTest, WhatIsDeniedBelowItPassesWhoeverSaysSo) {
  Adopt("corp.");
  world_.On("a.corp.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(world_.signer("."))
      .SignedNsec(world_.signer("."), "a.", "b.", {rr_type::kNs});
  ExpectInsecure("a.corp.");
  world_.On("b.corp.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(world_.signer("."))
      .SignedNsec(world_.signer("."), ".", "zz.", {rr_type::kNs, rr_type::kSoa});
  ExpectInsecure("b.corp.");
}

TEST_F(NegativeAnchorTest, WildcardsAboveItNeedTheirProofAsEver) {
  Adopt("sub.example.");
  world_.On("foo.example.", rr_type::kA)
      .Expanded(Example(), "*.example.", "foo.example.", {Cname("lb.sub.example.")})
      .SignedNsec(Example(), "a.example.", "sub.example.", {rr_type::kA})
      .Plain(kAuthority, "sub.example.", {Soa(300)});
  ExpectInsecure("foo.example.");
  // Whatever the proof would deny of the name behind the alias.
  world_.Anew("foo.example.", rr_type::kA)
      .Expanded(Example(), "*.example.", "foo.example.", {Cname("lb.sub.example.")})
      .SignedNsec(Example(), "a.example.", "sub.example.", {rr_type::kA});
  ExpectInsecure("foo.example.");
  world_.On("bar.example.", rr_type::kA)
      .Expanded(Example(), "*.example.", "bar.example.", {Cname("lb.sub.example.")})
      .Plain(kAuthority, "sub.example.", {Soa(300)});
  ExpectBogus("bar.example.", dnssec_error::kNsecMissing, "made from a wildcard without a proof");
}

TEST_F(NegativeAnchorTest, WildcardsBelowItDoNot) {
  Adopt("x.example.");
  const SignatureSpec old{.inception = At(-std::chrono::hours(48)), .expiration = At(-std::chrono::hours(24))};
  world_.On("x.example.", rr_type::kA)
      .Plain(kAnswer, "x.example.", {A("192.0.2.1")})
      .Plain(kAnswer, "x.example.", {Example().Sign("*.example.", 300, {A("192.0.2.1")}, old)})
      .Signed(Example(), kAuthority, "a.example.", {Nsec("z.example.", {rr_type::kA})}, old);
  ExpectInsecure("x.example.");
}

TEST_F(ValidatingUpstreamTest, AZoneSpeaksOfACutButNotBelowIt) {
  TestSigner& sub = world_.Delegate("example.", "sub.example.");
  world_.On("www.sub.example.", rr_type::kA).Signed(sub, kAnswer, "www.sub.example.", {A("192.0.2.1")});
  ExpectSecure("www.sub.example.");
  world_.NoCut("sub.example.", "a.sub.example.");
  world_.On("b.sub.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .SignedNsec(Example(), "a.sub.example.", "c.sub.example.", {rr_type::kA})
      .SignedNsec(Example(), "example.", "a.sub.example.", {rr_type::kNs, rr_type::kSoa});
  ExpectBogus("b.sub.example.", dnssec_error::kRrsigsMissing, "a.sub.example.");
}

// A wildcard's alias that hides what is delegated, as an answer about the delegation.
TEST_F(ValidatingUpstreamTest, AWildcardIsNoProofThatNoZoneBegins) {
  TestSigner& sub = world_.Delegate("example.", "sub.example.");
  world_.On("www.sub.example.", rr_type::kA).Plain(kAnswer, "www.sub.example.", {A("192.0.2.1")});
  world_.On("mail.sub.example.", rr_type::kA).Signed(sub, kAnswer, "mail.sub.example.", {A("192.0.2.1")});
  world_.Anew("sub.example.", rr_type::kDs).Expanded(Example(), "*.example.", "sub.example.", {Cname("x.other.")});
  ExpectBogus("www.sub.example.", dnssec_error::kNsecMissing, "DS sub.example.: neither there nor denied");
  // The next answer is right.
  world_.Anew("sub.example.", rr_type::kDs).Signed(Example(), kAnswer, "sub.example.", {sub.Ds()});
  clock_.Advance(DnssecLimits::kBogusZoneTime);
  ExpectSecure("mail.sub.example.");
}

TEST_F(ValidatingUpstreamTest, AWildcardsAliasEndsALinkWithItsProof) {
  world_.On("sub.example.", rr_type::kDs)
      .Expanded(Example(), "*.example.", "sub.example.", {Cname("x.other.")})
      .SignedNsec(Example(), "a.example.", "z.example.", {rr_type::kA})
      .SignedNsec(world_.Establish("other."), "x.other.", "z.other.", {rr_type::kA});
  world_.On("sub.example.", rr_type::kTxt).Plain(kAnswer, "sub.example.", {Txt("unsigned")});
  ExpectBogus("sub.example.", dnssec_error::kRrsigsMissing, "sub.example.", rr_type::kTxt);
}

// Its DS is withdrawn and has left all caches; what it said of its inside is not to be held against it.
TEST_F(ValidatingUpstreamTest, AZoneMayCeaseToBeSigned) {
  TestSigner& sub = world_.Delegate("example.", "sub.example.");
  world_.Anew("sub.example.", rr_type::kDs).Signed(Example(), kAnswer, "sub.example.", {sub.Ds()}, {}, 60);
  world_.On("x.sub.example.", rr_type::kDs)
      .SignedSoa(sub)
      .Signed(sub, kAuthority, "sub.example.", {Nsec("y.x.sub.example.", {rr_type::kNs, rr_type::kSoa})}, {}, 3600);
  for (const char* name : {"v.x.sub.example.", "w.x.sub.example."}) {
    world_.On(name, rr_type::kDs).SignedSoa(sub).SignedNsec(sub, name, "z.x.sub.example.", {rr_type::kNs});
    world_.On(StrCat("www.", name), rr_type::kA).Plain(kAnswer, StrCat("www.", name), {A("192.0.2.1")});
  }
  ExpectInsecure("www.v.x.sub.example.");
  clock_.Advance(std::chrono::seconds(100));
  world_.Anew("sub.example.", rr_type::kDs)
      .SignedSoa(Example())
      .SignedNsec(Example(), "sub.example.", "z.example.", {rr_type::kNs});
  for (const char* name : {"x.sub.example.", "w.x.sub.example."}) {
    world_.Anew(name, rr_type::kDs).Plain(kAuthority, "sub.example.", {Soa(300)});
  }
  ExpectInsecure("www.w.x.sub.example.");
}

TEST_F(ValidatingUpstreamTest, WhatFollowsFromADnameLivesNoLonger) {
  world_.Delegate(".", "other.");
  world_.On("a.d.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "d.example.", {Dname("other.")})
      .Plain(kAnswer, "a.d.example.", {Cname("a.other.")}, 30 * 86'400)
      .Signed(world_.signer("other."), kAnswer, "a.other.", {A("192.0.2.1")});
  const MessageRead message = Ask("a.d.example.");
  EXPECT_TRUE(message.Has(header_flag::kAd));
  ASSERT_EQ(message.answers.size(), 5U);
  for (const ReadRecord& record : message.answers) EXPECT_LE(record.ttl, 300U) << record.name << " " << record.type;
}

TEST_F(ValidatingUpstreamTest, ADnameFromAWildcardIsBogus) {
  world_.On("a.b.example.", rr_type::kA)
      .Expanded(Example(), "*.example.", "b.example.", {Dname("example.")})
      .Plain(kAnswer, "a.b.example.", {Cname("a.example.")})
      .Signed(Example(), kAnswer, "a.example.", {A("192.0.2.1")})
      .SignedNsec(Example(), "*.example.", "c.example.", {rr_type::kDname});
  ExpectBogus("a.b.example.", dnssec_error::kBogus, "b.example.");
}

TEST_F(ValidatingUpstreamTest, NothingIsProvenNotToHaveAnyType) {
  world_.On("www.example.", rr_type::kAny)
      .SignedSoa(Example())
      .SignedNsec(Example(), "www.example.", "z.example.", {rr_type::kA, rr_type::kMx});
  ExpectBogus("www.example.", dnssec_error::kNsecMissing, "not proven not to be there", rr_type::kAny);
  // What a compact denial says (RFC 9824).
  world_.On("gone.example.", rr_type::kAny)
      .SignedSoa(Example())
      .SignedNsec(Example(), "gone.example.", "\\000.gone.example.", {rr_type::kRrsig, rr_type::kNsec, 128});
  ExpectSecure("gone.example.", rr_type::kAny);
}

// --- bogus ---

TEST_F(ValidatingUpstreamTest, UnsignedDataInASignedZoneIsBogus) {
  world_.Anew("www.example.", rr_type::kA).Plain(kAnswer, "www.example.", {A("192.0.2.1")});
  world_.NoCut("example.", "www.example.");
  ExpectBogus("www.example.", dnssec_error::kRrsigsMissing, "example.: A www.example.: it has no signature");
  EXPECT_EQ(validator_.statistics().bogus.value(), 1U);
}

TEST_F(ValidatingUpstreamTest, ABadSignatureAnOldOneAndANewOneAreToldApart) {
  const auto answer = [&](const SignatureSpec& spec) {
    world_.Anew("www.example.", rr_type::kA).Signed(Example(), kAnswer, "www.example.", {A("192.0.2.1")}, spec);
  };
  answer({.inception = At(std::chrono::hours(-3)), .expiration = At(std::chrono::hours(-1))});
  ExpectBogus("www.example.", dnssec_error::kSignatureExpired, "expired 2026-10-31 23:00:00Z");
  answer({.inception = At(std::chrono::hours(1)), .expiration = At(std::chrono::hours(2))});
  ExpectBogus("www.example.", dnssec_error::kSignatureNotYetValid, "the clock is wrong: here it is 2026-11-01");
  world_.Anew("www.example.", rr_type::kA)
      .Plain(kAnswer, "www.example.", {A("192.0.2.9"), Example().Sign("www.example.", 300, {A("192.0.2.1")})});
  ExpectBogus("www.example.", dnssec_error::kBogus, StrCat("key ", int{Example().tag()}, " (ED25519) is not good"));
}

TEST_F(ValidatingUpstreamTest, AnotherUpstreamIsAskedBeforeAnAnswerIsBogus) {
  ExpectSecure("www.example.");
  size_t asked = 0;
  upstream_.SetAnswer([&](const Octets& query) -> absl::StatusOr<Octets> {
    if (++asked == 1) return PositiveAnswerTo(query, 300, {A("192.0.2.9")});
    return world_.Answer(query);
  });
  world_.NoCut("example.", "www.example.");
  // The DS of www.example. is asked for in between: nothing signed the first answer.
  ExpectSecure("www.example.");
  EXPECT_NE(upstream_.asked().back().not_from, nullptr);
  EXPECT_EQ(validator_.statistics().second_opinions.value(), 1U);
}

TEST_F(ValidatingUpstreamTest, AnotherUpstreamIsAskedBeforeAChainIsBogus) {
  size_t keys = 0;
  upstream_.SetAnswer([&](const Octets& query) -> absl::StatusOr<Octets> {
    const MessageRead read = MustReadMessage(query);
    if (read.questions[0].type == rr_type::kDnskey && read.questions[0].name == "example." && ++keys == 1) {
      return NodataAnswerTo(query, "example.");
    }
    return world_.Answer(query);
  });
  ExpectSecure("www.example.");
  EXPECT_EQ(keys, 2U);
}

TEST_F(ValidatingUpstreamTest, ADsThatFitsNoKeyMakesTheZoneBogusForAWhile) {
  const TestSigner other("example.");
  world_.Anew("example.", rr_type::kDs).Signed(world_.signer("."), kAnswer, "example.", {other.Ds()});
  ExpectBogus("www.example.", dnssec_error::kDnskeyMissing, "example.: DNSKEY: no key is the one that DS names");
  const size_t asked = upstream_.asked().size();
  ExpectBogus("www.example.", dnssec_error::kDnskeyMissing, "example.: DNSKEY");
  EXPECT_EQ(upstream_.asked().size(), asked + 1);
  world_.Anew("example.", rr_type::kDs).Signed(world_.signer("."), kAnswer, "example.", {Example().Ds()});
  clock_.Advance(DnssecLimits::kBogusZoneTime);
  ExpectSecure("www.example.");
}

TEST_F(ValidatingUpstreamTest, AStrippedDelegationIsNoUnsignedOne) {
  world_.Anew("example.", rr_type::kDs).Plain(kAuthority, ".", {Soa(300)});
  world_.Anew("www.example.", rr_type::kA).Plain(kAnswer, "www.example.", {A("192.0.2.9")});
  ExpectBogus("www.example.", dnssec_error::kRrsigsMissing, "nothing in the answer of fake is signed by the zone");
}

TEST_F(ValidatingUpstreamTest, ADsThatTheZoneSignedItselfIsNobodysWord) {
  world_.Anew("example.", rr_type::kDs).Signed(Example(), kAnswer, "example.", {Example().Ds()});
  ExpectBogus("www.example.", dnssec_error::kRrsigsMissing, ".: DS example.: nothing in the answer of fake is signed");
}

TEST_F(ValidatingUpstreamTest, AForgedSignatureOfAnUnsignedZoneDoesNotMakeAnAnswerInsecure) {
  world_.DelegateUnsigned("example.", "plain.example.");
  const TestSigner forger("plain.example.");
  world_.NoCut("example.", "www.example.");
  world_.Anew("www.example.", rr_type::kA)
      .Plain(kAnswer, "www.example.", {A("192.0.2.9")})
      .Plain(kAnswer, "www.example.", {forger.Sign("www.example.", 300, {A("192.0.2.9")})});
  ExpectBogus("www.example.", dnssec_error::kRrsigsMissing, "none by this zone");
}

TEST_F(ValidatingUpstreamTest, AZoneDoesNotSpeakForWhatItHasDelegated) {
  world_.Delegate("example.", "sub.example.");
  world_.On("www.sub.example.", rr_type::kA)
      .Signed(world_.signer("sub.example."), kAnswer, "www.sub.example.", {A("192.0.2.1")});
  ExpectSecure("www.sub.example.");
  world_.NoCut("sub.example.", "www.sub.example.");
  world_.Anew("www.sub.example.", rr_type::kA).Signed(Example(), kAnswer, "www.sub.example.", {A("192.0.2.9")});
  ExpectBogus("www.sub.example.", dnssec_error::kRrsigsMissing, "none by this zone");
}

TEST_F(ValidatingUpstreamTest, UnsignedRecordsAmongTheProofsMakeAnAnswerBogus) {
  world_.NoCut("example.", "a.example.");
  world_.Anew("www.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "www.example.", {A("192.0.2.1")})
      .Plain(kAuthority, "a.example.", {Nsec("b.example.", {rr_type::kA})});
  ExpectBogus("www.example.", dnssec_error::kRrsigsMissing, "NSEC a.example.");
}

// --- aliases ---

TEST_F(ValidatingUpstreamTest, AChainOfAliasesIsAsGoodAsItsWeakestLink) {
  world_.Delegate(".", "other.");
  world_.DelegateUnsigned("example.", "plain.example.");
  world_.On("a.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "a.example.", {Cname("b.other.")})
      .Signed(world_.signer("other."), kAnswer, "b.other.", {A("192.0.2.1")});
  world_.On("c.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "c.example.", {Cname("d.plain.example.")})
      .Plain(kAnswer, "d.plain.example.", {A("192.0.2.1")});
  world_.On("e.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "e.example.", {Cname("f.other.")})
      .Plain(kAnswer, "f.other.", {A("192.0.2.9")});
  world_.NoCut("other.", "f.other.");
  ExpectSecure("a.example.");
  ExpectInsecure("c.example.");
  ExpectBogus("e.example.", dnssec_error::kRrsigsMissing, "A f.other.");
}

TEST_F(ValidatingUpstreamTest, AnAliasThatFollowsFromADnameNeedsNoSignature) {
  world_.Delegate(".", "other.");
  world_.On("a.d.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "d.example.", {Dname("other.")})
      .Plain(kAnswer, "a.d.example.", {Cname("a.other.")})
      .Signed(world_.signer("other."), kAnswer, "a.other.", {A("192.0.2.1")});
  ExpectSecure("a.d.example.");
  world_.NoCut("example.", "d.example.");
  world_.NoCut("example.", "b.d.example.");
  world_.On("b.d.example.", rr_type::kA)
      .Signed(Example(), kAnswer, "d.example.", {Dname("other.")})
      .Plain(kAnswer, "b.d.example.", {Cname("evil.other.")})
      .Signed(world_.signer("other."), kAnswer, "evil.other.", {A("192.0.2.1")});
  ExpectBogus("b.d.example.", dnssec_error::kRrsigsMissing, "CNAME b.d.example.");
}

TEST_F(ValidatingUpstreamTest, ADnameAboveATrustAnchorSaysNothingAboutNamesBelowIt) {
  // An island of trust in a zone that nobody vouches for.
  world_.Delegate(".", "island.plain.");
  const DelegationSigner signer = world_.signer("island.plain.").Signer();
  std::string digest;
  for (const uint8_t octet : signer.digest) StrAppend(&digest, absl::Hex(octet, absl::kZeroPad2));
  validator_.Adopt(
      {.anchors = std::make_shared<const TrustAnchors>(*TrustAnchors::Parse(
           StrCat("island.plain. IN DS ", int{signer.key_tag}, " ", int{signer.algorithm}, " 2 ", digest), "island")),
       .aggressive_nsec = false});
  for (const std::string name : {"www.plain.", "www.island.plain."}) {
    const std::string target = name.substr(0, name.size() - 6) + "evil.";
    world_.On(name, rr_type::kA)
        .Plain(kAnswer, "plain.", {Dname("evil.")})
        .Plain(kAnswer, name, {Cname(target)})
        .Plain(kAnswer, target, {A("192.0.2.66")});
  }
  world_.NoCut("island.plain.", "www.island.plain.");
  ExpectInsecure("www.plain.");
  ExpectBogus("www.island.plain.", dnssec_error::kRrsigsMissing, "CNAME www.island.plain.");
}

TEST_F(ValidatingUpstreamTest, AnAliasWhereADsIsAskedForIsTheWordOfItsOwnZone) {
  // The zone of its target, which is above, denies the DS there; the alias alone says that no zone begins at its name.
  TestSigner& sub = world_.Delegate("example.", "sub.example.");
  world_.On("a.sub.example.", rr_type::kDs)
      .Signed(sub, kAnswer, "a.sub.example.", {Cname("b.example.")})
      .SignedSoa(Example())
      .SignedNsec(Example(), "b.example.", "example.", {rr_type::kA});
  world_.On("a.sub.example.", rr_type::kA).Plain(kAnswer, "a.sub.example.", {A("192.0.2.1")});
  ExpectBogus("a.sub.example.", dnssec_error::kRrsigsMissing, "A a.sub.example.: it has no signature");
}

TEST_F(ValidatingUpstreamTest, ADenialBehindAnAliasIsAboutTheLastName) {
  world_.Delegate(".", "other.");
  world_.On("a.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .Signed(Example(), kAnswer, "a.example.", {Cname("b.other.")})
      .SignedSoa(world_.signer("other."))
      .SignedNsec(world_.signer("other."), "other.", "z.other.", {rr_type::kNs, rr_type::kSoa});
  ExpectSecure("a.example.");
}

TEST_F(ValidatingUpstreamTest, ADsAndItsDenialBelongToTheParent) {
  world_.DelegateUnsigned("example.", "plain.example.");
  ExpectSecure("example.", rr_type::kDs);
  ExpectSecure("plain.example.", rr_type::kDs);
}

// --- failures and waiting ---

TEST_F(ValidatingUpstreamTest, AChainThatCannotBeFetchedIsAFailureOfTheUpstreamAndNotBogus) {
  upstream_.SetAnswer([&](const Octets& query) -> absl::StatusOr<Octets> {
    if (MustReadMessage(query).questions[0].type == rr_type::kDs) return FailureAnswerTo(query);
    return world_.Answer(query);
  });
  const auto response = Exchange(Query("www.example."));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(MessageOf(response.status())),
              HasSubstr("fake: DS example.: answered SERVFAIL, and validation needs it"));
  upstream_.SetAnswer([&](const Octets& query) -> absl::StatusOr<Octets> {
    if (MustReadMessage(query).questions[0].type == rr_type::kDnskey) return absl::DeadlineExceededError("too late");
    return world_.Answer(query);
  });
  EXPECT_EQ(Exchange(Query("www.example.")).status().code(), absl::StatusCode::kDeadlineExceeded);
  upstream_.SetAnswer([&](const Octets& query) { return world_.Answer(query); });
  ExpectSecure("www.example.");
}

TEST_F(ValidatingUpstreamTest, IdenticalLinksInFlightAreOne) {
  world_.On("mx.example.", rr_type::kMx).Signed(Example(), kAnswer, "mx.example.", {Mx(1, "www.example.")});
  upstream_.Hold();
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> first, second;
  const UpstreamQuery a = Query("www.example.");
  const UpstreamQuery mx = Query("mx.example.", rr_type::kMx);
  first.From(tasks, validator_.Exchange(a, Soon()));
  second.From(tasks, validator_.Exchange(mx, Soon()));
  loop_.poll();
  upstream_.ReleaseOne();
  upstream_.ReleaseOne();
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(validator_.walker().links_in_flight(), 1U);
  upstream_.Release();
  EXPECT_TRUE(first.Wait(loop_).ok());
  EXPECT_TRUE(second.Wait(loop_).ok());
  EXPECT_EQ(upstream_.asked().size(), 5U);
}

TEST_F(ValidatingUpstreamTest, PromiseX9WhoIsNotWaitedForLeavesAtOnceAndTheLastEndsTheSearch) {
  world_.On("mx.example.", rr_type::kMx).Signed(Example(), kAnswer, "mx.example.", {Mx(1, "www.example.")});
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> first, second;
  Cancellation first_leaves, second_leaves;
  UpstreamQuery a = Query("www.example.");
  a.cancellation = &first_leaves;
  UpstreamQuery mx = Query("mx.example.", rr_type::kMx);
  mx.cancellation = &second_leaves;
  upstream_.Hold();
  first.From(tasks, validator_.Exchange(a, Soon()));
  second.From(tasks, validator_.Exchange(mx, Soon()));
  loop_.poll();
  upstream_.ReleaseOne();
  upstream_.ReleaseOne();
  loop_.restart();
  loop_.poll();
  ASSERT_EQ(validator_.walker().links_in_flight(), 1U);
  first_leaves.Cancel();
  EXPECT_EQ(first.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(validator_.walker().links_in_flight(), 1U);
  EXPECT_THAT(upstream_.taken_back(), IsEmpty());
  second_leaves.Cancel();
  EXPECT_EQ(second.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(validator_.walker().links_in_flight(), 0U);
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(upstream_.taken_back().size(), 1U) << "DNSKEY of the root";
  upstream_.Release();
  ExpectSecure("www.example.");
}

// Everything that a link may wait for.
TEST_F(ValidatingUpstreamTest, ASearchThatEndsEarlyLeavesNothingBehindWhereverItWas) {
  for (size_t released = 1; released <= 4; ++released) {
    validator_.Forget();
    TaskGroup tasks(loop_);
    Outcome<absl::StatusOr<UpstreamResponse>> outcome;
    Cancellation cancellation;
    UpstreamQuery query = Query("www.example.");
    query.cancellation = &cancellation;
    upstream_.Hold();
    outcome.From(tasks, validator_.Exchange(query, Soon()));
    loop_.restart();
    loop_.poll();
    for (size_t i = 0; i < released && !outcome.ready(); ++i) {
      clock_.Advance(std::chrono::milliseconds(10));  // so that the loop makes the checks
      upstream_.ReleaseOne();
      loop_.restart();
      loop_.poll();
    }
    cancellation.Cancel();
    outcome.Wait(loop_);
    loop_.restart();
    loop_.poll();
    EXPECT_EQ(validator_.walker().links_in_flight(), 0U) << released;
    EXPECT_EQ(upstream_.held(), 0U) << released;
    upstream_.Release();
    ExpectSecure("www.example.");
  }
}

TEST_F(ValidatingUpstreamTest, TheDeadlineHoldsWhileAChainIsWaitedFor) {
  upstream_.Hold();
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> outcome;
  const UpstreamQuery query = Query("www.example.");
  outcome.From(tasks, validator_.Exchange(query, Deadline::After(clock_.Now(), std::chrono::milliseconds(1))));
  loop_.poll();
  upstream_.ReleaseOne();
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(outcome.Wait(loop_).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ValidatingUpstreamTest, ClosingLetsWhoWaitsGo) {
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> outcome;
  const UpstreamQuery query = Query("www.example.");
  StartAndHoldChain(outcome, tasks, query);
  validator_.Close();
  EXPECT_EQ(outcome.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ValidatingUpstreamTest, ASecondOpinionThatNobodyWaitedForSaysNothing) {
  // The first answer about the link is bogus, and while the other upstream is asked everybody leaves.
  WorldAnswer& forged = world_.Anew("example.", rr_type::kDs);
  DelegationSigner signer = Example().Signer();
  signer.digest[0] ^= 1U;
  forged.Plain(kAnswer, "example.", {DsRdata(signer)})
      .Plain(kAnswer, "example.", {world_.signer(".").Sign("example.", 300, {Example().Ds()})});
  upstream_.SetAnswer([&](const Octets& query) { return world_.Answer(query); });
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> outcome;
  Cancellation cancellation;
  UpstreamQuery query = Query("www.example.");
  query.cancellation = &cancellation;
  upstream_.Hold();
  outcome.From(tasks, validator_.Exchange(query, Soon()));
  for (int i = 0; i < 100 && !(upstream_.held() == 1 && upstream_.asked().back().not_from != nullptr); ++i) {
    loop_.restart();
    loop_.poll();
    if (upstream_.held() != 0 && upstream_.asked().back().not_from == nullptr) upstream_.ReleaseOne();
    clock_.Advance(std::chrono::milliseconds(10));
  }
  ASSERT_NE(upstream_.asked().back().not_from, nullptr);
  cancellation.Cancel();
  outcome.Wait(loop_);
  loop_.restart();
  loop_.poll();
  upstream_.Release();
  world_.Anew("example.", rr_type::kDs).Signed(world_.signer("."), kAnswer, "example.", {Example().Ds()});
  ExpectSecure("www.example.");
}

// --- trust anchors that change ---

TEST_F(ValidatingUpstreamTest, WhatIsJudgedWhileAnchorsChangeIsJudgedByTheNewOnes) {
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> outcome;
  const UpstreamQuery query = Query("www.example.");
  StartAndHoldChain(outcome, tasks, query);
  ASSERT_EQ(validator_.walker().links_in_flight(), 1U);
  // Another key than the root's.
  const TestWorld other;
  validator_.Adopt({.anchors = other.Anchors(), .aggressive_nsec = false});
  upstream_.Release();
  const auto& response = outcome.Wait(loop_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(MustReadMessage(response->octets).rcode, 2);
  validator_.Adopt({.anchors = world_.Anchors(), .aggressive_nsec = false});
  ExpectSecure("www.example.");
}

TEST_F(ValidatingUpstreamTest, WhatIsJudgedWhileValidationIsTurnedOffIsHandedOnWithoutAd) {
  TaskGroup tasks(loop_);
  Outcome<absl::StatusOr<UpstreamResponse>> outcome;
  const UpstreamQuery query = Query("www.example.");
  StartAndHoldChain(outcome, tasks, query);
  validator_.Adopt({});
  upstream_.Release();
  const auto& response = outcome.Wait(loop_);
  ASSERT_TRUE(response.ok()) << response.status();
  const MessageRead message = MustReadMessage(response->octets);
  EXPECT_EQ(message.rcode, 0);
  EXPECT_FALSE(message.Has(header_flag::kAd));
}

// --- limits ---

TEST_F(ValidatingUpstreamTest, DearChecksRunBesideTheLoop) {
  WorldAnswer& answer = world_.On("no.example.", rr_type::kA).Rcode(Rcode::kNxDomain).SignedSoa(Example());
  answer.SignedNsec(Example(), "example.", "a.example.", {rr_type::kNs, rr_type::kSoa})
      .SignedNsec(Example(), "k.example.", "www.example.", {rr_type::kA});
  ExpectSecure("no.example.");
  EXPECT_GT(validator_.statistics().beside_loop.value(), 0U);
}

TEST_F(ValidatingUpstreamTest, PromiseX9ChecksOfOneAnswerAreBounded) {
  // KeyTrap (CVE-2023-50387): signatures that no key made, each of which has to be tried.
  ExpectSecure("www.example.");
  const uint64_t before = validator_.statistics().signature_checks.value();
  WorldAnswer& answer = world_.Anew("www.example.", rr_type::kA);
  for (unsigned set = 0; set < 4; ++set) {
    const std::string owner = set == 0 ? "www.example." : StrCat("n", set, ".example.");
    const Section section = set == 0 ? kAnswer : kAuthority;
    const Rdata data = set == 0 ? A("192.0.2.1") : Nsec("x.example.", {rr_type::kA});
    answer.Plain(section, owner, {data});
    for (unsigned i = 0; i < 20; ++i) {
      const Rdata other = set == 0 ? A("192.0.2.9") : Nsec("y.example.", {rr_type::kA});
      answer.Plain(section, owner, {Example().Sign(owner, 300, {other})});
    }
    answer.Plain(section, owner, {Example().Sign(owner, 300, {data})});
  }
  EXPECT_EQ(Ask("www.example.").rcode, 2);
  // The second opinion is the same.
  EXPECT_LE(validator_.statistics().signature_checks.value() - before, 2U * DnssecLimits::kSignatureChecksPerResponse);
}

TEST_F(ValidatingUpstreamTest, StepsOfOneQueryAreBounded) {
  std::string name = "example.";
  for (unsigned i = 0; i <= DnssecLimits::kChainStepsPerQuery; ++i) {
    name = "a." + name;
    world_.NoCut("example.", name);
  }
  world_.On(name, rr_type::kA).Plain(kAnswer, name, {A("192.0.2.1")});
  ExpectBogus(name, EdeCode::kOther, "given up: too long a chain");
  EXPECT_EQ(validator_.statistics().over_budget.value(), 1U);
  EXPECT_LE(validator_.statistics().chain_queries.value(), DnssecLimits::kChainStepsPerQuery + 2);
}

TEST_F(ValidatingUpstreamTest, SetsOfOneAnswerAreBounded) {
  WorldAnswer& answer = world_.Anew("www.example.", rr_type::kA).Plain(kAnswer, "www.example.", {A("192.0.2.1")});
  for (size_t i = 0; i < DnssecLimits::kRrsetsPerResponseMax; ++i) {
    answer.Plain(kAuthority, StrCat("n", i, ".example."), {Nsec("z.example.", {rr_type::kA})});
  }
  ExpectBogus("www.example.", EdeCode::kOther, "given up: too many sets of records");
}

TEST_F(ValidatingUpstreamTest, RecordsOfOneDsSetAreBounded) {
  std::vector<Rdata> many;
  for (size_t i = 0; i <= DnssecLimits::kDsRecordsMax; ++i) {
    DelegationSigner signer = Example().Signer();
    signer.digest[0] = static_cast<uint8_t>(i);
    many.push_back(DsRdata(signer));
  }
  world_.Anew("example.", rr_type::kDs).Signed(world_.signer("."), kAnswer, "example.", many);
  ExpectBogus("www.example.", EdeCode::kOther, "given up: too many records");
}

class LinksInFlightTest : public ValidatingUpstreamTest {
 protected:
  // Asks for `count` names below `suffix`, or as registrable domains of their own, whose chains of trust nobody
  // answers.
  void Start(size_t count, const std::string& suffix) {
    ExpectSecure("www.example.");
    upstream_.SetAnswer(
        [&](const Octets& query) -> absl::StatusOr<Octets> { return PositiveAnswerTo(query, 300, {A("192.0.2.1")}); });
    for (size_t i = 0; i < count; ++i) queries_.push_back(Query(StrCat("n", i, ".", suffix)));
    outcomes_ = std::vector<Outcome<absl::StatusOr<UpstreamResponse>>>(count);
    upstream_.Hold();
    for (size_t i = 0; i < count; ++i) outcomes_[i].From(tasks_, validator_.Exchange(queries_[i], Soon()));
    loop_.restart();
    loop_.poll();
    for (size_t i = 0; i < count; ++i) upstream_.ReleaseOne();
    loop_.restart();
    loop_.poll();
  }
  void ExpectOnlyTheLastRefused() {
    ASSERT_TRUE(outcomes_.back().ready());
    EXPECT_EQ(outcomes_.back()->status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_FALSE(outcomes_[outcomes_.size() - 2].ready());
    upstream_.Release();
    for (auto& outcome : outcomes_) outcome.Wait(loop_);
    EXPECT_EQ(validator_.walker().links_in_flight(), 0U);
  }

  TaskGroup tasks_{loop_};
  std::vector<UpstreamQuery> queries_;
  std::vector<Outcome<absl::StatusOr<UpstreamResponse>>> outcomes_;
};

TEST_F(LinksInFlightTest, AreBounded) {
  Start(DnssecLimits::kChainStepsInFlightMax + 1, "example.");
  EXPECT_EQ(validator_.walker().links_in_flight(), DnssecLimits::kChainStepsInFlightMax);
  ExpectOnlyTheLastRefused();
}

TEST_F(LinksInFlightTest, OfOneDomainAreBounded) {
  // So that the names below it are what is looked for.
  world_.NoCut("example.", "evil.example.");
  world_.On("evil.example.", rr_type::kA).Plain(kAnswer, "evil.example.", {A("192.0.2.1")});
  ExpectBogus("evil.example.", dnssec_error::kRrsigsMissing, "");
  Start(DnssecLimits::kChainStepsPerSuffixMax + 1, "evil.example.");
  EXPECT_EQ(validator_.walker().links_in_flight(), DnssecLimits::kChainStepsPerSuffixMax);
  ExpectOnlyTheLastRefused();
}

// --- what stands beside an answer ---

TEST_F(ValidatingUpstreamTest, AnUnsignedZoneBehindAWildcardAliasMayDeny) {
  // aws.example. is delegated without DS; *.example. is an alias into it.
  world_.On("aws.example.", rr_type::kDs)
      .SignedSoa(Example())
      .SignedNsec(Example(), "aws.example.", "www.example.", {rr_type::kNs});
  world_.On("lb.aws.example.", rr_type::kDs)
      .SignedSoa(Example())
      .SignedNsec(Example(), "aws.example.", "www.example.", {rr_type::kNs});
  world_.On("x.example.", rr_type::kAaaa)
      .Expanded(Example(), "*.example.", "x.example.", {Cname("lb.aws.example.")})
      .SignedNsec(Example(), "www.example.", "example.", {rr_type::kA})
      .Plain(kAuthority, "aws.example.", {Soa(300)});
  ExpectInsecure("x.example.", rr_type::kAaaa);
}

TEST_F(ValidatingUpstreamTest, PromiseR4SignaturesThatSignNothingAreNeverSecure) {
  world_.On("www.example.", rr_type::kRrsig)
      .Plain(kAnswer, "www.example.", {Example().Sign("www.example.", 300, {A("192.0.2.1")})})
      .SignedNsec(Example(), "www.example.", "example.", {rr_type::kA});
  ExpectInsecure("www.example.", rr_type::kRrsig);
}

// --- denials that answer for other names (RFC 8198) ---

class AggressiveTest : public ValidatingUpstreamTest {
 protected:
  AggressiveTest() {
    validator_.Adopt({.anchors = world_.Anchors()});
    // The zone has www.example. and nothing between it and its apex.
    world_.On("a.example.", rr_type::kA)
        .Rcode(Rcode::kNxDomain)
        .SignedSoa(Example())
        .SignedNsec(Example(), "example.", "www.example.", {rr_type::kNs, rr_type::kSoa, rr_type::kDnskey});
  }
  // Once the loop has time again, however long the checks before have kept a slow machine.
  MessageRead Ask(std::string_view name, uint16_t type = rr_type::kA) {
    clock_.Advance(std::chrono::milliseconds(100));
    return ValidatingUpstreamTest::Ask(name, type);
  }
};

TEST_F(AggressiveTest, DenialAnswersForTheOtherNamesOfItsRange) {
  ASSERT_EQ(Ask("a.example.").rcode, 3);
  const size_t asked = upstream_.asked().size();
  const MessageRead denied = Ask("b.example.", rr_type::kMx);
  EXPECT_EQ(denied.rcode, 3);
  EXPECT_TRUE(denied.Has(header_flag::kAd));
  EXPECT_EQ(denied.authorities.size(), 4U) << "SOA and range, with their signatures";
  EXPECT_EQ(upstream_.asked().size(), asked) << "nobody was asked";
  EXPECT_EQ(validator_.statistics().from_denials.value(), 1U);
}

TEST_F(AggressiveTest, WhatWasNotDeniedIsAskedFor) {
  Ask("a.example.");
  ExpectSecure("www.example.");
  const auto zebra = Ask("zebra.example.");
  EXPECT_EQ(zebra.rcode, 5) << "the upstream's word";
}

TEST_F(AggressiveTest, QuestionsWithCdAreAskedFor) {
  Ask("a.example.");
  UpstreamQuery query = Query("b.example.");
  query.checking_disabled = true;
  const size_t asked = upstream_.asked().size();
  Exchange(query).IgnoreError();
  EXPECT_EQ(upstream_.asked().size(), asked + 1);
}

TEST_F(AggressiveTest, TypesThatNoBitmapSpeaksOfAreAskedFor) {
  Ask("a.example.");
  for (const uint16_t type : {rr_type::kAny, rr_type::kRrsig, rr_type::kNsec}) {
    const size_t asked = upstream_.asked().size();
    Exchange(Query("example.", type)).IgnoreError();
    EXPECT_EQ(upstream_.asked().size(), asked + 1) << type;
  }
}

TEST_F(AggressiveTest, LivesNoLongerThanTheSoaSays) {
  world_.Anew("a.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .Signed(Example(), kAuthority, "example.", {Soa(20)})
      .SignedNsec(Example(), "example.", "www.example.", {rr_type::kNs, rr_type::kSoa});
  ASSERT_EQ(Ask("a.example.").rcode, 3);
  clock_.Advance(std::chrono::seconds(19));
  EXPECT_EQ(Ask("b.example.").rcode, 3);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Ask("b.example.").rcode, 5) << "asked for, and refused";
}

TEST_F(AggressiveTest, BogusDenialsTeachNothing) {
  world_.Anew("a.example.", rr_type::kA)
      .Rcode(Rcode::kNxDomain)
      .SignedSoa(Example())
      .Plain(kAuthority, "example.", {Nsec("www.example.", {rr_type::kNs, rr_type::kSoa})});
  EXPECT_EQ(Ask("a.example.").rcode, 2);
  EXPECT_EQ(Ask("b.example.").rcode, 5);
}

TEST_F(AggressiveTest, OffItAsksForEveryName) {
  validator_.Adopt({.anchors = world_.Anchors(), .aggressive_nsec = false});
  Ask("a.example.");
  EXPECT_EQ(Ask("b.example.").rcode, 5);
}

TEST_F(AggressiveTest, WildcardAnswersForOtherNames) {
  world_.On("x.w.example.", rr_type::kA)
      .Expanded(Example(), "*.w.example.", "x.w.example.", {A("192.0.2.9")})
      .SignedNsec(Example(), "*.w.example.", "www.example.", {rr_type::kA});
  ExpectSecure("x.w.example.");
  const size_t asked = upstream_.asked().size();
  const MessageRead made = Ask("y.w.example.");
  EXPECT_TRUE(made.Has(header_flag::kAd));
  ASSERT_EQ(made.answers.size(), 2U);
  EXPECT_EQ(upstream_.asked().size(), asked);
}

TEST_F(AggressiveTest, NoDelegationIsMadeFromAWildcard) {
  Ask("a.example.");
  world_.On("*.example.", rr_type::kDs).Signed(Example(), kAnswer, "*.example.", {Example().Ds()});
  ExpectSecure("*.example.", rr_type::kDs);
  const size_t asked = upstream_.asked().size();
  EXPECT_EQ(Ask("b.example.", rr_type::kDs).rcode, 3) << "denied as ever";
  EXPECT_EQ(upstream_.asked().size(), asked);
}

// What was compressed in one message would lead elsewhere in another.
TEST_F(AggressiveTest, WildcardAnswersWithItsNamesInFull) {
  // The question's name begins at offset 12, its second label at 14.
  const Octets compressed = {0, 10, 4, 'm', 'a', 'i', 'l', 0xC0, 14};
  world_.On("x.example.", rr_type::kMx)
      .Plain(kAnswer, "x.example.", {Rdata{rr_type::kMx, compressed}})
      .Plain(kAnswer, "x.example.", {Example().Sign("*.example.", 300, {Mx(10, "mail.example.")})})
      .SignedNsec(Example(), "a.example.", "example.", {rr_type::kA});
  EXPECT_TRUE(Ask("x.example.", rr_type::kMx).Has(header_flag::kAd));
  const size_t asked = upstream_.asked().size();
  for (const char* name : {"y.example.", "q.z.example.", "x\\004evil\\003com\\000.example."}) {
    const MessageRead made = Ask(name, rr_type::kMx);
    ASSERT_EQ(made.answers.size(), 2U) << name;
    EXPECT_EQ(made.answers[0].rdata, Mx(10, "mail.example.").octets) << name;
  }
  EXPECT_EQ(upstream_.asked().size(), asked);
}

TEST_F(AggressiveTest, WithoutAnchorsEverythingIsHandedOn) {
  validator_.Adopt({});
  UpstreamQuery query = Query("www.example.");
  const auto response = Exchange(query);
  ASSERT_TRUE(response.ok());
  EXPECT_FALSE(upstream_.asked().back().dnssec_ok) << "as it was asked";
  EXPECT_FALSE(upstream_.asked().back().checking_disabled);
}

}  // namespace
}  // namespace dotward
