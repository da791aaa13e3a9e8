#include "dns/classify.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "dns/printers.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using rr_type::kA;
using rr_type::kAaaa;
using rr_type::kAny;
using rr_type::kCname;
using rr_type::kDname;
using rr_type::kDs;
using rr_type::kNsec;
using rr_type::kRrsig;
using rr_type::kSoa;

constexpr uint32_t kDay = 86'400;

// A response and what was made of it. The octets live here, because a message borrows them.
struct Classified {
  Octets octets;
  Message message;
  Classification result;

  bool kept(size_t record) const { return result.records.at(record).keep; }
  std::string Kept() const {
    std::string text;
    for (const auto& record : result.records) text += record.keep ? 'x' : '.';
    return text;
  }
  uint32_t ttl(size_t record) const { return result.records.at(record).ttl; }
};

Classified Classify(const MessageBuilder& builder, const TtlPolicy& policy = {},
                    DnssecRecords dnssec = DnssecRecords::kKeep) {
  Classified classified;
  classified.octets = builder.Build();
  absl::StatusOr<Message> message = ParseResponse(classified.octets);
  EXPECT_TRUE(message.ok()) << message.status();
  if (!message.ok()) return classified;
  classified.message = *std::move(message);
  classified.result = ClassifyResponse(classified.message, policy, dnssec);
  EXPECT_EQ(classified.result.records.size(), classified.message.scan().records.size());
  EXPECT_EQ(classified.result.ttl == 0, !classified.result.not_cacheable_because.empty())
      << "ttl " << classified.result.ttl << " because " << classified.result.not_cacheable_because;
  return classified;
}

MessageBuilder To(std::string_view name, uint16_t type, uint16_t klass = rr_class::kIn) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(1, name, type, klass).Build());
}

