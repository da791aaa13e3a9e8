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
  const Message::Model model = query.message.MakeModel();
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(ldns_pkt_id(model.get()), 0xC0DE);
  EXPECT_EQ(ldns_pkt_qdcount(model.get()), 1);
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
  const Message::Model model = response->MakeModel();
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(ldns_pkt_ancount(model.get()), 1);
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
  EXPECT_EQ(response->MakeModel(), nullptr);
  EXPECT_FALSE(response->ToString().empty());
}

struct RegularRecord {
  uint16_t type;
  const char* rdata;
};
// One or more records of every type that has a form of its own, as BIND writes them. NSAP-PTR and SINK are not here:
// ldns reads them in another way, and a response with one of them is refused.
constexpr RegularRecord kRegularRecords[] = {
    {1, "c0000201"},                                                                                // A
    {2, "026e73076578616d706c6500"},                                                                // NS
    {5, "0161076578616d706c6500"},                                                                  // CNAME
    {6, "026e73076578616d706c65000168076578616d706c65000000000100000002000000030000000400000005"},  // SOA
    {7, "0161076578616d706c6500"},                                                                  // MB
    {11, "c00002010600000440"},                                                                     // WKS
    {12, "0161076578616d706c6500"},                                                                 // PTR
    {13, "075246433834383200"},                                                                     // HINFO
    {14, "0161076578616d706c65000162076578616d706c6500"},                                           // MINFO
    {15, "000a0161076578616d706c6500"},                                                             // MX
    {16, "016103622063"},                                                                           // TXT
    {17, "0161076578616d706c65000162076578616d706c6500"},                                           // RP
    {18, "00010161076578616d706c6500"},                                                             // AFSDB
    {19, "0c333131303631373030393536"},                                                             // X25
    {20, "0f313530383632303238303033323137"},                                                       // ISDN
    {20, "0f31353038363230323830303332313703303034"},                                               // ISDN
    {21, "000a0161076578616d706c6500"},                                                             // RT
    {22, "47000580005a0000000001e133ffffff00016200"},                                               // NSAP
    {24, "0001050200000e1072bd0bff5e0be1003039076578616d706c6500000000"},                           // SIG
    {25, "01000305000000"},                                                                         // KEY
    {26, "000a0161076578616d706c65000162076578616d706c6500"},                                       // PX
    {27, "082d33322e36383832083131362e383635320431302e30"},                                         // GPOS
    {28, "20010db8000000000000000000000001"},                                                       // AAAA
    {29, "001216138b0d2c8c7ff8fca400989680"},                                                       // LOC
    {30, "0162076578616d706c65004001"},                                                             // NXT
    {33, "0000000101bb0161076578616d706c6500"},                                                     // SRV
    {34, "013631323030303030303030"},                                                               // ATMA
    {35, "0064000a0153075349502b44325500045f736970045f756470076578616d706c6500"},                   // NAPTR
    {36, "000a0161076578616d706c6500"},                                                             // KX
    {37, "0001303905000000"},                                                                       // CERT
    {38, "0020010db8000000000000000000000001"},                                                     // A6
    {39, "0161076578616d706c6500"},                                                                 // DNAME
    {42, "00011803c000020002208420010db8"},                                                         // APL
    {42, ""},                                                                                       // APL
    {43, "30390d020000000000000000000000000000000000000000000000000000000000000000"},               // DS
    {44, "01010000000000000000000000000000000000000000"},                                           // SSHFP
    {45, "0a0002000000"},                                                                           // IPSECKEY
    {45, "0a0102c0000201000000"},                                                                   // IPSECKEY
    {45, "0a020220010db8000000000000000000000001000000"},                                           // IPSECKEY
    {45, "0a0302026777076578616d706c6500000000"},                                                   // IPSECKEY
    {46, "00010d0200000e1072bd0bff5e0be1003039076578616d706c6500000000"},                           // RRSIG
    {47, "0162076578616d706c65000006400000000003ff0180"},                                           // NSEC
    {48, "0101030d000000"},                                                                         // DNSKEY
    {49, "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40"},                 // DHCID
    {50, "0101000c04aabbccdd14174eb2409fe28bcb4887a1836f957f0a8425e27b000700010000000080"},         // NSEC3
    {50, "010000000014174eb2409fe28bcb4887a1836f957f0a8425e27b"},                                   // NSEC3
    {51, "0100000c04aabbccdd"},                                                                     // NSEC3PARAM
    {51, "0100000000"},                                                                             // NSEC3PARAM
    {52, "0301010000000000000000000000000000000000000000000000000000000000000000"},                 // TLSA
    {53, "0301010000000000000000000000000000000000000000000000000000000000000000"},                 // SMIMEA
    {56, "01610162"},                                                                               // NINFO
    {57, "0000ff01000000"},                                                                         // RKEY
    {58, "0161076578616d706c65000162076578616d706c6500"},                                           // TALINK
    {59, "30390d020000000000000000000000000000000000000000000000000000000000000000"},               // CDS
    {59, "0000000000"},                                                                             // CDS
    {60, "0101030d000000"},                                                                         // CDNSKEY
    {60, "0000030000"},                                                                             // CDNSKEY
    {61, "000000"},                                                                                 // OPENPGPKEY
    {62, "000000420003000460000008"},                                                               // CSYNC
    {62, "000000420003"},                                                                           // CSYNC
    {63,
     "7848b78c0101000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2"
     "f"},                               // ZONEMD
    {64, "00000161076578616d706c6500"},  // SVCB
    {64,
     "000100000100060268320268330003000201bb00040004c0000201000500030000000006001020010db8000000000000000000000001ff350"
     "003616263"},                                                                        // SVCB
    {65, "00010000000002000100010003026833"},                                             // HTTPS
    {65, "000103737663076578616d706c6500"},                                               // HTTPS
    {99, "0b763d73706631202d616c6c"},                                                     // SPF
    {104, "000a00144fffff20ee64"},                                                        // NID
    {105, "000a0a010200"},                                                                // L32
    {106, "000a20010db811401000"},                                                        // L64
    {107, "000a036c3634076578616d706c6500"},                                              // LP
    {108, "00005e00532a"},                                                                // EUI48
    {109, "00005eef1000002a"},                                                            // EUI64
    {256, "000a00016674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963"},          // URI
    {257, "0005697373756563612e6578616d706c65"},                                          // CAA
    {257, "8003746273556e6b6e6f776e"},                                                    // CAA
    {257, "00056973737565"},                                                              // CAA
    {258, "116170702d6e616d653a574f4c4647414e47"},                                        // AVC
    {259, "499602d2499602d20109696d6167652f676966474946383961280019"},                    // DOA
    {260, "0a00"},                                                                        // AMTRELAY
    {260, "0a81c0000201"},                                                                // AMTRELAY
    {260, "0a030572656c6179076578616d706c6500"},                                          // AMTRELAY
    {32768, "30390d020000000000000000000000000000000000000000000000000000000000000000"},  // TA
    {32769, "30390d020000000000000000000000000000000000000000000000000000000000000000"},  // DLV
    {55, "04020003 20010010 aabbcc"},                                                     // HIP
    {55, "04020003 20010010 aabbcc 047276733100 047276733200"},                           // HIP with rendezvous servers
};

