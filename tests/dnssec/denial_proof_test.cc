#include "dnssec/denial_proof.h"

#include <gtest/gtest.h>

#include <optional>

#include "dnssec/dnssec_limits.h"
#include "dnssec/test_signer.h"
#include "dotward/message.h"

namespace dotward {
namespace {

using Result = DenialProof::Result;
using Cut = DenialProof::Cut;

constexpr uint16_t kNxname = 128;

Name N(std::string_view text) { return *Name::Parse(text); }

// What is proven by the records of a response, all of which count as verified.
class Denial {
 public:
  explicit Denial(const MessageBuilder& builder, std::string_view zone = "example.")
      : octets_(builder.Build()), message_(*ParseResponse(octets_)), proof_(N(zone), budget_) {
    const auto rrsets = GroupRrsets(message_.scan(), [](size_t) { return true; });
    for (const Rrset& rrset : *rrsets) proof_.Add(message_.scan(), rrset);
  }
  DenialProof* operator->() { return &proof_; }
  WorkBudget& budget() { return budget_; }

 private:
  Octets octets_;
  Message message_;
  WorkBudget budget_;
  DenialProof proof_;
};

MessageBuilder Response() { return MessageBuilder(1).Flags(header_flag::kQr).Question("q.example.", rr_type::kA); }

// --- NSEC; the zone is that of RFC 4035 appendix A: apex, a (delegation with DS), ai, b (delegation without), ns1,
// ns2,
// *.w, x.w, x.y.w, xx ---

MessageBuilder& WithNsec(MessageBuilder& builder, std::string_view owner, std::string_view next,
                         std::initializer_list<uint16_t> types) {
  return builder.Authority(owner, 300, Nsec(next, types));
}

const MessageBuilder kApex = Response().Authority(
    "example.", 300, Nsec("a.example.", {rr_type::kNs, rr_type::kSoa, rr_type::kMx, rr_type::kRrsig, rr_type::kNsec}));

TEST(NsecDenialTest, ANameErrorNeedsTheNameAndItsWildcardCovered) {
  // RFC 4035 B.2: ml.example.
  MessageBuilder both = kApex;
  WithNsec(both, "b.example.", "ns1.example.", {rr_type::kNs});
  EXPECT_EQ(Denial(both)->NameError(N("ml.example.")), Result::kProven);
  MessageBuilder name_alone = Response();
  WithNsec(name_alone, "b.example.", "ns1.example.", {rr_type::kNs});
  EXPECT_EQ(Denial(name_alone)->NameError(N("ml.example.")), Result::kNotProven);
  EXPECT_EQ(Denial(kApex)->NameError(N("ml.example.")), Result::kNotProven);
}

TEST(NsecDenialTest, ANameErrorBehindALastNsecGoesBackToTheApex) {
  MessageBuilder last = kApex;
  WithNsec(last, "xx.example.", "example.", {rr_type::kA});
  EXPECT_EQ(Denial(last)->NameError(N("zz.example.")), Result::kProven);
  MessageBuilder elsewhere = kApex;
  WithNsec(elsewhere, "xx.example.", "b.example.", {rr_type::kA});
  EXPECT_EQ(Denial(elsewhere)->NameError(N("zz.example.")), Result::kNotProven);
}

TEST(NsecDenialTest, ANameErrorIsRefusedWhereTheWildcardExists) {
  MessageBuilder builder = Response();
  WithNsec(builder, "*.w.example.", "x.w.example.", {rr_type::kMx});
  WithNsec(builder, "ns2.example.", "*.w.example.", {rr_type::kA});
  EXPECT_EQ(Denial(builder)->NameError(N("a.w.example.")), Result::kNotProven);
}

TEST(NsecDenialTest, NoDataIsAMatchThatLacksTypeAndAlias) {
  // RFC 4035 B.3: ns1.example. MX.
  MessageBuilder builder = Response();
  WithNsec(builder, "ns1.example.", "ns2.example.", {rr_type::kA, rr_type::kRrsig, rr_type::kNsec});
  WithNsec(builder, "ns2.example.", "*.w.example.", {rr_type::kCname});
  EXPECT_EQ(Denial(builder)->NoData(N("NS1.example."), rr_type::kMx), Result::kProven);
  EXPECT_EQ(Denial(builder)->NoData(N("ns1.example."), rr_type::kA), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->NoData(N("ns2.example."), rr_type::kA), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->NoData(N("ns3.example."), rr_type::kA), Result::kNotProven);
}

TEST(NsecDenialTest, AnEmptyNonTerminalHasNoData) {
  MessageBuilder builder = Response();
  WithNsec(builder, "x.w.example.", "x.y.w.example.", {rr_type::kMx});
  EXPECT_EQ(Denial(builder)->NoData(N("y.w.example."), rr_type::kA), Result::kProven);
  EXPECT_EQ(Denial(builder)->NameError(N("y.w.example.")), Result::kNotProven);
}

TEST(NsecDenialTest, AWildcardAnswerNeedsNothingCloser) {
  // RFC 4035 B.6: a.z.w.example. MX from *.w.example.
  MessageBuilder builder = Response();
  WithNsec(builder, "x.y.w.example.", "xx.example.", {rr_type::kMx});
  EXPECT_EQ(Denial(builder)->WildcardAnswer(N("a.z.w.example."), 2), Result::kProven);
  // x.y.w exists, and so does y.w: *.w does not answer for what is below it.
  EXPECT_EQ(Denial(builder)->WildcardAnswer(N("z.y.w.example."), 2), Result::kNotProven);
  EXPECT_EQ(Denial(Response())->WildcardAnswer(N("a.z.w.example."), 2), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->WildcardAnswer(N("w.example."), 2), Result::kNotProven);
}

TEST(NsecDenialTest, WildcardNoDataNeedsTheWildcardsOwnNsec) {
  // RFC 4035 B.7: a.z.w.example. AAAA.
  MessageBuilder builder = Response();
  WithNsec(builder, "x.y.w.example.", "xx.example.", {rr_type::kMx});
  EXPECT_EQ(Denial(builder)->NoData(N("a.z.w.example."), rr_type::kAaaa), Result::kNotProven);
  WithNsec(builder, "*.w.example.", "x.w.example.", {rr_type::kMx, rr_type::kRrsig, rr_type::kNsec});
  EXPECT_EQ(Denial(builder)->NoData(N("a.z.w.example."), rr_type::kAaaa), Result::kProven);
  EXPECT_EQ(Denial(builder)->NoData(N("a.z.w.example."), rr_type::kMx), Result::kNotProven);
}

TEST(NsecDenialTest, TheParentsSideOfACutSpeaksOfDsAlone) {
  // RFC 4035 B.5, RFC 6840 §4.1.
  MessageBuilder builder = kApex;
  WithNsec(builder, "b.example.", "ns1.example.", {rr_type::kNs, rr_type::kRrsig, rr_type::kNsec});
  EXPECT_EQ(Denial(builder)->NoData(N("b.example."), rr_type::kDs), Result::kProven);
  EXPECT_EQ(Denial(builder)->NoData(N("b.example."), rr_type::kA), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->NameError(N("www.b.example.")), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->NoDs(N("b.example.")), Cut::kUnsignedDelegation);
}

TEST(NsecDenialTest, TheChildsSideOfACutSaysNothingOfDs) {
  // RFC 4035 B.8: the server of the child was asked.
  EXPECT_EQ(Denial(kApex)->NoData(N("example."), rr_type::kDs), Result::kNotProven);
  EXPECT_EQ(Denial(kApex)->NoData(N("example."), rr_type::kA), Result::kProven);
  MessageBuilder root = Response().Authority(".", 300, Nsec("aaa.", {rr_type::kNs, rr_type::kSoa}));
  EXPECT_EQ(Denial(root, ".")->NoData(N("."), rr_type::kDs), Result::kProven);
}

TEST(NsecDenialTest, WhatIsBelowADnameIsNotDenied) {
  MessageBuilder builder = kApex;
  WithNsec(builder, "d.example.", "z.example.", {rr_type::kDname});
  EXPECT_EQ(Denial(builder)->NameError(N("x.d.example.")), Result::kNotProven);
  EXPECT_EQ(Denial(builder)->NameError(N("e.example.")), Result::kProven);
}

TEST(NsecDenialTest, NamesOfOtherZonesProveNothing) {
  MessageBuilder builder = Response();
  WithNsec(builder, "a.other.", "z.other.", {rr_type::kA});
  WithNsec(builder, "b.example.", "z.other.", {rr_type::kA});
  EXPECT_TRUE(Denial(builder)->empty());
  EXPECT_EQ(Denial(kApex)->NameError(N("m.other.")), Result::kNotProven);
  EXPECT_EQ(Denial(kApex)->NoData(N("m.other."), rr_type::kA), Result::kNotProven);
  EXPECT_EQ(Denial(kApex)->NoDs(N("other.")), Cut::kNotProven);
}

TEST(NsecDenialTest, CompactDenialSaysThatANameIsNotThere) {
  // RFC 9824 §3.1; the RCODE is NOERROR, or NXDOMAIN where it was restored.
  MessageBuilder builder = Response();
  WithNsec(builder, "q.example.", "\\000.q.example.", {rr_type::kRrsig, rr_type::kNsec, kNxname});
  EXPECT_EQ(Denial(builder)->NameError(N("q.example.")), Result::kProven);
  EXPECT_EQ(Denial(builder)->NoData(N("q.example."), rr_type::kA), Result::kProven);
  EXPECT_EQ(Denial(builder)->NoDs(N("q.example.")), Cut::kNothingBelow);
  EXPECT_EQ(Denial(builder)->NameError(N("r.example.")), Result::kNotProven);
  MessageBuilder exists = Response();
  WithNsec(exists, "q.example.", "\\000.q.example.", {rr_type::kTxt, rr_type::kRrsig, rr_type::kNsec});
  EXPECT_EQ(Denial(exists)->NameError(N("q.example.")), Result::kNotProven);
}

TEST(NsecDenialTest, CutsAreToldApart) {
  MessageBuilder builder = Response();
  WithNsec(builder, "a.example.", "b.c.example.", {rr_type::kNs, rr_type::kDs});
  WithNsec(builder, "h.example.", "m.example.", {rr_type::kA});
  EXPECT_EQ(Denial(builder)->NoDs(N("a.example.")), Cut::kNotProven);
  EXPECT_EQ(Denial(builder)->NoDs(N("c.example.")), Cut::kNone);
  EXPECT_EQ(Denial(builder)->NoDs(N("h.example.")), Cut::kNone);
  EXPECT_EQ(Denial(builder)->NoDs(N("i.example.")), Cut::kNothingBelow);
  EXPECT_EQ(Denial(builder)->NoDs(N("z.example.")), Cut::kNotProven);
}

// --- NSEC3 ---

// A zone in which each NSEC3 is as narrow as can be around what it covers, and holds what it matches.
class Nsec3Zone {
 public:
  explicit Nsec3Zone(uint8_t flags = 0, uint16_t iterations = 0, uint8_t algorithm = 1)
      : flags_(flags), iterations_(iterations), algorithm_(algorithm) {}
  Nsec3Zone& Matches(std::string_view name, std::initializer_list<uint16_t> types) {
    const std::string hash = Nsec3Hash(name, iterations_);
    return Put(hash, Step(hash, 1), types);
  }
  Nsec3Zone& Covers(std::string_view name) {
    const std::string hash = Nsec3Hash(name, iterations_);
    return Put(Step(hash, -1), Step(hash, 1), {rr_type::kA});
  }
  Nsec3Zone& Put(const std::string& hash, const std::string& next, std::initializer_list<uint16_t> types) {
    builder_.Authority(hash + ".example.", 300, Nsec3(next, types, flags_, iterations_, algorithm_));
    return *this;
  }
  const MessageBuilder& builder() const { return builder_; }

