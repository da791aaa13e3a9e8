#include "dns/reply.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "dns/classify.h"
#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "dns/response_image.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

constexpr SteadyTime kReceivedAt{std::chrono::hours(1)};
constexpr uint16_t kOurPayload = 1232;

ImagePtr ImageOf(const Octets& octets, const TtlPolicy& policy = {}, DnssecRecords dnssec = DnssecRecords::kKeep) {
  const absl::StatusOr<Message> message = ParseResponse(octets);
  EXPECT_TRUE(message.ok()) << message.status();
  if (!message.ok()) return nullptr;
  const Classification classification = ClassifyResponse(*message, policy, dnssec);
  EXPECT_TRUE(classification.usable()) << ResponseKindToString(classification.kind);
  if (!classification.usable()) return nullptr;
  absl::StatusOr<ImagePtr> image = ResponseImage::Build(*message, classification, "quad9", kReceivedAt);
  EXPECT_TRUE(image.ok()) << image.status();
  return image.ok() ? *std::move(image) : nullptr;
}
ImagePtr ImageOf(const MessageBuilder& builder, const TtlPolicy& policy = {},
                 DnssecRecords dnssec = DnssecRecords::kKeep) {
  return ImageOf(builder.Build(), policy, dnssec);
}

MessageBuilder QueryFor(std::string_view name = "www.example.", uint16_t type = rr_type::kA) {
  return MessageBuilder::Query(0xC0DE, name, type);
}
MessageBuilder To(std::string_view name, uint16_t type) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(1, name, type).Build());
}

struct ReplyOptions {
  ReplyChannel channel = ReplyChannel::kDatagram;
  uint32_t age = 0;
  std::vector<ExtendedError> extra{};
  size_t buffer_octets = 70'000;
  uint16_t payload = kOurPayload;
};

Octets RawReply(const ImagePtr& image, const Octets& query, const ReplyOptions& options = {}) {
  const ParsedQuery parsed = ParseQuery(query);
  EXPECT_EQ(parsed.outcome, QueryOutcome::kAccepted);
  const ReplyContext context = MakeReplyContext(parsed.message.scan(), options.channel, options.payload);
  const size_t limit = std::min(options.buffer_octets, context.octets_max);
  // A block of its own size: a sanitizer sees an octet that is written behind it.
  const std::unique_ptr<uint8_t[]> buffer(new uint8_t[options.buffer_octets]);
  const size_t length =
      RenderReply(*image, context, options.age, options.extra, std::span(buffer.get(), options.buffer_octets));
  EXPECT_LE(length, limit);
  EXPECT_GE(length, kHeaderOctets);
  return {buffer.get(), buffer.get() + std::min(length, options.buffer_octets)};
}

// Renders, and checks what holds for every reply whatever it answers.
plain::Decoded Reply(const ImagePtr& image, const Octets& query, const ReplyOptions& options = {}) {
  EXPECT_TRUE(image) << "there is no image to answer from";
  if (!image) return {};
  const Octets octets = RawReply(image, query, options);
  std::optional<plain::Decoded> reply = plain::Decode(octets);
  const std::optional<plain::Decoded> asked = plain::Decode(query);
  EXPECT_TRUE(reply.has_value() && asked.has_value());
  if (!reply || !asked) return {};
  EXPECT_TRUE(ReadMessage(octets).has_value());
  const absl::StatusOr<Message> parsed = ParseResponse(octets);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  if (parsed.ok() && !parsed->scan().needs_no_model) {
    ldns_pkt* model = nullptr;
    EXPECT_EQ(ldns_wire2pkt(&model, octets.data(), octets.size()), LDNS_STATUS_OK);
    ldns_pkt_free(model);
  }
  EXPECT_EQ(reply->id, asked->id);
  EXPECT_EQ(reply->opcode(), 0U);
  EXPECT_EQ(reply->question_count, 1);
  EXPECT_EQ(reply->question, asked->question) << "Q9: the client's, octet for octet";
  EXPECT_TRUE(reply->qr() && reply->ra());
  EXPECT_FALSE(reply->aa() || reply->z());
  EXPECT_EQ(reply->rd(), asked->rd());
  EXPECT_EQ(reply->cd(), asked->cd());
  EXPECT_EQ(reply->opt_count, asked->opt_count) << "E3";
  if (reply->opt_count == 1) {
    EXPECT_EQ(reply->opt.owner, Octets{0});
    EXPECT_EQ(reply->opt.klass, options.payload);
    EXPECT_EQ(reply->opt.ttl & 0x00FF7FFFU, 0U) << "version 0, DO and no other flag";
    EXPECT_EQ(reply->opt.ttl & 0x8000U, asked->opt.ttl & 0x8000U) << "RFC 3225 §3: DO is copied";
    EXPECT_EQ(reply->opt.section, plain::kAdditionalSection);
  }
  return *std::move(reply);
}

