#include "dnssec/trust_anchors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "base/strings.h"
#include "dnssec/dnssec_limits.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Name N(std::string_view text) { return *Name::Parse(text); }
const WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};

constexpr std::string_view kDigest = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";
// The root's key of 2024, as dns-root-data has it.
constexpr std::string_view kRootKey2024 =
    ". 3600 IN DNSKEY 257 3 8 AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeH"
    "spaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8Pkc"
    "RU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw"
    "4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=\n";

std::string FaultOf(std::string_view text) {
  const auto anchors = TrustAnchors::Parse(text, "anchors");
  return anchors.ok() ? "none" : std::string(MessageOf(anchors.status()));
}

TEST(TrustAnchorsTest, TheRootsTwoKeysAreBuiltIn) {
  const TrustAnchors anchors = TrustAnchors::BuiltIn();
  ASSERT_EQ(anchors.anchors().size(), 1U);
  EXPECT_TRUE(anchors.anchors()[0].zone.is_root());
  ASSERT_EQ(anchors.anchors()[0].signers.size(), 2U);
  EXPECT_EQ(anchors.anchors()[0].signers[0].key_tag, 20326);
  EXPECT_EQ(anchors.anchors()[0].signers[1].key_tag, 38696);
  EXPECT_EQ(anchors.ClosestTo(N("www.example.")), &anchors.anchors()[0]);
}

TEST(TrustAnchorsTest, AKeyBecomesTheDigestThatIanaPublishes) {
  const auto anchors = TrustAnchors::Parse(kRootKey2024, "anchors");
  ASSERT_TRUE(anchors.ok()) << anchors.status();
  EXPECT_EQ(anchors->anchors()[0].signers[0], TrustAnchors::BuiltIn().anchors()[0].signers[1]);
}

TEST(TrustAnchorsTest, ZoneFormatMayHaveCommentsOriginsTtlsAndLinesInParentheses) {
  const auto anchors = TrustAnchors::Parse(StrCat("; a comment\n\n$TTL 60\n$ORIGIN example.\nsub IN DS 1 8 2 (\n  ",
                                                  kDigest, " ; more\n )\n@ 300 IN DS 2 13 2 ", kDigest),
                                           "anchors");
  ASSERT_TRUE(anchors.ok()) << anchors.status();
  ASSERT_EQ(anchors->anchors().size(), 2U);
  EXPECT_EQ(anchors->anchors()[0].zone, N("sub.example."));
  EXPECT_EQ(anchors->anchors()[1].signers[0].algorithm, 13);
}

TEST(TrustAnchorsTest, FaultsNameFileAndLine) {
  const std::string good = StrCat(". IN DS 1 8 2 ", kDigest, "\n");
  EXPECT_THAT(FaultOf(good + "\n; comment\nnonsense\n"), StartsWith("anchors:4: "));
  EXPECT_THAT(FaultOf(good + ". IN A 192.0.2.1\n"), StartsWith("anchors:2: a A record; DS and DNSKEY"));
  EXPECT_THAT(FaultOf(StrCat(". CH DS 1 8 2 ", kDigest)), StartsWith("anchors:1: a class other than IN"));
  EXPECT_THAT(FaultOf(". IN DS 1 8 1 E06D44B80B8F1D39A95C0B0D7C65D08458E88040"), HasSubstr("digest type 1 is not"));
  EXPECT_THAT(FaultOf(". IN DS 1 8 2 E06D"), HasSubstr("the digest has 2 octets instead of 32"));
  EXPECT_THAT(FaultOf(StrCat(". IN DS 1 5 2 ", kDigest)), HasSubstr("algorithm 5 is not supported"));
  EXPECT_THAT(FaultOf(". IN DNSKEY 1 3 8 AwEAAa96"), HasSubstr("no zone key"));
  EXPECT_THAT(FaultOf(". IN DNSKEY 385 3 8 AwEAAa96"), HasSubstr("revoked"));
  EXPECT_THAT(FaultOf(". IN DNSKEY 257 3 13 AwEAAa96"), HasSubstr("no key of ECDSAP256SHA256"));
  EXPECT_THAT(FaultOf("$INCLUDE /etc/passwd\n"), StartsWith("anchors:1: "));
  EXPECT_EQ(FaultOf("; nothing\n"), "anchors:1: no trust anchor in it");
  EXPECT_EQ(FaultOf(""), "anchors:1: no trust anchor in it");
}

TEST(TrustAnchorsTest, FilesAndAnchorsAreBounded) {
  std::string many;
  for (size_t i = 0; i <= DnssecLimits::kAnchorsMax; ++i) StrAppend(&many, ". IN DS ", i, " 8 2 ", kDigest, "\n");
  EXPECT_THAT(FaultOf(many), HasSubstr("anchors:257: more than 256 trust anchors"));
  EXPECT_THAT(FaultOf(std::string(DnssecLimits::kAnchorFileOctetsMax + 1, ';')), HasSubstr("longer than 1048576 oct"));
}

TEST(TrustAnchorsTest, AFileIsReadWholeAndItsAbsenceIsTold) {
  const std::string path = ::testing::TempDir() + "/anchors.zone";
  std::ofstream(path) << "example. IN DS 7 15 2 " << kDigest << "\n";
  const auto anchors = TrustAnchors::Load(path);
  ASSERT_TRUE(anchors.ok()) << anchors.status();
  EXPECT_EQ(anchors->anchors()[0].signers[0].key_tag, 7);
  std::remove(path.c_str());
  EXPECT_TRUE(absl::IsNotFound(TrustAnchors::Load(path).status()));
}

TEST(TrustAnchorsTest, TheLowestAnchorAboveANameIsItsOwn) {
  const auto anchors =
      TrustAnchors::Parse(StrCat("example. IN DS 1 8 2 ", kDigest, "\nsub.example. IN DS 2 8 2 ", kDigest), "anchors");
  EXPECT_EQ(anchors->ClosestTo(N("a.SUB.example."))->zone, N("sub.example."));
  EXPECT_EQ(anchors->ClosestTo(N("asub.example."))->zone, N("example."));
  EXPECT_EQ(anchors->ClosestTo(N("other.")), nullptr);
}

TEST(TrustAnchorsTest, ANegativeAnchorCoversItsZoneUntilItsEndAndUpToAnAnchorBelow) {
  TrustAnchors anchors = *TrustAnchors::Parse(
      StrCat(". IN DS 1 8 2 ", kDigest, "\nisland.broken.example. IN DS 2 8 2 ", kDigest), "anchors");
  anchors.AddNegative(N("broken.example."), kNow + std::chrono::hours(1));
  EXPECT_NE(anchors.NegativeFor(N("broken.example."), kNow), nullptr);
  EXPECT_NE(anchors.NegativeFor(N("www.broken.example."), kNow), nullptr);
  EXPECT_EQ(anchors.NegativeFor(N("example."), kNow), nullptr);
  EXPECT_EQ(anchors.NegativeFor(N("www.island.broken.example."), kNow), nullptr);
  EXPECT_EQ(anchors.NegativeFor(N("www.broken.example."), kNow + std::chrono::hours(1)), nullptr);
}

}  // namespace
}  // namespace dotward