 private:
  // The hash before or behind: hashes of 160 bits do not end in the digits that would carry.
  static std::string Step(std::string hash, int by) {
    constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
    for (size_t i = hash.size(); i-- > 0;) {
      const int digit = static_cast<int>(kDigits.find(hash[i])) + by;
      hash[i] = kDigits[static_cast<size_t>((digit + 32) % 32)];
      if (digit >= 0 && digit < 32) break;
    }
    return hash;
  }
  uint8_t flags_;
  uint16_t iterations_;
  uint8_t algorithm_;
  MessageBuilder builder_ = Response();
};

constexpr std::string_view kSomeOwner = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.";
constexpr std::string_view kSomeHash = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
constexpr uint8_t kOptOut = 1;
const std::initializer_list<uint16_t> kApexTypes = {rr_type::kNs, rr_type::kSoa, rr_type::kNsec3Param};

TEST(Nsec3DenialTest, ANameErrorNeedsEncloserNextCloserAndWildcard) {
  Nsec3Zone zone;
  zone.Matches("example.", kApexTypes).Covers("c.example.");
  EXPECT_EQ(Denial(zone.builder())->NameError(N("a.b.c.example.")), Result::kNotProven);
  zone.Covers("*.example.");
  EXPECT_EQ(Denial(zone.builder())->NameError(N("a.b.c.example.")), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->NameError(N("a.B.C.Example.")), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->NameError(N("a.d.example.")), Result::kNotProven);
  EXPECT_EQ(Denial(zone.builder())->NameError(N("example.")), Result::kNotProven);
}

TEST(Nsec3DenialTest, TheRecordsOfRfc5155ProveItsNameError) {
  // RFC 5155 B.1: a.c.x.w.example., 12 iterations, salt aabbccdd. The hashes are the RFC's own.
  const auto nsec3 = [](std::string_view next, std::initializer_list<uint16_t> types) {
    Rdata rdata = Nsec3(next, types, kOptOut, 12);
    rdata.octets[4] = 4;
    const Octets salt = Hex("aabbccdd");
    rdata.octets.insert(rdata.octets.begin() + 5, salt.begin(), salt.end());
    return rdata;
  };
  const MessageBuilder builder =
      Response()
          .Authority("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.", 3600,
                     nsec3("2t7b4g4vsa5smi47k61mv5bv1a22bojr", {rr_type::kMx, rr_type::kNs, rr_type::kSoa}))
          .Authority("b4um86eghhds6nea196smvmlo4ors995.example.", 3600,
                     nsec3("gjeqe526plbf1g8mklp59enfd789njgi", {rr_type::kMx}))
          .Authority("35mthgpgcu1qg68fab165klnsnk3dpvl.example.", 3600,
                     nsec3("b4um86eghhds6nea196smvmlo4ors995", {rr_type::kNs, rr_type::kDs}));
  EXPECT_EQ(Denial(builder)->NameError(N("a.c.x.w.example.")), Result::kOptOut);
}

TEST(Nsec3DenialTest, OptOutLeavesANameErrorInsecure) {
  Nsec3Zone zone(kOptOut);
  zone.Matches("example.", kApexTypes).Covers("c.example.").Covers("*.example.");
  EXPECT_EQ(Denial(zone.builder())->NameError(N("c.example.")), Result::kOptOut);
}

TEST(Nsec3DenialTest, NoDataIsAMatchThatLacksTypeAndAlias) {
  Nsec3Zone zone;
  zone.Matches("a.example.", {rr_type::kA}).Matches("ent.example.", {}).Matches("c.example.", {rr_type::kCname});
  EXPECT_EQ(Denial(zone.builder())->NoData(N("a.example."), rr_type::kMx), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->NoData(N("a.example."), rr_type::kA), Result::kNotProven);
  EXPECT_EQ(Denial(zone.builder())->NoData(N("ent.example."), rr_type::kA), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->NoData(N("c.example."), rr_type::kA), Result::kNotProven);
}

TEST(Nsec3DenialTest, WildcardNoDataNeedsTheWildcardsOwnNsec3) {
  Nsec3Zone zone;
  zone.Matches("w.example.", {}).Covers("z.w.example.");
  EXPECT_EQ(Denial(zone.builder())->NoData(N("a.z.w.example."), rr_type::kA), Result::kNotProven);
  zone.Matches("*.w.example.", {rr_type::kMx});
  EXPECT_EQ(Denial(zone.builder())->NoData(N("a.z.w.example."), rr_type::kA), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->NoData(N("a.z.w.example."), rr_type::kMx), Result::kNotProven);
}

TEST(Nsec3DenialTest, AWildcardAnswerNeedsTheNextCloserNameCovered) {
  Nsec3Zone zone;
  zone.Covers("z.w.example.");
  EXPECT_EQ(Denial(zone.builder())->WildcardAnswer(N("a.z.w.example."), 2), Result::kProven);
  EXPECT_EQ(Denial(zone.builder())->WildcardAnswer(N("a.y.w.example."), 2), Result::kNotProven);
  Nsec3Zone opt_out(kOptOut);
  opt_out.Covers("z.w.example.");
  EXPECT_EQ(Denial(opt_out.builder())->WildcardAnswer(N("a.z.w.example."), 2), Result::kOptOut);
}

TEST(Nsec3DenialTest, CutsAreToldApart) {
  Nsec3Zone zone;
  zone.Matches("example.", kApexTypes)
      .Matches("a.example.", {rr_type::kNs})
      .Matches("b.example.", {rr_type::kNs, rr_type::kDs})
      .Matches("c.example.", {rr_type::kA})
      .Matches("d.example.", {rr_type::kNs, rr_type::kSoa})
      .Covers("e.example.");
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("a.example.")), Cut::kUnsignedDelegation);
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("b.example.")), Cut::kNotProven);
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("c.example.")), Cut::kNone);
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("d.example.")), Cut::kNotProven);
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("e.example.")), Cut::kNothingBelow);
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("f.example.")), Cut::kNotProven);
  Nsec3Zone opt_out(kOptOut);
  opt_out.Matches("example.", kApexTypes).Covers("e.example.");
  EXPECT_EQ(Denial(opt_out.builder())->NoDs(N("e.example.")), Cut::kUnsignedDelegation);
  EXPECT_EQ(Denial(opt_out.builder())->NoData(N("e.example."), rr_type::kDs), Result::kOptOut);
}

