// Whatever an upstream answers: if it is of use, every reply made from it fits the client's limit, can be read, has the
// client's ID and question, holds nothing but records of the response with TTLs that are no higher than what is left of
// theirs, has OPT exactly when asked for one; and a truncated reply is the first RRsets of the whole one.
//
// The input: two octets of limit, one of flags, two of age in minutes and seconds, then the response.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "dns/classify.h"
#include "dns/plain_decoder.h"
#include "dns/reply.h"
#include "dns/response_image.h"
#include "dotward/message.h"

namespace {

using namespace dotward;

constexpr size_t kChoiceOctets = 5;
constexpr TtlPolicy kPolicy = {.min_ttl = 0, .max_ttl = 86'400, .max_negative_ttl = 3'600};

void Require(bool condition, const char* claim) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", claim);
  std::abort();
}

struct Choices {
  size_t limit = 0;
  bool edns = false, dnssec_ok = false, recursion_desired = false, checking_disabled = false, wants_ad = false;
  bool other_case = false, other_type = false, extra_error = false;
  uint32_t age = 0;
};

Choices ReadChoices(const uint8_t* data) {
  Choices choices;
  choices.limit = std::max<size_t>(kUdpPayloadMin, data[0] * size_t{256} + data[1]);
  const auto flag = [&](unsigned bit) { return (data[2] >> bit & 1U) != 0; };
  choices.edns = flag(0);
  choices.dnssec_ok = flag(0) && flag(1);
  choices.recursion_desired = flag(2);
  choices.checking_disabled = flag(3);
  choices.wants_ad = flag(4);
  choices.other_case = flag(5);
  choices.other_type = flag(6);
  choices.extra_error = flag(7);
  choices.age = data[3] * uint32_t{60} + data[4];
  return choices;
}

Octets Lowered(Octets octets) {
  std::ranges::transform(octets, octets.begin(), [](uint8_t octet) { return LowerOctet(octet); });
  return octets;
}

// What a record is, but for the case of its names and its TTL.
using Identity = std::tuple<int, Octets, uint16_t, uint16_t, Octets>;
Identity IdentityOf(const plain::Record& record) {
  return {record.section, Lowered(record.owner), record.type, record.klass, Lowered(record.rdata)};
}

uint32_t HighestTtl(uint32_t sent, uint32_t age) {
  const uint32_t bounded = std::min(sent, kPolicy.max_ttl);  // the high bit makes it a large one too
  return bounded > age ? bounded - age : 0;
}

void CheckRecords(const plain::Decoded& sent, const plain::Decoded& reply, uint32_t age) {
  std::map<Identity, uint32_t> highest;
  for (const plain::Record& record : sent.records) {
    uint32_t& ttl = highest[IdentityOf(record)];
    ttl = std::max(ttl, HighestTtl(record.ttl, age));
  }
  for (const plain::Record& record : reply.records) {
    const auto found = highest.find(IdentityOf(record));
    Require(found != highest.end(), "a reply has the response's records and no others");
    Require(record.ttl <= found->second, "a TTL is no higher than what is left of it");
    Require(record.section != plain::kAdditionalSection, "nothing of the additional section is relayed");
  }
  std::map<decltype(std::declval<plain::Record>().SetKey()), uint32_t> ttl_of_set;
  for (const plain::Record& record : reply.records) {
    const auto [at, is_new] = ttl_of_set.try_emplace(record.SetKey(), record.ttl);
    Require(is_new || at->second == record.ttl, "an RRset has one TTL");
  }
}

void CheckTruncation(const plain::Decoded& whole, const plain::Decoded& part) {
  Require(part.records.size() <= whole.records.size(), "a truncated reply has no more than the whole one");
  for (size_t i = 0; i < part.records.size(); ++i) {
    Require(part.records[i].Identity() == whole.records[i].Identity() && part.records[i].ttl == whole.records[i].ttl,
            "a truncated reply is the first records of the whole one");
  }
  Require(part.tc() == (part.records.size() < whole.records.size()), "TC is set exactly when records are missing");
  for (size_t i = part.records.size(); i < whole.records.size(); ++i) {
    const auto key = whole.records[i].SetKey();
    Require(std::ranges::none_of(part.records, [&](const plain::Record& record) { return record.SetKey() == key; }),
            "no RRset is parted");
  }
}

