#ifndef DOTWARD_DNSSEC_RESPONSE_JUDGE_H_
#define DOTWARD_DNSSEC_RESPONSE_JUDGE_H_

#include <cstdint>
#include <vector>

#include "dnssec/response_parts.h"
#include "dnssec/verdict.h"
#include "dnssec/work_budget.h"
#include "dotward/clock.h"

namespace dotward {

// What was found about a whole answer.
struct Judgement {
  Verdict verdict;
  // Of a bogus one: whether it is this response that is wrong, so that another upstream may have a better one, and not
  // the chain of trust above it.
  bool by_response = false;
  struct TtlMax {
    uint16_t record = 0;  // of the scan
    uint32_t ttl = 0;
  };
  std::vector<TtlMax> ttls;  // RFC 4035 §5.3.3: what the signatures let the records live
};

// Judges an answer whose parts have their zones (RFC 4035 §5). Touches nothing that is shared but the zones, which are
// immutable: it may run on any thread.
Judgement JudgeResponse(const ScannedMessage& response, const ResponseParts& dissected, WallTime now,
                        WorkBudget& budget);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RESPONSE_JUDGE_H_
