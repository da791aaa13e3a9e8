#include "dns/response_image.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "dns/classify.h"
#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime kReceivedAt{std::chrono::hours(1)};

Octets Copy(OctetView view) { return {view.begin(), view.end()}; }

MessageBuilder To(std::string_view name, uint16_t type) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(0x1234, name, type).Build());
}

absl::StatusOr<ImagePtr> Build(const MessageBuilder& builder, const TtlPolicy& policy = {}) {
  const Octets octets = builder.Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  if (!message.ok()) return message.status();
  return ResponseImage::Build(*message, ClassifyResponse(*message, policy), "quad9", kReceivedAt);
}

TEST(ResponseImageTest, HoldsTheResponseWithoutItsIdAndOpt) {
  const absl::StatusOr<ImagePtr> image = Build(To("Www.Example.", rr_type::kA)
                                                   .AddFlags(header_flag::kAd)
                                                   .Answer("Www.Example.", 300, A("192.0.2.1"))
                                                   .WithEdns({.options = {Ede(EdeCode::kStaleAnswer, "old")}}));
  ASSERT_TRUE(image.ok()) << image.status();
  const ResponseImage& it = **image;
  const std::optional<plain::Decoded> decoded = plain::Decode(it.ToMessage());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->id, 0);
  EXPECT_EQ(decoded->opt_count, 1U) << "for the extended error";
  EXPECT_TRUE(decoded->ad());
  EXPECT_EQ(decoded->records.size(), 1U);
  EXPECT_EQ(Copy(it.question()), plain::QuestionOf("Www.Example", rr_type::kA));
  EXPECT_EQ(Copy(it.qname()), plain::WireOf("Www.Example"));
  EXPECT_EQ(it.rcode(), Rcode::kNoError);
  EXPECT_EQ(it.kind(), ResponseKind::kPositive);
  EXPECT_TRUE(it.authentic_data());
  EXPECT_FALSE(it.behind_alias());
  EXPECT_EQ(it.lifetime_seconds(), 300U);
  EXPECT_EQ(it.Age(kReceivedAt + seconds(7)), seconds(7));
  EXPECT_EQ(it.TimeLeft(kReceivedAt + seconds(7)), seconds(293));
  EXPECT_EQ(Copy(it.error_options()), Join({Hex("000f 000c 0003"), OctetsOf("quad9: old")}));
}

TEST(ResponseImageTest, KnowsWhoGaveIt) {
  const Octets octets = To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")).Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  const auto build = [&](std::string_view upstream) {
    return *ResponseImage::Build(*message, ClassifyResponse(*message, {}), upstream, kReceivedAt);
  };
  EXPECT_EQ(build("quad9")->upstream(), "quad9");
  EXPECT_EQ(build("")->upstream(), "");
  EXPECT_EQ(build(std::string(300, 'x'))->upstream(), std::string(255, 'x'));
  EXPECT_EQ(build(std::string(160, 'x'))->memory_octets(), build("")->memory_octets()) << "names are kept once";
}

TEST(ResponseImageTest, AnAddressTakesEightyOctets) {
  const Octets octets = To("host-0123456789.example.", rr_type::kA)
                            .Compressed()
                            .Answer("host-0123456789.example.", 300, A("192.0.2.1"))
                            .Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  const absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(*message, ClassifyResponse(*message, {}), "quad9", kReceivedAt);
  EXPECT_EQ((*image)->memory_octets(), 80U);
}