plain::Decoded Render(const ResponseImage& image, const ReplyContext& context, const Choices& choices,
                      size_t buffer_octets) {
  const std::unique_ptr<uint8_t[]> buffer(new uint8_t[buffer_octets]);
  std::vector<ExtendedError> extra;
  if (choices.extra_error) extra.push_back({EdeCode::kStaleAnswer, "older than it should be"});
  const size_t length = RenderReply(image, context, choices.age, extra, {buffer.get(), buffer_octets});
  Require(length <= std::min(context.octets_max, buffer_octets), "a reply fits the limit");
  const OctetView octets(buffer.get(), length);
  std::optional<plain::Decoded> reply = plain::Decode(octets);
  Require(reply.has_value(), "a plain reader reads the reply");
  Require(ParseResponse(octets).ok(), "we read the reply ourselves");
  Require(reply->id == context.id, "a reply has the query's ID");
  Require(std::ranges::equal(reply->question, context.question), "a reply has the query's question, octet for octet");
  Require(reply->qr() && reply->ra() && !reply->aa() && !reply->z() && reply->opcode() == 0,
          "QR and RA are set, AA and Z are clear");
  Require(reply->rd() == choices.recursion_desired && reply->cd() == choices.checking_disabled,
          "RD and CD are the query's");
  Require(!reply->ad() || (context.authentic_data_wanted && image.authentic_data()), "AD is for those who asked");
  Require((reply->opt_count == 1) == choices.edns && reply->opt_count <= 1, "OPT is there exactly when asked for");
  Require(reply->rcode() == static_cast<unsigned>(image.rcode()), "the RCODE is the response's");
  for (const plain::Option& option : reply->options) Require(option.code == 15, "only extended errors are relayed");
  return *std::move(reply);
}

void CheckReplies(const Message& response, const ResponseImage& image, const Choices& choices) {
  const std::optional<plain::Decoded> sent = plain::Decode(response.octets());
  if (!sent) return;  // options of another version of EDNS
  Octets question(response.scan().question.begin(), response.scan().question.end());
  const size_t name_octets = question.size() - 4;
  if (choices.other_case) {
    for (size_t i = 0; i < name_octets; ++i) {
      const uint8_t upper = static_cast<uint8_t>(question[i] - 32);
      if (question[i] != LowerOctet(upper) || question[i] == upper) continue;
      question[i] = upper;
    }
  }
  // One NXDOMAIN answers for every type of the name.
  if (choices.other_type && image.kind() == ResponseKind::kNxDomain) question[name_octets] ^= 0x7F;
  ReplyContext context;
  context.id = static_cast<uint16_t>(choices.limit ^ 0xA5A5U);
  context.recursion_desired = choices.recursion_desired;
  context.checking_disabled = choices.checking_disabled;
  context.dnssec_ok = choices.dnssec_ok;
  context.authentic_data_wanted = choices.wants_ad || choices.dnssec_ok;
  context.has_edns = choices.edns;
  context.question = question;
  context.payload_octets = 1'232;
  // Longer than any message, so that an OPT always fits behind the longest image.
  constexpr size_t kRoomy = kMessageOctetsMax + 4'096;
  context.octets_max = kMessageOctetsMax;
  const plain::Decoded whole = Render(image, context, choices, kRoomy);
  CheckRecords(*sent, whole, choices.age);
  context.octets_max = choices.limit;
  const plain::Decoded part = Render(image, context, choices, choices.limit);
  if (!whole.tc()) CheckTruncation(whole, part);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kChoiceOctets || size > kChoiceOctets + kMessageOctetsMax) return 0;
  const Choices choices = ReadChoices(data);
  const std::vector<uint8_t> octets(data + kChoiceOctets, data + size);
  const absl::StatusOr<Message> response = ParseResponse(octets);
  if (!response.ok()) return 0;
  for (const DnssecRecords dnssec : {DnssecRecords::kKeep, DnssecRecords::kLeaveOut}) {
    const Classification classification = ClassifyResponse(*response, kPolicy, dnssec);
    Require(classification.records.size() == response->scan().records.size(), "every record has its fate");
    Require((classification.ttl == 0) == !classification.not_cacheable_because.empty(),
            "what cannot be cached has a reason");
    Require(classification.ttl <= kPolicy.max_ttl, "a lifetime has a cap");
    if (!classification.usable()) {
      Require(classification.ttl == 0, "what is of no use has no lifetime");
      continue;
    }
    const absl::StatusOr<ImagePtr> image =
        ResponseImage::Build(*response, classification, "upstream", SteadyTime(std::chrono::hours(1)));
    if (!image.ok()) {
      Require(image.status().code() == absl::StatusCode::kResourceExhausted, "only room can run out");
      continue;
    }
    Require((*image)->memory_octets() >= sizeof(ResponseImage) + (*image)->body().size(), "memory is counted whole");
    CheckReplies(*response, **image, choices);
  }
  return 0;
}
