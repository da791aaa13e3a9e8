#include "dnssec/rrset_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "dnssec/algorithm.h"
#include "dnssec/dnssec_limits.h"
#include "dnssec/test_signer.h"
#include "dnssec/work_estimate.h"

namespace dotward {
namespace {

using ::testing::HasSubstr;

Name N(std::string_view text) { return *Name::Parse(text); }

// A response that outlives what was found in it.
struct Held {
  explicit Held(const MessageBuilder& builder) : octets(builder.Build()), message(*ParseResponse(octets)) {}
  Octets octets;
  Message message;
};

MessageBuilder Response(std::string_view name = "www.example.", uint16_t type = rr_type::kA) {
  return MessageBuilder(1).Flags(header_flag::kQr).Question(name, type);
}

ZoneKeys KeysOf(std::string_view zone, const std::vector<Rdata>& keys) {
  MessageBuilder builder = Response(zone, rr_type::kDnskey);
  for (const Rdata& key : keys) builder.Answer(zone, 300, key);
  const Held held(builder);
  return ZoneKeys::Read(held.message.scan(),
                        *FindRrset(held.message.scan(), Section::kAnswer, N(zone), rr_type::kDnskey));
}

class RrsetVerifierTest : public ::testing::Test {
 protected:
  RrsetFinding Verify(std::string_view owner, uint32_t ttl, const std::vector<Rdata>& rdata,
                      const std::vector<Rdata>& signatures, const ZoneKeys& keys) {
    MessageBuilder builder = Response(owner, rdata[0].type);
    for (const Rdata& one : rdata) builder.Answer(owner, ttl, one);
    for (const Rdata& one : signatures) builder.Answer(owner, ttl, one);
    const Held held(builder);
    const auto rrset = FindRrset(held.message.scan(), Section::kAnswer, N(owner), rdata[0].type);
    return VerifyRrset(held.message.scan(), *rrset, keys, now_, budget_);
  }
  RrsetFinding VerifyA(const SignatureSpec& spec, std::string_view owner = "www.example.") {
    return Verify(owner, 300, {A("192.0.2.1")}, {signer_.Sign(owner, 300, {A("192.0.2.1")}, spec)}, keys_);
  }

