#include "admin/answer_trust.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "testing/messages.h"

namespace dotward {
namespace {

using enum KnownVerdict;
using Failure = AnswerInquiry::Failure;

constexpr SteadyTime kNow{std::chrono::hours(1)};

struct Flags {
  bool authentic = false;
  bool dnssec_ok = true;
  bool checking_disabled = false;
};

CacheEntry EntryOf(MessageBuilder response, const Flags& flags) {
  if (flags.authentic) response.AddFlags(header_flag::kAd);
  const Octets octets = response.Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  CacheEntry entry;
  entry.image = *ResponseImage::Build(*message, ClassifyResponse(*message, {}), "quad9", kNow);
  entry.dnssec_ok = flags.dnssec_ok;
  entry.checking_disabled = flags.checking_disabled;
  return entry;
}

MessageBuilder To(std::string_view name, uint16_t type = rr_type::kA) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(1, name, type).Build());
}

MessageBuilder Signed() {
  return To("www.example.")
      .Answer("www.example.", 300, A("192.0.2.1"))
      .Answer("www.example.", 300, Rrsig(rr_type::kA, "example."));
}

// What is known of the way to a name: a zone for each of the verdicts, the last one called `lowest`.
TrustChain Down(std::string_view lowest, Verdict verdict) {
  TrustChain chain;
  chain.anchor.emplace();
  const auto zone = std::make_shared<ZoneStatus>();
  zone->zone = *Name::Parse(lowest);
  zone->verdict = std::move(verdict);
  chain.zones = {std::make_shared<ZoneStatus>(), zone};
  return chain;
}

AnswerTrust TrustOf(const CacheEntry& entry, const std::vector<TrustChain>& chains) {
  return AnswerInquiry(entry).JudgedBy(chains, std::nullopt);
}

// The verdict of the whole, then those of the RRsets.
std::string Verdicts(const AnswerTrust& trust) {
  std::string text(KnownVerdictToString(trust.verdict));
  for (const RrsetTrust& rrset : trust.rrsets) (text += ' ') += KnownVerdictToString(rrset.verdict);
  return text;
}

TEST(AnswerTrustTest, WhatIsAuthenticIsSecureWithAllThatItIsMadeOf) {
  const AnswerTrust trust = TrustOf(EntryOf(Signed(), {.authentic = true}), {});
  EXPECT_EQ(Verdicts(trust), "secure secure");
  EXPECT_TRUE(trust.has_signatures);
  const RrsetTrust& rrset = trust.rrsets.at(0);
  EXPECT_EQ(rrset.owner, *Name::Parse("www.example."));
  EXPECT_EQ(rrset.type, rr_type::kA);
  ASSERT_EQ(rrset.signatures.size(), 1U);
  EXPECT_EQ(rrset.signatures[0].key_tag, 12345);
  EXPECT_EQ(rrset.signatures[0].algorithm, 13);
  EXPECT_EQ(rrset.signatures[0].inception, 0x60000000U);
  EXPECT_EQ(rrset.signatures[0].expiration, 0x7fffffffU);
  EXPECT_EQ(rrset.signatures[0].signer, *Name::Parse("example."));
}

TEST(AnswerTrustTest, WhatWasKeptWithoutSignaturesSaysSo) {
  const AnswerTrust trust = TrustOf(
      EntryOf(To("www.example.").Answer("www.example.", 300, A("192.0.2.1")), {.authentic = true, .dnssec_ok = false}),
      {});
  EXPECT_EQ(Verdicts(trust), "secure secure");
  EXPECT_FALSE(trust.has_signatures);
  EXPECT_TRUE(trust.rrsets.at(0).signatures.empty());
}

TEST(AnswerTrustTest, WhatIsNotAuthenticIsWhatItsZoneIs) {
  const CacheEntry entry = EntryOf(To("www.example.").Answer("www.example.", 300, A("192.0.2.1")), {});
  EXPECT_EQ(AnswerInquiry(entry).names(), std::vector{*Name::Parse("www.example.")});
  EXPECT_EQ(Verdicts(TrustOf(entry, {Down("example.", Verdict::Insecure())})), "insecure insecure");
  TrustChain negative = Down("example.", Verdict::Secure());
  negative.negative_anchor = *Name::Parse("example.");
  EXPECT_EQ(Verdicts(TrustOf(entry, {negative})), "insecure insecure");
  EXPECT_EQ(Verdicts(TrustOf(entry, {TrustChain{}})), "indeterminate indeterminate");
}

TEST(AnswerTrustTest, WhereTheWayIsNotKnownAnyMoreItIsNotKnownWhy) {
  const CacheEntry entry = EntryOf(To("www.example.").Answer("www.example.", 300, A("192.0.2.1")), {});
  EXPECT_EQ(Verdicts(TrustOf(entry, {})), "unknown unknown") << "nobody could be asked";
  TrustChain anchor_alone;
  anchor_alone.anchor.emplace();
  EXPECT_EQ(Verdicts(TrustOf(entry, {anchor_alone})), "insecure unknown");
  // Below a secure zone there may be one that is not.
  EXPECT_EQ(Verdicts(TrustOf(entry, {Down("example.", Verdict::Secure())})), "insecure unknown");
  const Verdict bogus = Verdict::Bogus(dnssec_error::kBogus, "by now");
  EXPECT_EQ(Verdicts(TrustOf(entry, {Down("example.", bogus)})), "insecure unknown");
}

