#include "dnssec/bogus_log.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/log.h"

namespace dotward {
namespace {

struct Kind {
  EdeCode code;
  std::string_view text;
};
constexpr std::array kKinds = {
    Kind{EdeCode::kOther, "to check it would cost more than an answer may"},
    Kind{dnssec_error::kSignatureExpired, "a signature has expired; is the clock right?"},
    Kind{dnssec_error::kSignatureNotYetValid, "a signature is not valid yet; is the clock right?"},
    Kind{dnssec_error::kDnskeyMissing, "a zone has no key that the zone above or a trust anchor vouches for"},
    Kind{dnssec_error::kRrsigsMissing, "signatures are missing"},
    Kind{dnssec_error::kNoZoneKeyBit, "a key is not one of a zone"},
    Kind{dnssec_error::kNsecMissing, "the proof of a denial is missing"},
};

std::string_view TextOf(EdeCode code) {
  const auto kind = std::ranges::find(kKinds, code, &Kind::code);
  return kind == kKinds.end() ? "a signature or a proof is not good" : kind->text;
}

}  // namespace

void BogusLog::Add(const Verdict& verdict, std::string_view upstream, SteadyTime now) {
  ++times_;
  if (told_at_ && now - *told_at_ < Limits::kLimitLogInterval) return;
  Log(LogLevel::kWarning, "answers are bogus, so SERVFAIL is given instead",
      {{"times", times_}, {"upstream", upstream}, {"error", TextOf(verdict.code)}});
  times_ = 0;
  told_at_ = now;
}

}  // namespace dotward
