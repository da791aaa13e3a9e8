#ifndef DOTWARD_BENCH_OCTETS_H_
#define DOTWARD_BENCH_OCTETS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// The few shapes of DNS messages that the load and the responder need, written and read without a library: neither may
// cost so much that it, and not the server between them, is what is measured.
namespace dotward::bench {

inline constexpr size_t kHeaderOctets = 12;
inline constexpr size_t kFlagsAt = 2;
inline constexpr size_t kRcodeAt = 3;
inline constexpr size_t kAnswerCountAt = 6;
inline constexpr uint8_t kResponseFlag = 0x80;
inline constexpr uint8_t kRecursionDesired = 0x01;
inline constexpr uint8_t kRecursionAvailable = 0x80;
inline constexpr uint8_t kCheckingDisabled = 0x10;
inline constexpr uint8_t kRcodeMask = 0x0f;
inline constexpr uint8_t kNxDomain = 3;

// The type in the two octets behind the root name, then the payload size 1232, and no flags or options (RFC 6891).
inline constexpr std::array<uint8_t, 11> kOptRecord = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
// A pointer to the question's name, A, IN, TTL 3600, 192.0.2.1.
inline constexpr std::array<uint8_t, 16> kAnswerRecord = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 192, 0, 2, 1};

// Where in it the DO bit is, and the bit (RFC 3225 §3).
inline constexpr size_t kDnssecOkAt = 7;
inline constexpr uint8_t kDnssecOkFlag = 0x80;
enum class Edns : uint8_t { kAbsent, kPresent, kDnssecOk };

// A query for the address of `name`, with RD set and ID 0; empty where `name` is no host name.
inline std::vector<uint8_t> BuildQuery(std::string_view name, Edns edns) {
  constexpr size_t kLabelOctetsMax = 63;
  constexpr size_t kNameOctetsMax = 253;
  std::vector<uint8_t> query(kHeaderOctets);
  query[kFlagsAt] = kRecursionDesired;
  query[5] = 1;
  if (name.empty() || name.size() > kNameOctetsMax) return {};
  for (std::string_view rest = name;;) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > kLabelOctetsMax) return {};
    query.push_back(static_cast<uint8_t>(label.size()));
    query.insert(query.end(), label.begin(), label.end());
    if (label.size() == rest.size()) break;
    rest.remove_prefix(label.size() + 1);
  }
  constexpr std::array<uint8_t, 5> kRootTypeAClassIn = {0, 0, 1, 0, 1};
  query.insert(query.end(), kRootTypeAClassIn.begin(), kRootTypeAClassIn.end());
  if (edns != Edns::kAbsent) {
    query[11] = 1;
    query.insert(query.end(), kOptRecord.begin(), kOptRecord.end());
  }
  if (edns == Edns::kDnssecOk) query[query.size() - kOptRecord.size() + kDnssecOkAt] |= kDnssecOkFlag;
  return query;
}

// The octets of the one question in `message`, or nullopt where there is not exactly one that is whole and
// uncompressed.
inline std::optional<std::span<const uint8_t>> Question(std::span<const uint8_t> message) {
  constexpr uint8_t kNotALabel = 0xc0;
  constexpr size_t kTypeAndClassOctets = 4;
  if (message.size() < kHeaderOctets || message[4] != 0 || message[5] != 1) return std::nullopt;
  size_t at = kHeaderOctets;
  while (at < message.size() && message[at] != 0) {
    if ((message[at] & kNotALabel) != 0) return std::nullopt;
    at += size_t{1} + message[at];
  }
  const size_t end = at + 1 + kTypeAndClassOctets;
  if (end > message.size()) return std::nullopt;
  return message.subspan(kHeaderOctets, end - kHeaderOctets);
}

// Whether the first record of `answer`, whose owner is a pointer to the question, has another TTL than kAnswerRecord.
inline bool IsAged(std::span<const uint8_t> answer) {
  constexpr size_t kTtlAt = 6;
  constexpr size_t kTtlOctets = 4;
  const auto question = Question(answer);
  if (!question) return false;
  const std::span<const uint8_t> record = answer.subspan(kHeaderOctets + question->size());
  return record.size() >= kAnswerRecord.size() &&
         !std::ranges::equal(record.subspan(kTtlAt, kTtlOctets),
                             std::span<const uint8_t>(kAnswerRecord).subspan(kTtlAt, kTtlOctets));
}

// Writes the answer to `query` into `reply`: one A record where A is asked for, no record for another type, and an OPT
// where the query had one. Returns the octets, or 0 where `query` is no query or the answer has no room.
inline size_t WriteAnswer(std::span<const uint8_t> query, std::span<uint8_t> reply) {
  const auto question = Question(query);
  if (!question || (query[kFlagsAt] & kResponseFlag) != 0) return 0;
  if (kHeaderOctets + question->size() + kAnswerRecord.size() + kOptRecord.size() > reply.size()) return 0;
  const bool address = (*question)[question->size() - 4] == 0 && (*question)[question->size() - 3] == 1;
  // Who asks here puts nothing but an OPT into the additional section.
  const bool edns = query[10] != 0 || query[11] != 0;

  const std::array<uint8_t, kHeaderOctets> header = {
      query[0],
      query[1],
      static_cast<uint8_t>(kResponseFlag | (query[kFlagsAt] & kRecursionDesired)),
      static_cast<uint8_t>(kRecursionAvailable | (query[kRcodeAt] & kCheckingDisabled)),
      0,
      1,
      0,
      static_cast<uint8_t>(address ? 1 : 0),
      0,
      0,
      0,
      static_cast<uint8_t>(edns ? 1 : 0)};
  auto end = std::ranges::copy(header, reply.begin()).out;
  end = std::ranges::copy(*question, end).out;
  if (address) end = std::ranges::copy(kAnswerRecord, end).out;
  if (edns) end = std::ranges::copy(kOptRecord, end).out;
  return static_cast<size_t>(end - reply.begin());
}

}  // namespace dotward::bench

#endif  // DOTWARD_BENCH_OCTETS_H_