TEST(ClassifyResponseTest, DataForTheQuestionIsPositive) {
  const Classified c = Classify(To("a.example.", kA).Answer("a.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.result.rcode, Rcode::kNoError);
  EXPECT_TRUE(c.result.usable());
  EXPECT_FALSE(c.result.behind_alias);
  EXPECT_EQ(c.result.ttl, 300U);
  EXPECT_EQ(c.Kept(), "x");
  EXPECT_EQ(c.ttl(0), 300U);
}

TEST(ClassifyResponseTest, NamesAreComparedWithoutCase) {
  const Classified c = Classify(To("A.Example.", kA).Answer("a.EXAMPLE.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "x");
}

TEST(ClassifyResponseTest, TheAdBitIsReported) {
  EXPECT_FALSE(Classify(To("a.example.", kA).Answer("a.example.", 1, A("192.0.2.1"))).result.authentic_data);
  EXPECT_TRUE(Classify(To("a.example.", kA).AddFlags(header_flag::kAd).Answer("a.example.", 1, A("192.0.2.1")))
                  .result.authentic_data);
}

TEST(ClassifyResponseTest, TheLowestTtlIsTheLifetime) {
  const Classified c = Classify(
      To("a.example.", kA).Answer("a.example.", 300, Cname("b.example.")).Answer("b.example.", 20, A("192.0.2.1")));
  EXPECT_EQ(c.result.ttl, 20U);
  EXPECT_EQ(c.ttl(0), 300U) << "each record keeps its own";
  EXPECT_EQ(c.ttl(1), 20U);
}

TEST(ClassifyResponseTest, AChainOfCnamesIsFollowed) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, Cname("b.example.net."))
                                    .Answer("b.example.net.", 200, Cname("c.example.org."))
                                    .Answer("c.example.org.", 100, A("192.0.2.1"))
                                    .Answer("c.example.org.", 100, A("192.0.2.2")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_TRUE(c.result.behind_alias);
  EXPECT_EQ(c.Kept(), "xxxx");
  EXPECT_EQ(c.result.ttl, 100U);
}

TEST(ClassifyResponseTest, AChainOfCnamesNeedNotBeInOrder) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("c.example.org.", 100, A("192.0.2.1"))
                                    .Answer("b.example.net.", 200, Cname("c.example.org."))
                                    .Answer("a.example.", 300, Cname("b.example.net.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xxx");
}

TEST(ClassifyResponseTest, AChainOfCnamesIsFollowedThroughCompressedNames) {
  // www at octet 12, example at 16; the target "b" + pointer to example, the address at that name by pointer.
  const Octets octets =
      Hex("0001 8180 0001 0002 0000 0000"
          "03777777 07 6578616d706c65 00 0001 0001"
          "c00c 0005 0001 0000012c 0004 0162 c010"
          "c029 0001 0001 0000012c 0004 c0000201");
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok()) << message.status();
  const Classification result = ClassifyResponse(*message, {});
  EXPECT_EQ(result.kind, ResponseKind::kPositive);
  EXPECT_TRUE(result.records[0].keep && result.records[1].keep);
}

TEST(ClassifyResponseTest, ACnameLoopIsAFailureAndEnds) {
  EXPECT_EQ(Classify(To("a.example.", kA).Answer("a.example.", 300, Cname("a.example."))).result.kind,
            ResponseKind::kFailure);
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, Cname("b.example."))
                                    .Answer("b.example.", 300, Cname("a.example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kFailure);
  EXPECT_FALSE(c.result.usable());
  EXPECT_EQ(c.Kept(), "..");
}

TEST(ClassifyResponseTest, AChainHasAtMostSixteenLinks) {
  const auto chain = [](size_t links) {
    MessageBuilder builder = To("n0.example.", kA);
    for (size_t i = 0; i < links; ++i) {
      builder.Answer("n" + std::to_string(i) + ".example.", 60, Cname("n" + std::to_string(i + 1) + ".example."));
    }
    return builder.Answer("n" + std::to_string(links) + ".example.", 60, A("192.0.2.1"));
  };
  EXPECT_EQ(Classify(chain(Limits::kAliasLinksMax)).result.kind, ResponseKind::kPositive);
  EXPECT_EQ(Classify(chain(Limits::kAliasLinksMax + 2)).result.kind, ResponseKind::kFailure);
}

TEST(ClassifyResponseTest, ADnameAndTheCnameMadeFromItAreKept) {
  const Classified c = Classify(To("x.old.example.", kA)
                                    .Answer("old.example.", 300, Dname("new.example."))
                                    .Answer("old.example.", 300, Rrsig(kDname, "example."))
                                    .Answer("x.old.example.", 300, Cname("x.new.example."))
                                    .Answer("x.new.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_TRUE(c.result.behind_alias);
  EXPECT_EQ(c.Kept(), "xxxx");
}

TEST(ClassifyResponseTest, TheDnameProvesTheCnameThatWasAskedForByType) {
  // RFC 6672 §5.3.1: the synthesised CNAME is not signed, so that a validating client needs the DNAME beside it.
  const Classified c = Classify(To("x.old.example.", kCname)
                                    .Answer("old.example.", 300, Dname("new.example."))
                                    .Answer("old.example.", 300, Rrsig(kDname, "example."))
                                    .Answer("x.old.example.", 300, Cname("x.new.example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xxx");
}

TEST(ClassifyResponseTest, X3_ADnameThatIsNotAboveTheNameIsLeftOut) {
  const Classified c = Classify(To("x.old.example.", kA)
                                    .Answer("other.example.", 300, Dname("evil.example."))
                                    .Answer("x.old.example.", 300, Dname("evil.example."))
                                    .Answer("x.old.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "..x");
}

TEST(ClassifyResponseTest, ADnameThatWasAskedForIsData) {
  const Classified c = Classify(To("old.example.", kDname).Answer("old.example.", 300, Dname("new.example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "x");
}

TEST(ClassifyResponseTest, ACnameThatWasAskedForIsDataAndIsNotFollowed) {
  const Classified c = Classify(To("a.example.", kCname)
                                    .Answer("a.example.", 300, Cname("b.example."))
                                    .Answer("b.example.", 300, Cname("c.example."))
                                    .Answer("c.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_FALSE(c.result.behind_alias);
  EXPECT_EQ(c.Kept(), "x..");
}

TEST(ClassifyResponseTest, SignaturesOfTheDataAreKept) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, Cname("b.example."))
                                    .Answer("a.example.", 300, Rrsig(kCname, "example."))
                                    .Answer("b.example.", 300, A("192.0.2.1"))
                                    .Answer("b.example.", 300, Rrsig(kA, "example."))
                                    .Answer("b.example.", 300, Rrsig(kAaaa, "example."))
                                    .Answer("c.example.", 300, Rrsig(kA, "example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xxxx..") << "those of another type or name are not";
}

TEST(ClassifyResponseTest, C7_WithoutDoSignaturesAndProofsAreLeftOut) {
  const MessageBuilder negative = To("a.example.", kA)
                                      .WithRcode(Rcode::kNxDomain)
                                      .Authority("example.", 300, Soa(300))
                                      .Authority("example.", 300, Rrsig(kSoa, "example."))
                                      .Authority("example.", 300, Nsec("z.example.", {kSoa, kNsec, kRrsig}))
                                      .Authority("example.", 300, Rrsig(kNsec, "example."))
                                      .Authority("hash.example.", 300, Opaque(rr_type::kNsec3, Octets(30)));
  EXPECT_EQ(Classify(negative, {}, DnssecRecords::kKeep).Kept(), "xxxxx");
  EXPECT_EQ(Classify(negative, {}, DnssecRecords::kLeaveOut).Kept(), "x....");
  const MessageBuilder positive =
      To("a.example.", kA).Answer("a.example.", 300, A("192.0.2.1")).Answer("a.example.", 300, Rrsig(kA, "example."));
  EXPECT_EQ(Classify(positive, {}, DnssecRecords::kLeaveOut).Kept(), "x.");
}

TEST(ClassifyResponseTest, C7_RecordsOfDnssecThatWereAskedForByTypeAreKept) {
  const Classified rrsig =
      Classify(To("a.example.", kRrsig).Answer("a.example.", 300, Rrsig(kA, "example.")), {}, DnssecRecords::kLeaveOut);
  EXPECT_EQ(rrsig.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(rrsig.Kept(), "x");
  const Classified nsec = Classify(To("a.example.", kNsec)
                                       .Answer("a.example.", 300, Nsec("b.example.", {kA}))
                                       .Answer("a.example.", 300, Rrsig(kNsec, "example.")),
                                   {}, DnssecRecords::kLeaveOut);
  EXPECT_EQ(nsec.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(nsec.Kept(), "x.");
}

TEST(ClassifyResponseTest, WhatIsLeftOutDoesNotShortenTheLifetime) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, A("192.0.2.1"))
                                    .Answer("a.example.", 7, Rrsig(kA, "example."))
                                    .Authority("example.", 5, Ns("ns.example."))
                                    .Additional("ns.example.", 0, A("192.0.2.2")),
                                {}, DnssecRecords::kLeaveOut);
  EXPECT_EQ(c.result.ttl, 300U);
}

TEST(ClassifyResponseTest, RrsigThatWasAskedForIsDataWhateverItCovers) {
  const Classified c = Classify(To("a.example.", kRrsig)
                                    .Answer("a.example.", 300, Rrsig(kA, "example."))
                                    .Answer("a.example.", 300, Rrsig(kNsec, "example."))
                                    .Answer("b.example.", 300, Rrsig(kA, "example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xx.");
}

TEST(ClassifyResponseTest, AnyIsAnsweredByWhateverTheNameHas) {
  const Classified c = Classify(To("a.example.", kAny)
                                    .Answer("a.example.", 300, A("192.0.2.1"))
                                    .Answer("a.example.", 200, Mx(10, "mx.example."))
                                    .Answer("a.example.", 100, Rrsig(kA, "example."))
                                    .Answer("b.example.", 50, A("192.0.2.3")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xxx.");
  EXPECT_EQ(c.result.ttl, 100U);
}

TEST(ClassifyResponseTest, DsIsAnsweredAndDeniedByTheParent) {
  const Classified data =
      Classify(To("child.example.", kDs).Answer("child.example.", 300, Opaque(kDs, Hex("1234 0d 02 aabb"))));
  EXPECT_EQ(data.result.kind, ResponseKind::kPositive);
  const Classified denial = Classify(To("child.example.", kDs)
                                         .Authority("example.", 300, Soa(60))
                                         .Authority("child.example.", 300, Nsec("d.example.", {rr_type::kNs})));
  EXPECT_EQ(denial.result.kind, ResponseKind::kNoData);
  EXPECT_EQ(denial.Kept(), "xx");
  EXPECT_EQ(denial.result.ttl, 60U);
}

TEST(ClassifyResponseTest, AWildcardsAnswerKeepsTheProofThatTheNameDoesNotExist) {
  // RFC 4035 §5.3.4.
  const Classified c = Classify(To("x.example.", kA)
                                    .Answer("x.example.", 300, A("192.0.2.1"))
                                    .Answer("x.example.", 300, Rrsig(kA, "example."))
                                    .Authority("example.", 300, Ns("ns.example."))
                                    .Authority("w.example.", 300, Nsec("y.example.", {kA}))
                                    .Authority("w.example.", 300, Rrsig(kNsec, "example.")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xx.xx");
}

TEST(ClassifyResponseTest, UnknownTypesAreData) {
  const Classified c = Classify(To("a.example.", 65280).Answer("a.example.", 300, Opaque(65280, Octets(3))));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
}

TEST(ClassifyResponseTest, C4_TheNegativeTtlIsTheLowerOfSoaTtlAndMinimum) {
  for (const auto& [soa_ttl, minimum, expected] :
       {std::tuple(900U, 60U, 60U), std::tuple(60U, 900U, 60U), std::tuple(1U, 1U, 1U),
        std::tuple(3'600U, 3'600U, 3'600U), std::tuple(3'601U, 3'601U, 3'600U), std::tuple(kDay, kDay, 3'600U)}) {
    for (const Rcode rcode : {Rcode::kNxDomain, Rcode::kNoError}) {
      const Classified c = Classify(To("a.example.", kA).WithRcode(rcode).Authority("example.", soa_ttl, Soa(minimum)));
      EXPECT_EQ(c.result.kind, rcode == Rcode::kNoError ? ResponseKind::kNoData : ResponseKind::kNxDomain);
      EXPECT_EQ(c.result.rcode, rcode);
      EXPECT_EQ(c.result.ttl, expected) << soa_ttl << " " << minimum;
      EXPECT_EQ(c.Kept(), "x") << "the SOA stays in the reply";
      EXPECT_EQ(c.ttl(0), expected) << "RFC 2308 §5: and has the TTL of the negative answer";
    }
  }
}

TEST(ClassifyResponseTest, C4_WithoutSoaANegativeResponseIsNotCacheable) {
  for (const Rcode rcode : {Rcode::kNxDomain, Rcode::kNoError}) {
    const Classified c = Classify(To("a.example.", kA).WithRcode(rcode));
    EXPECT_TRUE(c.result.usable());
    EXPECT_EQ(c.result.ttl, 0U);
    EXPECT_NE(c.result.not_cacheable_because, "");
  }
}

TEST(ClassifyResponseTest, C4_AZeroInTheSoaIsAZero) {
  EXPECT_EQ(Classify(To("a.example.", kA).Authority("example.", 0, Soa(300)), {.min_ttl = 60}).result.ttl, 0U);
  EXPECT_EQ(Classify(To("a.example.", kA).Authority("example.", 300, Soa(0)), {.min_ttl = 60}).result.ttl, 0U);
}

TEST(ClassifyResponseTest, C4_TheSoaOfAnotherZoneSaysNothing) {
  const Classified c =
      Classify(To("a.example.", kA).WithRcode(Rcode::kNxDomain).Authority("example.net.", 300, Soa(300)));
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.Kept(), ".");
}

TEST(ClassifyResponseTest, C4_AnSoaOutsideTheAuthoritySectionSaysNothing) {
  EXPECT_EQ(Classify(To("a.example.", kA).WithRcode(Rcode::kNxDomain).Answer("example.", 300, Soa(300))).result.ttl,
            0U);
  EXPECT_EQ(Classify(To("a.example.", kA).WithRcode(Rcode::kNxDomain).Additional("example.", 300, Soa(300))).result.ttl,
            0U);
}

TEST(ClassifyResponseTest, C4_TheSoaThatWasAskedForIsDataWithItsOwnTtl) {
  const Classified c = Classify(To("example.", kSoa).Answer("example.", 7'200, Soa(60)));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.result.ttl, 7'200U);
}

TEST(ClassifyResponseTest, C5_NxdomainBehindACnameIsAboutTheLastName) {
  // RFC 6604 §3: the RCODE is that of the last name of the chain; the alias itself exists.
  const Classified c = Classify(To("a.example.", kA)
                                    .WithRcode(Rcode::kNxDomain)
                                    .Answer("a.example.", 30, Cname("gone.example.net."))
                                    .Authority("example.net.", 300, Soa(300)));
  EXPECT_EQ(c.result.kind, ResponseKind::kNxDomain);
  EXPECT_TRUE(c.result.behind_alias);
  EXPECT_EQ(c.Kept(), "xx");
  EXPECT_EQ(c.result.ttl, 30U);
}

TEST(ClassifyResponseTest, C5_NodataBehindACnameIsTheSame) {
  const Classified c = Classify(To("a.example.", kAaaa)
                                    .Answer("a.example.", 3'000, Cname("v4only.example.net."))
                                    .Authority("example.net.", 300, Soa(40)));
  EXPECT_EQ(c.result.kind, ResponseKind::kNoData);
  EXPECT_TRUE(c.result.behind_alias);
  EXPECT_EQ(c.result.ttl, 40U);
}

TEST(ClassifyResponseTest, C5_BehindACnameTheSoaIsOfTheLastNamesZone) {
  const Classified c = Classify(To("a.example.", kA)
                                    .WithRcode(Rcode::kNxDomain)
                                    .Answer("a.example.", 30, Cname("gone.example.net."))
                                    .Authority("example.", 300, Soa(300)));
  EXPECT_EQ(c.result.ttl, 0U) << "the SOA of the alias's zone";
}

TEST(ClassifyResponseTest, C5_NxdomainDirectlyIsNotBehindAnAlias) {
  EXPECT_FALSE(Classify(To("a.example.", kA).WithRcode(Rcode::kNxDomain).Authority("example.", 300, Soa(300)))
                   .result.behind_alias);
}

TEST(ClassifyResponseTest, NxdomainWithDataContradictsItself) {
  const Classified c =
      Classify(To("a.example.", kA).WithRcode(Rcode::kNxDomain).Answer("a.example.", 300, A("192.0.2.1")));
  EXPECT_FALSE(c.result.usable());
}

TEST(ClassifyResponseTest, ADelegationIsAReferral) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Authority("example.", 300, Ns("ns.example."))
                                    .Additional("ns.example.", 300, A("192.0.2.53")));
  EXPECT_EQ(c.result.kind, ResponseKind::kReferral);
  EXPECT_FALSE(c.result.usable());
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.Kept(), "..");
}

TEST(ClassifyResponseTest, ADelegationUpwardIsAReferralToo) {
  EXPECT_EQ(Classify(To("a.example.", kA).Authority(".", 300, Ns("a.root-servers.net."))).result.kind,
            ResponseKind::kReferral);
}

TEST(ClassifyResponseTest, NsBesideSoaIsNodata) {
  const Classified c =
      Classify(To("a.example.", kA).Authority("example.", 300, Ns("ns.example.")).Authority("example.", 300, Soa(60)));
  EXPECT_EQ(c.result.kind, ResponseKind::kNoData);
  EXPECT_EQ(c.Kept(), ".x");
}

TEST(ClassifyResponseTest, S2_ATruncatedResponseIsNeverUsable) {
  const Classified c =
      Classify(To("a.example.", kA).AddFlags(header_flag::kTc).Answer("a.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kTruncated);
  EXPECT_FALSE(c.result.usable());
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.Kept(), ".");
}

TEST(ClassifyResponseTest, EveryOtherRcodeIsAFailure) {
  for (unsigned rcode = 1; rcode < 24; ++rcode) {
    if (rcode == static_cast<unsigned>(Rcode::kNxDomain)) continue;
    const Classified c = Classify(To("a.example.", kA)
                                      .Answer("a.example.", 300, A("192.0.2.1"))
                                      .Authority("example.", 300, Soa(300))
                                      .WithEdns({})
                                      .WithRcode(static_cast<Rcode>(rcode)));
    EXPECT_EQ(c.result.kind, ResponseKind::kFailure) << rcode;
    EXPECT_EQ(static_cast<unsigned>(c.result.rcode), rcode);
    EXPECT_EQ(c.result.ttl, 0U);
    EXPECT_EQ(c.Kept(), "...");
  }
}

TEST(ClassifyResponseTest, AnExtendedRcodeIsNotItsLowerHalf) {
  // 0x100 has NOERROR in the header, 0x103 NXDOMAIN.
  for (const unsigned rcode : {0x010U, 0x103U, 0xFF3U}) {
    const Classified c = Classify(
        To("a.example.", kA).Authority("example.", 300, Soa(300)).WithEdns({}).WithRcode(static_cast<Rcode>(rcode)));
    EXPECT_EQ(c.result.kind, ResponseKind::kFailure) << rcode;
  }
}

TEST(ClassifyResponseTest, C1_ATtlWithTheHighBitIsLargeAndCapped) {
  // RFC 8767 §4 overrules RFC 2181 §8, which made it zero.
  for (const uint32_t ttl : {0x80000000U, 0x80000001U, 0xFFFFFFFFU, 0x7FFFFFFFU, kDay + 1}) {
    const Classified c = Classify(To("a.example.", kA).Answer("a.example.", ttl, A("192.0.2.1")));
    EXPECT_EQ(c.result.ttl, kDay) << ttl;
    EXPECT_EQ(c.ttl(0), kDay) << ttl;
  }
}

TEST(ClassifyResponseTest, C1_AnSoaWithTheHighBitIsCappedToo) {
  const Classified c = Classify(To("a.example.", kA).Authority("example.", 0xFFFFFFFF, Soa(0xFFFFFFFF)));
  EXPECT_EQ(c.result.ttl, 3'600U);
}

TEST(ClassifyResponseTest, C1_MaxTtlAndMinTtlBoundEveryRecord) {
  const TtlPolicy policy = {.min_ttl = 60, .max_ttl = 600, .max_negative_ttl = 100};
  for (const auto& [sent, given] : {std::pair(1U, 60U), std::pair(59U, 60U), std::pair(60U, 60U), std::pair(61U, 61U),
                                    std::pair(600U, 600U), std::pair(601U, 600U), std::pair(0U, 0U)}) {
    const Classified c = Classify(To("a.example.", kA).Answer("a.example.", sent, A("192.0.2.1")), policy);
    EXPECT_EQ(c.result.ttl, given) << sent;
    EXPECT_EQ(c.ttl(0), given) << sent;
  }
}

TEST(ClassifyResponseTest, C2_ATtlOfZeroIsNotStoredNorLifted) {
  const Classified c =
      Classify(To("a.example.", kA).Answer("a.example.", 0, A("192.0.2.1")), {.min_ttl = 3'600, .max_ttl = kDay});
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_TRUE(c.result.usable());
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.ttl(0), 0U);
  EXPECT_NE(c.result.not_cacheable_because, "");
}

TEST(ClassifyResponseTest, C2_OneZeroInTheChainIsEnough) {
  const Classified c = Classify(
      To("a.example.", kA).Answer("a.example.", 0, Cname("b.example.")).Answer("b.example.", 300, A("192.0.2.1")),
      {.min_ttl = 60});
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.ttl(1), 300U);
}

TEST(ClassifyResponseTest, C3_DifferingTtlsWithinAnRrsetBecomeTheLowest) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, Cname("b.example."))
                                    .Answer("b.example.", 200, A("192.0.2.1"))
                                    .Answer("B.example.", 100, A("192.0.2.2"))
                                    .Answer("b.example.", 150, A("192.0.2.3"))
                                    .Answer("b.example.", 120, Rrsig(kA, "example.")));
  EXPECT_EQ(c.ttl(0), 300U);
  for (size_t i = 1; i <= 3; ++i) EXPECT_EQ(c.ttl(i), 100U) << i;
  EXPECT_EQ(c.result.ttl, 100U);
}

TEST(ClassifyResponseTest, C3_TheHighBitDoesNotMakeATtlTheLowest) {
  const Classified c = Classify(
      To("a.example.", kA).Answer("a.example.", 0x80000000, A("192.0.2.1")).Answer("a.example.", 50, A("192.0.2.2")));
  EXPECT_EQ(c.ttl(0), 50U);
  EXPECT_EQ(c.ttl(1), 50U);
}

TEST(ClassifyResponseTest, C3_AZeroAmongTheRrsetMakesAllOfItZero) {
  const Classified c =
      Classify(To("a.example.", kA).Answer("a.example.", 100, A("192.0.2.1")).Answer("a.example.", 0, A("192.0.2.2")),
               {.min_ttl = 60});
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.ttl(0), 0U);
}

TEST(ClassifyResponseTest, X3_RecordsForOtherNamesAreLeftOutOfEverySection) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("bank.example.", 300, A("192.0.2.66"))
                                    .Answer("a.example.", 300, A("192.0.2.1"))
                                    .Answer("b.a.example.", 300, A("192.0.2.66"))
                                    .Answer("example.", 300, A("192.0.2.66"))
                                    .Answer("a.example.", 300, Aaaa("2001:db8::66"))
                                    .Answer("a.example.", 300, Ns("ns.evil.example."))
                                    .Authority("example.", 300, Ns("ns.evil.example."))
                                    .Authority("a.example.", 300, A("192.0.2.66"))
                                    .Authority("example.", 300, Soa(300))
                                    .Authority("example.", 300, Cname("evil.example."))
                                    .Authority("example.", 300, Dname("evil.example."))
                                    .Additional("ns.evil.example.", 300, A("192.0.2.66"))
                                    .Additional("a.example.", 300, A("192.0.2.66"))
                                    .WithEdns({}));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), ".x............");
}

TEST(ClassifyResponseTest, X3_DataAtTheAliasBesideItsCnameIsNotTheAnswer) {
  // RFC 1034 §3.6.2: no other data beside a CNAME. The chain's end decides.
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, Cname("b.example."))
                                    .Answer("b.example.", 300, A("192.0.2.1"))
                                    .Answer("a.example.", 300, A("192.0.2.66")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "xx.");
}

TEST(ClassifyResponseTest, X3_AnAnswerWithNothingForTheQuestionIsNotPositive) {
  const Classified c = Classify(To("a.example.", kA).Answer("b.example.", 300, A("192.0.2.66")));
  EXPECT_NE(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.result.ttl, 0U);
  EXPECT_EQ(c.Kept(), ".");
}

TEST(ClassifyResponseTest, C10_AuthorityAndAdditionalRecordsAnswerNothing) {
  for (const bool authority : {true, false}) {
    MessageBuilder builder = To("a.example.", kA);
    if (authority) {
      builder.Authority("a.example.", 300, A("192.0.2.66"));
    } else {
      builder.Additional("a.example.", 300, A("192.0.2.66"));
    }
    const Classified c = Classify(builder);
    EXPECT_NE(c.result.kind, ResponseKind::kPositive);
    EXPECT_EQ(c.Kept(), ".");
  }
}

TEST(ClassifyResponseTest, C10_ACnameOutsideTheAnswerSectionIsNotFollowed) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Authority("a.example.", 300, Cname("b.example."))
                                    .Answer("b.example.", 300, A("192.0.2.66")));
  EXPECT_NE(c.result.kind, ResponseKind::kPositive);
}

TEST(ClassifyResponseTest, RecordsOfAnotherClassAreLeftOut) {
  const Classified c = Classify(To("a.example.", kA)
                                    .Answer("a.example.", 300, A("192.0.2.66"), rr_class::kCh)
                                    .Answer("a.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), ".x");
  const Classified alone = Classify(To("a.example.", kA).Answer("a.example.", 300, A("192.0.2.66"), rr_class::kCh));
  EXPECT_NE(alone.result.kind, ResponseKind::kPositive);
}

TEST(ClassifyResponseTest, OptAndTsigAreNeverKept) {
  const Classified c = Classify(To("a.example.", rr_type::kAny)
                                    .Answer("a.example.", 300, A("192.0.2.1"))
                                    .WithEdns({.dnssec_ok = true})
                                    .Additional("key.example.", 0,
                                                Opaque(rr_type::kTsig, Hex("00 000065000000 012c 0000 1234 0000 0000")),
                                                rr_class::kAny));
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.Kept(), "x..");
}

TEST(ClassifyResponseTest, AResponseWithoutAModelIsClassifiedAllTheSame) {
  const Classified c =
      Classify(To("a.example.", rr_type::kTxt).Answer("a.example.", 300, Opaque(rr_type::kTxt, Octets(4'000))));
  EXPECT_EQ(c.message.MakeModel(), nullptr);
  EXPECT_EQ(c.result.kind, ResponseKind::kPositive);
  EXPECT_EQ(c.result.ttl, 300U);
}

TEST(ClassifyResponseTest, EveryKindHasAName) {
  std::vector<std::string_view> names;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(ResponseKind::kFailure); ++kind) {
    names.push_back(ResponseKindToString(static_cast<ResponseKind>(kind)));
    for (size_t i = 0; i + 1 < names.size(); ++i) EXPECT_NE(names[i], names.back());
  }
}

}  // namespace
}  // namespace dotward
