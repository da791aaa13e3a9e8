#include "dotward/message.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/strings.h"
#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "dns/reply.h"
#include "testing/messages.h"

namespace dotward {
namespace {

Octets Copy(OctetView view) { return {view.begin(), view.end()}; }

MessageBuilder Question(std::string_view name = "www.Example.", uint16_t type = rr_type::kA) {
  return MessageBuilder::Query(0xC0DE, name, type);
}

// What the client that sent `query` is told when `rcode` is the outcome.
plain::Decoded ErrorFor(const Octets& query, Rcode rcode) {
  const ParsedQuery parsed = ParseQuery(query);
  const ReplyContext context = MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232);
  std::array<uint8_t, 4096> buffer{};
  const size_t length = RenderError(rcode, {}, context, buffer);
  const std::optional<plain::Decoded> reply = plain::Decode(OctetView(buffer).first(length));
  EXPECT_TRUE(reply.has_value());
  return reply.value_or(plain::Decoded());
}

TEST(ParseQueryTest, AcceptsAPlainQuery) {
  const Octets octets = Question().Build();
  const ParsedQuery query = ParseQuery(octets);
  EXPECT_EQ(query.outcome, QueryOutcome::kAccepted);
  EXPECT_EQ(query.fault, ScanFault::kNone);
  EXPECT_EQ(Copy(query.message.octets()), octets);
  EXPECT_EQ(Copy(query.message.scan().question), plain::QuestionOf("www.Example", rr_type::kA));
  ASSERT_NE(query.message.model(), nullptr);
  EXPECT_EQ(ldns_pkt_id(query.message.model()), 0xC0DE);
  EXPECT_EQ(ldns_pkt_qdcount(query.message.model()), 1);
}

TEST(ParseQueryTest, AcceptsEveryClassAndTypeOfQuestion) {
  for (unsigned number = 0; number < 65'536; ++number) {
    const auto word = static_cast<uint16_t>(number);
    ASSERT_EQ(ParseQuery(Question("a.", word).Build()).outcome, QueryOutcome::kAccepted) << number;
    ASSERT_EQ(ParseQuery(MessageBuilder::Query(1, "a.", rr_type::kA, word).Build()).outcome, QueryOutcome::kAccepted)
        << number;
  }
}

TEST(PromiseQ1, AnythingButOneQuestionIsFormErr) {
  const Octets one = plain::QuestionOf("www.example", rr_type::kA);
  for (const unsigned count : {0U, 2U, 3U, 16U}) {
    MessageBuilder builder(0xC0DE);
    for (unsigned i = 0; i < count; ++i) builder.RawQuestion(one);
    const Octets octets = builder.Flags(header_flag::kRd).Counts(static_cast<uint16_t>(count), 0, 0, 0).Build();
    const ParsedQuery query = ParseQuery(octets);
    EXPECT_EQ(query.outcome, QueryOutcome::kFormErr) << count;
    EXPECT_EQ(query.fault, ScanFault::kQuestionCount) << count;
    const plain::Decoded reply = ErrorFor(octets, Rcode::kFormErr);
    EXPECT_EQ(reply.id, 0xC0DE);
    EXPECT_EQ(reply.rcode(), 1U);
    EXPECT_EQ(reply.question_count, 0) << "nobody could say which of them it is about";
  }
}

TEST(PromiseQ1, ACountThatLiesIsFormErr) {
  for (const unsigned count : {0U, 2U, 256U, 65'535U}) {
    const Octets octets = Question().Counts(static_cast<uint16_t>(count), 0, 0, 0).Build();
    EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kFormErr) << count;
  }
}

TEST(PromiseQ2, AResponseIsDroppedWhateverItHolds) {
  for (unsigned opcode = 0; opcode < 16; ++opcode) {
    const auto code = static_cast<uint8_t>(opcode);
    EXPECT_EQ(ParseQuery(Question().Opcode(code).AddFlags(header_flag::kQr).Build()).outcome, QueryOutcome::kDrop);
    EXPECT_EQ(ParseQuery(Question().Opcode(code).AddFlags(header_flag::kQr).Counts(0, 0, 0, 0).Build()).outcome,
              QueryOutcome::kDrop);
    EXPECT_EQ(ParseQuery(Question().Opcode(code).AddFlags(header_flag::kQr).WithEdns({.version = 1}).Build()).outcome,
              QueryOutcome::kDrop);
  }
  EXPECT_EQ(ParseQuery(PositiveAnswerTo(Question().Build())).outcome, QueryOutcome::kDrop);
}

TEST(PromiseQ2, WhatHasNoHeaderIsDropped) {
  const Octets octets = Question().Build();
  for (size_t length = 0; length < kHeaderOctets; ++length) {
    EXPECT_EQ(ParseQuery(OctetView(octets).first(length)).outcome, QueryOutcome::kDrop) << length;
  }
}

TEST(PromiseQ3, EveryOtherOpcodeIsNotImpWithACorrectHeader) {
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    const Octets octets = Question().Opcode(static_cast<uint8_t>(opcode)).Build();
    EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kNotImp) << opcode;
    const plain::Decoded reply = ErrorFor(octets, Rcode::kNotImp);
    EXPECT_EQ(reply.id, 0xC0DE);
    EXPECT_TRUE(reply.qr());
    EXPECT_EQ(reply.opcode(), opcode) << "copied, RFC 1035 §4.1.1";
    EXPECT_EQ(reply.rcode(), 4U);
    EXPECT_FALSE(reply.aa() || reply.tc() || reply.z() || reply.ad());
    EXPECT_TRUE(reply.records.empty());
  }
}