  WallTime now_ = kSigningTime;
  WorkBudget budget_;
  TestSigner signer_{"example."};
  ZoneKeys keys_ = KeysOf("example.", {signer_.Dnskey()});
};

TEST_F(RrsetVerifierTest, WhatTheZoneSignedIsSecure) {
  const RrsetFinding finding = VerifyA({});
  EXPECT_TRUE(finding.verdict.secure()) << finding.verdict.text;
  EXPECT_EQ(finding.ttl_max, 300U);
  EXPECT_EQ(finding.key_tag, signer_.tag());
  EXPECT_FALSE(finding.wildcard_labels);
  EXPECT_EQ(budget_.signature_checks(), 1U);
}

TEST_F(RrsetVerifierTest, EachSupportedAlgorithmVerifies) {
  for (const auto algorithm : {LDNS_SIGN_RSASHA256, LDNS_SIGN_RSASHA512, LDNS_SIGN_ECDSAP256SHA256,
                               LDNS_SIGN_ECDSAP384SHA384, LDNS_SIGN_ED25519, LDNS_SIGN_ED448}) {
    const TestSigner signer("example.", algorithm);
    const std::vector<Rdata> data = {A("192.0.2.1"), A("192.0.2.2")};
    const ZoneKeys keys = KeysOf("example.", {signer.Dnskey()});
    Rdata signature = signer.Sign("www.example.", 300, data);
    EXPECT_TRUE(Verify("www.example.", 300, data, {signature}, keys).verdict.secure()) << algorithm;
    signature.octets.back() ^= 1U;
    EXPECT_TRUE(Verify("www.example.", 300, data, {signature}, keys).verdict.bogus()) << algorithm;
  }
}

TEST_F(RrsetVerifierTest, AlgorithmsThatAreNotSupportedVerifyNothing) {
  const TestSigner signer("example.", LDNS_SIGN_RSASHA1);
  const RrsetFinding finding =
      Verify("www.example.", 300, {A("192.0.2.1")}, {signer.Sign("www.example.", 300, {A("192.0.2.1")})},
             KeysOf("example.", {signer.Dnskey()}));
  EXPECT_TRUE(finding.verdict.bogus());
  EXPECT_THAT(finding.verdict.text, HasSubstr("algorithm 5"));
  EXPECT_EQ(budget_.signature_checks(), 0U);
}

TEST_F(RrsetVerifierTest, ChangedDataIsBogusAndTheTextNamesZoneRecordAndKey) {
  const RrsetFinding finding =
      Verify("www.example.", 300, {A("192.0.2.9")}, {signer_.Sign("www.example.", 300, {A("192.0.2.1")})}, keys_);
  EXPECT_TRUE(finding.verdict.bogus());
  EXPECT_EQ(finding.verdict.code, dnssec_error::kBogus);
  EXPECT_EQ(finding.verdict.text, "example.: A www.example.: the signature by key " + std::to_string(signer_.tag()) +
                                      " (ECDSAP256SHA256) is not good");
}

TEST_F(RrsetVerifierTest, OrderCaseAndDuplicatesDoNotMatter) {
  const Rdata signature = signer_.Sign("www.example.", 300, {Mx(10, "a.example."), Mx(20, "b.example.")});
  EXPECT_TRUE(Verify("WWW.Example.", 300, {Mx(20, "B.example."), Mx(10, "a.EXAMPLE."), Mx(20, "b.example.")},
                     {signature}, keys_)
                  .verdict.secure());
}

TEST_F(RrsetVerifierTest, AnUnsignedSetMissesItsSignature) {
  const RrsetFinding finding = Verify("www.example.", 300, {A("192.0.2.1")}, {}, keys_);
  EXPECT_EQ(finding.verdict.code, dnssec_error::kRrsigsMissing);
  EXPECT_EQ(finding.verdict.text, "example.: A www.example.: it has no signature");
}

TEST_F(RrsetVerifierTest, TheSignaturesTimesAreTheirFirstAndLastGoodSecond) {
  const SignatureSpec spec = {.inception = At(std::chrono::seconds(10)), .expiration = At(std::chrono::seconds(20))};
  const auto at = [&](int second) {
    now_ = kSigningTime + std::chrono::seconds(second);
    return VerifyA(spec);
  };
  EXPECT_EQ(at(9).verdict.code, dnssec_error::kSignatureNotYetValid);
  EXPECT_THAT(at(9).verdict.text, HasSubstr("begins 2026-11-01 00:00:10Z; if this is past, the clock is wrong: here "
                                            "it is 2026-11-01 00:00:09Z"));
  EXPECT_TRUE(at(10).verdict.secure());
  EXPECT_EQ(at(10).ttl_max, 10U);
  EXPECT_TRUE(at(20).verdict.secure());
  EXPECT_EQ(at(20).ttl_max, 0U);
  EXPECT_EQ(at(21).verdict.code, dnssec_error::kSignatureExpired);
  EXPECT_THAT(at(21).verdict.text, HasSubstr("expired 2026-11-01 00:00:20Z"));
}

TEST_F(RrsetVerifierTest, ASignatureThatEndsBeforeItBeginsIsNone) {
  EXPECT_TRUE(VerifyA({.inception = At(std::chrono::seconds(-5)), .expiration = At(std::chrono::seconds(-10))})
                  .verdict.bogus());
}

TEST_F(RrsetVerifierTest, TimesAreSerialNumbers) {
  // 2106-02-07 06:28:00Z: the signature spans the turn of 32 bits.
  now_ = WallTime(std::chrono::seconds(0xFFFFFFE0LL));
  EXPECT_TRUE(VerifyA({.inception = 0xFFFFFF00U, .expiration = 0x100U}).verdict.secure());
}

TEST_F(RrsetVerifierTest, ATtlIsCappedByTheOriginal) {
  const RrsetFinding finding =
      Verify("www.example.", 86400, {A("192.0.2.1")},
             {signer_.Sign("www.example.", 86400, {A("192.0.2.1")}, {.original_ttl = 60})}, keys_);
  EXPECT_TRUE(finding.verdict.secure());
  EXPECT_EQ(finding.ttl_max, 60U);
}

// --- what ldns's verify functions accept ---

bool LdnsAccepts(std::string_view owner, const Rdata& data, const Rdata& signature, const TestSigner& signer) {
  const Held held(Response(owner, data.type).Answer(owner, 300, data).Answer(owner, 300, signature));
  const Message::Model model = held.message.MakeModel();
  ldns_rr_list* records =
      ldns_pkt_rr_list_by_type(model.get(), static_cast<ldns_rr_type>(data.type), LDNS_SECTION_ANSWER);
  ldns_rr_list* signatures = ldns_pkt_rr_list_by_type(model.get(), LDNS_RR_TYPE_RRSIG, LDNS_SECTION_ANSWER);
  const time_t now = std::chrono::system_clock::to_time_t(kSigningTime);
  const bool accepted =
      ldns_verify_rrsig_time(records, ldns_rr_list_rr(signatures, 0), signer.key_record(), now) == LDNS_STATUS_OK;
  ldns_rr_list_deep_free(records);
  ldns_rr_list_deep_free(signatures);
  return accepted;
}

class LdnsAcceptsTest : public RrsetVerifierTest {
 protected:
  // True where ldns takes it and we do not.
  void ExpectOnlyLdnsAccepts(std::string_view owner, const Rdata& data, const Rdata& signature,
                             std::string_view because) {
    EXPECT_TRUE(LdnsAccepts(owner, data, signature, signer_));
    const RrsetFinding finding = Verify(owner, 300, {data}, {signature}, keys_);
    EXPECT_TRUE(finding.verdict.bogus());
    EXPECT_THAT(finding.verdict.text, HasSubstr(std::string(because)));
  }
};

TEST_F(LdnsAcceptsTest, AnOwnerOutsideTheSignersZone) {
  ExpectOnlyLdnsAccepts("www.victim.", A("192.0.2.1"), signer_.Sign("www.victim.", 300, {A("192.0.2.1")}),
                        "not in the zone that signed it");
}

TEST_F(LdnsAcceptsTest, AnotherSignerThanTheKeysOwner) {
  ExpectOnlyLdnsAccepts("www.example.", A("192.0.2.1"),
                        signer_.Sign("www.example.", 300, {A("192.0.2.1")}, {.signer = "other."}), "none by this zone");
}

TEST_F(LdnsAcceptsTest, LabelsBelowThoseOfTheSigner) {
  const TestSigner deep("a.b.example.");
  const ZoneKeys keys = KeysOf("a.b.example.", {deep.Dnskey()});
  const Rdata signature = deep.Sign("*.example.", 300, {A("192.0.2.1")});
  EXPECT_TRUE(LdnsAccepts("www.a.b.example.", A("192.0.2.1"), signature, deep));
  const RrsetFinding finding = Verify("www.a.b.example.", 300, {A("192.0.2.1")}, {signature}, keys);
  EXPECT_THAT(finding.verdict.text, HasSubstr("a signature for 1 labels"));
}

TEST_F(LdnsAcceptsTest, NoLabelsAtAll) {
  const TestSigner root(".");
  const Rdata signature = root.Sign("*.", 300, {A("192.0.2.1")});
  EXPECT_TRUE(LdnsAccepts("www.example.", A("192.0.2.1"), signature, root));
  EXPECT_TRUE(Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, KeysOf(".", {root.Dnskey()})).verdict.bogus());
}

TEST_F(LdnsAcceptsTest, MoreLabelsThanTheOwnerHas) {
  ExpectOnlyLdnsAccepts("www.example.", A("192.0.2.1"),
                        signer_.Sign("www.example.", 300, {A("192.0.2.1")}, {.labels = 3}), "a signature for 3 labels");
}

TEST_F(LdnsAcceptsTest, ANsecOfAWildcardUnderAnotherName) {
  const Rdata nsec = Nsec("z.example.", {rr_type::kA});
  ExpectOnlyLdnsAccepts("www.example.", nsec, signer_.Sign("*.example.", 300, {nsec}), "a signature for 1 labels");
}

TEST_F(LdnsAcceptsTest, AKeyWithoutTheZoneKeyBit) {
  const TestSigner signer("example.", LDNS_SIGN_ECDSAP256SHA256, 1);
  const Rdata signature = signer.Sign("www.example.", 300, {A("192.0.2.1")});
  EXPECT_TRUE(LdnsAccepts("www.example.", A("192.0.2.1"), signature, signer));
  const RrsetFinding finding =
      Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, KeysOf("example.", {signer.Dnskey()}));
  EXPECT_EQ(finding.verdict.code, dnssec_error::kNoZoneKeyBit);
}

