#include "app/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace dotward {

absl::Status DropPrivileges(const std::string& user, const std::function<void(uid_t, gid_t)>& give_away) {
  if (user.empty() || geteuid() != 0) return absl::OkStatus();
  errno = 0;
  // No other thread asks for accounts, so that the result in static memory is ours.
  const passwd* account = getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (account == nullptr) {
    return absl::FailedPreconditionError(
        StrCat("user: there is no account \"", user, "\" on this machine; create it or leave the key empty"));
  }
  give_away(account->pw_uid, account->pw_gid);
  const bool dropped =
      initgroups(user.c_str(), account->pw_gid) == 0 && setgid(account->pw_gid) == 0 && setuid(account->pw_uid) == 0;
  if (!dropped) return absl::FailedPreconditionError(StrCat("user: cannot become ", user, ": ", std::strerror(errno)));
  // A process that could take root back would not have given it up.
  if (account->pw_uid != 0 && setuid(0) == 0) {
    return absl::FailedPreconditionError(StrCat("user: root could be regained after becoming ", user));
  }
  return absl::OkStatus();
}

}  // namespace dotward