TEST(PromiseQ3, TheBodyOfAnotherOpcodeIsNotJudged) {
  // UPDATE has a zone and prerequisites with empty RDATA; DSO (RFC 8490) has no question at all.
  const Octets update = MessageBuilder::Query(1, "example.", rr_type::kSoa)
                            .Opcode(5)
                            .Answer("a.example.", 0, Opaque(rr_type::kA, {}), rr_class::kAny)
                            .Build();
  EXPECT_EQ(ParseQuery(update).outcome, QueryOutcome::kNotImp);
  const Octets dso = MessageBuilder(1).Opcode(6).Counts(0, 0, 0, 0).Trailing(Octets(20)).Build();
  EXPECT_EQ(ParseQuery(dso).outcome, QueryOutcome::kNotImp);
}

TEST(PromiseQ4, TheZBitAndUnknownEdnsFlagsAreIgnoredAndClearInTheReply) {
  const Octets octets =
      Question().AddFlags(header_flag::kZ).WithEdns({.dnssec_ok = true, .other_flags = 0x7FFF}).Build();
  const ParsedQuery query = ParseQuery(octets);
  EXPECT_EQ(query.outcome, QueryOutcome::kAccepted);
  EXPECT_TRUE(query.message.scan().edns.dnssec_ok);
  const plain::Decoded reply = ErrorFor(octets, Rcode::kRefused);
  EXPECT_FALSE(reply.z());
  EXPECT_EQ(reply.opt.ttl, 0x8000U) << "version 0, DO and no other flag";
}

TEST(PromiseQ4, StrayResponseFlagsAndAnRcodeInAQueryAreIgnored) {
  const Octets octets = Question()
                            .AddFlags(header_flag::kAa | header_flag::kTc | header_flag::kRa)
                            .WithRcode(static_cast<Rcode>(15))
                            .Build();
  EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kAccepted);
  const plain::Decoded reply = ErrorFor(octets, Rcode::kRefused);
  EXPECT_EQ(reply.flags, 0x8185) << "QR, RD, RA, REFUSED";
}

TEST(PromiseQ5, EveryCutOfAQueryIsFormErrOrDropped) {
  const Octets octets = Question().WithEdns({.options = {PaddingOption(20)}}).Build();
  ASSERT_EQ(ParseQuery(octets).outcome, QueryOutcome::kAccepted);
  for (size_t length = 0; length < octets.size(); ++length) {
    const ParsedQuery query = ParseQuery(OctetView(octets).first(length));
    EXPECT_EQ(query.outcome, length < kHeaderOctets ? QueryOutcome::kDrop : QueryOutcome::kFormErr) << length;
    EXPECT_NE(query.fault, ScanFault::kNone);
  }
}

