#ifndef DOTWARD_DNSSEC_WORK_BUDGET_H_
#define DOTWARD_DNSSEC_WORK_BUDGET_H_

#include <algorithm>
#include <string_view>

#include "dnssec/dnssec_limits.h"

namespace dotward {

// How much the judgement of one response may still cost. Once something was refused it stays exhausted: whoever takes
// part must not try something cheaper instead. A value; not thread-safe.
class WorkBudget {
 public:
  // For one response of a query that may spend so many signature checks in all.
  explicit WorkBudget(unsigned signature_checks_left = DnssecLimits::kSignatureChecksPerQuery)
      : signature_checks_max_(std::min(signature_checks_left, DnssecLimits::kSignatureChecksPerResponse)) {}

  // For a check that takes about so long.
  bool TakeSignatureCheck(unsigned microseconds) {
    return TakeTime(microseconds) && Take(signature_checks_, signature_checks_max_, "too many signature checks");
  }
  // For whatever else a check needs.
  bool TakeTime(unsigned microseconds) {
    microseconds_ += microseconds;
    if (microseconds_ > DnssecLimits::kCheckMicrosecondsPerResponse) Exhaust("signature checks too dear");
    return !exhausted();
  }
  bool TakeHash() { return Take(hashes_, DnssecLimits::kNsec3HashesPerResponse, "too many NSEC3 hashes"); }
  bool TakeDigest() { return Take(digests_, DnssecLimits::kDigestsPerResponse, "too many DS digests"); }
  void Exhaust(std::string_view what) {
    if (exceeded_.empty()) exceeded_ = what;
  }

  bool exhausted() const { return !exceeded_.empty(); }
  // What there was too much of; a literal.
  std::string_view exceeded() const { return exceeded_; }
  unsigned signature_checks() const { return signature_checks_; }
  unsigned hashes() const { return hashes_; }
  unsigned microseconds() const { return microseconds_; }  // of checks, by estimate

 private:
  bool Take(unsigned& taken, unsigned max, std::string_view what) {
    if (taken == max) Exhaust(what);
    if (exhausted()) return false;
    ++taken;
    return true;
  }

  unsigned signature_checks_max_;
  unsigned signature_checks_ = 0;
  unsigned microseconds_ = 0;
  unsigned hashes_ = 0;
  unsigned digests_ = 0;
  std::string_view exceeded_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_WORK_BUDGET_H_