TEST(ResponseImageTest, IsRestoredFromItsMessageAsItWas) {
  const absl::StatusOr<ImagePtr> image = Build(To("www.example.", rr_type::kA)
                                                   .AddFlags(header_flag::kAd)
                                                   .Answer("www.example.", 300, Cname("alias.example."))
                                                   .Answer("alias.example.", 60, A("192.0.2.1"))
                                                   .WithEdns({.options = {Ede(EdeCode::kStaleAnswer, "old")}}));
  ASSERT_TRUE(image.ok());
  const ResponseImage::Memory memory{.origin = (*image)->origin(),
                                     .received_at = kReceivedAt,
                                     .lifetime_seconds = (*image)->lifetime_seconds(),
                                     .authentic_data = true};
  const absl::StatusOr<ImagePtr> again = ResponseImage::Restore((*image)->ToMessage(), memory, {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Copy((*again)->body()), Copy((*image)->body()));
  EXPECT_EQ(Copy((*again)->error_options()), Copy((*image)->error_options()));
  EXPECT_EQ((*again)->upstream(), "quad9");
  EXPECT_EQ((*again)->lifetime_seconds(), 60U);
  EXPECT_EQ((*again)->kind(), (*image)->kind());
  EXPECT_TRUE((*again)->behind_alias());
  EXPECT_TRUE((*again)->authentic_data());
  EXPECT_EQ((*again)->AgeSeconds(kReceivedAt + seconds(9)), 9U);
}

TEST(ResponseImageTest, IsNotRestoredFromWhatIsNoAnswer) {
  const ResponseImage::Memory memory{.received_at = kReceivedAt, .lifetime_seconds = 60};
  EXPECT_FALSE(ResponseImage::Restore(Octets{}, memory, {}).ok());
  EXPECT_FALSE(ResponseImage::Restore(Octets(40, 0), memory, {}).ok());
  const Octets nothing = To("www.example.", rr_type::kA).Build();
  EXPECT_FALSE(ResponseImage::Restore(nothing, memory, {}).ok()) << "a denial without SOA is not stored";
  const Octets other = To("www.example.", rr_type::kA).Answer("other.example.", 60, A("192.0.2.1")).Build();
  EXPECT_FALSE(ResponseImage::Restore(other, memory, {}).ok());
  const Octets sound = To("www.example.", rr_type::kA).Answer("www.example.", 60, A("192.0.2.1")).Build();
  EXPECT_TRUE(ResponseImage::Restore(sound, memory, {}).ok());
  EXPECT_FALSE(ResponseImage::Restore(sound, {.received_at = kReceivedAt, .lifetime_seconds = 0}, {}).ok());
}

TEST(PromiseC7, WithoutDnssecAnImageIsTheSameAnswerWithoutSignaturesAndProofs) {
  // Of an A record, by the root, over nothing.
  Octets signature(18 + 1 + 64, 0);
  signature[1] = rr_type::kA;
  const Octets octets = To("www.example.", rr_type::kA)
                            .AddFlags(header_flag::kAd)
                            .Answer("www.example.", 300, A("192.0.2.1"))
                            .Answer("www.example.", 300, {rr_type::kRrsig, signature})
                            .Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  const absl::StatusOr<ImagePtr> image =
      ResponseImage::Build(*message, ClassifyResponse(*message, {}), "quad9", kReceivedAt);
  ASSERT_TRUE(image.ok());
  ASSERT_EQ((*image)->counts()[0], 2U);
  const ImagePtr plain = (*image)->WithoutDnssec(kReceivedAt + seconds(100));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->counts()[0], 1U);
  EXPECT_TRUE(plain->authentic_data());
  EXPECT_EQ(plain->lifetime_seconds(), 300U);
  EXPECT_EQ(plain->AgeSeconds(kReceivedAt + seconds(100)), 100U);
  EXPECT_EQ(plain->upstream(), "quad9");
}