TEST_F(LdnsAcceptsTest, ARevokedKey) {
  const TestSigner signer("example.", LDNS_SIGN_ECDSAP256SHA256, 257 | 128);
  const Rdata signature = signer.Sign("www.example.", 300, {A("192.0.2.1")});
  EXPECT_TRUE(LdnsAccepts("www.example.", A("192.0.2.1"), signature, signer));
  const RrsetFinding finding =
      Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, KeysOf("example.", {signer.Dnskey()}));
  EXPECT_THAT(finding.verdict.text, HasSubstr("which was revoked"));
}

TEST_F(LdnsAcceptsTest, KeysOfAnotherNameThanTheirSigner) {
  const Rdata key = signer_.Dnskey();
  ExpectOnlyLdnsAccepts("sub.example.", key, signer_.Sign("sub.example.", 300, {key}), "not at the apex");
}

TEST_F(LdnsAcceptsTest, AZoneThatVouchesForItself) {
  ExpectOnlyLdnsAccepts("example.", signer_.Ds(), signer_.Sign("example.", 300, {signer_.Ds()}), "vouches for itself");
}

// --- wildcards ---

TEST_F(RrsetVerifierTest, AnExpandedWildcardSaysHowManyLabelsWereSigned) {
  const Rdata signature = signer_.Sign("*.sub.example.", 300, {A("192.0.2.1")});
  const RrsetFinding finding = Verify("a.b.sub.example.", 300, {A("192.0.2.1")}, {signature}, keys_);
  EXPECT_TRUE(finding.verdict.secure()) << finding.verdict.text;
  EXPECT_EQ(finding.wildcard_labels, 2);
}

