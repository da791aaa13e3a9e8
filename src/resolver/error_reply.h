#ifndef DOTWARD_RESOLVER_ERROR_REPLY_H_
#define DOTWARD_RESOLVER_ERROR_REPLY_H_

#include <absl/status/status.h>

#include "dns/types.h"

namespace dotward {

struct ErrorReply {
  Rcode rcode = Rcode::kServFail;
  ExtendedError error;
};

// What a client is told where no usable response was obtained. The one place where a status becomes an RCODE and an
// extended error (RFC 8914). `status` is not OK.
ErrorReply ErrorReplyFor(const absl::Status& status);

}  // namespace dotward

#endif  // DOTWARD_RESOLVER_ERROR_REPLY_H_
