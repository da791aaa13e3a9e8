#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dotward/config.h"

namespace {

// Several texts and settings in one input: a line that begins with "%", which no configuration can have, ends one and
// says what comes next, "%" a drop-in file and "%=" settings, a line each.
dotward::ConfigParts Split(std::string_view input) {
  dotward::ConfigParts parts;
  parts.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name.size() % 2 == 0) return std::nullopt;
    return name == "A" ? "" : "1MiB";
  };
  bool settings = false;
  std::string text;
  const auto end_text = [&] {
    if (!settings || parts.texts.empty()) parts.texts.push_back({"fuzz", text});
    text.clear();
  };
  while (!input.empty()) {
    const size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    if (line == "%" || line == "%=") {
      end_text();
      settings = line == "%=";
    } else if (settings) {
      parts.settings.emplace_back(line);
    } else {
      text += line;
      if (end != std::string_view::npos) text += '\n';
    }
  }
  if (!settings) end_text();
  return parts;
}

}  // namespace

// Any texts are either refused with at least one error, or read; what was read is printed as a text that reads as the
// same, without any environment.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const dotward::ConfigResult result = dotward::ParseConfig(Split({reinterpret_cast<const char*>(data), size}));
  if (result.ok() != result.errors.empty()) std::abort();
  if (!result.ok()) return 0;
  const std::string printed = dotward::PrintConfig(*result.config);
  dotward::ConfigParts parts;
  parts.texts = {{"printed", printed}};
  parts.environment = [](const std::string&) { return std::optional<std::string>(); };
  const dotward::ConfigResult again = dotward::ParseConfig(parts);
  if (!again.ok() || dotward::PrintConfig(*again.config) != printed) std::abort();
  return 0;
}