TEST_F(RrsetVerifierTest, AWildcardUnderItsOwnNameIsNotExpanded) {
  const RrsetFinding finding = VerifyA({}, "*.example.");
  EXPECT_TRUE(finding.verdict.secure()) << finding.verdict.text;
  EXPECT_FALSE(finding.wildcard_labels);
}

// --- limits ---

TEST_F(RrsetVerifierTest, AGoodSignatureBehindBadOnesIsFound) {
  const Rdata bad = signer_.Sign("www.example.", 300, {A("192.0.2.9")});
  const Rdata good = signer_.Sign("www.example.", 300, {A("192.0.2.1")});
  EXPECT_TRUE(Verify("www.example.", 300, {A("192.0.2.1")}, {bad, bad, good}, keys_).verdict.secure());
}

TEST_F(RrsetVerifierTest, KeysWithOneTagAreTriedUpToTheLimit) {
  // Swapping two octet pairs of the public key leaves its tag as it is (RFC 4034 appendix B).
  std::vector<Rdata> keys;
  for (size_t i = 0; i <= DnssecLimits::kKeyTagCollisionsMax; ++i) {
    Rdata key = signer_.Dnskey();
    for (size_t octet = 0; octet < 2; ++octet) std::swap(key.octets[4 + octet], key.octets[6 + 2 * i + octet]);
    keys.push_back(key);
  }
  const Rdata signature = signer_.Sign("www.example.", 300, {A("192.0.2.1")});
  const RrsetFinding finding = Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, KeysOf("example.", keys));
  EXPECT_EQ(budget_.signature_checks(), DnssecLimits::kKeyTagCollisionsMax);
  EXPECT_EQ(finding.verdict.code, EdeCode::kOther);
  EXPECT_THAT(finding.verdict.text, HasSubstr("given up: too many keys with one tag"));
}