// The records of `octets` for which `keep` holds, without their TTLs.
template <typename Keep>
std::vector<decltype(std::declval<plain::Record>().Identity())> Identities(const Octets& octets, Keep keep) {
  std::vector<decltype(std::declval<plain::Record>().Identity())> identities;
  const std::optional<plain::Decoded> message = plain::Decode(octets);
  EXPECT_TRUE(message.has_value());
  if (!message) return identities;
  for (const plain::Record& record : message->records) {
    if (keep(record)) identities.push_back(record.Identity());
  }
  return identities;
}
std::vector<decltype(std::declval<plain::Record>().Identity())> Identities(const plain::Decoded& message) {
  std::vector<decltype(std::declval<plain::Record>().Identity())> identities;
  for (const plain::Record& record : message.records) identities.push_back(record.Identity());
  return identities;
}

// RFC 2181 §9: of each RRset of `whole`, `part` has all or nothing.
void ExpectWholeRrsets(const plain::Decoded& whole, const plain::Decoded& part) {
  const auto count = [](const plain::Decoded& message) {
    std::map<decltype(std::declval<plain::Record>().SetKey()), size_t> sets;
    for (const plain::Record& record : message.records) ++sets[record.SetKey()];
    return sets;
  };
  auto all = count(whole);
  for (const auto& [key, size] : count(part)) EXPECT_EQ(size, all[key]) << "an RRset was parted";
}

TEST(RenderReplyTest, GivesTheAnswerToTheClient) {
  const plain::Decoded reply =
      Reply(ImageOf(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1"))), QueryFor().Build());
  EXPECT_EQ(reply.flags, 0x8180);
  ASSERT_EQ(reply.records.size(), 1U);
  EXPECT_EQ(reply.records[0].section, plain::kAnswerSection);
  EXPECT_EQ(reply.records[0].owner, plain::WireOf("www.example"));
  EXPECT_EQ(reply.records[0].rdata, Hex("c0000201"));
  EXPECT_EQ(reply.records[0].ttl, 300U);
}

TEST(RenderReplyTest, C1_AgesEachRecordSeparately) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, Cname("a.example."))
                                     .Answer("a.example.", 60, A("192.0.2.1"))
                                     .Answer("a.example.", 60, A("192.0.2.2"))
                                     .Answer("a.example.", 90, Rrsig(rr_type::kA, "example.")));
  const plain::Decoded reply = Reply(image, QueryFor().Build(), {.age = 17});
  ASSERT_EQ(reply.records.size(), 4U);
  EXPECT_EQ(reply.records[0].ttl, 283U);
  EXPECT_EQ(reply.records[1].ttl, 43U);
  EXPECT_EQ(reply.records[2].ttl, 43U);
  EXPECT_EQ(reply.records[3].ttl, 73U);
}

TEST(RenderReplyTest, C1_ATtlNeverWraps) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, Cname("a.example."))
                                     .Answer("a.example.", 60, A("192.0.2.1")));
  for (const uint32_t age : {59U, 60U, 61U, 299U, 300U, 301U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
    const plain::Decoded reply = Reply(image, QueryFor().Build(), {.age = age});
    ASSERT_EQ(reply.records.size(), 2U);
    EXPECT_EQ(reply.records[0].ttl, age >= 300 ? 0U : 300 - age) << age;
    EXPECT_EQ(reply.records[1].ttl, age >= 60 ? 0U : 60 - age) << age;
  }
}

TEST(RenderReplyTest, C1_AgeingOneReplyDoesNotAgeTheImage) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  EXPECT_EQ(Reply(image, QueryFor().Build(), {.age = 100}).records[0].ttl, 200U);
  EXPECT_EQ(Reply(image, QueryFor().Build(), {.age = 1}).records[0].ttl, 299U);
  EXPECT_EQ(Reply(image, QueryFor().Build()).records[0].ttl, 300U);
}

TEST(RenderReplyTest, C4_TheSoaOfANegativeReplyIsThereAndAges) {
  const ImagePtr image =
      ImageOf(To("www.example.", rr_type::kA).WithRcode(Rcode::kNxDomain).Authority("example.", 900, Soa(300)));
  const plain::Decoded reply = Reply(image, QueryFor().Build(), {.age = 100});
  EXPECT_EQ(reply.rcode(), 3U);
  ASSERT_EQ(reply.records.size(), 1U);
  EXPECT_EQ(reply.records[0].section, plain::kAuthoritySection);
  EXPECT_EQ(reply.records[0].ttl, 200U);
}

TEST(RenderReplyTest, C5_AnNxdomainAnswersTheTypeThatWasAskedFor) {
  const ImagePtr image =
      ImageOf(To("www.example.", rr_type::kA).WithRcode(Rcode::kNxDomain).Authority("example.", 900, Soa(300)));
  const plain::Decoded reply = Reply(image, QueryFor("www.example.", rr_type::kHttps).Build());
  EXPECT_EQ(reply.rcode(), 3U);
  EXPECT_EQ(reply.question, plain::QuestionOf("www.example", rr_type::kHttps));
}

TEST(RenderReplyTest, Q9_TheQuestionKeepsTheClientsCase) {
  const ImagePtr image =
      ImageOf(To("www.example.", rr_type::kA).Compressed().Answer("www.example.", 300, A("192.0.2.1")));
  const plain::Decoded reply = Reply(image, QueryFor("WwW.eXaMpLe.").Build());
  EXPECT_EQ(reply.question, plain::QuestionOf("WwW.eXaMpLe", rr_type::kA));
  EXPECT_EQ(reply.records.at(0).owner, plain::WireOf("WwW.eXaMpLe")) << "a pointer to it";
}

