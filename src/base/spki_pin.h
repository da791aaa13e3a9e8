#ifndef DOTWARD_BASE_SPKI_PIN_H_
#define DOTWARD_BASE_SPKI_PIN_H_

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace dotward {

// The SHA-256 of a certificate's SubjectPublicKeyInfo, by which a server's key is known (RFC 7858 §4.2, RFC 7469 §2.4).
using SpkiPin = std::array<uint8_t, 32>;

// "sha256/BASE64" of 32 octets, in the one spelling that base64 has for them. kInvalidArgument says what is wrong.
absl::StatusOr<SpkiPin> ParseSpkiPin(std::string_view text);
// What ParseSpkiPin reads, ready to be put into a configuration.
std::string FormatSpkiPin(const SpkiPin& pin);

}  // namespace dotward

#endif  // DOTWARD_BASE_SPKI_PIN_H_