TEST_F(RrsetVerifierTest, SignaturesOfOneSetAreTriedUpToTheLimit) {
  std::vector<Rdata> signatures;
  for (size_t i = 0; i < DnssecLimits::kSignaturesPerRrsetMax; ++i) {
    signatures.push_back(signer_.Sign("www.example.", 300, {A("192.0.2.9")}));
  }
  signatures.push_back(signer_.Sign("www.example.", 300, {A("192.0.2.1")}));
  EXPECT_TRUE(Verify("www.example.", 300, {A("192.0.2.1")}, signatures, keys_).verdict.bogus());
  EXPECT_EQ(budget_.signature_checks(), DnssecLimits::kSignaturesPerRrsetMax);
}

TEST_F(RrsetVerifierTest, ChecksOfOneResponseAreBounded) {
  for (unsigned i = 0; i < DnssecLimits::kSignatureChecksPerResponse; ++i) {
    EXPECT_TRUE(VerifyA({}).verdict.secure());
  }
  const RrsetFinding finding = VerifyA({});
  EXPECT_EQ(finding.verdict.code, EdeCode::kOther);
  EXPECT_THAT(finding.verdict.text, HasSubstr("too many signature checks"));
  EXPECT_EQ(budget_.signature_checks(), DnssecLimits::kSignatureChecksPerResponse);
}

TEST_F(RrsetVerifierTest, ChecksWithDearKeysEndEarlier) {
  const TestSigner signer("example.", LDNS_SIGN_ECDSAP384SHA384);
  const ZoneKeys keys = KeysOf("example.", {signer.Dnskey()});
  const Rdata signature = signer.Sign("www.example.", 300, {A("192.0.2.1")});
  const unsigned one = CheckMicroseconds(dnssec_algorithm::kEcdsaP384, {}) + ReadingMicroseconds(1);
  const unsigned affordable = DnssecLimits::kCheckMicrosecondsPerResponse / one;
  EXPECT_GE(affordable, 8U) << "of an honest denial behind aliases";
  EXPECT_LT(affordable, DnssecLimits::kSignatureChecksPerResponse);
  for (unsigned i = 0; i < affordable; ++i) {
    EXPECT_TRUE(Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, keys).verdict.secure());
  }
  EXPECT_THAT(Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, keys).verdict.text,
              HasSubstr("given up: signature checks too dear"));
}

TEST_F(RrsetVerifierTest, ASignatureThatEndsWithItsSignerIsNone) {
  Rdata signature = signer_.Sign("www.example.", 300, {A("192.0.2.1")});
  constexpr size_t kSignatureOctets = 64;  // of the key's algorithm
  signature.octets.resize(signature.octets.size() - kSignatureOctets);
  const RrsetFinding finding = Verify("www.example.", 300, {A("192.0.2.1")}, {signature}, keys_);
  EXPECT_EQ(finding.verdict.code, dnssec_error::kRrsigsMissing);
}

