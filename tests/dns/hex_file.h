#ifndef DOTWARD_TESTS_DNS_HEX_FILE_H_
#define DOTWARD_TESTS_DNS_HEX_FILE_H_

#include <absl/status/statusor.h>

#include <cctype>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "dns/types.h"

namespace dotward {

// A message as a person writes it down. Everything behind a # is a comment; the comments "# key: value" at the head of
// the file say what is to be expected. The rest is octets: two hexadecimal digits each, "HH*N" for N times the same,
// and "text" for the octets of ASCII text.
struct HexFile {
  std::map<std::string, std::string> expectations;
  Octets octets;
};

inline absl::StatusOr<HexFile> ParseHexFile(std::string_view text) {
  HexFile file;
  const auto number = [](std::string_view digits, int base) {
    unsigned value = 0;
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, value, base);
    return result.ec == std::errc() && result.ptr == end ? static_cast<int>(value) : -1;
  };
  std::istringstream lines{std::string(text)};
  bool in_head = true;
  for (std::string line; std::getline(lines, line);) {
    if (in_head && line.starts_with("# ")) {
      const size_t colon = line.find(": ");
      const std::string key = line.substr(2, colon == std::string::npos ? 0 : colon - 2);
      if (!key.empty() && key.find(' ') == std::string::npos) file.expectations[key] = line.substr(colon + 2);
      continue;
    }
    in_head = false;
    for (size_t at = 0; at < line.size() && line[at] != '#';) {
      if (std::isspace(static_cast<unsigned char>(line[at])) != 0) {
        ++at;
        continue;
      }
      if (line[at] == '"') {
        const size_t close = line.find('"', at + 1);
        if (close == std::string::npos) return absl::InvalidArgumentError(StrCat("no closing quote: ", line));
        file.octets.insert(file.octets.end(), line.begin() + static_cast<std::ptrdiff_t>(at + 1),
                           line.begin() + static_cast<std::ptrdiff_t>(close));
        at = close + 1;
        continue;
      }
      const size_t end = std::min(line.find_first_of(" \t#", at), line.size());
      const std::string_view token = std::string_view(line).substr(at, end - at);
      const size_t star = token.find('*');
      const int octet = number(token.substr(0, star), 16);
      const int times = star == std::string_view::npos ? 1 : number(token.substr(star + 1), 10);
      const size_t digits = star == std::string_view::npos ? token.size() : star;
      if (octet < 0 || times < 0 || digits != 2) return absl::InvalidArgumentError(StrCat("not octets: ", token));
      file.octets.insert(file.octets.end(), static_cast<size_t>(times), static_cast<uint8_t>(octet));
      at = end;
    }
  }
  return file;
}

inline absl::StatusOr<HexFile> ReadHexFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return ParseHexFile(text.str());
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_DNS_HEX_FILE_H_