TEST(Nsec3DenialTest, ADelegationEnclosesNothing) {
  Nsec3Zone zone;
  zone.Matches("sub.example.", {rr_type::kNs}).Covers("a.sub.example.").Covers("*.sub.example.");
  EXPECT_EQ(Denial(zone.builder())->NameError(N("a.sub.example.")), Result::kNotProven);
}

TEST(Nsec3DenialTest, TheLastHashLeadsBackToTheFirst) {
  Nsec3Zone zone;
  zone.Matches("example.", kApexTypes);
  zone.Put("vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvu", "00000000000000000000000000000001", {rr_type::kA});
  const std::string low = Nsec3Hash("c.example.");
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("c.example.")), Cut::kNotProven) << low;
  zone.Put("vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvt", Nsec3Hash("c.example.").substr(0, 31) + "v", {rr_type::kA});
  EXPECT_EQ(Denial(zone.builder())->NoDs(N("c.example.")), Cut::kNothingBelow);
}

TEST(Nsec3DenialTest, IterationsOverTheLimitAreInsecureAndCostNoHash) {
  for (const uint16_t iterations : {DnssecLimits::kNsec3IterationsMax, uint16_t{51}, uint16_t{65535}}) {
    Nsec3Zone zone(0, 0);
    MessageBuilder builder = Response().Authority(kSomeOwner, 300, Nsec3(kSomeHash, {rr_type::kA}, 0, iterations));
    Denial denial(builder);
    const bool too_many = iterations > DnssecLimits::kNsec3IterationsMax;
    EXPECT_EQ(denial->NameError(N("q.example.")), too_many ? Result::kTooManyIterations : Result::kNotProven);
    EXPECT_EQ(denial->NoData(N("q.example."), 1), too_many ? Result::kTooManyIterations : Result::kNotProven);
    EXPECT_EQ(denial->NoDs(N("q.example.")), too_many ? Cut::kTooManyIterations : Cut::kNotProven);
    EXPECT_EQ(denial->WildcardAnswer(N("q.example."), 1), too_many ? Result::kTooManyIterations : Result::kNotProven);
    EXPECT_EQ(denial.budget().hashes() == 0, too_many);
  }
}

