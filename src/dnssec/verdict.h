#ifndef DOTWARD_DNSSEC_VERDICT_H_
#define DOTWARD_DNSSEC_VERDICT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dns/types.h"

namespace dotward {

// The extended errors of a validator, RFC 8914 §4.
namespace dnssec_error {
inline constexpr EdeCode kUnsupportedAlgorithm{1}, kUnsupportedDigest{2}, kIndeterminate{5}, kBogus{6},
    kSignatureExpired{7}, kSignatureNotYetValid{8}, kDnskeyMissing{9}, kRrsigsMissing{10}, kNoZoneKeyBit{11},
    kNsecMissing{12}, kNsec3Iterations{27};
}  // namespace dnssec_error

// RFC 4033 §5, the strongest first: of several findings the weakest stands for all.
enum class ValidationState : uint8_t { kSecure, kInsecure, kIndeterminate, kBogus };
std::string_view ValidationStateToString(ValidationState state);  // "secure", …

// What was found about one thing, and why.
struct Verdict {
  ValidationState state = ValidationState::kSecure;
  // Whether `code` and `text` say something that a client should be told; always of kBogus.
  bool has_error = false;
  EdeCode code = EdeCode::kOther;
  // Names the zone, the record and the key; for operators and, in an extended error, for clients.
  std::string text;

  static Verdict Secure() { return {}; }
  static Verdict Insecure() { return {.state = ValidationState::kInsecure}; }
  static Verdict Insecure(EdeCode code, std::string text) {
    return {ValidationState::kInsecure, true, code, std::move(text)};
  }
  static Verdict Indeterminate(std::string text) {
    return {ValidationState::kIndeterminate, true, dnssec_error::kIndeterminate, std::move(text)};
  }
  static Verdict Bogus(EdeCode code, std::string text) {
    return {ValidationState::kBogus, true, code, std::move(text)};
  }
  // Bogus because finding out would have cost more than an answer may: `what` was more than its limit.
  static Verdict OverBudget(std::string_view where, std::string_view what);

  bool secure() const { return state == ValidationState::kSecure; }
  bool bogus() const { return state == ValidationState::kBogus; }
  // Takes `other` where it is weaker; of equals, the first that has something to say stays.
  void Weaken(Verdict other);
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_VERDICT_H_
