#ifndef DOTWARD_RESOLVER_RESOLUTIONS_H_
#define DOTWARD_RESOLVER_RESOLUTIONS_H_

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "dns/classify.h"
#include "dotward/clock.h"
#include "dotward/upstream.h"
#include "resolver/failure_memory.h"
#include "resolver/resolution.h"

namespace dotward {

// The ways in which a question ends, with the reasons that clients are told (RFC 8914).

ResolutionPtr Answered(ImagePtr image, const ExchangeTrace& trace = {});

// No usable response was obtained. `status` is not OK.
ResolutionPtr FailureFor(const absl::Status& status, const ExchangeTrace& trace);

// A response that is no answer: an upstream's failure is passed on with its reasons, but for FORMERR, which is about
// our message and not the client's.
ResolutionPtr FailureFrom(const UpstreamResponse& response, const Classification& classification,
                          const ExchangeTrace& trace);

// The wait ends before the question does.
ResolutionPtr GivenUp(std::string_view why);

// An earlier failure, told again, with when the question is asked again.
ResolutionPtr Remembered(const RememberedFailure& failure, SteadyTime now);

// An expired answer in place of a fresh one (RFC 8767): why, and behind it what went wrong, if anything did.
ResolutionPtr Stale(ImagePtr image, std::string why, const Resolution* failure);

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_RESOLUTIONS_H_
