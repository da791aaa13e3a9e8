#include "dns/scan.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/limits.h"
#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using plain::WireOf;

Octets Copy(OctetView view) { return {view.begin(), view.end()}; }
Octets Repeat(uint8_t octet, size_t times) { return Octets(times, octet); }
Octets U16(size_t value) { return {static_cast<uint8_t>(value >> 8U), static_cast<uint8_t>(value & 255U)}; }

ScanFault Scan(const Octets& octets, MessageSide side = MessageSide::kQuery) {
  ScannedMessage scan;
  return ScanMessage(octets, side, scan);
}
// A query for the root's A whose one additional record's owner and everything behind it are `record`.
Octets WithRecord(const Octets& record) {
  return MessageBuilder::Query(1, ".", rr_type::kA).RawAdditional(record).Counts(1, 0, 0, 1).Build();
}
// The offset at which WithRecord puts the record.
constexpr size_t kRecordOffset = 17;

Octets Fixed(uint16_t type, size_t rdata_octets) {
  return Join({U16(type), U16(rr_class::kIn), Octets(4), U16(rdata_octets)});
}

// `octets` in labels that make a name of that many octets, root label included.
Octets NameOfOctets(size_t octets, uint8_t letter = 'a') {
  Octets wire;
  size_t left = octets - 1;
  while (left > 0) {
    size_t label = std::min<size_t>(left - 1, 63);
    if (left - 1 - label == 1) --label;  // a single octet behind it would be a second root label
    wire.push_back(static_cast<uint8_t>(label));
    wire.insert(wire.end(), label, letter);
    left -= label + 1;
  }
  wire.push_back(0);
  EXPECT_EQ(wire.size(), octets);
  return wire;
}

Octets QueryWithName(const Octets& qname) {
  return MessageBuilder(7)
      .Flags(header_flag::kRd)
      .RawQuestion(Join({qname, U16(rr_type::kA), U16(rr_class::kIn)}))
      .Counts(1, 0, 0, 0)
      .Build();
}

TEST(ScanMessageTest, FindsTheQuestionAndTheHeader) {
  const Octets octets = MessageBuilder::Query(0xBEEF, "WWW.Example.", rr_type::kAaaa)
                            .AddFlags(header_flag::kAd | header_flag::kCd)
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  EXPECT_TRUE(scan.has_header);
  EXPECT_EQ(scan.id, 0xBEEF);
  EXPECT_FALSE(scan.is_response());
  EXPECT_EQ(scan.opcode(), 0);
  EXPECT_TRUE(scan.recursion_desired());
  EXPECT_TRUE(scan.authentic_data());
  EXPECT_TRUE(scan.checking_disabled());
  EXPECT_FALSE(scan.truncated());
  EXPECT_EQ(scan.rcode(), Rcode::kNoError);
  EXPECT_TRUE(scan.has_question);
  EXPECT_EQ(Copy(scan.qname), WireOf("WWW.Example")) << "the case is the client's";
  EXPECT_EQ(Copy(scan.question), plain::QuestionOf("WWW.Example", rr_type::kAaaa));
  EXPECT_EQ(scan.qtype, rr_type::kAaaa);
  EXPECT_EQ(scan.qclass, rr_class::kIn);
  EXPECT_FALSE(scan.has_edns);
  EXPECT_FALSE(scan.needs_no_model);
  EXPECT_TRUE(scan.records.empty());
  EXPECT_EQ(scan.octets.data(), octets.data());
  EXPECT_EQ(scan.octets.size(), octets.size());
}