TEST(Nsec3DenialTest, UnknownHashesAndFlagsAndCutRdataAreLeftOut) {
  Nsec3Zone algorithm(0, 0, 2);
  algorithm.Matches("a.example.", {rr_type::kA});
  EXPECT_TRUE(Denial(algorithm.builder())->empty());
  Nsec3Zone flags(2);
  flags.Matches("a.example.", {rr_type::kA});
  EXPECT_TRUE(Denial(flags.builder())->empty());
  // ldns refuses such a message as a whole today; this must not depend on it.
  const Octets whole = Nsec3(kSomeHash, {rr_type::kA}).octets;
  for (size_t octets = 0; octets < whole.size(); ++octets) {
    const Octets wire =
        Response()
            .Authority(
                kSomeOwner, 300,
                Opaque(rr_type::kNsec3, Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(octets))))
            .Build();
    ScannedMessage scan;
    ASSERT_EQ(ScanMessage(wire, MessageSide::kResponse, scan), ScanFault::kNone);
    WorkBudget budget;
    DenialProof proof(N("example."), budget);
    const auto rrsets = GroupRrsets(scan, [](size_t) { return true; });
    for (const Rrset& rrset : *rrsets) proof.Add(scan, rrset);
    EXPECT_EQ(proof.empty(), octets < 26) << octets;
    EXPECT_EQ(proof.NoData(N("q.example."), rr_type::kA), Result::kNotProven);
  }
}

