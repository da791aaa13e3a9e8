#include "dns/name.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "dns/plain_decoder.h"

namespace dotward {
namespace {

using plain::WireOf;

Octets Copy(OctetView view) { return {view.begin(), view.end()}; }

Name MustParse(std::string_view text) {
  const absl::StatusOr<Name> name = Name::Parse(text);
  EXPECT_TRUE(name.ok()) << text;
  return name.ok() ? *name : Name();
}

std::string Repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text.append(part);
  return text;
}

TEST(NameTest, StartsAsTheRoot) {
  const Name name;
  EXPECT_TRUE(name.is_root());
  EXPECT_EQ(Copy(name.wire()), Octets{0});
  EXPECT_EQ(name.ToString(), ".");
  EXPECT_EQ(name.label_count(), 0U);
}

TEST(NameTest, ParsesWithAndWithoutTheFinalDot) {
  EXPECT_EQ(Copy(MustParse("www.example.org.").wire()), WireOf("www.example.org"));
  EXPECT_EQ(Copy(MustParse("www.example.org").wire()), WireOf("www.example.org"));
  EXPECT_TRUE(MustParse(".").is_root());
}

TEST(NameTest, KeepsCase) {
  EXPECT_EQ(MustParse("WwW.ExAmPlE").ToString(), "WwW.ExAmPlE.");
  EXPECT_EQ(Copy(MustParse("WwW.ExAmPlE").wire()), WireOf("WwW.ExAmPlE"));
}

TEST(NameTest, ReadsDecimalEscapes) {
  EXPECT_EQ(Copy(MustParse("a\\000\\255b").wire()), (Octets{4, 'a', 0, 255, 'b', 0}));
  EXPECT_EQ(Copy(MustParse("\\046").wire()), (Octets{1, '.', 0}));
}

TEST(NameTest, ReadsCharacterEscapes) {
  EXPECT_EQ(Copy(MustParse("a\\.b.c").wire()), (Octets{3, 'a', '.', 'b', 1, 'c', 0}));
  EXPECT_EQ(Copy(MustParse("a\\\\").wire()), (Octets{2, 'a', '\\', 0}));
  EXPECT_EQ(Copy(MustParse("\\ab").wire()), (Octets{2, 'a', 'b', 0}));
}

TEST(NameTest, AnEscapedFinalDotIsNotTheEndOfTheName) {
  EXPECT_EQ(Copy(MustParse("a\\.").wire()), (Octets{2, 'a', '.', 0}));
  EXPECT_EQ(MustParse("a\\.").ToString(), "a\\..");
}

TEST(NameTest, RefusesWhatIsNotAName) {
  for (const char* text : {"", "..", ".a", "a..b", "a..", "a\\", "a\\25", "a\\2", "a\\256", "a\\999", "a\\2x5"}) {
    EXPECT_FALSE(Name::Parse(text).ok()) << text;
  }
}

TEST(NameTest, AZeroOctetInTheTextIsRefusedRatherThanTakenForItsEnd) {
  const absl::StatusOr<Name> name = Name::Parse(std::string_view("good.example\0.evil.example", 26));
  EXPECT_FALSE(name.ok()) << name->ToString();
}

TEST(NameTest, RefusesWhatIsNotANameWithTheTextInTheError) {
  const absl::StatusOr<Name> name = Name::Parse("bad..name");
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(name.status().message()).find("bad..name"), std::string::npos) << name.status();
}

TEST(NameTest, ALabelHasAtMost63Octets) {
  EXPECT_TRUE(Name::Parse(std::string(63, 'a')).ok());
  EXPECT_FALSE(Name::Parse(std::string(64, 'a')).ok());
  // Escapes count as the octet they stand for.
  EXPECT_TRUE(Name::Parse(Repeated("\\001", 63)).ok());
  EXPECT_FALSE(Name::Parse(Repeated("\\001", 64)).ok());
}

TEST(NameTest, ANameHasAtMost255Octets) {
  // Three labels of 63 make 192 octets; a label of 61 makes 62 more; the root makes one: 255.
  const std::string label(63, 'a');
  const std::string three = StrCat(label, ".", label, ".", label, ".");
  EXPECT_EQ(MustParse(StrCat(three, std::string(61, 'b'))).wire().size(), 255U);
  EXPECT_FALSE(Name::Parse(StrCat(three, std::string(62, 'b'))).ok());
  EXPECT_EQ(MustParse(Repeated("a.", 127)).label_count(), 127U);
  EXPECT_FALSE(Name::Parse(Repeated("a.", 128)).ok());
}