TEST(ScanMessageTest, FindsEveryRecordsEdges) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.example.", rr_type::kA).Build())
                            .Answer("a.example.", 300, A("192.0.2.1"))
                            .Authority("example.", 0x80000001, Ns("ns.example."))
                            .Additional("ns.example.", 5, Opaque(65280, Repeat(9, 3)))
                            .WithEdns({.payload_octets = 1400})
                            .Compressed()
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  ASSERT_EQ(scan.records.size(), 4U);
  const std::optional<plain::Decoded> decoded = plain::Decode(octets);
  ASSERT_TRUE(decoded.has_value());
  for (size_t i = 0; i < 3; ++i) {
    const RecordEdges& edges = scan.records[i];
    const plain::Record& record = decoded->records[i];
    EXPECT_EQ(edges.owner, record.offset);
    EXPECT_EQ(edges.end, record.end);
    EXPECT_EQ(edges.type, record.type);
    EXPECT_EQ(edges.klass, record.klass);
    EXPECT_EQ(edges.ttl, record.ttl);
    EXPECT_EQ(edges.ttl_offset(), record.ttl_offset);
    EXPECT_EQ(edges.rdata, edges.fixed + 10);
    EXPECT_EQ(static_cast<int>(edges.section) + 1, record.section);
  }
  EXPECT_EQ(scan.records[3].type, rr_type::kOpt);
  EXPECT_EQ(scan.records[3].section, Section::kAdditional);
  EXPECT_EQ(scan.edns.payload_octets, 1400);
}

TEST(ScanMessageTest, AllocatesNothingForFourRecords) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.example.", rr_type::kA).Build())
                            .Answer("a.example.", 300, A("192.0.2.1"))
                            .Answer("a.example.", 300, A("192.0.2.2"))
                            .Answer("a.example.", 300, A("192.0.2.3"))
                            .WithEdns({})
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  const auto records = reinterpret_cast<uintptr_t>(scan.records.data());
  const auto begin = reinterpret_cast<uintptr_t>(&scan);
  EXPECT_TRUE(records >= begin && records < begin + sizeof scan) << "the records are inside the object";
}

TEST(ScanMessageTest, KeepsTheIdAndTheQuestionOfAMessageThatIsWrongLater) {
  const Octets octets = MessageBuilder::Query(0x4242, "a.example.", rr_type::kMx).Trailing({1}).Build();
  ScannedMessage scan;
  EXPECT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kTrailingOctets);
  EXPECT_TRUE(scan.has_header);
  EXPECT_EQ(scan.id, 0x4242);
  EXPECT_TRUE(scan.has_question);
  EXPECT_EQ(Copy(scan.question), plain::QuestionOf("a.example", rr_type::kMx));
}

TEST(ScanMessageTest, KeepsTheHeaderOfAMessageWhoseQuestionCannotBeRead) {
  Octets octets = MessageBuilder::Query(0x4242, "a.example.", rr_type::kMx).Build();
  octets.resize(octets.size() - 1);
  ScannedMessage scan;
  EXPECT_NE(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  EXPECT_TRUE(scan.has_header);
  EXPECT_EQ(scan.id, 0x4242);
  EXPECT_FALSE(scan.has_question);
  EXPECT_TRUE(scan.question.empty());
}

TEST(ScanMessageTest, NeedsTwelveOctets) {
  const Octets octets = MessageBuilder::Query(1, ".", rr_type::kA).Build();
  for (size_t length = 0; length < kHeaderOctets; ++length) {
    ScannedMessage scan;
    EXPECT_EQ(ScanMessage(OctetView(octets).first(length), MessageSide::kQuery, scan), ScanFault::kShortHeader);
    EXPECT_FALSE(scan.has_header);
  }
  ScannedMessage scan;
  EXPECT_NE(ScanMessage(OctetView(octets).first(kHeaderOctets), MessageSide::kQuery, scan), ScanFault::kShortHeader);
  EXPECT_TRUE(scan.has_header);
}

TEST(ScanMessageTest, RefusesWhatIsLongerThanAnyMessage) {
  Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, ".", rr_type::kA).Build()).Build();
  octets.resize(kMessageOctetsMax + 1);
  EXPECT_NE(Scan(octets, MessageSide::kResponse), ScanFault::kNone);
}

