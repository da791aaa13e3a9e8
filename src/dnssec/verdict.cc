#include "dnssec/verdict.h"

#include "base/strings.h"

namespace dotward {

std::string_view ValidationStateToString(ValidationState state) {
  switch (state) {
    case ValidationState::kSecure:
      return "secure";
    case ValidationState::kInsecure:
      return "insecure";
    case ValidationState::kIndeterminate:
      return "indeterminate";
    case ValidationState::kBogus:
      return "bogus";
  }
  return "unknown";
}

Verdict Verdict::OverBudget(std::string_view where, std::string_view what) {
  return Bogus(EdeCode::kOther, StrCat(where, ": given up: ", what));
}

void Verdict::Weaken(Verdict other) {
  if (other.state > state || (other.state == state && !has_error && other.has_error)) *this = std::move(other);
}

}  // namespace dotward