TEST_F(RrsetVerifierTest, SetsOfManyRecordsAreDearWithAnyKey) {
  std::vector<Rdata> many;
  for (size_t i = 0; i < DnssecLimits::kRecordsPerRrsetMax; ++i) {
    many.push_back(A("192.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
  }
  const Rdata signature = signer_.Sign("w.example.", 300, many);
  const unsigned affordable =
      DnssecLimits::kCheckMicrosecondsPerResponse / ReadingMicroseconds(DnssecLimits::kRecordsPerRrsetMax);
  EXPECT_GE(affordable, 3U);
  EXPECT_LT(affordable, DnssecLimits::kSignatureChecksPerResponse);
  unsigned secure = 0;
  RrsetFinding finding;
  while (secure <= affordable && (finding = Verify("w.example.", 300, many, {signature}, keys_)).verdict.secure()) {
    ++secure;
  }
  EXPECT_LE(secure, affordable);
  EXPECT_GE(secure, affordable - 1) << "the check itself costs something, too";
  EXPECT_THAT(finding.verdict.text, HasSubstr("given up: signature checks too dear"));
}

TEST_F(RrsetVerifierTest, ASetOfTooManyRecordsIsNotSorted) {
  std::vector<Rdata> many;
  for (size_t i = 0; i <= DnssecLimits::kRecordsPerRrsetMax; ++i) {
    many.push_back(A("192.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
  }
  const RrsetFinding finding = Verify("w.", 300, many, {}, keys_);
  EXPECT_THAT(finding.verdict.text, HasSubstr("too many records in one set"));
}

// RFC 3110 §2.
Octets RsaPublicKey(const Octets& exponent, size_t modulus) {
  Octets octets(1 + exponent.size() + modulus, 0xFF);
  octets[0] = static_cast<uint8_t>(exponent.size());
  std::ranges::copy(exponent, octets.begin() + 1);
  return octets;
}

// Whoever waits for checks is told by estimates what they keep others waiting.
TEST(CheckMicrosecondsTest, GrowsWithWhatMakesRsaDear) {
  const auto cost = [](const Octets& exponent, size_t modulus) {
    return CheckMicroseconds(dnssec_algorithm::kRsaSha256, RsaPublicKey(exponent, modulus));
  };
  const Octets usual = {1, 0, 1};
  EXPECT_LT(cost(usual, 128), cost(usual, 256));
  EXPECT_LT(2 * cost(usual, 256), cost(usual, 512));
  EXPECT_LT(cost(usual, 256), cost({1, 0, 0, 0, 1}, 256));
  EXPECT_LT(cost(usual, 320), cost(usual, 300)) << "no multiple of 64";
}

// --- DNSKEY by DS ---

class JudgeDnskeysTest : public RrsetVerifierTest {
 protected:
  KeysFinding Judge(const std::vector<Rdata>& keys, const std::vector<Rdata>& signatures,
                    const DelegationSigners& signers) {
    MessageBuilder builder = Response("example.", rr_type::kDnskey);
    for (const Rdata& key : keys) builder.Answer("example.", 300, key);
    for (const Rdata& signature : signatures) builder.Answer("example.", 300, signature);
    const Held held(builder);
    return JudgeDnskeys(held.message.scan(), N("example."), signers, now_, budget_);
  }
  TestSigner zsk_{"example.", LDNS_SIGN_ED25519, 256};
  std::vector<Rdata> both_ = {signer_.Dnskey(), zsk_.Dnskey()};
  Rdata signature_ = signer_.Sign("example.", 300, both_);
};

TEST_F(JudgeDnskeysTest, TheKeyThatDsNamesVouchesForTheOthers) {
  for (const uint8_t digest : {ds_digest::kSha256, ds_digest::kSha384}) {
    const KeysFinding finding = Judge(both_, {signature_}, {signer_.Signer(digest)});
    EXPECT_TRUE(finding.verdict.secure()) << finding.verdict.text;
    EXPECT_EQ(finding.keys->keys().size(), 2U);
    EXPECT_EQ(finding.key_tag, signer_.tag());
    EXPECT_EQ(finding.ttl_max, 300U);
  }
}

TEST_F(JudgeDnskeysTest, AKeyThatNoDsNamesVouchesForNothing) {
  const KeysFinding finding = Judge(both_, {zsk_.Sign("example.", 300, both_)}, {signer_.Signer()});
  EXPECT_TRUE(finding.verdict.bogus());
  EXPECT_EQ(finding.keys, nullptr);
}

TEST_F(JudgeDnskeysTest, ADsThatNamesNoKeyLeavesTheZoneWithoutOne) {
  const TestSigner other("example.");
  const KeysFinding finding = Judge(both_, {signature_}, {other.Signer()});
  EXPECT_EQ(finding.verdict.code, dnssec_error::kDnskeyMissing);
  EXPECT_THAT(finding.verdict.text, HasSubstr("(" + std::to_string(other.tag()) + ")"));
}

TEST_F(JudgeDnskeysTest, OneGoodDsAmongOthersIsEnough) {
  const TestSigner other("example.");
  EXPECT_TRUE(Judge(both_, {signature_}, {other.Signer(), signer_.Signer()}).verdict.secure());
}

TEST_F(JudgeDnskeysTest, AZoneWithoutKeysIsBogus) {
  EXPECT_EQ(Judge({}, {}, {signer_.Signer()}).verdict.code, dnssec_error::kDnskeyMissing);
}

TEST_F(JudgeDnskeysTest, AKeyWithoutTheZoneKeyBitIsToldApart) {
  const TestSigner signer("example.", LDNS_SIGN_ECDSAP256SHA256, 1);
  const KeysFinding finding =
      Judge({signer.Dnskey()}, {signer.Sign("example.", 300, {signer.Dnskey()})}, {signer.Signer()});
  EXPECT_EQ(finding.verdict.code, dnssec_error::kNoZoneKeyBit);
}

TEST_F(JudgeDnskeysTest, Sha1AloneMakesAZoneInsecure) {
  const KeysFinding finding = Judge(both_, {signature_}, {signer_.Signer(1)});
  EXPECT_EQ(finding.verdict.state, ValidationState::kInsecure);
  EXPECT_EQ(finding.verdict.code, dnssec_error::kUnsupportedDigest);
}

TEST_F(JudgeDnskeysTest, AlgorithmsThatAreNotSupportedMakeAZoneInsecure) {
  DelegationSigner signer = signer_.Signer();
  signer.algorithm = 5;
  const KeysFinding finding = Judge(both_, {signature_}, {signer});
  EXPECT_EQ(finding.verdict.state, ValidationState::kInsecure);
  EXPECT_EQ(finding.verdict.code, dnssec_error::kUnsupportedAlgorithm);
  // With one that is supported beside it, the zone must hold to that.
  EXPECT_TRUE(Judge({}, {}, {signer, signer_.Signer()}).verdict.bogus());
}

TEST_F(JudgeDnskeysTest, TooManyKeysAreNotTried) {
  std::vector<Rdata> many(DnssecLimits::kDnskeysMax + 1, signer_.Dnskey());
  for (size_t i = 0; i < many.size(); ++i) many[i].octets[10] = static_cast<uint8_t>(i);
  EXPECT_THAT(Judge(many, {signature_}, {signer_.Signer()}).verdict.text, HasSubstr("given up: too many keys"));
}

TEST_F(JudgeDnskeysTest, DigestsAreBounded) {
  DelegationSigners signers;
  for (unsigned i = 0; i <= DnssecLimits::kDigestsPerResponse; ++i) {
    signers.push_back(signer_.Signer());
    signers.back().digest[0] ^= 1U;
  }
  EXPECT_THAT(Judge(both_, {signature_}, signers).verdict.text, HasSubstr("too many DS digests"));
}

TEST_F(JudgeDnskeysTest, RsaKeysThatAreDearToCheckWithAreNotUsed) {
  const Octets usual = {1, 0, 1};
  const Octets largest = {1, 0, 0, 0, 1};
  EXPECT_TRUE(IsUsablePublicKey(8, RsaPublicKey(usual, DnssecLimits::kRsaOctetsMin)));
  EXPECT_TRUE(IsUsablePublicKey(8, RsaPublicKey(largest, DnssecLimits::kRsaOctetsMax)));
  EXPECT_TRUE(IsUsablePublicKey(8, RsaPublicKey({0, 0, 0, 0, 1, 0, 1}, 256))) << "zeros before the number";
  EXPECT_FALSE(IsUsablePublicKey(8, RsaPublicKey(usual, DnssecLimits::kRsaOctetsMin - 1)));
  EXPECT_FALSE(IsUsablePublicKey(8, RsaPublicKey(usual, DnssecLimits::kRsaOctetsMax + 1)));
  EXPECT_FALSE(IsUsablePublicKey(10, RsaPublicKey({1, 0, 0, 0, 2}, 256)));
  EXPECT_FALSE(IsUsablePublicKey(10, RsaPublicKey(Octets(9, 1), 256)));
  EXPECT_FALSE(IsUsablePublicKey(10, RsaPublicKey({0, 0}, 256)));
  EXPECT_FALSE(IsUsablePublicKey(10, RsaPublicKey(usual, DnssecLimits::kRsaSha512OctetsMin - 1)));
  EXPECT_FALSE(IsUsablePublicKey(13, RsaPublicKey(usual, 65)));
  EXPECT_FALSE(IsUsablePublicKey(8, {}));
}

}  // namespace
}  // namespace dotward