TEST(ScanMessageTest, Q5_ANameHas255OctetsAtMost) {
  EXPECT_EQ(Scan(QueryWithName(NameOfOctets(254))), ScanFault::kNone);
  EXPECT_EQ(Scan(QueryWithName(NameOfOctets(255))), ScanFault::kNone);
  EXPECT_EQ(Scan(QueryWithName(NameOfOctets(256))), ScanFault::kNameTooLong);
  EXPECT_EQ(Scan(QueryWithName(NameOfOctets(300))), ScanFault::kNameTooLong);
}

TEST(ScanMessageTest, Q5_ANameOf127LabelsIsFineAnd128DoNotFit) {
  const auto labels = [](int count) {
    Octets wire;
    for (int i = 0; i < count; ++i) wire.insert(wire.end(), {1, 'a'});
    wire.push_back(0);
    return wire;
  };
  EXPECT_EQ(Scan(QueryWithName(labels(127))), ScanFault::kNone);
  EXPECT_EQ(Scan(QueryWithName(labels(128))), ScanFault::kNameTooLong);
}

TEST(ScanMessageTest, Q5_ALabelHas63OctetsAtMost) {
  EXPECT_EQ(Scan(QueryWithName(Join({{63}, Repeat('a', 63), {0}}))), ScanFault::kNone);
  for (unsigned type = 64; type < 192; ++type) {
    EXPECT_EQ(Scan(QueryWithName(Join({{static_cast<uint8_t>(type)}, Repeat('a', type), {0}}))), ScanFault::kLabelType);
  }
}

TEST(ScanMessageTest, Q5_ANameMadeByAPointerIsBoundedToo) {
  // The owner is a label in front of a QNAME of 192 octets.
  const auto with_label = [](size_t label) {
    return MessageBuilder(1)
        .RawQuestion(Join({NameOfOctets(192), U16(rr_type::kA), U16(rr_class::kIn)}))
        .RawAdditional(
            Join({{static_cast<uint8_t>(label)}, Repeat('b', label), {0xC0, 12}, Fixed(rr_type::kA, 4), Octets(4)}))
        .Counts(1, 0, 0, 1)
        .Build();
  };
  EXPECT_EQ(Scan(with_label(62)), ScanFault::kNone);         // 63 + 192
  EXPECT_EQ(Scan(with_label(63)), ScanFault::kNameTooLong);  // 64 + 192
}

TEST(ScanMessageTest, Q5_PointersPointBackwardBehindTheHeader) {
  const auto pointer = [](size_t target) {
    return WithRecord(Join({U16(0xC000U | target), Fixed(rr_type::kA, 4), Octets(4)}));
  };
  EXPECT_EQ(Scan(pointer(12)), ScanFault::kNone);
  for (size_t target = 0; target < 12; ++target) EXPECT_EQ(Scan(pointer(target)), ScanFault::kPointerForward);
  // Everything from the owner on is not behind the reader.
  const size_t end = pointer(0).size();
  for (size_t target = kRecordOffset; target < end + 3; ++target) {
    EXPECT_EQ(Scan(pointer(target)), ScanFault::kPointerForward);
  }
  EXPECT_EQ(Scan(pointer(0x3FFF)), ScanFault::kPointerForward);
}

TEST(ScanMessageTest, Q5_PointersLeadToNames) {
  // Fields that hold names are QNAME, owners and RDATA. The others are rewritten in every reply.
  const Octets first = Join({{1, 'b', 0xC0, 12}, Fixed(65280, 3), {1, 'c', 0}});
  const Octets query = MessageBuilder::Query(1, "a.", rr_type::kA).Build();
  const size_t question_end = query.size();
  const size_t fixed = question_end + 4;
  const size_t rdata = fixed + 10;
  for (size_t target = kHeaderOctets; target < rdata + 3; ++target) {
    const Octets octets = MessageBuilder::Query(1, "a.", rr_type::kA)
                              .RawAdditional(Join({first, U16(0xC000U | target), Fixed(rr_type::kA, 4), Octets(4)}))
                              .Counts(1, 0, 0, 2)
                              .Build();
    // "a" and "b" and "c" are no lengths; the zeros behind them are the root.
    const bool letter = target == 13 || target == question_end + 1 || target == rdata + 1;
    const bool in_question = target < question_end - 4;
    const bool in_owner = target >= question_end && target < fixed;
    // The second octet of a pointer is twelve, a label that runs out of the field.
    const bool half_pointer = target == question_end + 3;
    const bool in_name = (in_question || in_owner || target >= rdata) && !half_pointer;
    EXPECT_EQ(Scan(octets), letter    ? ScanFault::kLabelType
                            : in_name ? ScanFault::kNone
                                      : ScanFault::kPointerTarget)
        << target;
  }
}

