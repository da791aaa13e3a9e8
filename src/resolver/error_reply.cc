#include "resolver/error_reply.h"

#include "base/strings.h"

namespace dotward {

ErrorReply ErrorReplyFor(const absl::Status& status) {
  const std::string text(MessageOf(status));
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:       // no connection to any upstream
    case absl::StatusCode::kDeadlineExceeded:  // nobody answered in time
      return {Rcode::kServFail, {EdeCode::kNoReachableAuthority, text}};
    case absl::StatusCode::kUnauthenticated:  // an upstream that could not prove who it is
    case absl::StatusCode::kDataLoss:         // what came could not be parsed
      return {Rcode::kServFail, {EdeCode::kNetworkError, text}};
    case absl::StatusCode::kResourceExhausted:  // a limit of ours
    case absl::StatusCode::kAborted:            // a share of ours
    case absl::StatusCode::kCancelled:          // stopping
      return {Rcode::kServFail, {EdeCode::kNotReady, text}};
    default:
      return {Rcode::kServFail, {EdeCode::kOther, text}};
  }
}

}  // namespace dotward
