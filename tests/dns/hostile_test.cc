#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "dns/classify.h"
#include "dns/plain_decoder.h"
#include "dns/printers.h"
#include "dns/reply.h"
#include "dns/response_image.h"
#include "dotward/message.h"
#include "testing/messages.h"

// Messages that are made to cost: X7 (memory and CPU) and X8 (everything that a wire can carry). Each goes the whole
// way that a message of its side goes.
namespace dotward {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#if defined(NDEBUG)
constexpr bool kOptimised = true;
#else
constexpr bool kOptimised = false;
#endif
// The promises on CPU time are about the program as it is shipped; other builds show only that work is not boundless.
constexpr double kSecondsFactor = kSanitized || !kOptimised ? 20 : 1;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
size_t AllocatedOctets() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
size_t PeakResidentOctets() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

// What a listener does with a query. Returns its outcome.
QueryOutcome Listen(const Octets& octets) {
  const ParsedQuery query = ParseQuery(octets);
  if (query.outcome == QueryOutcome::kDrop) return query.outcome;
  std::array<uint8_t, 4'096> buffer;
  const ReplyContext context = MakeReplyContext(query.message.scan(), ReplyChannel::kDatagram, 1'232);
  const size_t length = RenderError(Rcode::kRefused, {}, context, buffer);
  EXPECT_TRUE(plain::Decode(OctetView(buffer).first(length)).has_value());
  return query.outcome;
}

// What the program does with a response and with the queries that it answers from it. False where it was refused or is
// of no use.
bool Digest(const Octets& octets) {
  const absl::StatusOr<Message> response = ParseResponse(octets);
  if (!response.ok()) {
    EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
    return false;
  }
  bool usable = false;
  for (const DnssecRecords dnssec : {DnssecRecords::kKeep, DnssecRecords::kLeaveOut}) {
    const Classification classification = ClassifyResponse(*response, {}, dnssec);
    if (!classification.usable()) continue;
    const absl::StatusOr<ImagePtr> image = ResponseImage::Build(*response, classification, "quad9", SteadyTime{});
    if (!image.ok()) {
      EXPECT_EQ(image.status().code(), absl::StatusCode::kResourceExhausted);
      continue;
    }
    usable = true;
    ReplyContext context;
    context.question = response->scan().question;
    context.has_edns = true;
    context.payload_octets = 1'232;
    std::vector<uint8_t> buffer(kMessageOctetsMax);
    for (const size_t limit : {size_t{512}, size_t{1'232}, kMessageOctetsMax}) {
      context.octets_max = limit;
      const size_t length = RenderReply(**image, context, 7, {}, buffer);
      EXPECT_LE(length, limit);
      const absl::StatusOr<Message> reply = ParseResponse(OctetView(buffer).first(length));
      EXPECT_TRUE(reply.ok()) << reply.status() << ", to type " << response->scan().qtype;
    }
  }
  return usable;
}

MessageBuilder To(std::string_view name, uint16_t type) {
  return MessageBuilder::ResponseTo(MessageBuilder::Query(1, name, type).Build());
}

Octets U16(size_t value) { return {static_cast<uint8_t>(value >> 8U), static_cast<uint8_t>(value & 255U)}; }

// `head` and then as many of `make(i)` as fit into a message, as records of the answer section.
Octets FilledWith(const Octets& head, const std::function<Octets(size_t)>& make) {
  Octets octets = head;
  size_t count = 0;
  for (;; ++count) {
    const Octets record = make(count);
    if (octets.size() + record.size() > kMessageOctetsMax) break;
    octets.insert(octets.end(), record.begin(), record.end());
  }
  const size_t answers = octets[6] * size_t{256} + octets[7] + count;
  octets[6] = static_cast<uint8_t>(answers >> 8U);
  octets[7] = static_cast<uint8_t>(answers);
  return octets;
}

Octets TxtBomb(size_t strings) {
  return To("a.", rr_type::kTxt).Answer("a.", 60, Opaque(rr_type::kTxt, Octets(strings))).Build();
}

// The dearest messages of 64 KiB that came to mind, by what they aim at.
std::vector<std::pair<std::string, Octets>> Bombs() {
  std::vector<std::pair<std::string, Octets>> bombs;
  const Octets head = To("a.", rr_type::kA).Build();
  bombs.emplace_back("strings without octets", TxtBomb(65'000));
  bombs.emplace_back("TXT just below the bound", FilledWith(To("a.", rr_type::kTxt).Build(), [](size_t i) {
                       const size_t length = i == 0 ? 1'000 : 120;
                       return Join({Hex("c00c 0010 0001 0000003c"), U16(length), Octets(length)});
                     }));
  bombs.emplace_back("SPF strings", To("a.", 99).Answer("a.", 60, Opaque(99, Octets(65'000))).Build());
  bombs.emplace_back("HIP with root names",
                     To("a.", 55).Answer("a.", 60, Opaque(55, Join({Hex("00 00 0000"), Octets(60'000)}))).Build());
  bombs.emplace_back("5,000 addresses", FilledWith(head, [](size_t i) {
                       return Join({Hex("c00c 0001 0001 0000003c 0004 0a00"), U16(i)});
                     }));
  bombs.emplace_back("DNAMEs at one owner above a chain",
                     FilledWith(To("x.a.", rr_type::kA)
                                    .Answer("x.a.", 60, Cname("y.a."))
                                    .Answer("y.a.", 60, Cname("z.a."))
                                    .Answer("z.a.", 60, A("192.0.2.1"))
                                    .Build(),
                                [](size_t) { return Hex("c00e 0027 0001 0000003c 0001 00"); }));
  // 126 labels: each of them is an owner above the name.
  std::string deep;
  for (int i = 0; i < 126; ++i) deep += "a.";
  bombs.emplace_back(
      "DNAMEs at every ancestor",
      FilledWith(To(deep, rr_type::kA).Answer(deep, 60, Cname("b.")).Answer("b.", 60, A("192.0.2.1")).Build(),
                 [](size_t i) {
                   return Join({U16(0xC000U + 12 + 2 * (1 + i % 125)), Hex("0027 0001 0000003c 0001 00")});
                 }));
  bombs.emplace_back("CNAMEs at one owner", FilledWith(To("a.", rr_type::kA).Build(), [](size_t i) {
                       return Join({Hex("c00c 0005 0001 0000003c 0005 03"), U16(0x6161 + i), {'x', 0}});
                     }));
  bombs.emplace_back("a loop of CNAMEs among thousands", FilledWith(To("a.", rr_type::kA).Build(), [](size_t i) {
                       return Join({i == 0 ? Hex("c00c") : Hex("016200"), Hex("0005 0001 0000003c 0003"),
                                    i == 0 ? Hex("016200") : Hex("016100")});
                     }));
  // Two sets that alternate, so that they have to be sorted; at 255 octets an owner.
  bombs.emplace_back("sets that alternate", FilledWith(To(deep, rr_type::kAny).Build(), [](size_t i) {
                       return Join({Hex("c00c"), U16(i % 2 == 0 ? 65'280 : 65'281), Hex("0001 0000003c 0002"), U16(i)});
                     }));
  // Each owner is a chain of 127 pointers to a name of 253 octets.
  const size_t list_at = kHeaderOctets + WireName(deep).size() + 4 + 2 + 10;
  Octets list = Hex("c00c");
  for (size_t i = 1; i < 126; ++i) list = Join({list, U16(0xC000U + list_at + 2 * (i - 1))});
  bombs.emplace_back(
      "owners through 127 pointers",
      FilledWith(To(deep, 65'280)
                     .RawAnswer(Join({Hex("c00c ff00 0001 0000003c"), U16(list.size()), list}))
                     .Counts(1, 1, 0, 0)
                     .Build(),
                 [&](size_t i) {
                   return Join({U16(0xC000U + list_at + list.size() - 2), Hex("ff00 0001 0000003c 0002"), U16(i)});
                 }));
  bombs.emplace_back("names of 253 octets in RDATA", FilledWith(To(deep, rr_type::kMx).Build(), [](size_t i) {
                       return Join({Hex("c00c 000f 0001 0000003c 0004"), U16(i), Hex("c00c")});
                     }));
  bombs.emplace_back(
      "names of 253 octets that have to be written in full",
      FilledWith(To(deep, rr_type::kMx).RawAnswer(Hex("00 0010 0001 0000003c 0001 00")).Counts(1, 1, 0, 0).Build(),
                 [](size_t i) {
                   return Join({Hex("c00c 000f 0001 0000003c 0004"), U16(i), Hex("c00c")});
                 }));
  bombs.emplace_back("signatures of every type", FilledWith(To("a.", rr_type::kRrsig).Build(), [](size_t i) {
                       return Join({Hex("c00c 002e 0001 0000003c 0013"), U16(i), Octets(17)});
                     }));
  std::vector<EdnsOption> options(16'000, {65'001, {}});
  bombs.emplace_back("16,000 options",
                     To("a.", rr_type::kA).Answer("a.", 60, A("192.0.2.1")).WithEdns({.options = options}).Build());
  options.assign(10'000, Ede(EdeCode::kOther));
  bombs.emplace_back("10,000 extended errors",
                     To("a.", rr_type::kA).Answer("a.", 60, A("192.0.2.1")).WithEdns({.options = options}).Build());
  bombs.emplace_back("5,000 records in each section that is not the answer", [&] {
    Octets octets = FilledWith(head, [](size_t) { return Hex("00 0001 0001 0000003c 0004 c0000201"); });
    std::swap(octets[6], octets[10]);
    std::swap(octets[7], octets[11]);
    return octets;
  }());
  return bombs;
}

TEST(PromiseX7, NoMessageCostsMoreThanATenthOfASecond) {
  for (const auto& [name, octets] : Bombs()) {
    const double before = CpuSeconds();
    Digest(octets);
    const double digest = CpuSeconds() - before;
    EXPECT_LT(digest, 0.1 * kSecondsFactor) << name << ", as a response of " << octets.size();
    Octets query = octets;
    query[2] &= 0x7F;
    const double between = CpuSeconds();
    Listen(query);
    EXPECT_LT(CpuSeconds() - between, 0.1 * kSecondsFactor) << name << ", as a query";
  }
}

TEST(PromiseX7, TheBombsReachWhatTheyAimAt) {
  // If one were refused for another reason, the test above would measure nothing.
  size_t usable = 0;
  for (const auto& [name, octets] : Bombs()) {
    EXPECT_GT(octets.size(), 40'000U) << name;
    EXPECT_LE(octets.size(), kMessageOctetsMax) << name;
    const absl::StatusOr<Message> response = ParseResponse(octets);
    EXPECT_TRUE(response.ok()) << name << ": " << response.status();
    usable += Digest(octets) ? 1U : 0U;
  }
  EXPECT_GE(usable, 12U);
}

TEST(PromiseX7, WhatIsParsedIsHeldInBoundedMemory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator counts in its own way";
  for (const auto& [name, octets] : Bombs()) {
    const size_t before = AllocatedOctets();
    const absl::StatusOr<Message> response = ParseResponse(octets);
    const size_t held = AllocatedOctets() - before;
    // A model of ldns's takes some 150 octets a record; the bound on strings is kModelOctetsMax times four or so.
    EXPECT_LT(held, size_t{8} << 20U) << name;
    EXPECT_EQ(response.ok() && response->MakeModel() == nullptr, response.ok() && response->scan().needs_no_model);
  }
}

TEST(PromiseX7, BombsNeverTakeMuchMemoryOnTheWay) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator counts in its own way";
  const std::vector<std::pair<std::string, Octets>> bombs = Bombs();
  for (const auto& [name, octets] : bombs) {
    const size_t before = PeakResidentOctets();
    Digest(octets);
    Octets query = octets;
    query[2] &= 0x7F;
    Listen(query);
    EXPECT_LT(PeakResidentOctets() - before, size_t{32} << 20U) << name;
  }
}

// What leaks shows in the long run. The default run is short; DOTWARD_ROUNDS makes it as long as one likes.
size_t Rounds(size_t default_rounds) {
  const char* text = std::getenv("DOTWARD_ROUNDS");
  return text == nullptr ? default_rounds : std::strtoull(text, nullptr, 10);
}

TEST(PromiseX7, ManyBombsLeaveMemoryFlat) {
  const Octets tsig = Hex("00 00fa 00ff 00000000 0011 00 000065000000 012c 0000 1234 0000 0000");
  const MessageBuilder query = MessageBuilder::Query(1, "a.", rr_type::kA);
  const std::vector<Octets> messages = {
      MessageBuilder(query).RawAdditional(Join({tsig, tsig})).Counts(1, 0, 0, 2).Build(),
      MessageBuilder(query).RawAdditional(tsig).Counts(1, 0, 0, 1).Build(),
      MessageBuilder(query).Additional(".", 0, Opaque(rr_type::kTxt, Octets(1'000))).Build(),
      MessageBuilder(query).Additional(".", 0, Opaque(rr_type::kTxt, Octets(4'000))).Build(),
      MessageBuilder(query).Additional(".", 0, Opaque(rr_type::kTxt, Hex("00 00 00 05 61"))).Build(),
      MessageBuilder(query).WithEdns({.options = std::vector<EdnsOption>(300, {65'001, {}})}).Build(),
      MessageBuilder(query).Additional(".", 0, Opaque(rr_type::kDs, {1})).Build(),
      TxtBomb(3'000),
      To("a.", rr_type::kA).AddFlags(header_flag::kAd).Answer("a.", 60, A("192.0.2.1")).WithEdns({}).Build(),
      To("a.", rr_type::kA).RawAdditional(Join({tsig, tsig})).Counts(1, 0, 0, 2).Build(),
  };
  const auto run = [&](size_t rounds) {
    for (size_t round = 0; round < rounds; ++round) {
      for (const Octets& octets : messages) {
        ParseQuery(octets);
        Digest(octets);
      }
    }
  };
  run(50);                 // what is allocated once
  if (kSanitized) return;  // its leak check has the last word, when the program ends
  const size_t before = AllocatedOctets();
  run(Rounds(1'000));
  EXPECT_LT(AllocatedOctets(), before + 4'096);
}

// Every type, with RDATA of up to 20 octets that is zeros, pointers, ones or a counter, in each section.
TEST(PromiseX8, EveryTypeWithShortRdataHasAnOutcome) {
  size_t accepted = 0;
  const Octets fills[] = {Octets(20, 0), Octets(20, 0xC0), Octets(20, 1), Octets(20, 0xFF),
                          Hex("00010203c00c040506070809c00c0a0b0c0d0e0f")};
  for (unsigned type = 0; type <= 300; ++type) {
    for (const Octets& fill : fills) {
      for (size_t length = 0; length <= 20; ++length) {
        const Rdata rdata = Opaque(static_cast<uint16_t>(type),
                                   Octets(fill.begin(), fill.begin() + static_cast<std::ptrdiff_t>(length)));
        const QueryOutcome outcome =
            Listen(MessageBuilder::Query(1, "a.", rr_type::kA).Additional("a.", 60, rdata).Build());
        ASSERT_NE(outcome, QueryOutcome::kDrop);
        accepted += outcome == QueryOutcome::kAccepted ? 1U : 0U;
        const Octets response = To("a.", static_cast<uint16_t>(type)).Answer("a.", 60, rdata).Build();
        Digest(response);
        // What was accepted without asking ldns is no different to it.
        if (const absl::StatusOr<Message> parsed = ParseResponse(response); parsed.ok()) {
          ASSERT_EQ(parsed->MakeModel() == nullptr, parsed->scan().needs_no_model) << type << ": " << length;
        }
        Digest(To("a.", rr_type::kA).Answer("a.", 60, A("192.0.2.1")).Authority("a.", 60, rdata).Build());
      }
    }
  }
  EXPECT_GT(accepted, 10'000U) << "opaque types at the least";
}

TEST(PromiseX8, EveryTypeThereIsHasAnOutcome) {
  for (unsigned type = 0; type < 65'536; ++type) {
    for (const size_t length : {size_t{0}, size_t{4}, size_t{19}}) {
      const Rdata rdata = Opaque(static_cast<uint16_t>(type), Octets(length, static_cast<uint8_t>(type)));
      ParseQuery(MessageBuilder::Query(1, "a.", rr_type::kA).Additional(".", 60, rdata).Build());
      const Octets octets = To("a.", static_cast<uint16_t>(type)).Answer("a.", 60, rdata).Build();
      const absl::StatusOr<Message> response = ParseResponse(octets);
      if (response.ok()) ClassifyResponse(*response, {});
    }
  }
}

TEST(PromiseX8, EveryClassHasAnOutcome) {
  for (unsigned klass = 0; klass < 65'536; ++klass) {
    const auto word = static_cast<uint16_t>(klass);
    ASSERT_EQ(ParseQuery(MessageBuilder::Query(1, "a.", rr_type::kA, word).Build()).outcome, QueryOutcome::kAccepted);
    for (const Rdata& rdata : {A("192.0.2.1"), Opaque(rr_type::kA, {}), Opaque(rr_type::kSoa, {0, 0})}) {
      const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "a.", rdata.type, word).Build())
                                .Answer("a.", 60, rdata, word)
                                .Build();
      const absl::StatusOr<Message> response = ParseResponse(octets);
      if (response.ok()) ClassifyResponse(*response, {});
    }
  }
}

TEST(PromiseX8, EveryHeaderHasAnOutcome) {
  // All flags, opcodes and RCODEs there are, above a sound body and above a broken one.
  const Octets query = MessageBuilder::Query(1, "a.", rr_type::kA).WithEdns({.dnssec_ok = true}).Build();
  const Octets response = To("a.", rr_type::kA).Answer("a.", 60, A("192.0.2.1")).Build();
  for (unsigned flags = 0; flags < 65'536; ++flags) {
    for (Octets octets : {query, response}) {
      octets[2] = static_cast<uint8_t>(flags >> 8U);
      octets[3] = static_cast<uint8_t>(flags);
      const ParsedQuery parsed = ParseQuery(octets);
      const bool is_response = (flags & 0x8000U) != 0;
      const unsigned opcode = (flags >> 11U) & 15U;
      ASSERT_EQ(parsed.outcome, is_response   ? QueryOutcome::kDrop
                                : opcode != 0 ? QueryOutcome::kNotImp
                                              : QueryOutcome::kAccepted);
      ASSERT_EQ(ParseResponse(octets).ok(), is_response);
      octets.pop_back();
      const QueryOutcome broken = ParseQuery(octets).outcome;
      ASSERT_EQ(broken, is_response   ? QueryOutcome::kDrop
                        : opcode != 0 ? QueryOutcome::kNotImp
                                      : QueryOutcome::kFormErr);
    }
  }
}

TEST(PromiseX8, EveryMessageThatIsAcceptedCanBePrinted) {
  // ldns's printer sees what came over the wire too, in a log at debug level.
  for (unsigned type = 0; type <= 300; ++type) {
    for (const uint8_t fill : {uint8_t{0}, uint8_t{1}, uint8_t{0xFF}}) {
      for (size_t length = 0; length <= 40; ++length) {
        const Octets octets = To("a.", static_cast<uint16_t>(type))
                                  .Answer("a.", 60, Opaque(static_cast<uint16_t>(type), Octets(length, fill)))
                                  .Build();
        const absl::StatusOr<Message> response = ParseResponse(octets);
        EXPECT_TRUE(!response.ok() || !response->ToString().empty()) << type << " " << length;
      }
    }
  }
}

}  // namespace
}  // namespace dotward