TEST(Nsec3DenialTest, RecordsOfAnotherZoneOrOtherParametersAreLeftOut) {
  Nsec3Zone zone;
  zone.Matches("a.sub.example.", {rr_type::kA});
  EXPECT_TRUE(Denial(zone.builder(), "sub.example.")->empty());
  MessageBuilder builder = Response();
  builder.Authority(kSomeOwner, 300, Nsec3(kSomeHash, {rr_type::kA}, 0, 1));
  builder.Authority(Nsec3Hash("a.example.") + ".example.", 300, Nsec3(kSomeHash, {rr_type::kA}, 0, 0));
  EXPECT_EQ(Denial(builder)->NoData(N("a.example."), rr_type::kMx), Result::kNotProven);
}

TEST(Nsec3DenialTest, HashesAreBounded) {
  Nsec3Zone zone;
  zone.Matches("example.", kApexTypes);
  std::string deep = "example.";
  for (unsigned i = 0; i < DnssecLimits::kNsec3HashesPerResponse; ++i) deep = "a." + deep;
  Denial denial(zone.builder());
  EXPECT_EQ(denial->NameError(N(deep)), Result::kOverBudget);
  EXPECT_EQ(denial.budget().hashes(), DnssecLimits::kNsec3HashesPerResponse);
  EXPECT_EQ(denial->NoDs(N(deep)), Cut::kOverBudget);
}