TEST(NameTest, PrintsUnusualOctetsEscaped) {
  EXPECT_EQ(Name::FromWire(Octets{3, 'a', '.', 'b', 0}).ToString(), "a\\.b.");
  EXPECT_EQ(Name::FromWire(Octets{2, 'a', '\\', 0}).ToString(), "a\\\\.");
  EXPECT_EQ(Name::FromWire(Octets{3, 0, ' ', 255, 0}).ToString(), "\\000\\032\\255.");
}

TEST(NameTest, PrintsNothingThatCouldForgeALogLine) {
  for (int octet = 0; octet < 256; ++octet) {
    for (const char c : Name::FromWire(Octets{1, static_cast<uint8_t>(octet), 0}).ToString()) {
      EXPECT_GT(c, ' ') << octet;
      EXPECT_LT(c, 127) << octet;
    }
  }
}

TEST(NameTest, EveryOctetSurvivesPrintingAndParsing) {
  for (int octet = 0; octet < 256; ++octet) {
    const Octets wire = {3, 'x', static_cast<uint8_t>(octet), '1', 1, static_cast<uint8_t>(octet), 0};
    const absl::StatusOr<Name> again = Name::Parse(Name::FromWire(wire).ToString());
    ASSERT_TRUE(again.ok()) << octet << ": " << again.status();
    EXPECT_EQ(Copy(again->wire()), wire) << octet;
  }
}

TEST(NameTest, RandomNamesSurvivePrintingAndParsing) {
  std::mt19937 random(20261101);
  for (int round = 0; round < 2'000; ++round) {
    Octets wire;
    for (;;) {
      const size_t length = 1 + random() % 63;
      if (wire.size() + 1 + length + 1 > 255) break;
      wire.push_back(static_cast<uint8_t>(length));
      for (size_t i = 0; i < length; ++i) wire.push_back(static_cast<uint8_t>(random()));
      if (random() % 4 == 0) break;
    }
    wire.push_back(0);
    const absl::StatusOr<Name> again = Name::Parse(Name::FromWire(wire).ToString());
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(Copy(again->wire()), wire);
  }
}

TEST(NameTest, RandomTextIsParsedOrRefusedAndNeverBreaksTheBounds) {
  std::mt19937 random(7);
  const std::string_view alphabet = "aZ09.\\-_ \x01\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const size_t length = random() % 300;
    for (size_t i = 0; i < length; ++i) text.push_back(alphabet[random() % alphabet.size()]);
    const absl::StatusOr<Name> name = Name::Parse(text);
    if (!name.ok()) continue;
    ASSERT_LE(name->wire().size(), kNameOctetsMax);
    size_t at = 0;
    while (name->wire()[at] != 0) {
      ASSERT_LE(name->wire()[at], kLabelOctetsMax);
      at += 1U + name->wire()[at];
    }
    ASSERT_EQ(at + 1, name->wire().size());
  }
}

TEST(NameTest, IsEqualWhateverTheCaseOfAsciiLetters) {
  EXPECT_EQ(MustParse("WWW.Example.ORG"), MustParse("www.eXAMPLE.org"));
  EXPECT_FALSE(MustParse("www.example.org") == MustParse("www.example.com"));
  EXPECT_FALSE(MustParse("a.b") == MustParse("a\\.b"));
  // Only ASCII letters fold (RFC 4343 §3): Ä in Latin-1, and the neighbours of A and Z, do not.
  EXPECT_FALSE(Name::FromWire(Octets{1, 0xC4, 0}) == Name::FromWire(Octets{1, 0xE4, 0}));
  EXPECT_FALSE(Name::FromWire(Octets{1, '@', 0}) == Name::FromWire(Octets{1, '`', 0}));
  EXPECT_FALSE(Name::FromWire(Octets{1, '[', 0}) == Name::FromWire(Octets{1, '{', 0}));
}

TEST(NameTest, LengthOctetsOfLabelsAreNotFolded) {
  // A label of 63 and one of 31 differ by 32, as letters of two cases do, but no length is a letter.
  for (int octet = 0; octet <= 63; ++octet) {
    EXPECT_EQ(LowerOctet(static_cast<uint8_t>(octet)), octet);
  }
  EXPECT_EQ(LowerOctet('A'), 'a');
  EXPECT_EQ(LowerOctet('Z'), 'z');
  EXPECT_EQ(LowerOctet('['), '[');
  EXPECT_EQ(LowerOctet('@'), '@');
  EXPECT_EQ(LowerOctet(0xC1), 0xC1);
}

