#ifndef DOTWARD_CONFIG_TEXT_H_
#define DOTWARD_CONFIG_TEXT_H_

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace dotward {

// A place in one of the texts that make a configuration, line and column from 1. The column counts octets;
// CharacterColumn turns it into what an editor shows. Line 0 is the text as a whole.
struct Position {
  int line = 0;
  int column = 0;
  int source = 0;  // the number of the text, in the order in which they are laid over each other

  bool operator==(const Position&) const = default;
  std::strong_ordering operator<=>(const Position& other) const {
    if (const auto order = source <=> other.source; order != 0) return order;
    if (const auto order = line <=> other.line; order != 0) return order;
    return column <=> other.column;
  }
};

struct TextProblem {
  Position position;
  std::string message;
};

// What makes `text` unfit for the YAML parser, if anything: too long, not UTF-8, a character that YAML forbids, a
// directive. The parser would read past some of these in silence (it takes octet 0x04 for the end of the text).
std::optional<TextProblem> CheckText(std::string_view text);

// True where `text` is UTF-8 on one line without control characters, as every value must be. Escapes can make others of
// a sound text: the parser even reads "\N" as an octet that is not UTF-8.
bool IsPlainText(std::string_view text);

// `text` in quotes for a message: control characters escaped, cut after 60 characters. `text` must be UTF-8.
std::string Quote(std::string_view text);

// The column of `position` counted in characters, as editors do.
int CharacterColumn(std::string_view text, Position position);

// The one of `candidates` that `word` most probably means: at most two edits away and nearer than half its length, or
// "" where none is.
template <typename Candidates>
std::string_view Nearest(std::string_view word, const Candidates& candidates);

// Insertions, deletions, substitutions and swaps of neighbours that make `a` into `b`; ASCII case does not count.
// Anything above `limit` is reported as limit + 1.
size_t EditDistance(std::string_view a, std::string_view b, size_t limit);

template <typename Candidates>
std::string_view Nearest(std::string_view word, const Candidates& candidates) {
  constexpr size_t kEditsMax = 2;
  std::string_view best;
  size_t best_distance = kEditsMax + 1;
  for (std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate, kEditsMax);
    if (distance < best_distance && distance * 2 < candidate.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace dotward

#endif  // DOTWARD_CONFIG_TEXT_H_
