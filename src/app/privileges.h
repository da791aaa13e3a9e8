#ifndef DOTWARD_APP_PRIVILEGES_H_
#define DOTWARD_APP_PRIVILEGES_H_

#include <absl/status/status.h>

#include <string>

namespace dotward {

// Gives up root for good in favour of `user` and its groups. Nothing happens where `user` is empty or the process is
// not root already. kFailedPrecondition says which user is unknown or which step the system refused; the process must
// then not go on.
absl::Status DropPrivileges(const std::string& user);

}  // namespace dotward

#endif  // DOTWARD_APP_PRIVILEGES_H_