TEST(NameTest, CountsLabels) {
  EXPECT_EQ(MustParse("org").label_count(), 1U);
  EXPECT_EQ(MustParse("www.example.org").label_count(), 3U);
  EXPECT_EQ(MustParse("a\\.b.c").label_count(), 2U);
}

TEST(NameTest, ParentTakesOneLabelAndStopsAtTheRoot) {
  EXPECT_EQ(MustParse("www.example.org").Parent().ToString(), "example.org.");
  EXPECT_TRUE(MustParse("org").Parent().is_root());
  EXPECT_TRUE(Name().Parent().is_root());
}

TEST(NameTest, IsAtOrBelowComparesWholeLabels) {
  const Name zone = MustParse("Example.org");
  EXPECT_TRUE(MustParse("example.ORG").IsAtOrBelow(zone));
  EXPECT_TRUE(MustParse("a.b.example.org").IsAtOrBelow(zone));
  EXPECT_FALSE(MustParse("org").IsAtOrBelow(zone));
  EXPECT_FALSE(MustParse("notexample.org").IsAtOrBelow(zone));
  EXPECT_FALSE(MustParse("example.org.net").IsAtOrBelow(zone));
  EXPECT_FALSE(MustParse("a\\.example.org").IsAtOrBelow(zone));
  EXPECT_FALSE(Name().IsAtOrBelow(zone));
  EXPECT_TRUE(MustParse("org").IsAtOrBelow(Name()));
  EXPECT_TRUE(Name().IsAtOrBelow(Name()));
}

TEST(NameTest, IsAtOrBelowIsNotFooledByALabelThatContainsTheZonesWireForm) {
  // The last octets of the first label spell "\x07example\x03org" and are not labels.
  Octets wire = {13, 'x', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r', 'g', 0};
  ASSERT_EQ(wire.size(), 15U);
  EXPECT_FALSE(IsAtOrBelow(wire, WireOf("example.org")));
  EXPECT_FALSE(Name::FromWire(wire).IsAtOrBelow(MustParse("example.org")));
}

TEST(NameTest, IsAtOrBelowAgreesWithComparingLabelLists) {
  const std::vector<std::string> names = {".",        "a.",         "b.",        "a.a.",   "b.a.",      "a.b.a.",
                                          "aa.",      "a.aa.",      "ab.a.",     "A.B.A.", "\\001a.a.", "b.\\001a.",
                                          "\\097.a.", "x.y.z.w.a.", "y.z.w.a.",  "z.w.A.", "zz.w.a.",   "\\..a.",
                                          "a\\.a.",   "a.a.a.a.",   "aaa.a.a.a."};
  const auto labels = [](const Name& name) {
    std::vector<Octets> list;
    for (size_t at = 0; name.wire()[at] != 0; at += 1U + name.wire()[at]) {
      Octets label = Copy(name.wire().subspan(at + 1, name.wire()[at]));
      for (uint8_t& octet : label) octet = LowerOctet(octet);
      list.insert(list.begin(), label);
    }
    return list;
  };
  for (const std::string& text : names) {
    for (const std::string& zone_text : names) {
      const Name name = MustParse(text);
      const Name zone = MustParse(zone_text);
      const std::vector<Octets> name_labels = labels(name);
      const std::vector<Octets> zone_labels = labels(zone);
      const bool expected = zone_labels.size() <= name_labels.size() &&
                            std::equal(zone_labels.begin(), zone_labels.end(), name_labels.begin());
      EXPECT_EQ(name.IsAtOrBelow(zone), expected) << text << " under " << zone_text;
      EXPECT_EQ(IsAtOrBelow(name.wire(), zone.wire()), expected) << text << " under " << zone_text;
    }
  }
}

TEST(NameTest, ViewsAreComparedWithoutCaseAndWithTheirLength) {
  EXPECT_TRUE(EqualIgnoringCase(WireOf("EXAMPLE"), WireOf("example")));
  EXPECT_FALSE(EqualIgnoringCase(WireOf("example"), WireOf("example.org")));
  EXPECT_TRUE(EqualIgnoringCase(OctetView(), OctetView()));
  EXPECT_EQ(NameToString(WireOf("a.b")), "a.b.");
}

}  // namespace
}  // namespace dotward