TEST(PromiseC5, DenialBelowHasTheSameRecordsUnderTheOtherQuestion) {
  const absl::StatusOr<ImagePtr> image = Build(To("b.example.", rr_type::kA)
                                                   .WithRcode(Rcode::kNxDomain)
                                                   .Authority("example.", 300, Soa(120))
                                                   .WithEdns({.options = {Ede(EdeCode::kOther, "synthesized")}}));
  ASSERT_TRUE(image.ok());
  const Octets question = plain::QuestionOf("x.a.b.example", rr_type::kAaaa);
  const ImagePtr below = ResponseImage::DenialBelow(**image, question, kReceivedAt + seconds(5));
  ASSERT_TRUE(below);
  EXPECT_EQ(Copy(below->question()), question);
  EXPECT_EQ(below->rcode(), Rcode::kNxDomain);
  EXPECT_EQ(below->lifetime_seconds(), 120U);
  EXPECT_EQ(below->AgeSeconds(kReceivedAt + seconds(5)), 5U);
  const std::optional<plain::Decoded> was = plain::Decode((*image)->ToMessage());
  const std::optional<plain::Decoded> decoded = plain::Decode(below->ToMessage());
  ASSERT_TRUE(was && decoded);
  EXPECT_EQ(decoded->opt_count, 1U);
  EXPECT_EQ(Copy(below->error_options()), Copy((*image)->error_options()));
  ASSERT_EQ(decoded->records.size(), 1U);
  EXPECT_EQ(decoded->records[0].owner, plain::WireOf("example"));
  EXPECT_EQ(decoded->records[0].ttl, 120U);
}

TEST(ResponseImageTest, KnowsWhereItsTtlsAre) {
  const absl::StatusOr<ImagePtr> image = Build(To("www.example.", rr_type::kA)
                                                   .Answer("bank.example.", 300, A("192.0.2.66"))
                                                   .Answer("www.example.", 300, Cname("a.example."))
                                                   .Answer("a.example.", 60, A("192.0.2.1"))
                                                   .Answer("a.example.", 60, A("192.0.2.2"))
                                                   .Authority("w.example.", 30, Nsec("x.example.", {1})));
  ASSERT_TRUE(image.ok()) << image.status();
  const std::optional<plain::Decoded> decoded = plain::Decode((*image)->ToMessage());
  ASSERT_TRUE(decoded.has_value());
  ASSERT_EQ(decoded->records.size(), 4U);
  ASSERT_EQ((*image)->ttl_offsets().size(), 4U);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ((*image)->ttl_offsets()[i], decoded->records[i].ttl_offset) << i;
  EXPECT_TRUE((*image)->behind_alias());
}

TEST(ResponseImageTest, C1_StoredTtlsAreCapped) {
  const absl::StatusOr<ImagePtr> image =
      Build(To("www.example.", rr_type::kA).Answer("www.example.", 0xFFFFFFFF, A("192.0.2.1")), {.max_ttl = 600});
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(plain::Decode((*image)->ToMessage())->records[0].ttl, 600U);
  EXPECT_EQ((*image)->lifetime_seconds(), 600U);
}

TEST(ResponseImageTest, C3_StoredTtlsAreEqualWithinAnRrset) {
  const absl::StatusOr<ImagePtr> image = Build(To("www.example.", rr_type::kA)
                                                   .Answer("www.example.", 300, A("192.0.2.1"))
                                                   .Answer("www.example.", 20, A("192.0.2.2"))
                                                   .Answer("www.example.", 100, A("192.0.2.3")));
  ASSERT_TRUE(image.ok());
  const std::optional<plain::Decoded> decoded = plain::Decode((*image)->ToMessage());
  ASSERT_TRUE(decoded.has_value());
  for (const plain::Record& record : decoded->records) EXPECT_EQ(record.ttl, 20U);
}

TEST(ResponseImageTest, C2_AnImageOfTtlZeroHasNoLifetime) {
  const absl::StatusOr<ImagePtr> image =
      Build(To("www.example.", rr_type::kA).Answer("www.example.", 0, A("192.0.2.1")), {.min_ttl = 60});
  ASSERT_TRUE(image.ok());
  EXPECT_EQ((*image)->lifetime_seconds(), 0U);
  EXPECT_TRUE((*image)->Expired(kReceivedAt));
}

