#include "dns/extended_errors.h"

#include <algorithm>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// The number of octets of the printable UTF-8 character that `octets` begins with, 0 where it begins with none: the
// syntax of RFC 3629 §4, which has no overlong forms and no surrogates, less the control characters of both kinds.
size_t CharacterOctets(OctetView octets) {
  const uint8_t lead = octets[0];
  if (lead < 0x80) return lead < 0x20 || lead == 0x7F ? 0 : 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || octets.size() < length) return 0;
  for (const uint8_t octet : octets.subspan(1, length - 1)) {
    if ((octet & 0xC0U) != 0x80) return 0;
  }
  const uint8_t second = octets[1];
  const bool control = lead == 0xC2 && second < 0xA0;
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second > 0x9F;
  const bool beyond_unicode = lead == 0xF4 && second > 0x8F;
  return control || overlong || surrogate || beyond_unicode ? 0 : length;
}

// The longest start of `octets` that is whole printable characters and at most `octets_max` long; empty where
// something in it is not text at all.
std::string_view PrintableText(OctetView octets, size_t octets_max) {
  size_t end = 0;
  for (size_t at = 0; at < octets.size();) {
    const size_t length = CharacterOctets(octets.subspan(at));
    if (length == 0) return {};
    at += length;
    if (at <= octets_max) end = at;
  }
  return {reinterpret_cast<const char*>(octets.data()), end};
}

std::vector<ExtendedError> ReadErrors(const ScannedMessage& message, size_t text_octets_max, bool keep_last = false) {
  std::vector<ExtendedError> errors;
  if (!message.has_edns) return errors;
  ForEachOption(message.edns.options, [&](uint16_t code, OctetView value) {
    if (code != kOptionExtendedError || value.size() < 2) return;
    // What comes too late is left out, but for the last, which may be ours.
    if (errors.size() == Limits::kExtendedErrorsMax) {
      if (!keep_last) return;
      errors.pop_back();
    }
    errors.push_back(
        {static_cast<EdeCode>(ReadU16(value.data())), std::string(PrintableText(value.subspan(2), text_octets_max))});
  });
  return errors;
}

}  // namespace

std::vector<ExtendedError> ExtendedErrorsOf(const ScannedMessage& response, std::string_view upstream,
                                            ErrorAuthor author) {
  if (author == ErrorAuthor::kOurs) return StoredErrorsOf(response);
  std::vector<ExtendedError> errors =
      ReadErrors(response, Limits::kExtendedErrorTextMax, author == ErrorAuthor::kLastIsOurs);
  for (ExtendedError& error : errors) {
    if (author == ErrorAuthor::kLastIsOurs && &error == &errors.back()) break;
    error.text = error.text.empty() ? std::string(upstream) : StrCat(upstream, ": ", error.text);
  }
  return errors;
}

std::vector<ExtendedError> StoredErrorsOf(const ScannedMessage& message) {
  return ReadErrors(message, 2 * Limits::kExtendedErrorTextMax);
}

Octets EncodeExtendedErrors(std::span<const ExtendedError> errors) {
  Octets options;
  for (const ExtendedError& error : errors.first(std::min(errors.size(), Limits::kExtendedErrorsMax))) {
    const auto* text_octets = reinterpret_cast<const uint8_t*>(error.text.data());
    // An upstream's name may stand before an upstream's text; both are bounded, so their sum is.
    const std::string_view text = PrintableText({text_octets, error.text.size()}, 2 * Limits::kExtendedErrorTextMax);
    const size_t at = options.size();
    options.resize(at + 6 + text.size());
    WriteU16(&options[at], kOptionExtendedError);
    WriteU16(&options[at + 2], static_cast<uint16_t>(2 + text.size()));
    WriteU16(&options[at + 4], static_cast<uint16_t>(error.code));
    std::copy(text.begin(), text.end(), options.begin() + static_cast<std::ptrdiff_t>(at + 6));
  }
  return options;
}

}  // namespace dotward
