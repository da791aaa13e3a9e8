#include "dns/extended_errors.h"

#include <algorithm>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// The number of octets of the UTF-8 sequence that begins with `lead`, 0 where none does (RFC 3629 §4).
size_t Utf8SequenceOctets(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

// The longest start of `octets` that is whole printable characters and at most `octets_max` long; empty where
// something in it is not text at all.
std::string_view PrintableText(OctetView octets, size_t octets_max) {
  size_t end = 0;
  for (size_t at = 0; at < octets.size();) {
    const size_t length = Utf8SequenceOctets(octets[at]);
    if (length == 0 || length > octets.size() - at || (length == 1 && (octets[at] < 0x20 || octets[at] == 0x7f))) {
      return {};
    }
    for (size_t i = 1; i < length; ++i) {
      if ((octets[at + i] & 0xC0U) != 0x80) return {};
    }
    at += length;
    if (at <= octets_max) end = at;
  }
  return {reinterpret_cast<const char*>(octets.data()), end};
}

}  // namespace

std::vector<ExtendedError> ExtendedErrorsOf(const ScannedMessage& response, std::string_view upstream) {
  std::vector<ExtendedError> errors;
  if (!response.has_edns) return errors;
  ForEachOption(response.edns.options, [&](uint16_t code, OctetView value) {
    if (code != kOptionExtendedError || value.size() < 2 || errors.size() == Limits::kExtendedErrorsMax) return;
    const std::string_view text = PrintableText(value.subspan(2), Limits::kExtendedErrorTextMax);
    errors.push_back({static_cast<EdeCode>(ReadU16(value.data())),
                      text.empty() ? std::string(upstream) : StrCat(upstream, ": ", text)});
  });
  return errors;
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
