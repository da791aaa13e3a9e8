#ifndef DOTWARD_ADMIN_CONTROL_CLIENT_H_
#define DOTWARD_ADMIN_CONTROL_CLIENT_H_

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "admin/control_request.h"
#include "dotward/clock.h"

namespace dotward {

// What a subcommand does with one line of the reply; false stops reading.
using ControlLineSink = std::function<bool(std::string_view line)>;

// Puts one request to the control socket at `path` and hands over the lines of the reply, without their line breaks, as
// they come. Blocks, at most `patience` without a sign of life. What cannot be reached says what to do about it:
// kNotFound (nothing stands there), kPermissionDenied (whose permission is missing), kUnavailable (nobody listens),
// kDeadlineExceeded.
absl::Status AskControl(const std::string& path, const ControlRequest& request, Duration patience,
                        const ControlLineSink& sink);

// How long a subcommand waits: longer than any query's deadline.
inline constexpr std::chrono::seconds kControlPatience{75};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_CONTROL_CLIENT_H_