TEST(ScanMessageTest, Q5_127PointersMakeANameAnd128DoNot) {
  const auto chain = [](size_t pointers) {
    // The record's RDATA is a list of pointers, each to the one before it, the first to QNAME. Then comes an owner.
    const size_t rdata = kRecordOffset + 11;
    Octets list = {0xC0, 12};
    for (size_t i = 1; i + 1 < pointers; ++i) list = Join({list, U16(0xC000U | (rdata + 2 * (i - 1)))});
    const Octets owner = U16(0xC000U | (rdata + list.size() - 2));
    return MessageBuilder::Query(1, ".", rr_type::kA)
        .RawAdditional(Join({{0}, Fixed(65280, list.size()), list, owner, Fixed(rr_type::kA, 4), Octets(4)}))
        .Counts(1, 0, 0, 2)
        .Build();
  };
  EXPECT_EQ(Scan(chain(2)), ScanFault::kNone);
  EXPECT_EQ(Scan(chain(Limits::kNamePointersMax)), ScanFault::kNone);
  EXPECT_EQ(Scan(chain(Limits::kNamePointersMax + 1)), ScanFault::kPointerLimit);
}

TEST(ScanMessageTest, Q5_CountsThatPromiseMoreAreFaults) {
  for (const uint16_t more : {uint16_t{1}, uint16_t{2}, uint16_t{16}}) {
    const MessageBuilder query = MessageBuilder::Query(1, "a.example.", rr_type::kA);
    EXPECT_EQ(Scan(MessageBuilder(query).Counts(1, more, 0, 0).Build()), ScanFault::kRecordCut);
    EXPECT_EQ(Scan(MessageBuilder(query).Counts(1, 0, more, 0).Build()), ScanFault::kRecordCut);
    EXPECT_EQ(Scan(MessageBuilder(query).Counts(1, 0, 0, more).Build()), ScanFault::kRecordCut);
  }
  EXPECT_EQ(Scan(MessageBuilder::Query(1, "a.example.", rr_type::kA).Counts(1, 65535, 65535, 65535).Build(),
                 MessageSide::kResponse),
            ScanFault::kRecordCut);
}

TEST(ScanMessageTest, Q5_CountsThatPromiseLessLeaveTrailingOctets) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.example.", rr_type::kA).Build())
                            .Answer("a.example.", 1, A("192.0.2.1"))
                            .Answer("a.example.", 1, A("192.0.2.2"))
                            .Counts(1, 1, 0, 0)
                            .Build();
  EXPECT_EQ(Scan(octets, MessageSide::kResponse), ScanFault::kTrailingOctets);
}

TEST(ScanMessageTest, Q5_EveryCutOfASoundMessageIsAFault) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.example.", rr_type::kMx).Build())
                            .Answer("a.example.", 60, Mx(10, "mx.example."))
                            .Authority("example.", 60, Soa(300))
                            .Additional("mx.example.", 60, Aaaa("2001:db8::1"))
                            .WithEdns({.options = {PaddingOption(9)}})
                            .Compressed()
                            .Build();
  ASSERT_EQ(Scan(octets, MessageSide::kResponse), ScanFault::kNone);
  for (size_t length = 0; length < octets.size(); ++length) {
    ScannedMessage scan;
    EXPECT_NE(ScanMessage(OctetView(octets).first(length), MessageSide::kResponse, scan), ScanFault::kNone) << length;
  }
}