TEST(ParseResponseTest, AcceptsEveryTypeInItsRegularForm) {
  for (const RegularRecord& regular : kRegularRecords) {
    const Rdata rdata = Opaque(regular.type, Hex(regular.rdata));
    const Octets octets = MessageBuilder::ResponseTo(Question("a.", regular.type).Build())
                              .Answer("a.", 60, rdata)
                              .Answer("a.", 60, rdata)
                              .Authority("a.", 60, rdata)
                              .Additional("a.", 60, rdata)
                              .WithEdns({.options = {PaddingOption(3)}})
                              .Additional("a.", 60, rdata)
                              .Build();
    const absl::StatusOr<Message> response = ParseResponse(octets);
    EXPECT_TRUE(response.ok()) << response.status() << " " << TypeToString(regular.type) << " " << regular.rdata;
  }
}

TEST(ParseResponseTest, X3_TheModelHasNoRecordThatNobodySent) {
  // NID (RFC 6742) takes ten octets. ldns would take the 25 behind them, which are RDATA too, for the next record.
  const Octets fake = Join({WireName("bank.example."), Hex("0001 0001 0000003c 0004 c0000242")});
  const Octets octets = MessageBuilder::ResponseTo(Question("a.", 104).Build())
                            .Answer("a.", 60, Opaque(104, Join({Hex("000a 0014 4fff ff20 ee64"), fake})))
                            .Answer("a.", 60, Opaque(104, Hex("000a 0014 4fff ff20 ee65")))
                            .Build();
  const absl::StatusOr<Message> response = ParseResponse(octets);
  EXPECT_FALSE(response.ok());
}

TEST(ParseResponseTest, X3_RdataIsUsedUpByItsType) {
  // What ldns leaves over is a fault wherever the record stands, at the end of the message too.
  for (const RegularRecord& regular :
       {RegularRecord{13, "0161 0162 00"}, RegularRecord{19, "0161 00"}, RegularRecord{27, "0131 0132 0133 00"},
        RegularRecord{51, "01 00 000c 00 ff"}, RegularRecord{104, "000a 00144fffff20ee64 00"},
        RegularRecord{105, "000a 0a010200 00"}, RegularRecord{108, "00005e00532a 00"}}) {
    const Octets octets = MessageBuilder::ResponseTo(Question("a.", regular.type).Build())
                              .Answer("a.", 60, Opaque(regular.type, Hex(regular.rdata)))
                              .Build();
    EXPECT_FALSE(ParseResponse(octets).ok()) << TypeToString(regular.type);
  }
}

TEST(ParseResponseTest, AMovedMessageStillDescribesTheSameOctets) {
  const Octets octets = PositiveAnswerTo(Question().Build());
  absl::StatusOr<Message> response = ParseResponse(octets);
  ASSERT_TRUE(response.ok());
  const Message moved = *std::move(response);
  EXPECT_EQ(moved.octets().data(), octets.data());
  EXPECT_EQ(moved.scan().records.size(), 1U);
  EXPECT_NE(moved.MakeModel(), nullptr);
}

}  // namespace
}  // namespace dotward