TEST(PromiseQ5, TrailingOctetsAreFormErr) {
  for (const size_t count : {1U, 2U, 11U, 500U}) {
    const Octets octets = Question().Trailing(Octets(count)).Build();
    EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kFormErr);
    EXPECT_EQ(ErrorFor(octets, Rcode::kFormErr).question, plain::QuestionOf("www.Example", rr_type::kA));
  }
}

TEST(PromiseQ6, UnknownTypesPassThroughAsTheyAre) {
  const Octets rdata = Hex("c00c ffff 00 3f deadbeef");
  for (const uint16_t type : {uint16_t{100}, uint16_t{259}, uint16_t{32'768}, uint16_t{65'280}, uint16_t{65'535}}) {
    const Octets query = Question("a.example.", type).Build();
    ASSERT_EQ(ParseQuery(query).outcome, QueryOutcome::kAccepted) << type;
    const Octets octets = MessageBuilder::ResponseTo(query).Answer("a.example.", 60, Opaque(type, rdata)).Build();
    const absl::StatusOr<Message> response = ParseResponse(octets);
    ASSERT_TRUE(response.ok()) << type << response.status();
    const RecordEdges& record = response->scan().records.at(0);
    EXPECT_EQ(Copy(OctetView(octets).subspan(record.rdata, record.end - record.rdata)), rdata);
  }
}

TEST(PromiseE1, AnEdnsVersionAboveZeroIsBadVers) {
  for (unsigned version = 1; version < 256; ++version) {
    const Octets octets = Question().WithEdns({.version = static_cast<uint8_t>(version)}).Build();
    EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kBadVers) << version;
    const plain::Decoded reply = ErrorFor(octets, Rcode::kBadVers);
    EXPECT_EQ(reply.rcode(), 16U);
    EXPECT_EQ(reply.flags & 15U, 0U) << "the lower four bits of 16";
    ASSERT_EQ(reply.opt_count, 1U);
    EXPECT_EQ((reply.opt.ttl >> 16U) & 255U, 0U) << "the version we have, RFC 6891 §6.1.3";
    EXPECT_EQ(reply.question, plain::QuestionOf("www.Example", rr_type::kA));
  }
}

TEST(PromiseE1, WhatAnotherVersionMeansByItsOptionsIsNotJudged) {
  const Octets octets = Question().RawAdditional(Hex("00 0029 04d0 00010000 0003 ffffff")).Counts(1, 0, 0, 1).Build();
  EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kBadVers);
}

TEST(PromiseE2, TwoOptsAreFormErr) {
  EXPECT_EQ(ParseQuery(Question().WithEdns({}).WithEdns({}).Build()).outcome, QueryOutcome::kFormErr);
  const plain::Decoded reply = ErrorFor(Question().WithEdns({}).WithEdns({}).Build(), Rcode::kFormErr);
  EXPECT_EQ(reply.opt_count, 1U) << "E3: the query had OPT";
}

TEST(PromiseE2, OneOptAnywhereInTheAdditionalSectionIsFound) {
  for (size_t place = 0; place < 4; ++place) {
    MessageBuilder builder = Question();
    for (size_t i = 0; i < 4; ++i) {
      if (i == place) {
        builder.WithEdns({.payload_octets = 4000});
      } else {
        builder.Additional("x.example.", 0, Txt("something"));
      }
    }
    const Octets octets = builder.Build();
    const ParsedQuery query = ParseQuery(octets);
    EXPECT_EQ(query.outcome, QueryOutcome::kAccepted) << place;
    EXPECT_EQ(query.message.scan().edns.payload_octets, 4000);
  }
}

TEST(PromiseE2, OptElsewhereIsFormErr) {
  const Octets opt = Hex("00 0029 04d0 00000000 0000");
  EXPECT_EQ(ParseQuery(Question().RawAnswer(opt).Counts(1, 1, 0, 0).Build()).outcome, QueryOutcome::kFormErr);
  EXPECT_EQ(ParseQuery(Question().RawAuthority(opt).Counts(1, 0, 1, 0).Build()).outcome, QueryOutcome::kFormErr);
}