TEST(Nsec3DenialTest, ANameIsHashedOnce) {
  Nsec3Zone zone;
  zone.Matches("example.", kApexTypes).Covers("c.example.").Covers("*.example.");
  Denial denial(zone.builder());
  EXPECT_EQ(denial->NameError(N("c.example.")), Result::kProven);
  EXPECT_EQ(denial->NameError(N("C.example.")), Result::kProven);
  EXPECT_EQ(denial.budget().hashes(), 3U);
}

TEST(DenialProofTest, RecordsAreBounded) {
  MessageBuilder builder = Response();
  for (size_t i = 0; i <= DnssecLimits::kDenialRecordsMax; ++i) {
    builder.Authority("n" + std::to_string(i) + ".example.", 300, Nsec("example.", {rr_type::kA}));
  }
  EXPECT_TRUE(Denial(builder).budget().exhausted());
}

TEST(Nsec3DenialTest, DeepNamesCostFewHashesWhereTheirEncloserIsHigh) {
  std::string deep = "example.";
  for (int n = 0; n < 100; ++n) deep.insert(0, "a.");
  MessageBuilder builder = Response();
  // One range that covers everything but the apex.
  const std::string apex = Nsec3Hash("example.");
  builder.Authority(apex + ".example.", 300, Nsec3(apex, {rr_type::kNs, rr_type::kSoa}));
  Denial denial(builder);
  EXPECT_EQ(denial->NameError(N(deep)), Result::kProven);
  EXPECT_LE(denial.budget().hashes(), 4U);
}

}  // namespace
}  // namespace dotward
