#include "dns/query_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "dns/wire.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

Octets Built(const QueryParameters& parameters) {
  std::array<uint8_t, kBuiltQueryOctetsMax> buffer;
  buffer.fill(0xEE);
  const size_t length = BuildQuery(parameters, buffer);
  EXPECT_LE(length, buffer.size());
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(std::min(length, buffer.size()))};
}

Octets NameOfOctets(size_t octets) {
  Octets wire;
  for (size_t left = octets - 1; left > 0;) {
    size_t label = std::min<size_t>(left - 1, 63);
    if (left - 1 - label == 1) --label;
    wire.push_back(static_cast<uint8_t>(label));
    wire.insert(wire.end(), label, 'x');
    left -= label + 1;
  }
  wire.push_back(0);
  return wire;
}

TEST(BuildQueryTest, AsksTheQuestionWithRecursionAndEdns) {
  const Octets qname = plain::WireOf("WwW.Example");
  const Octets octets = Built({.id = 0xABCD, .qname = qname, .qtype = rr_type::kHttps});
  const std::optional<plain::Decoded> query = plain::Decode(octets);
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->id, 0xABCD);
  EXPECT_EQ(query->flags, 0x0120) << "RD and AD, and nothing else";
  EXPECT_EQ(query->question_count, 1);
  EXPECT_EQ(query->question, plain::QuestionOf("WwW.Example", rr_type::kHttps)) << "the case is sent as it is";
  EXPECT_TRUE(query->records.empty());
  ASSERT_EQ(query->opt_count, 1U);
  EXPECT_EQ(query->opt.owner, Octets{0});
  EXPECT_EQ(query->opt.klass, 1232);
  EXPECT_EQ(query->opt.ttl, 0U) << "version 0, no flags";
}

TEST(BuildQueryTest, SetsDoAndCdWhenAskedTo) {
  const Octets qname = plain::WireOf("example");
  for (const bool dnssec_ok : {false, true}) {
    for (const bool checking_disabled : {false, true}) {
      const std::optional<plain::Decoded> query = plain::Decode(Built(
          {.qname = qname, .qtype = rr_type::kA, .dnssec_ok = dnssec_ok, .checking_disabled = checking_disabled}));
      ASSERT_TRUE(query.has_value());
      EXPECT_EQ(query->opt.ttl, dnssec_ok ? 0x8000U : 0U);
      EXPECT_EQ(query->flags, checking_disabled ? 0x0130 : 0x0120);
    }
  }
}

TEST(BuildQueryTest, OffersThePayloadAndAsksInTheClassItIsGiven) {
  const Octets qname = plain::WireOf("example");
  const std::optional<plain::Decoded> query =
      plain::Decode(Built({.qname = qname, .qtype = rr_type::kTxt, .qclass = rr_class::kCh, .payload_octets = 4096}));
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->question, plain::QuestionOf("example", rr_type::kTxt, rr_class::kCh));
  EXPECT_EQ(query->opt.klass, 4096);
}

TEST(BuildQueryTest, E7_EveryNameIsPaddedToAMultipleOf128Octets) {
  for (size_t octets = 1; octets <= kNameOctetsMax; ++octets) {
    if (octets == 2) continue;  // no name has two octets
    const Octets qname = NameOfOctets(octets);
    ASSERT_EQ(qname.size(), octets);
    const Octets padded = Built({.qname = qname, .qtype = rr_type::kA});
    EXPECT_EQ(padded.size() % kQueryPaddingBlock, 0U) << octets;
    const Octets plain_query = Built({.qname = qname, .qtype = rr_type::kA, .padding = Padding::kNone});
    // The option itself takes four octets; more than a block beyond that would be waste.
    EXPECT_LT(padded.size(), plain_query.size() + 4 + kQueryPaddingBlock) << octets;
    const std::optional<plain::Decoded> query = plain::Decode(padded);
    ASSERT_TRUE(query.has_value()) << octets;
    ASSERT_EQ(query->options.size(), 1U);
    EXPECT_EQ(query->options[0].code, edns_option::kPadding);
    EXPECT_TRUE(std::all_of(query->options[0].value.begin(), query->options[0].value.end(), [](uint8_t octet) {
      return octet == 0;
    })) << "RFC 7830 §3: zeros";
  }
}

TEST(BuildQueryTest, E4_WithoutPaddingThereIsNoOption) {
  const Octets qname = plain::WireOf("example");
  const std::optional<plain::Decoded> query =
      plain::Decode(Built({.qname = qname, .qtype = rr_type::kA, .padding = Padding::kNone}));
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->opt_count, 1U);
  EXPECT_TRUE(query->options.empty());
}