TEST(RenderReplyTest, Q4_TheZBitOfTheQueryIsNotCopied) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  Reply(image, QueryFor().AddFlags(header_flag::kZ | header_flag::kAa | header_flag::kTc).Build());
  Reply(image, QueryFor().WithEdns({.other_flags = 0x7FFF}).Build());
}

TEST(RenderReplyTest, R3_FlagsOfTheUpstreamAreNotRelayed) {
  const ImagePtr image =
      ImageOf(To("www.example.", rr_type::kA)
                  .Flags(header_flag::kQr | header_flag::kAa | header_flag::kZ | header_flag::kAd | header_flag::kCd)
                  .Answer("www.example.", 300, A("192.0.2.1")));
  const plain::Decoded with_rd = Reply(image, QueryFor().Build());
  EXPECT_EQ(with_rd.flags, 0x8180) << "QR RD RA";
  const plain::Decoded without_rd = Reply(image, QueryFor().Flags(0).Build());
  EXPECT_EQ(without_rd.flags, 0x8080) << "QR RA";
}

TEST(RenderReplyTest, R4_AdIsForThoseWhoSetDoOrAdAndForAuthenticData) {
  for (const bool authentic : {false, true}) {
    const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                       .AddFlags(authentic ? header_flag::kAd : uint16_t{0})
                                       .Answer("www.example.", 300, A("192.0.2.1")));
    EXPECT_EQ(image->authentic_data(), authentic);
    EXPECT_FALSE(Reply(image, QueryFor().Build()).ad());
    EXPECT_FALSE(Reply(image, QueryFor().WithEdns({}).Build()).ad());
    EXPECT_EQ(Reply(image, QueryFor().AddFlags(header_flag::kAd).Build()).ad(), authentic);
    EXPECT_EQ(Reply(image, QueryFor().WithEdns({.dnssec_ok = true}).Build()).ad(), authentic);
  }
}

TEST(RenderReplyTest, R5_CdIsCopied) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  EXPECT_TRUE(Reply(image, QueryFor().AddFlags(header_flag::kCd).Build()).cd());
  EXPECT_FALSE(Reply(image, QueryFor().Build()).cd());
}

TEST(RenderReplyTest, E3_OptIsThereExactlyWhenTheQueryHadOne) {
  for (const bool upstream_had : {false, true}) {
    MessageBuilder builder = To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1"));
    if (upstream_had) builder.WithEdns({.payload_octets = 4096, .dnssec_ok = true});
    const ImagePtr image = ImageOf(builder);
    EXPECT_EQ(Reply(image, QueryFor().Build()).opt_count, 0U);
    const plain::Decoded reply = Reply(image, QueryFor().WithEdns({}).Build());
    EXPECT_EQ(reply.opt_count, 1U);
    EXPECT_TRUE(reply.options.empty());
  }
}

TEST(RenderReplyTest, E4_NoOptionOfTheUpstreamIsRelayedButExtendedErrors) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, A("192.0.2.1"))
                                     .WithEdns({.options = {{edns_option::kNsid, OctetsOf("gpdns-ber")},
                                                            {edns_option::kClientSubnet, Hex("0001 18 18 c00002")},
                                                            {edns_option::kCookie, Octets(24, 1)},
                                                            {edns_option::kKeepalive, Hex("0064")},
                                                            PaddingOption(100),
                                                            Ede(EdeCode::kProhibited, "no"),
                                                            {65'001, Octets(5)}}}));
  EXPECT_EQ(Reply(image, QueryFor().Build()).opt_count, 0U);
  const plain::Decoded reply = Reply(image, QueryFor().WithEdns({}).Build());
  ASSERT_EQ(reply.options.size(), 1U);
  EXPECT_EQ(reply.options[0].code, edns_option::kEde);
}

TEST(RenderReplyTest, E4_NoOptionOfTheClientIsEchoed) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  const plain::Decoded reply =
      Reply(image, QueryFor()
                       .WithEdns({.options = {{edns_option::kNsid, {}},
                                              {edns_option::kClientSubnet, Hex("0001 18 00 c00002")},
                                              {65'001, Octets(5)}}})
                       .Build());
  EXPECT_TRUE(reply.options.empty());
}

TEST(RenderReplyTest, R6_AnExtendedErrorCarriesTheUpstreamsName) {
  const ImagePtr image = ImageOf(
      To("www.example.", rr_type::kA)
          .Answer("www.example.", 300, A("192.0.2.1"))
          .WithEdns({.options = {Ede(EdeCode::kStaleAnswer, "older than it should be"), Ede(EdeCode::kOther, "")}}));
  const plain::Decoded reply = Reply(image, QueryFor().WithEdns({}).Build(), {.age = 5});
  ASSERT_EQ(reply.options.size(), 2U);
  EXPECT_EQ(reply.options[0].value, Join({Hex("0003"), OctetsOf("quad9: older than it should be")}));
  EXPECT_EQ(reply.options[1].value, Join({Hex("0000"), OctetsOf("quad9")}));
}

TEST(RenderReplyTest, R6_OurOwnErrorsStandBehindThoseOfTheUpstream) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, A("192.0.2.1"))
                                     .WithEdns({.options = {Ede(EdeCode::kCachedError, "theirs")}}));
  const plain::Decoded reply =
      Reply(image, QueryFor().WithEdns({}).Build(), {.extra = {{EdeCode::kStaleAnswer, "ours"}}});
  ASSERT_EQ(reply.options.size(), 2U);
  EXPECT_EQ(reply.options[0].value, Join({Hex("000d"), OctetsOf("quad9: theirs")}));
  EXPECT_EQ(reply.options[1].value, Join({Hex("0003"), OctetsOf("ours")}));
}

TEST(RenderReplyTest, R6_ExtendedErrorsWithoutOptAreNotSent) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, A("192.0.2.1"))
                                     .WithEdns({.options = {Ede(EdeCode::kCachedError, "theirs")}}));
  EXPECT_TRUE(Reply(image, QueryFor().Build(), {.extra = {{EdeCode::kStaleAnswer, "ours"}}}).options.empty());
}