TEST(ResponseImageTest, AgesInWholeSeconds) {
  const absl::StatusOr<ImagePtr> image =
      Build(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  ASSERT_TRUE(image.ok());
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt - seconds(5)), 0U) << "a clock that runs behind";
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt), 0U);
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt + milliseconds(999)), 0U);
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt + milliseconds(1'000)), 1U);
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt + seconds(299)), 299U);
  EXPECT_EQ((*image)->AgeSeconds(kReceivedAt + std::chrono::hours(24 * 365 * 8)), 8U * 365 * 24 * 60 * 60);
}

TEST(ResponseImageTest, NegativeKindsAreKept) {
  const absl::StatusOr<ImagePtr> nxdomain = Build(To("www.example.", rr_type::kA)
                                                      .WithRcode(Rcode::kNxDomain)
                                                      .Answer("www.example.", 100, Cname("gone.example."))
                                                      .Authority("example.", 60, Soa(60)));
  ASSERT_TRUE(nxdomain.ok());
  EXPECT_EQ((*nxdomain)->kind(), ResponseKind::kNxDomain);
  EXPECT_EQ((*nxdomain)->rcode(), Rcode::kNxDomain);
  EXPECT_TRUE((*nxdomain)->behind_alias());
  const absl::StatusOr<ImagePtr> nodata = Build(To("www.example.", rr_type::kA).Authority("example.", 60, Soa(60)));
  ASSERT_TRUE(nodata.ok());
  EXPECT_EQ((*nodata)->kind(), ResponseKind::kNoData);
}

TEST(ResponseImageTest, WhoDoesNotTrustTheUpstreamsWordClearsAd) {
  const Octets octets =
      To("www.example.", rr_type::kA).AddFlags(header_flag::kAd).Answer("www.example.", 300, A("192.0.2.1")).Build();
  const absl::StatusOr<Message> message = ParseResponse(octets);
  ASSERT_TRUE(message.ok());
  Classification classification = ClassifyResponse(*message, {});
  classification.authentic_data = false;
  const absl::StatusOr<ImagePtr> image = ResponseImage::Build(*message, classification, "quad9", kReceivedAt);
  ASSERT_TRUE(image.ok());
  EXPECT_FALSE((*image)->authentic_data());
  EXPECT_FALSE(plain::Decode((*image)->ToMessage())->ad());
}