TEST(ScanMessageTest, AQueryCarriesAtMostSixteenRecordsAndAResponseMore) {
  const auto records = [](size_t count) {
    MessageBuilder builder = MessageBuilder::Query(1, "a.example.", rr_type::kA);
    for (size_t i = 0; i < count; ++i) builder.Additional(".", 0, A("192.0.2.1"));
    return builder.Build();
  };
  EXPECT_EQ(Scan(records(Limits::kQueryRecordsMax)), ScanFault::kNone);
  EXPECT_EQ(Scan(records(Limits::kQueryRecordsMax + 1)), ScanFault::kRecordLimit);
  EXPECT_EQ(Scan(records(1000), MessageSide::kResponse), ScanFault::kNone);
}

TEST(ScanMessageTest, AddressesHaveTheirLengths) {
  for (size_t length = 0; length <= 20; ++length) {
    EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kA, length), Octets(length)}))),
              length == 4 ? ScanFault::kNone : ScanFault::kAddressLength);
    EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kAaaa, length), Octets(length)}))),
              length == 16 ? ScanFault::kNone : ScanFault::kAddressLength);
  }
}

TEST(ScanMessageTest, NamesFillTheRdataOfTypesThatAreANameAlone) {
  for (const uint16_t type : {rr_type::kNs, rr_type::kCname, rr_type::kPtr, rr_type::kDname}) {
    for (size_t length = 0; length <= 8; ++length) {
      // "a." and then zeros: three octets are a name.
      Octets rdata = {1, 'a', 0, 0, 0, 0, 0, 0};
      rdata.resize(length);
      EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(type, length), rdata}))),
                length == 3 ? ScanFault::kNone : ScanFault::kRdataName)
          << type << " " << length;
    }
  }
}

TEST(ScanMessageTest, ForwardPointersInRdataAreFaults) {
  // RFC 1035 §4.1.4: "a prior occurance of the same name". The RDATA of each of these types begins with a name.
  const size_t rdata = kRecordOffset + 11;
  for (const uint16_t type : {rr_type::kNs, rr_type::kCname, rr_type::kPtr}) {
    for (size_t target = rdata; target < rdata + 4; ++target) {
      const Octets octets = WithRecord(Join({{0}, Fixed(type, 2), U16(0xC000U | target)}));
      EXPECT_EQ(Scan(octets), ScanFault::kPointerForward) << type << " " << target;
    }
  }
}

TEST(ScanMessageTest, PointersInTheRdataOfWellKnownTypesAreFollowed) {
  const Octets mx = Join({{0, 10}, {0xC0, 12}});
  EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kMx, 4), mx}))), ScanFault::kNone);
  const Octets soa = Join({{0xC0, 12, 0xC0, 12}, Octets(20)});
  EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kSoa, 24), soa}))), ScanFault::kNone);
  EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kSoa, 23), Octets(soa.begin(), soa.end() - 1)}))),
            ScanFault::kRdataName);
  // RFC 3597 §4: a receiver reads compressed names in SRV, although a sender may not write them.
  EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(rr_type::kSrv, 8), Octets(6), {0xC0, 12}}))), ScanFault::kNone);
}

TEST(ScanMessageTest, Q6_UnknownTypesAreOpaque) {
  // What looks like a pointer to nowhere is data (RFC 3597 §4).
  for (const uint16_t type : {uint16_t{262}, uint16_t{999}, uint16_t{65280}, uint16_t{65534}}) {
    EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(type, 5), {0xC0, 0xFF, 0xFF, 0xFF, 0xFF}}))), ScanFault::kNone);
    EXPECT_EQ(Scan(WithRecord(Join({{0}, Fixed(type, 0)}))), ScanFault::kNone);
  }
}