TEST(RenderReplyTest, R6_ExtendedErrorsAreBoundedInNumberAndLength) {
  std::vector<EdnsOption> options(30, Ede(EdeCode::kOther, std::string(2'000, 'x')));
  const ImagePtr image = ImageOf(
      To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")).WithEdns({.options = options}));
  const plain::Decoded reply = Reply(image, QueryFor().WithEdns({}).Build(), {.channel = ReplyChannel::kStream});
  ASSERT_EQ(reply.options.size(), Limits::kExtendedErrorsMax);
  for (const plain::Option& option : reply.options) {
    EXPECT_LE(option.value.size(), 2 + std::string_view("quad9: ").size() + Limits::kExtendedErrorTextMax);
    EXPECT_GE(option.value.size(), 2 + Limits::kExtendedErrorTextMax);
  }
}

TEST(RenderReplyTest, R6_AnExtendedErrorOfOneOctetIsIgnored) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("www.example.", 300, A("192.0.2.1"))
                                     .WithEdns({.options = {{edns_option::kEde, {1}}, {edns_option::kEde, {}}}}));
  EXPECT_TRUE(Reply(image, QueryFor().WithEdns({}).Build()).options.empty());
}

TEST(RenderReplyTest, TheUpstreamsOptMayStandAnywhereInItsAdditionalSection) {
  for (size_t place = 0; place < 3; ++place) {
    MessageBuilder builder = To("www.example.", rr_type::kA);
    builder.Answer("www.example.", 300, A("192.0.2.1"));
    for (size_t i = 0; i < 3; ++i) {
      if (i == place) {
        builder.WithEdns({.options = {PaddingOption(50)}});
      } else {
        builder.Additional("other.example.", 300, A("192.0.2.9"));
      }
    }
    const plain::Decoded reply = Reply(ImageOf(builder), QueryFor().Build());
    EXPECT_EQ(reply.records.size(), 1U);
    EXPECT_EQ(reply.opt_count, 0U);
  }
}

TEST(RenderReplyTest, X3_NothingForAnotherNameReachesTheClient) {
  const ImagePtr image = ImageOf(To("www.example.", rr_type::kA)
                                     .Answer("bank.example.", 300, A("192.0.2.66"))
                                     .Answer("www.example.", 300, A("192.0.2.1"))
                                     .Authority("example.", 300, Ns("ns.evil.example."))
                                     .Additional("bank.example.", 300, A("192.0.2.66")));
  const plain::Decoded reply = Reply(image, QueryFor().Build());
  ASSERT_EQ(reply.records.size(), 1U);
  EXPECT_EQ(reply.records[0].rdata, Hex("c0000201"));
}

// The names of these types may be compressed (RFC 1035, RFC 3597 §4): here they point into a record that is left out.
TEST(RenderReplyTest, NamesThatPointIntoWhatIsLeftOutAreWrittenInFull) {
  struct Case {
    uint16_t type;
    Octets before;
    int names;
    Octets behind;
  };
  const std::vector<Case> cases = {
      {rr_type::kNs, {}, 1, {}},
      {rr_type::kPtr, {}, 1, {}},
      {rr_type::kMx, Hex("000a"), 1, {}},
      {rr_type::kSoa, {}, 2, Octets(20, 1)},
      {14, {}, 2, {}},           // MINFO
      {17, {}, 2, {}},           // RP
      {18, Hex("0001"), 1, {}},  // AFSDB
      {21, Hex("0001"), 1, {}},  // RT
      {rr_type::kSig, Octets(18), 1, Octets(7, 2)},
      {26, Hex("0001"), 2, {}},  // PX
      {rr_type::kNxt, {}, 1, Octets(3, 4)},
      {rr_type::kSrv, Octets(6), 1, {}},
      {35, Hex("0001 0002 01 53 02 4142 00"), 1, {}},  // NAPTR
  };
  for (const Case& c : cases) {
    // The record that is left out is at offset 29: its owner is the only full spelling of other.example.net.
    Octets rdata = c.before;
    for (int i = 0; i < c.names; ++i) rdata = Join({rdata, {1, static_cast<uint8_t>('p' + i), 0xC0, 29}});
    rdata = Join({rdata, c.behind});
    const Octets octets = To("www.example.", c.type)
                              .Answer("other.example.net.", 300, A("192.0.2.66"))
                              .Answer("www.example.", 300, Opaque(c.type, rdata))
                              .Build();
    const plain::Decoded reply = Reply(ImageOf(octets), QueryFor("www.example.", c.type).Build());
    EXPECT_EQ(Identities(reply), Identities(octets, [&](const plain::Record& r) { return r.type == c.type; }))
        << TypeToString(c.type);
  }
}

TEST(RenderReplyTest, OwnersThatPointIntoWhatIsLeftOutAreWrittenInFull) {
  // a.example. CNAME, then a stranger whose owner has the only spelling of the target, then the data at the target.
  const Octets octets = To("a.example.", rr_type::kA)
                            .RawAnswer(Hex("c00c 0005 0001 0000012c 0005 02 7a7a c00e"))   // zz.example.
                            .RawAnswer(Hex("02 7a7a c00e 0010 0001 0000012c 0002 01 78"))  // TXT at zz.example.
                            .RawAnswer(Hex("c02c 0001 0001 0000012c 0004 c0000201"))       // A, owner points at it
                            .Counts(1, 3, 0, 0)
                            .Build();
  const plain::Decoded reply = Reply(ImageOf(octets), QueryFor("a.example.").Build());
  EXPECT_EQ(Identities(reply), Identities(octets, [](const plain::Record& r) { return r.type != rr_type::kTxt; }));
}

TEST(RenderReplyTest, C7_LeavingSignaturesOutKeepsTheRest) {
  MessageBuilder builder = To("www.example.", rr_type::kMx).Compressed();
  builder.Answer("www.example.", 300, Rrsig(rr_type::kMx, "example."));
  for (int i = 0; i < 5; ++i) {
    builder.Answer("www.example.", 300, Mx(static_cast<uint16_t>(i), "mx" + std::to_string(i) + ".example."));
  }
  const Octets octets = builder.Build();
  const plain::Decoded reply =
      Reply(ImageOf(octets, {}, DnssecRecords::kLeaveOut), QueryFor("www.example.", rr_type::kMx).Build());
  EXPECT_EQ(Identities(reply), Identities(octets, [](const plain::Record& r) { return r.type == rr_type::kMx; }));
}

// A pointer may lead into octets that are not a name, such as a TTL, and read one there. Since TTLs change while a
// response is kept, such a name would change with them: into another name, or into one that never ends.
TEST(RenderReplyTest, X3_NoNameIsReadFromATtlThatAges) {
  // The first A's TTL at octet 35 is 00 01 61 00: from octet 36 on it reads as "a."; 100 seconds later it does not.
  for (const uint8_t target : {uint8_t{35}, uint8_t{36}}) {
    const Octets octets = To("www.example.", rr_type::kA)
                              .RawAnswer(Hex("c00c 0001 0001 00016100 0004 c0000201"))
                              .RawAnswer(Join({Hex("c00c 0005 0001 00016100 0004 01 61"), {0xC0, target}}))
                              .RawAnswer(Join({{0xC0, target}, Hex("0001 0001 00016100 0004 c0000202")}))
                              .Counts(1, 3, 0, 0)
                              .Build();
    EXPECT_FALSE(ParseResponse(octets).ok()) << "octet " << int{target} << " is no name";
  }
}

TEST(RenderReplyTest, X3_NoNameIsReadFromTheTypeOfTheQuestion) {
  // QTYPE and QCLASS are the client's in each reply: 00 01 00 01 from octet 25 on. Octet 25 reads as the root.
  const Octets octets = To("www.example.", rr_type::kMx)
                            .RawAnswer(Hex("c00c 000f 0001 00000100 0004 000a c019"))
                            .Counts(1, 1, 0, 0)
                            .Build();
  EXPECT_FALSE(ParseResponse(octets).ok());
}

// RDATA of TXT with that many octets.
Octets Text(size_t octets) {
  Octets rdata;
  while (octets > 0) {
    const size_t string = std::min<size_t>(octets - 1, 255);
    rdata.push_back(static_cast<uint8_t>(string));
    rdata.insert(rdata.end(), string, 't');
    octets -= string + 1;
  }
  return rdata;
}

class PromiseS1 : public testing::Test {
 protected:
  // An answer whose reply without OPT has exactly `octets` octets: one TXT set of two records behind a CNAME.
  static ImagePtr ImageOfReply(size_t octets) {
    MessageBuilder builder = To("www.example.", rr_type::kTxt);
    builder.Answer("www.example.", 300, Cname("t.example."));
    const size_t so_far = builder.Build().size();
    const size_t fixed = plain::WireOf("t.example").size() + 10;
    const size_t first = (octets - so_far - 2 * fixed) / 2;
    builder.Answer("t.example.", 300, Opaque(rr_type::kTxt, Text(first)));
    builder.Answer("t.example.", 300, Opaque(rr_type::kTxt, Text(octets - so_far - 2 * fixed - first)));
    EXPECT_EQ(builder.Build().size(), octets);
    return ImageOf(builder);
  }
  static Octets Query() { return QueryFor("www.example.", rr_type::kTxt).Build(); }
  static Octets EdnsQuery(uint16_t payload) {
    return QueryFor("www.example.", rr_type::kTxt).WithEdns({.payload_octets = payload}).Build();
  }
};

TEST_F(PromiseS1, WithoutOptTheLimitIs512) {
  for (const size_t octets : {511U, 512U, 513U}) {
    const plain::Decoded reply = Reply(ImageOfReply(octets), Query());
    EXPECT_EQ(reply.tc(), octets > 512) << octets;
    EXPECT_EQ(reply.records.size(), octets > 512 ? 1U : 3U) << "the CNAME alone, or all";
    EXPECT_EQ(RawReply(ImageOfReply(octets), Query()).size() == octets, octets <= 512);
  }
}

TEST_F(PromiseS1, OptCountsTowardsTheLimit) {
  for (const uint16_t payload : {uint16_t{512}, uint16_t{1231}, uint16_t{1232}}) {
    for (const size_t over : {0U, 1U, 2U}) {
      const size_t octets = payload - 11U - 1U + over;
      const plain::Decoded reply = Reply(ImageOfReply(octets), EdnsQuery(payload));
      EXPECT_EQ(reply.tc(), over == 2) << payload << " " << octets;
      EXPECT_EQ(reply.records.size(), over == 2 ? 1U : 3U);
      EXPECT_EQ(reply.opt_count, 1U) << "OPT is kept";
    }
  }
}

TEST_F(PromiseS1, WeNeverSendMoreThanOurOwnPayload) {
  for (const size_t octets : {1'221U, 1'222U}) {
    const plain::Decoded reply = Reply(ImageOfReply(octets), EdnsQuery(65'535));
    EXPECT_EQ(reply.tc(), octets > 1'221) << octets;
  }
  const plain::Decoded reply = Reply(ImageOfReply(3'000), EdnsQuery(65'535), {.payload = 4'096});
  EXPECT_FALSE(reply.tc());
}

TEST_F(PromiseS1, TheBufferIsALimitToo) {
  const plain::Decoded reply = Reply(ImageOfReply(1'000), EdnsQuery(1'232), {.buffer_octets = 512});
  EXPECT_TRUE(reply.tc());
  EXPECT_EQ(reply.opt_count, 1U);
}

TEST_F(PromiseS1, AStreamGetsAllOfIt) {
  for (const size_t octets : {513U, 1'233U, 20'000U}) {
    const plain::Decoded reply = Reply(ImageOfReply(octets), Query(), {.channel = ReplyChannel::kStream});
    EXPECT_FALSE(reply.tc());
    EXPECT_EQ(reply.records.size(), 3U);
    EXPECT_FALSE(Reply(ImageOfReply(octets), EdnsQuery(512), {.channel = ReplyChannel::kStream}).tc());
  }
}

TEST_F(PromiseS1, WhatFitsOfTheFirstRrsetsIsKept) {
  MessageBuilder builder = To("www.example.", rr_type::kAny);
  for (int i = 1; i <= 10; ++i) builder.Answer("www.example.", 300, A("192.0.2." + std::to_string(i)));
  for (int i = 1; i <= 10; ++i) builder.Answer("www.example.", 300, Aaaa("2001:db8::" + std::to_string(i)));
  const ImagePtr image = ImageOf(builder.Compressed());
  const plain::Decoded reply = Reply(image, QueryFor("www.example.", rr_type::kAny).Build(), {});
  // 29 octets of header and question, 160 of A; with 280 of AAAA there would be 469: so it all fits.
  EXPECT_FALSE(reply.tc());
  const plain::Decoded uncompressed =
      Reply(ImageOf(MessageBuilder(builder).Answer("www.example.", 300, Txt(std::string(100, 'x')))),
            QueryFor("www.example.", rr_type::kAny).Build());
  EXPECT_TRUE(uncompressed.tc());
  EXPECT_EQ(uncompressed.OfType(rr_type::kA).size(), 10U);
  EXPECT_EQ(uncompressed.OfType(rr_type::kAaaa).size(), 10U);
  EXPECT_EQ(uncompressed.OfType(rr_type::kTxt).size(), 0U);
}

TEST_F(PromiseS1, WhenNothingFitsTheQuestionAndOptAreLeft) {
  const ImagePtr image =
      ImageOf(To("www.example.", rr_type::kTxt).Answer("www.example.", 300, Opaque(rr_type::kTxt, Text(2'000))));
  const plain::Decoded reply = Reply(image, EdnsQuery(1'232));
  EXPECT_TRUE(reply.tc());
  EXPECT_TRUE(reply.records.empty());
  EXPECT_EQ(reply.opt_count, 1U);
}

TEST_F(PromiseS1, TheTtlsOfWhatIsLeftAge) {
  const plain::Decoded reply = Reply(ImageOfReply(600), Query(), {.age = 10});
  ASSERT_EQ(reply.records.size(), 1U);
  EXPECT_EQ(reply.records[0].ttl, 290U);
}

TEST_F(PromiseS1, RrsetsAreNotPartedWhateverTheOrderOfTheirRecords) {
  // Signatures between the records, and two sets that alternate: whole sets only, at every limit.
  MessageBuilder builder = To("www.example.", rr_type::kAny);
  for (int i = 1; i <= 12; ++i) {
    builder.Answer("www.example.", 300, A("192.0.2." + std::to_string(i)));
    builder.Answer("WWW.example.", 300, Aaaa("2001:db8::" + std::to_string(i)));
    if (i % 4 == 0) builder.Answer("www.example.", 300, Rrsig(rr_type::kA, "example."));
    if (i % 5 == 0) builder.Answer("www.example.", 300, Rrsig(rr_type::kAaaa, "example."));
  }
  const Octets query = QueryFor("www.example.", rr_type::kAny).WithEdns({.payload_octets = 4'096}).Build();
  const ImagePtr image = ImageOf(builder);
  const plain::Decoded whole = Reply(image, query, {.payload = 4'096});
  ASSERT_FALSE(whole.tc());
  ASSERT_EQ(whole.records.size(), 29U);
  bool some_were_kept = false;
  for (size_t limit = 512; limit < 2'000; ++limit) {
    const plain::Decoded reply = Reply(image, query, {.buffer_octets = limit, .payload = 4'096});
    ExpectWholeRrsets(whole, reply);
    some_were_kept |= reply.tc() && !reply.records.empty();
    if (reply.records.size() < whole.records.size()) {
      EXPECT_TRUE(reply.tc()) << limit;
    }
  }
  EXPECT_TRUE(some_were_kept);
}

TEST_F(PromiseS1, RrsetsAreNotPartedAtAnyLimit) {
  MessageBuilder builder = To("www.example.", rr_type::kA);
  builder.Answer("www.example.", 300, Cname("a.example."));
  builder.Answer("www.example.", 300, Rrsig(rr_type::kCname, "example."));
  for (int i = 1; i <= 20; ++i) builder.Answer("a.example.", 300, A("192.0.2." + std::to_string(i)));
  builder.Answer("a.example.", 300, Rrsig(rr_type::kA, "example."));
  builder.Answer("a.example.", 300, Rrsig(rr_type::kA, "example.", 600));
  builder.Authority("w.example.", 300, Nsec("x.example.", {rr_type::kA}));
  builder.Authority("w.example.", 300, Rrsig(rr_type::kNsec, "example."));
  const ImagePtr image = ImageOf(builder);
  const Octets query = QueryFor().WithEdns({.payload_octets = 4'096, .dnssec_ok = true}).Build();
  const plain::Decoded whole = Reply(image, query, {.payload = 4'096});
  ASSERT_EQ(whole.records.size(), 26U);
  std::set<size_t> sizes;
  for (size_t limit = 512; limit < 1'600; ++limit) {
    const plain::Decoded reply = Reply(image, query, {.buffer_octets = limit, .payload = 4'096});
    ExpectWholeRrsets(whole, reply);
    EXPECT_EQ(reply.tc(), reply.records.size() < whole.records.size());
    sizes.insert(reply.records.size());
  }
  EXPECT_GE(sizes.size(), 3U);
}

TEST_F(PromiseS1, ExtendedErrorsGoBeforeRecordsDo) {
  const std::vector<ExtendedError> extra = {{EdeCode::kStaleAnswer, std::string(100, 'x')}};
  const plain::Decoded all = Reply(ImageOfReply(1'000), EdnsQuery(1'232), {.extra = extra});
  EXPECT_EQ(all.options.size(), 1U);
  const plain::Decoded reply = Reply(ImageOfReply(1'221), EdnsQuery(1'232), {.extra = extra});
  EXPECT_FALSE(reply.tc());
  EXPECT_EQ(reply.records.size(), 3U);
  EXPECT_TRUE(reply.options.empty());
}

TEST_F(PromiseS1, ATruncatedReplyParsesAtEveryLimit) {
  const ImagePtr image = ImageOfReply(1'100);
  for (size_t limit = 512; limit < 1'150; ++limit) {
    const plain::Decoded reply = Reply(image, EdnsQuery(1'232), {.buffer_octets = limit});
    EXPECT_EQ(reply.tc(), reply.records.size() < 3) << limit;
  }
}

TEST(RenderReplyTest, TheLongestResponsesAreRelayedOverStreams) {
  // 65,535 octets with the upstream's OPT; without it there is room for ours.
  MessageBuilder builder = To("www.example.", rr_type::kTxt).Compressed();
  builder.Answer("www.example.", 300, Opaque(rr_type::kTxt, Text(40'000))).WithEdns({});
  const size_t left = kMessageOctetsMax - builder.Build().size() - 12;
  builder.Answer("www.example.", 300, Opaque(rr_type::kTxt, Text(left)));
  const Octets octets = builder.Build();
  ASSERT_EQ(octets.size(), kMessageOctetsMax);
  const ImagePtr image = ImageOf(octets);
  const plain::Decoded reply =
      Reply(image, QueryFor("www.example.", rr_type::kTxt).WithEdns({}).Build(), {.channel = ReplyChannel::kStream});
  EXPECT_FALSE(reply.tc());
  EXPECT_EQ(reply.records.size(), 2U);
  const plain::Decoded datagram = Reply(image, QueryFor("www.example.", rr_type::kTxt).Build());
  EXPECT_TRUE(datagram.tc());
  EXPECT_TRUE(datagram.records.empty());
}

TEST(RenderReplyTest, X7_AResponseThatIsNotModelledIsRelayedWhole) {
  const Octets octets =
      To("www.example.", rr_type::kTxt).Answer("www.example.", 300, Opaque(rr_type::kTxt, Octets(60'000))).Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  ASSERT_TRUE(message->scan().needs_no_model);
  const plain::Decoded reply = Reply(ImageOf(octets), QueryFor("www.example.", rr_type::kTxt).Build(),
                                     {.channel = ReplyChannel::kStream, .age = 1});
  ASSERT_EQ(reply.records.size(), 1U);
  EXPECT_EQ(reply.records[0].rdata, Octets(60'000));
  EXPECT_EQ(reply.records[0].ttl, 299U);
}

TEST(RenderErrorTest, HasTheQuestionAndTheRcodeAndNoRecords) {
  for (const unsigned rcode : {1U, 2U, 4U, 5U}) {
    const Octets query = QueryFor("WwW.Example.").Build();
    const ParsedQuery parsed = ParseQuery(query);
    uint8_t buffer[512];
    const size_t length = RenderError(static_cast<Rcode>(rcode), {},
                                      MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232), buffer);
    const std::optional<plain::Decoded> reply = plain::Decode({buffer, length});
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->id, 0xC0DE);
    EXPECT_EQ(reply->flags, 0x8180U | rcode);
    EXPECT_EQ(reply->question, plain::QuestionOf("WwW.Example", rr_type::kA)) << "Q9";
    EXPECT_TRUE(reply->records.empty());
    EXPECT_EQ(reply->opt_count, 0U);
  }
}

TEST(RenderErrorTest, E3_OptIsThereExactlyWhenTheQueryHadOne) {
  const Octets query = QueryFor().AddFlags(header_flag::kCd).WithEdns({.dnssec_ok = true}).Build();
  const ParsedQuery parsed = ParseQuery(query);
  uint8_t buffer[512];
  const std::vector<ExtendedError> errors = {{EdeCode::kNoReachableAuthority, "quad9: connection refused"},
                                             {EdeCode::kNetworkError, ""}};
  const size_t length = RenderError(Rcode::kServFail, errors,
                                    MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232), buffer);
  const std::optional<plain::Decoded> reply = plain::Decode({buffer, length});
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->rcode(), 2U);
  EXPECT_TRUE(reply->cd());
  EXPECT_FALSE(reply->ad());
  ASSERT_EQ(reply->opt_count, 1U);
  EXPECT_EQ(reply->opt.ttl, 0x8000U);
  EXPECT_EQ(reply->opt.klass, 1232);
  ASSERT_EQ(reply->options.size(), 2U);
  EXPECT_EQ(reply->options[0].value, Join({Hex("0016"), OctetsOf("quad9: connection refused")}));
  EXPECT_EQ(reply->options[1].value, Hex("0017"));
}

TEST(RenderErrorTest, S1_ErrorsThatDoNotFitAreLeftOut) {
  const Octets query = QueryFor().WithEdns({.payload_octets = 512}).Build();
  const ParsedQuery parsed = ParseQuery(query);
  uint8_t buffer[4'096];
  const std::vector<ExtendedError> errors(4, {EdeCode::kOther, std::string(200, 'x')});
  const size_t length = RenderError(Rcode::kServFail, errors,
                                    MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232), buffer);
  EXPECT_LE(length, 512U);
  const std::optional<plain::Decoded> reply = plain::Decode({buffer, length});
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->opt_count, 1U);
}

TEST(RenderErrorTest, TheLongestQuestionFitsIntoTheSmallestBuffer) {
  const std::string label(63, 'a');
  const std::string name = label + "." + label + "." + label + "." + label.substr(0, 61) + ".";
  const Octets query = QueryFor(name).WithEdns({}).Build();
  const ParsedQuery parsed = ParseQuery(query);
  ASSERT_EQ(parsed.outcome, QueryOutcome::kAccepted);
  uint8_t buffer[512];
  const size_t length =
      RenderError(Rcode::kServFail, {}, MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232), buffer);
  EXPECT_EQ(length, 12U + 255 + 4 + 11);
  EXPECT_TRUE(plain::Decode({buffer, length}).has_value());
}

TEST(RenderErrorTest, AnExtendedRcodeNeedsOpt) {
  for (const bool edns : {false, true}) {
    MessageBuilder builder = QueryFor();
    if (edns) builder.WithEdns({});
    const Octets query = builder.Build();
    const ParsedQuery parsed = ParseQuery(query);
    uint8_t buffer[512];
    const size_t length = RenderError(Rcode::kBadVers, {},
                                      MakeReplyContext(parsed.message.scan(), ReplyChannel::kDatagram, 1232), buffer);
    const std::optional<plain::Decoded> reply = plain::Decode({buffer, length});
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->rcode(), edns ? 16U : 0U);
  }
}

}  // namespace
}  // namespace dotward