TEST(BuildQueryTest, IsAcceptedByOurOwnListener) {
  for (const Padding padding : {Padding::kNone, Padding::kToBlock}) {
    const Octets qname = NameOfOctets(255);
    const Octets octets =
        Built({.id = 5, .qname = qname, .qtype = rr_type::kDs, .dnssec_ok = true, .padding = padding});
    const ParsedQuery query = ParseQuery(octets);
    EXPECT_EQ(query.outcome, QueryOutcome::kAccepted);
    EXPECT_EQ(query.message.scan().edns.has_padding, padding == Padding::kToBlock);
    EXPECT_TRUE(query.message.scan().edns.dnssec_ok);
  }
}

// `question` is QNAME, QTYPE, QCLASS.
bool Matches(OctetView response, uint16_t id, OctetView question) {
  const size_t name_octets = question.size() - 4;
  return MatchesQuery(response, id, question.first(name_octets), ReadU16(&question[name_octets]),
                      ReadU16(&question[name_octets + 2]));
}

class PromiseR1 : public testing::Test {
 protected:
  PromiseR1()
      : question_(plain::QuestionOf("www.example", rr_type::kA)),
        response_(MessageBuilder::ResponseTo(MessageBuilder::Query(0x1234, "www.example.", rr_type::kA).Build())
                      .Answer("www.example.", 300, A("192.0.2.1"))
                      .Build()) {}

  bool Accepts() const { return Matches(response_, 0x1234, question_); }
  // The response with one octet changed.
  bool AcceptsWith(size_t at, uint8_t octet) const {
    Octets changed = response_;
    changed[at] = octet;
    return Matches(changed, 0x1234, question_);
  }

  Octets question_;
  Octets response_;
};

TEST_F(PromiseR1, TheResponseToTheQueryMatches) { EXPECT_TRUE(Accepts()); }

TEST_F(PromiseR1, AnotherIdDoesNotMatch) {
  for (size_t bit = 0; bit < 16; ++bit) {
    EXPECT_FALSE(AcceptsWith(bit / 8, static_cast<uint8_t>(response_[bit / 8] ^ (1U << (bit % 8))))) << bit;
  }
}

TEST_F(PromiseR1, AQueryDoesNotMatch) { EXPECT_FALSE(AcceptsWith(2, response_[2] & 0x7F)); }

TEST_F(PromiseR1, AnotherOpcodeDoesNotMatch) {
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    EXPECT_FALSE(AcceptsWith(2, static_cast<uint8_t>((response_[2] & 0x87U) | (opcode << 3U)))) << opcode;
  }
}

TEST_F(PromiseR1, OtherFlagsAndRcodesMatch) {
  for (const uint8_t bit : {uint8_t{0x01}, uint8_t{0x02}, uint8_t{0x04}}) {
    EXPECT_TRUE(AcceptsWith(2, static_cast<uint8_t>(response_[2] ^ bit)));
  }
  for (unsigned octet = 0; octet < 256; ++octet) EXPECT_TRUE(AcceptsWith(3, static_cast<uint8_t>(octet)));
}

TEST_F(PromiseR1, AnotherCountOfQuestionsDoesNotMatch) {
  EXPECT_FALSE(AcceptsWith(5, 0));
  EXPECT_FALSE(AcceptsWith(5, 2));
  EXPECT_FALSE(AcceptsWith(4, 1));
}

TEST_F(PromiseR1, AnotherNameTypeOrClassDoesNotMatch) {
  for (size_t at = kHeaderOctets; at < kHeaderOctets + question_.size(); ++at) {
    for (unsigned octet = 0; octet < 256; ++octet) {
      if (octet == response_[at]) continue;
      const bool letter = at < kHeaderOctets + question_.size() - 4 && response_[at] >= 'a' && response_[at] <= 'z';
      const bool other_case = letter && octet == response_[at] - 32U;
      EXPECT_EQ(AcceptsWith(at, static_cast<uint8_t>(octet)), other_case) << at << " " << octet;
    }
  }
}

TEST_F(PromiseR1, TypeAndClassAreNotLettersOfTwoCases) {
  // QTYPE 0x4142 and 0x6162 would be "AB" and "ab".
  const Octets question = plain::QuestionOf("www.example", 0x4142);
  const Octets response = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "www.example.", 0x6162).Build()).Build();
  EXPECT_FALSE(Matches(response, 1, question));
}

TEST_F(PromiseR1, ALongerOrShorterNameDoesNotMatch) {
  EXPECT_FALSE(Matches(response_, 0x1234, plain::QuestionOf("a.www.example", rr_type::kA)));
  EXPECT_FALSE(Matches(response_, 0x1234, plain::QuestionOf("example", rr_type::kA)));
  EXPECT_FALSE(Matches(response_, 0x1234, plain::QuestionOf(".", rr_type::kA)));
}

TEST_F(PromiseR1, ACutResponseDoesNotMatchAndIsNotReadBeyondItsEnd) {
  for (size_t length = 0; length < kHeaderOctets + question_.size(); ++length) {
    const Octets cut(response_.begin(), response_.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(Matches(cut, 0x1234, question_)) << length;
  }
}

}  // namespace
}  // namespace dotward