TEST(AnswerTrustTest, EachLinkOfAnAliasHasItsOwnVerdict) {
  const CacheEntry entry = EntryOf(To("www.example.")
                                       .Answer("www.example.", 300, Cname("www.test."))
                                       .Answer("www.example.", 300, Rrsig(rr_type::kCname, "example."))
                                       .Answer("www.test.", 300, A("192.0.2.1")),
                                   {});
  EXPECT_EQ(AnswerInquiry(entry).names(), (std::vector{*Name::Parse("www.example."), *Name::Parse("www.test.")}));
  EXPECT_EQ(Verdicts(TrustOf(entry, {Down("example.", Verdict::Secure()), Down("test.", Verdict::Insecure())})),
            "insecure secure insecure");
}

TEST(AnswerTrustTest, AnAliasThatFollowsFromAnotherIsWhatThatIs) {
  const CacheEntry entry = EntryOf(To("a.old.example.")
                                       .Answer("old.example.", 300, Dname("test."))
                                       .Answer("old.example.", 300, Rrsig(rr_type::kDname, "example."))
                                       .Answer("a.old.example.", 300, Cname("a.test."))
                                       .Answer("a.test.", 300, A("192.0.2.1")),
                                   {});
  const Name dname = *Name::Parse("old.example.");
  EXPECT_EQ(AnswerInquiry(entry).names(), (std::vector{dname, dname, *Name::Parse("a.test.")}));
  const TrustChain secure = Down("example.", Verdict::Secure());
  EXPECT_EQ(Verdicts(TrustOf(entry, {secure, secure, Down("test.", Verdict::Insecure())})),
            "insecure secure secure insecure");
}

// Signed by the zone and yet not secure: the proof covers the name with a range that opts out (RFC 5155 §9.2).
TEST(AnswerTrustTest, ADenialThatIsNotSecureThoughItsRecordsAreIsInsecure) {
  const CacheEntry entry = EntryOf(To("www.example.")
                                       .WithRcode(Rcode::kNxDomain)
                                       .Authority("example.", 300, Soa(300))
                                       .Authority("example.", 300, Rrsig(rr_type::kSoa, "example."))
                                       .Authority("example.", 300, Nsec("z.example.", {rr_type::kSoa}))
                                       .Authority("example.", 300, Rrsig(rr_type::kNsec, "example.")),
                                   {});
  const TrustChain secure = Down("example.", Verdict::Secure());
  EXPECT_EQ(Verdicts(TrustOf(entry, {secure, secure})), "insecure secure secure");
}

TEST(AnswerTrustTest, AnNsecIsInTheZoneThatHasSignedIt) {
  const CacheEntry entry = EntryOf(To("sub.example.", rr_type::kDs)
                                       .Authority("example.", 300, Soa(300))
                                       .Authority("sub.example.", 300, Nsec("z.example.", {rr_type::kNs}))
                                       .Authority("sub.example.", 300, Rrsig(rr_type::kNsec, "example.")),
                                   {});
  EXPECT_EQ(AnswerInquiry(entry).names(), (std::vector(2, *Name::Parse("example."))));
}

TEST(AnswerTrustTest, WhatWasAskedForWithCdIsUnjudgedUnlessItFailedWithout) {
  const CacheEntry entry = EntryOf(Signed(), {.authentic = true, .checking_disabled = true});
  const std::vector<TrustChain> chains = {Down("example.", Verdict::Secure())};
  EXPECT_EQ(Verdicts(TrustOf(entry, chains)), "unjudged unjudged");
  Failure failure{.in_a_row = 1, .errors = {{EdeCode(7), "expired"}}};
  EXPECT_EQ(Verdicts(AnswerInquiry(entry).JudgedBy(chains, failure)), "unjudged unjudged") << "no validator's failure";
  failure.bogus = true;
  const AnswerTrust bogus = AnswerInquiry(entry).JudgedBy(chains, failure);
  EXPECT_EQ(Verdicts(bogus), "bogus unjudged");
  ASSERT_TRUE(bogus.reason);
  EXPECT_EQ(bogus.reason->text, "expired");
}

TEST(AnswerTrustTest, WhereNothingIsJudgedNothingHasAVerdict) {
  EXPECT_EQ(Verdicts(AnswerInquiry(EntryOf(Signed(), {.authentic = true})).Unjudged()), "unjudged unjudged");
}

TEST(AnswerTrustTest, AQuestionIsAnsweredByWhatIsFreshThenBogusThenExpired) {
  const auto with = [](KnownVerdict verdict, const Flags& flags) {
    JudgedEntry judged{EntryOf(Signed(), flags), {}};
    judged.trust.verdict = verdict;
    return judged;
  };
  const Failure bogus{.bogus = true, .errors = {{EdeCode(7), "expired"}}};
  const SteadyTime expiry = kNow + std::chrono::seconds(300);
  const std::vector all = {with(kUnjudged, {.checking_disabled = true}), with(kUnknown, {.dnssec_ok = false}),
                           with(kSecure, {})};
  EXPECT_EQ(TrustOfAnswer(all, std::nullopt, kNow)->verdict, kSecure) << "with signatures before without";
  EXPECT_EQ(TrustOfAnswer(all, bogus, kNow)->verdict, kSecure);
  EXPECT_EQ(TrustOfAnswer(all, std::nullopt, expiry)->verdict, kSecure);
  EXPECT_EQ(TrustOfAnswer(all, bogus, expiry)->verdict, kUnjudged) << "the entry's own verdict has the failure in it";
  const std::optional<AnswerTrust> alone = TrustOfAnswer({}, bogus, kNow);
  ASSERT_TRUE(alone && alone->reason);
  EXPECT_EQ(alone->verdict, kBogus);
  EXPECT_EQ(alone->reason->code, EdeCode(7));
  EXPECT_FALSE(TrustOfAnswer({}, Failure{.in_a_row = 1}, kNow));
  EXPECT_FALSE(TrustOfAnswer({}, std::nullopt, kNow));
}

}  // namespace
}  // namespace dotward
