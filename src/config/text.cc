#include "config/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr size_t kQuotedCharactersMax = 60;
// No key and no word of ours is longer; a longer one is no misspelling of them.
constexpr size_t kEditableOctetsMax = 64;

uint8_t OctetAt(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }
bool IsContinuation(uint8_t octet) { return (octet & 0xc0U) == 0x80; }
char32_t Bits(uint8_t octet, unsigned mask) { return static_cast<char32_t>(octet & mask); }

struct Decoded {
  char32_t character = 0;
  size_t octets = 0;  // 0: not UTF-8
};

// The character that begins at `at` (RFC 3629: shortest form, no surrogates, at most U+10FFFF).
Decoded DecodeUtf8(std::string_view text, size_t at) {
  const uint8_t first = OctetAt(text, at);
  if (first < 0x80) return {Bits(first, 0x7f), 1};
  size_t octets = 0;
  char32_t character = 0;
  char32_t shortest = 0;
  if ((first & 0xe0U) == 0xc0) {
    octets = 2, character = Bits(first, 0x1f), shortest = 0x80;
  } else if ((first & 0xf0U) == 0xe0) {
    octets = 3, character = Bits(first, 0x0f), shortest = 0x800;
  } else if ((first & 0xf8U) == 0xf0) {
    octets = 4, character = Bits(first, 0x07), shortest = 0x10000;
  } else {
    return {};
  }
  if (octets > text.size() - at) return {};
  for (size_t i = 1; i < octets; ++i) {
    const uint8_t octet = OctetAt(text, at + i);
    if (!IsContinuation(octet)) return {};
    character = (character << 6U) | Bits(octet, 0x3f);
  }
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < shortest || character > 0x10ffff || surrogate) return {};
  return {character, octets};
}

// YAML 1.2 §5.1, c-printable.
bool IsPrintable(char32_t character) {
  if (character < 0x20) return character == '\t' || character == '\n' || character == '\r';
  if (character >= 0x7f && character <= 0x9f) return character == 0x85;
  return character != 0xfffe && character != 0xffff;
}

std::string HexOf(uint32_t value, size_t digits) {
  std::string text;
  for (size_t i = digits; i-- > 0;) text += "0123456789abcdef"[(value >> (4 * i)) & 0xfU];
  return text;
}

}  // namespace

std::optional<TextProblem> CheckText(std::string_view text) {
  if (text.size() > Limits::kConfigOctetsMax) {
    return TextProblem{{}, StrCat("is longer than the ", Limits::kConfigOctetsMax >> 20U, " MiB that are accepted")};
  }
  Position position{1, 1};
  for (size_t at = 0; at < text.size();) {
    const auto fail = [&](std::string message) { return TextProblem{position, std::move(message)}; };
    const Decoded decoded = DecodeUtf8(text, at);
    if (decoded.octets == 0) {
      return fail(StrCat("the octet 0x", HexOf(OctetAt(text, at), 2), " is not UTF-8; save the file as UTF-8"));
    }
    if (!IsPrintable(decoded.character)) {
      return fail(StrCat("the control character U+", HexOf(decoded.character, 4), " may not stand in a configuration"));
    }
    if (decoded.character == '\r' && (at + 1 == text.size() || text[at + 1] != '\n')) {
      return fail("a carriage return without a line feed; end lines with a line feed");
    }
    // Every feature of YAML that a configuration needs works without them, and the parser ignores unknown ones.
    if (decoded.character == '%' && position.column == 1) return fail("YAML directives are not supported");
    at += decoded.octets;
    position.column += static_cast<int>(decoded.octets);
    if (decoded.character == '\n') position = {position.line + 1, 1};
  }
  return std::nullopt;
}

bool IsPlainText(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Decoded decoded = DecodeUtf8(text, at);
    const bool control = decoded.character < 0x20 || (decoded.character >= 0x7f && decoded.character < 0xa0);
    if (decoded.octets == 0 || control || !IsPrintable(decoded.character)) return false;
    at += decoded.octets;
  }
  return true;
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++characters) {
    if (characters == kQuotedCharactersMax) {
      quoted += "…";
      break;
    }
    const Decoded decoded = DecodeUtf8(text, at);
    const size_t octets = std::max<size_t>(decoded.octets, 1);
    if (decoded.octets == 0 || decoded.character < 0x20 || (decoded.character >= 0x7f && decoded.character < 0xa0)) {
      StrAppend(&quoted, "\\x", HexOf(decoded.octets == 0 ? OctetAt(text, at) : decoded.character, 2));
    } else {
      quoted += text.substr(at, octets);
    }
    at += octets;
  }
  quoted += '"';
  return quoted;
}

int CharacterColumn(std::string_view text, Position position) {
  size_t begin = 0;
  for (int line = 1; line < position.line; ++line) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return position.column;
    begin = end + 1;
  }
  const std::string_view before = text.substr(begin, static_cast<size_t>(std::max(position.column - 1, 0)));
  const auto characters =
      std::count_if(before.begin(), before.end(), [](char c) { return !IsContinuation(static_cast<uint8_t>(c)); });
  return static_cast<int>(characters) + 1;
}

size_t EditDistance(std::string_view a, std::string_view b, size_t limit) {
  const size_t longer = std::max(a.size(), b.size());
  if (longer > kEditableOctetsMax || longer - std::min(a.size(), b.size()) > limit) return limit + 1;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  // Three rows of the table of prefixes: swaps look two back.
  using Row = std::array<size_t, kEditableOctetsMax + 1>;
  Row before_last{}, last{}, row{};
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before_last = last;
    last = row;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool equal = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (equal ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return std::min(row[b.size()], limit + 1);
}

}  // namespace dotward
