#ifndef DOTWARD_DNSSEC_RENDITION_H_
#define DOTWARD_DNSSEC_RENDITION_H_

#include "dns/scan.h"
#include "dns/types.h"
#include "dnssec/response_judge.h"
#include "dnssec/verdict.h"

namespace dotward {

// The response with what was found in it: AD set or clear, TTLs cut. True where octets had to be changed for it.
bool WriteJudgement(const ScannedMessage& response, const Judgement& judgement, Octets& octets);
// Puts the verdict's extended error into the OPT record, or an OPT record with it behind the others. Does nothing
// where OPT is not the last record, or the message would be too long. True where it was put there.
bool AddExtendedError(const ScannedMessage& response, const Verdict& verdict, Octets& octets);
// A SERVFAIL in place of a response, with its ID and question, and an OPT record that has the extended error.
Octets FailureInPlaceOf(const ScannedMessage& response, const Verdict& verdict);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_RENDITION_H_
