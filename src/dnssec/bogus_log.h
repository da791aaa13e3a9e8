#ifndef DOTWARD_DNSSEC_BOGUS_LOG_H_
#define DOTWARD_DNSSEC_BOGUS_LOG_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "dnssec/verdict.h"
#include "dotward/clock.h"

namespace dotward {

// Says in the log that answers are bogus and of what kind that is, for whoever is asked why names do not resolve any
// more: zones are broken, an upstream lies, or the clock is wrong. The first at once, then one line a minute
// (Limits::kLimitLogInterval), so that whoever asks for such names cannot fill the log: it is the line of the latest
// answer, and what was owed of an interval goes with the first one after it. It names nothing that was asked for. Not
// thread-safe.
class BogusLog {
 public:
  // `verdict` is bogus.
  void Add(const Verdict& verdict, std::string_view upstream, SteadyTime now);

 private:
  uint64_t times_ = 0;  // since the last line
  std::optional<SteadyTime> told_at_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_BOGUS_LOG_H_