TEST(PromiseE5, APayloadBelow512CountsAs512) {
  for (const uint16_t offered : {uint16_t{0}, uint16_t{1}, uint16_t{511}, uint16_t{512}, uint16_t{513}, uint16_t{1231},
                                 uint16_t{1232}, uint16_t{1233}, uint16_t{65'535}}) {
    const Octets octets = Question().WithEdns({.payload_octets = offered}).Build();
    const ParsedQuery query = ParseQuery(octets);
    const ReplyContext context = MakeReplyContext(query.message.scan(), ReplyChannel::kDatagram, 1232);
    EXPECT_EQ(context.octets_max, std::clamp<size_t>(offered, 512, 1232)) << offered;
    EXPECT_EQ(context.payload_octets, 1232) << "what we offer";
  }
  const Octets octets = Question().Build();
  const ParsedQuery query = ParseQuery(octets);
  EXPECT_EQ(MakeReplyContext(query.message.scan(), ReplyChannel::kDatagram, 4096).octets_max, 512U);
  EXPECT_EQ(MakeReplyContext(query.message.scan(), ReplyChannel::kStream, 1232).octets_max, 65'535U);
}

TEST(PromiseE6, HundredsOfOptionsAreAcceptedAndCounted) {
  std::vector<EdnsOption> options(900, {65'001, {}});
  options.push_back({edns_option::kCookie, Octets(8)});
  const Octets octets = Question().WithEdns({.options = options}).Build();
  const ParsedQuery query = ParseQuery(octets);
  EXPECT_EQ(query.outcome, QueryOutcome::kAccepted);
  EXPECT_TRUE(query.message.scan().edns.has_cookie) << "the last of them is found too";
}

TEST(PromiseE6, RepeatedOptionsAndAGiantOneAreAccepted) {
  std::vector<EdnsOption> options(100, {edns_option::kCookie, Octets(8)});
  EXPECT_EQ(ParseQuery(Question().WithEdns({.options = options}).Build()).outcome, QueryOutcome::kAccepted);
  EXPECT_EQ(ParseQuery(Question().WithEdns({.options = {PaddingOption(60'000)}}).Build()).outcome,
            QueryOutcome::kAccepted);
}

TEST(ParseQueryTest, AQueryWithOneTsigAtItsEndIsAccepted) {
  const Octets octets =
      Question()
          .WithEdns({})
          .Additional("key.example.", 0, Opaque(rr_type::kTsig, Hex("00 000065000000 012c 0000 1234 0000 0000")),
                      rr_class::kAny)
          .Build();
  EXPECT_EQ(ParseQuery(octets).outcome, QueryOutcome::kAccepted);
}

TEST(ParseResponseTest, AcceptsAResponseWithItsModel) {
  const Octets octets = PositiveAnswerTo(Question().WithEdns({}).Build());
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_NE(response->model(), nullptr);
  EXPECT_EQ(ldns_pkt_ancount(response->model()), 1);
  EXPECT_NE(response->ToString().find("192.0.2.1"), std::string::npos) << response->ToString();
}

TEST(ParseResponseTest, RefusesAQuery) {
  const absl::StatusOr<Message> response = ParseResponse(Question().Build());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseResponseTest, NamesTheFault) {
  const Octets octets =
      MessageBuilder::ResponseTo(Question().Build()).Answer("a.", 1, Opaque(rr_type::kA, Octets(5))).Build();
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_FALSE(response.ok());
  EXPECT_NE(MessageOf(response.status()).find(ScanFaultToString(ScanFault::kAddressLength)), std::string_view::npos);
}

TEST(ParseResponseTest, AMessageThatHasNoModelCanBePrinted) {
  const Octets octets = MessageBuilder::ResponseTo(Question("a.", rr_type::kTxt).Build())
                            .Answer("a.", 1, Opaque(rr_type::kTxt, Octets(3'000)))
                            .Build();
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->model(), nullptr);
  EXPECT_FALSE(response->ToString().empty());
}

TEST(ParseResponseTest, AMovedMessageStillDescribesTheSameOctets) {
  const Octets octets = PositiveAnswerTo(Question().Build());
  absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok());
  const Message moved = *std::move(response);
  EXPECT_EQ(moved.octets().data(), octets.data());
  EXPECT_EQ(moved.scan().records.size(), 1U);
  EXPECT_NE(moved.model(), nullptr);
}

}  // namespace
}  // namespace dotward