TEST(ScanMessageTest, ReadsEdns) {
  const Octets octets =
      MessageBuilder::Query(1, "a.example.", rr_type::kA)
          .WithEdns(
              {.payload_octets = 4096,
               .dnssec_ok = true,
               .other_flags = 0x7FFF,
               .options = {{edns_option::kCookie, Repeat(1, 8)}, {edns_option::kKeepalive, {}}, PaddingOption(3)}})
          .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  ASSERT_TRUE(scan.has_edns);
  EXPECT_EQ(scan.edns.payload_octets, 4096);
  EXPECT_EQ(scan.edns.version, 0);
  EXPECT_EQ(scan.edns.extended_rcode, 0);
  EXPECT_TRUE(scan.edns.dnssec_ok);
  EXPECT_TRUE(scan.edns.has_cookie);
  EXPECT_TRUE(scan.edns.has_keepalive);
  EXPECT_TRUE(scan.edns.has_padding);
  std::vector<std::pair<uint16_t, Octets>> options;
  ForEachOption(scan.edns.options, [&](uint16_t code, OctetView value) { options.emplace_back(code, Copy(value)); });
  ASSERT_EQ(options.size(), 3U);
  EXPECT_EQ(options[0], std::pair(edns_option::kCookie, Repeat(1, 8)));
  EXPECT_EQ(options[1], std::pair(edns_option::kKeepalive, Octets{}));
  EXPECT_EQ(options[2], std::pair(edns_option::kPadding, Octets(3)));
}

TEST(ScanMessageTest, AnOptWithoutOptionsHasNone) {
  const Octets octets = MessageBuilder::Query(1, "a.example.", rr_type::kA).WithEdns({}).Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  EXPECT_TRUE(scan.has_edns);
  EXPECT_FALSE(scan.edns.dnssec_ok);
  EXPECT_FALSE(scan.edns.has_cookie);
  EXPECT_FALSE(scan.edns.has_keepalive);
  EXPECT_FALSE(scan.edns.has_padding);
  EXPECT_TRUE(scan.edns.options.empty());
}

TEST(ScanMessageTest, AResponsesRcodeIsJoinedFromHeaderAndOpt) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, ".", rr_type::kA).Build())
                            .WithEdns({})
                            .WithRcode(static_cast<Rcode>(0xABC))
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  EXPECT_EQ(static_cast<unsigned>(scan.rcode()), 0xABCU);
}

TEST(ScanMessageTest, E2_OneOptAnywhereInTheAdditionalSectionIsFound) {
  for (size_t place = 0; place < 3; ++place) {
    MessageBuilder builder = MessageBuilder::Query(1, "a.example.", rr_type::kA);
    for (size_t i = 0; i < 3; ++i) {
      if (i == place) {
        builder.WithEdns({.payload_octets = 1111});
      } else {
        builder.Additional("b.example.", 1, A("192.0.2.1"));
      }
    }
    for (const MessageSide side : {MessageSide::kQuery, MessageSide::kResponse}) {
      const Octets octets = builder.Build();
      ScannedMessage scan;
      ASSERT_EQ(ScanMessage(octets, side, scan), ScanFault::kNone) << place;
      EXPECT_TRUE(scan.has_edns);
      EXPECT_EQ(scan.edns.payload_octets, 1111);
      ASSERT_EQ(scan.records.size(), 3U);
      EXPECT_EQ(scan.records[place].type, rr_type::kOpt);
    }
  }
}

TEST(ScanMessageTest, E2_TwoOptsAreAFaultWhereverTheyStand) {
  const Octets opt = Hex("00 0029 04d0 00000000 0000");
  const Octets a = Hex("00 0001 0001 00000000 0004 c0000201");
  for (const Octets& records : {Join({opt, opt, a}), Join({opt, a, opt}), Join({a, opt, opt})}) {
    EXPECT_EQ(Scan(MessageBuilder::Query(1, ".", rr_type::kA).RawAdditional(records).Counts(1, 0, 0, 3).Build()),
              ScanFault::kTwoOpts);
  }
}

