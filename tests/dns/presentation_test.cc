#include "dns/presentation.h"

#include <gtest/gtest.h>

#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

std::vector<RecordText> TextsOf(const MessageBuilder& builder) {
  const Octets octets = builder.Build();
  ScannedMessage scan;
  EXPECT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  return RecordTexts(scan);
}

MessageBuilder To(std::string_view name, uint16_t type) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(1, name, type).Build());
}

TEST(RecordTextsTest, RecordsAreWrittenInTheirOrderAndSectionsWithoutOpt) {
  const std::vector<RecordText> texts = TextsOf(To("www.example.", rr_type::kA)
                                                    .Compressed()
                                                    .Answer("www.example.", 300, Cname("a.example."))
                                                    .Answer("a.example.", 60, A("192.0.2.1"))
                                                    .Authority("example.", 30, Ns("ns.example."))
                                                    .Additional("ns.example.", 20, Aaaa("2001:db8::1"))
                                                    .WithEdns({}));
  ASSERT_EQ(texts.size(), 4U);
  EXPECT_EQ(texts[0].name, "www.example.");
  EXPECT_EQ(texts[0].data, "a.example.");
  EXPECT_EQ(texts[1].ttl, 60U);
  EXPECT_EQ(texts[1].klass, "IN");
  EXPECT_EQ(texts[1].type, "A");
  EXPECT_EQ(texts[1].data, "192.0.2.1");
  EXPECT_EQ(texts[2].section, Section::kAuthority);
  EXPECT_EQ(texts[3].section, Section::kAdditional);
  EXPECT_EQ(texts[3].data, "2001:db8::1");
}

TEST(RecordTextsTest, WhatHasNoFormOfItsOwnIsWrittenAsOctets) {
  const std::vector<RecordText> texts = TextsOf(To("x.example.", 65280)
                                                    .Answer("x.example.", 1, Opaque(65280, Hex("01 02 ff")))
                                                    .Answer("x.example.", 1, Opaque(65280, {})));
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0].type, "TYPE65280");
  EXPECT_EQ(texts[0].data, "\\# 3 0102ff");
  EXPECT_EQ(texts[1].data, "\\# 0");
}

TEST(RecordTextsTest, BlanksInsideStringsAndNamesStay) {
  const std::vector<RecordText> texts =
      TextsOf(To("a\\032b.example.", rr_type::kTxt).Answer("a\\032b.example.", 5, Txt("two  words\x1b[\"x\"")));
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(texts[0].name, "a\\032b.example.");
  EXPECT_EQ(texts[0].data, "\"two  words\\027[\\\"x\\\"\"") << "nothing that a terminal obeys";
}

TEST(FlagNamesTest, AreThoseThatAreSetInTheOrderOfDig) {
  EXPECT_EQ(FlagNames(0x8580), (std::vector<std::string_view>{"qr", "aa", "rd", "ra"}));
  EXPECT_EQ(FlagNames(0x0230), (std::vector<std::string_view>{"tc", "ad", "cd"}));
}

TEST(ParseTypeTest, ReadsNamesAndNumbersAndNothingElse) {
  EXPECT_EQ(ParseType("A"), rr_type::kA);
  EXPECT_EQ(ParseType("https"), rr_type::kHttps);
  EXPECT_EQ(ParseType("ANY"), rr_type::kAny);
  EXPECT_EQ(ParseType("TYPE65535"), 65535);
  EXPECT_EQ(ParseType("type1"), rr_type::kA);
  for (const std::string_view bad :
       {"", "AAAAA", "TYPE", "TYPE65536", "TYPE-1", "TYPE1x", "A ", "12", "TYPE0000000000001"}) {
    EXPECT_FALSE(ParseType(bad)) << bad;
  }
  EXPECT_FALSE(ParseType(std::string_view("A\0B", 3)));
}

}  // namespace
}  // namespace dotward
