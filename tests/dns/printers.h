#ifndef DOTWARD_TESTS_DNS_PRINTERS_H_
#define DOTWARD_TESTS_DNS_PRINTERS_H_

#include <ostream>

#include "dns/classify.h"
#include "dns/scan.h"
#include "dns/types.h"
#include "dotward/message.h"

// How GoogleTest prints the layer's enumerations when a comparison fails. It finds these by their namespace.
namespace dotward {

inline void PrintTo(ScanFault fault, std::ostream* out) { *out << ScanFaultToString(fault); }
inline void PrintTo(ResponseKind kind, std::ostream* out) { *out << ResponseKindToString(kind); }
inline void PrintTo(Rcode rcode, std::ostream* out) { *out << RcodeToString(rcode); }

inline const char* OutcomeName(QueryOutcome outcome) {
  switch (outcome) {
    case QueryOutcome::kAccepted:
      return "kAccepted";
    case QueryOutcome::kDrop:
      return "kDrop";
    case QueryOutcome::kFormErr:
      return "kFormErr";
    case QueryOutcome::kNotImp:
      return "kNotImp";
    case QueryOutcome::kBadVers:
      return "kBadVers";
  }
  return "an outcome without a name";
}
inline void PrintTo(QueryOutcome outcome, std::ostream* out) { *out << OutcomeName(outcome); }

}  // namespace dotward

#endif  // DOTWARD_TESTS_DNS_PRINTERS_H_