TEST(ScanMessageTest, E6_OptionsAreBoundedByTheRdata) {
  for (const size_t claimed : {5U, 6U, 255U, 65535U}) {
    const Octets octets = WithRecord(Join({{0}, Fixed(rr_type::kOpt, 8), U16(10), U16(claimed), Octets(4)}));
    EXPECT_EQ(Scan(octets), ScanFault::kOptionCut) << claimed;
  }
  for (size_t left_over = 1; left_over <= 3; ++left_over) {
    const Octets octets = WithRecord(Join({{0}, Fixed(rr_type::kOpt, 4 + left_over), Octets(4 + left_over)}));
    EXPECT_EQ(Scan(octets), ScanFault::kOptionCut) << left_over;
  }
}

TEST(ScanMessageTest, ATsigIsTheLastAdditionalRecord) {
  const Octets tsig = Hex("00 00fa 00ff 00000000 0011 00 00006500000 0012c 0000 1234 0000 0000");
  const Octets opt = Hex("00 0029 04d0 00000000 0000");
  const auto with = [](const Octets& records, uint16_t count) {
    return MessageBuilder::Query(1, ".", rr_type::kA).RawAdditional(records).Counts(1, 0, 0, count).Build();
  };
  EXPECT_EQ(Scan(with(tsig, 1)), ScanFault::kNone);
  EXPECT_EQ(Scan(with(Join({opt, tsig}), 2)), ScanFault::kNone);
  EXPECT_EQ(Scan(with(Join({tsig, opt}), 2)), ScanFault::kTsigMisplaced);
  EXPECT_EQ(Scan(with(Join({tsig, tsig}), 2)), ScanFault::kTsigMisplaced);
}

TEST(ScanMessageTest, X7_StringsAreBoundedByWhatTheyWouldCost) {
  // n empty strings in n octets cost n².
  const auto with_strings = [](size_t count) {
    return WithRecord(Join({{0}, Fixed(rr_type::kTxt, count), Octets(count)}));
  };
  EXPECT_EQ(Scan(with_strings(1024)), ScanFault::kNone);
  EXPECT_EQ(Scan(with_strings(1025)), ScanFault::kStringBomb);
  ScannedMessage scan;
  const Octets bomb = with_strings(1025);
  EXPECT_EQ(ScanMessage(bomb, MessageSide::kResponse, scan), ScanFault::kNone);
  EXPECT_TRUE(scan.needs_no_model);
  static_assert(Limits::kModelOctetsMax == 1024 * 1024);
}

TEST(ScanMessageTest, X7_HonestTextOfManyKilobytesIsModelled) {
  // Sixteen strings of 255 octets: a long DKIM key or SPF list and then some.
  MessageBuilder builder = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.example.", rr_type::kTxt).Build());
  for (int i = 0; i < 4; ++i) builder.Answer("a.example.", 60, Txt(std::string(16 * 255, 'x')));
  const Octets octets = builder.Build();
  ScannedMessage scan;
  EXPECT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  EXPECT_FALSE(scan.needs_no_model);
}

TEST(ExpandNameTest, FollowsPointersAndKeepsCase) {
  const Octets octets = MessageBuilder::Query(1, "Example.Org.", rr_type::kA)
                            .RawAdditional(Join({{3, 'w', 'W', 'w', 0xC0, 12}, Fixed(rr_type::kA, 4), Octets(4)}))
                            .Counts(1, 0, 0, 1)
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  std::array<uint8_t, kNameOctetsMax> name{};
  const size_t length = ExpandName(octets, scan.records[0].owner, name);
  EXPECT_EQ(Copy({name.data(), length}), WireOf("wWw.Example.Org"));
  EXPECT_EQ(ExpandName(octets, 12, name), scan.qname.size());
}

TEST(ExpandNameTest, FillsAllOf255Octets) {
  const Octets qname = NameOfOctets(255);
  const Octets octets = QueryWithName(qname);
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kQuery, scan), ScanFault::kNone);
  std::array<uint8_t, kNameOctetsMax> name{};
  ASSERT_EQ(ExpandName(octets, 12, name), 255U);
  EXPECT_EQ(Copy(name), qname);
}

}  // namespace
}  // namespace dotward
