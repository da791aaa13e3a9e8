#ifndef DOTWARD_BENCH_ANSWER_TABLE_H_
#define DOTWARD_BENCH_ANSWER_TABLE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/octets.h"

namespace dotward::bench {

// Answers that somebody else gave before, signatures and all, so that giving them again costs next to nothing. The file
// has one behind the other
//   octets of the question (two octets), the question (name in lower case, type, class), 1 for DO or 0,
//   octets of the answer (two octets), the whole answer; none: the question is never answered
// A first label of twelve stars stands for every label of twelve octets: wherever the answer points into the question
// it is right for each of them.
class AnswerTable {
 public:
  // nullopt where the file is none.
  static std::optional<AnswerTable> Load(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string octets{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    AnswerTable table;
    size_t at = 0;
    const auto take = [&](size_t count) -> std::optional<std::string_view> {
      if (octets.size() - at < count) return std::nullopt;
      at += count;
      return std::string_view(octets).substr(at - count, count);
    };
    const auto take_counted = [&]() -> std::optional<std::string_view> {
      const auto count = take(2);
      if (!count) return std::nullopt;
      return take(static_cast<size_t>(static_cast<uint8_t>((*count)[0])) << 8U | static_cast<uint8_t>((*count)[1]));
    };
    while (at < octets.size()) {
      const auto question = take_counted();
      const auto dnssec_ok = take(1);
      const auto answer = take_counted();
      if (!question || !dnssec_ok || !answer) return std::nullopt;
      if (!answer->empty() && answer->size() < kHeaderOctets + question->size()) return std::nullopt;
      table.answers_[std::string(*question) + std::string(*dnssec_ok)] = std::string(*answer);
    }
    return table;
  }

  enum class Found : uint8_t { kNothing, kAnswer, kSilence };

  // Appends the answer to `query`.
  Found Answer(std::span<const uint8_t> query, std::vector<uint8_t>& out) const {
    const auto question = Question(query);
    if (!question) return Found::kNothing;
    std::string key(question->begin(), question->end());
    key.push_back(HasDnssecOk(query, kHeaderOctets + question->size()) ? '\1' : '\0');
    auto known = answers_.find(key);
    if (known == answers_.end() && key[0] == kAnyLabelOctets) {
      std::fill_n(key.begin() + 1, kAnyLabelOctets, '*');
      known = answers_.find(key);
    }
    if (known == answers_.end()) return Found::kNothing;
    const std::string& answer = known->second;
    if (answer.empty()) return Found::kSilence;
    const size_t at = out.size();
    out.insert(out.end(), answer.begin(), answer.end());
    out[at] = query[0];
    out[at + 1] = query[1];
    out[at + kFlagsAt] = static_cast<uint8_t>(kResponseFlag | (query[kFlagsAt] & kRecursionDesired));
    out[at + kRcodeAt] = static_cast<uint8_t>(kRecursionAvailable | (query[kRcodeAt] & kCheckingDisabled) |
                                              (out[at + kRcodeAt] & kRcodeMask));
    std::ranges::copy(*question, out.begin() + static_cast<std::ptrdiff_t>(at + kHeaderOctets));
    return Found::kAnswer;
  }

 private:
  static constexpr size_t kAnyLabelOctets = 12;

  static bool HasDnssecOk(std::span<const uint8_t> query, size_t opt) {
    return query.size() >= opt + kOptRecord.size() && query[opt + 2] == kOptRecord[2] &&
           (query[opt + kDnssecOkAt] & kDnssecOkFlag) != 0;
  }

  std::unordered_map<std::string, std::string> answers_;
};

}  // namespace dotward::bench

#endif  // DOTWARD_BENCH_ANSWER_TABLE_H_
