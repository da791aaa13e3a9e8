#ifndef DOTWARD_APP_PRIVILEGES_H_
#define DOTWARD_APP_PRIVILEGES_H_

#include <absl/status/status.h>
#include <sys/types.h>

#include <functional>
#include <string>

namespace dotward {

// Gives up root for good in favour of `user` and its groups. Nothing happens where `user` is empty or the process is
// not root already. `give_away` is called before, with the account's IDs: the last moment in which files can be given
// to it. kFailedPrecondition says which user is unknown or which step the system refused; the process must then not go
// on.
absl::Status DropPrivileges(const std::string& user, const std::function<void(uid_t, gid_t)>& give_away);

}  // namespace dotward

#endif  // DOTWARD_APP_PRIVILEGES_H_
