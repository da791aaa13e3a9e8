#include "base/spki_pin.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <string>

#include "base/strings.h"

namespace dotward {
namespace {

constexpr std::string_view kPrefix = "sha256/";

}  // namespace

absl::StatusOr<SpkiPin> ParseSpkiPin(std::string_view text) {
  constexpr size_t kBase64Octets = 44;  // of 32 octets, with the "=" at the end
  const auto fail = [](std::string_view why) { return absl::InvalidArgumentError(StrCat("a pin ", why)); };
  if (!text.starts_with(kPrefix)) return fail("begins with \"sha256/\"");
  text.remove_prefix(kPrefix.size());
  if (text.size() != kBase64Octets) {
    return fail(StrCat("has 44 characters of base64 behind \"sha256/\", for 32 octets; this one has ", text.size()));
  }
  std::string octets;
  const bool read = absl::Base64Unescape(std::string(text), &octets);
  // Unescape skips white space and ignores bits behind the last octet: only what it would be written as is accepted.
  if (!read || octets.size() != SpkiPin().size() || absl::Base64Escape(octets) != text) {
    return fail("is base64 behind \"sha256/\"; this one is not");
  }
  SpkiPin pin;
  std::copy(octets.begin(), octets.end(), pin.begin());
  return pin;
}

std::string FormatSpkiPin(const SpkiPin& pin) {
  return StrCat(kPrefix, absl::Base64Escape(std::string(pin.begin(), pin.end())));
}

}  // namespace dotward
