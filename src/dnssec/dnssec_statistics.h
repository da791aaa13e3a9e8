#ifndef DOTWARD_DNSSEC_DNSSEC_STATISTICS_H_
#define DOTWARD_DNSSEC_DNSSEC_STATISTICS_H_

#include "base/counter.h"
#include "dnssec/verdict.h"

namespace dotward {

// Counts since the start. Written on the forwarding loop, read anywhere.
struct DnssecStatistics {
  // Answers to clients' questions, by what was found.
  Counter secure, insecure, indeterminate, bogus;
  Counter over_budget;       // of the bogus: those that would have cost more than a limit allows
  Counter signature_checks;  // all of them, those of chains included
  Counter chain_queries;     // DS and DNSKEY that were asked for
  Counter second_opinions;   // answers and links that another upstream was asked for
  Counter from_denials;      // answers for which nobody was asked (RFC 8198)
  Counter beside_loop;       // judgements that were handed to other threads

  void Count(const Verdict& verdict) {
    switch (verdict.state) {
      case ValidationState::kSecure:
        return secure.Add();
      case ValidationState::kInsecure:
        return insecure.Add();
      case ValidationState::kIndeterminate:
        return indeterminate.Add();
      case ValidationState::kBogus:
        if (verdict.code == EdeCode::kOther) over_budget.Add();
        return bogus.Add();
    }
  }
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_DNSSEC_STATISTICS_H_