TEST(ResponseImageTest, C11_ItsMemoryIsItsOctetsAndLittleMore) {
  const absl::StatusOr<ImagePtr> small =
      Build(To("www.example.", rr_type::kA).Compressed().Answer("www.example.", 300, A("192.0.2.1")));
  ASSERT_TRUE(small.ok());
  EXPECT_GE((*small)->memory_octets(), (*small)->octets().size() + sizeof(ResponseImage));
  EXPECT_LE((*small)->memory_octets(), 160U) << "one cached A answer";
  const absl::StatusOr<ImagePtr> large =
      Build(To("www.example.", rr_type::kTxt).Answer("www.example.", 300, Txt(std::string(60'000, 'x'))));
  ASSERT_TRUE(large.ok());
  EXPECT_GE((*large)->memory_octets(), (*large)->octets().size() + sizeof(ResponseImage));
  EXPECT_LE((*large)->memory_octets(), (*large)->octets().size() + 200);
}

TEST(ResponseImageTest, IsSharedBetweenThreads) {
  const absl::StatusOr<ImagePtr> image =
      Build(To("www.example.", rr_type::kA).Answer("www.example.", 300, A("192.0.2.1")));
  ASSERT_TRUE(image.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([copy = *image] {
      for (int round = 0; round < 10'000; ++round) {
        const ImagePtr another = copy;
        ASSERT_EQ(another->lifetime_seconds(), 300U);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ResponseImageTest, WhatOutgrowsAMessageWithoutCompressionIsResourceExhausted) {
  // A stranger's record has the only full spelling of a long name, and 600 MX point at it: 12 octets here, 260 there.
  const std::string label(60, 'l');
  const std::string name = label + "." + label + "." + label + "." + label + ".";
  MessageBuilder builder = To("www.example.", rr_type::kMx).Compressed();
  builder.Answer(name, 300, A("192.0.2.66"));
  for (unsigned i = 0; i < 600; ++i) {
    const auto high = static_cast<uint8_t>(i >> 8U);
    const auto low = static_cast<uint8_t>(i);
    builder.Answer("www.example.", 300, Opaque(rr_type::kMx, {high, low, 0xC0, 29}));
  }
  const absl::StatusOr<ImagePtr> image = Build(builder);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), absl::StatusCode::kResourceExhausted);
}

class LocalImageTest : public testing::Test {
 protected:
  static ImagePtr Local(std::span<const ResponseImage::LocalRecord> records, Rcode rcode = Rcode::kNoError,
                        std::span<const ExtendedError> errors = {}) {
    return ResponseImage::BuildLocal(plain::QuestionOf("router.lan", rr_type::kA), rcode, records, errors, kReceivedAt);
  }
};

TEST_F(LocalImageTest, RecordsAreOwnedByTheQuestionsName) {
  const std::vector<ResponseImage::LocalRecord> records = {{rr_type::kA, 3'600, Hex("c0a80101")},
                                                           {rr_type::kA, 60, Hex("c0a80102")}};
  const ImagePtr image = Local(records);
  const std::optional<plain::Decoded> decoded = plain::Decode(image->ToMessage());
  ASSERT_TRUE(decoded.has_value());
  ASSERT_EQ(decoded->records.size(), 2U);
  EXPECT_EQ(decoded->records[0].owner, plain::WireOf("router.lan"));
  EXPECT_EQ(decoded->records[0].klass, rr_class::kIn);
  EXPECT_EQ(decoded->records[0].ttl, 3'600U);
  EXPECT_EQ(decoded->records[0].rdata, Hex("c0a80101"));
  EXPECT_EQ(decoded->records[1].ttl, 60U);
  EXPECT_EQ(image->kind(), ResponseKind::kPositive);
  ASSERT_EQ(image->ttl_offsets().size(), 2U);
  EXPECT_EQ(image->ttl_offsets()[1], decoded->records[1].ttl_offset);
  EXPECT_EQ(image->lifetime_seconds(), 60U);
}

TEST_F(LocalImageTest, WithoutRecordsItIsNodataOrTheRcode) {
  EXPECT_EQ(Local({})->kind(), ResponseKind::kNoData);
  EXPECT_EQ(Local({}, Rcode::kNxDomain)->kind(), ResponseKind::kNxDomain);
  EXPECT_EQ(Local({}, Rcode::kRefused)->rcode(), Rcode::kRefused);
  const std::vector<ExtendedError> errors = {{EdeCode::kBlocked, "by list"}};
  EXPECT_EQ(Copy(Local({}, Rcode::kNxDomain, errors)->error_options()),
            Join({Hex("000f 0009 000f"), OctetsOf("by list")}));
}

TEST_F(LocalImageTest, KeepsTheClassOfTheQuestion) {
  const std::vector<ResponseImage::LocalRecord> records = {{rr_type::kTxt, 0, Hex("0161")}};
  const ImagePtr image = ResponseImage::BuildLocal(plain::QuestionOf("version.bind", rr_type::kTxt, rr_class::kCh),
                                                   Rcode::kNoError, records, {}, kReceivedAt);
  EXPECT_EQ(plain::Decode(image->ToMessage())->records.at(0).klass, rr_class::kCh);
  EXPECT_EQ(image->lifetime_seconds(), 0U);
}

TEST_F(LocalImageTest, MoreRecordsThanAMessageHoldsMakeASoundMessageAllTheSame) {
  // A hosts file with one name on thousands of lines.
  const std::vector<ResponseImage::LocalRecord> records(6'000, {rr_type::kA, 60, Hex("c0a80101")});
  const ImagePtr image = Local(records);
  const std::optional<plain::Decoded> decoded = plain::Decode(image->ToMessage());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_GT(decoded->records.size(), 4'000U);
  EXPECT_EQ(image->ttl_offsets().size(), decoded->records.size());
}

}  // namespace
}  // namespace dotward
