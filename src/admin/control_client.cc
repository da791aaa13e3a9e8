#include "admin/control_client.h"

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "admin/control_socket.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "net/descriptor.h"

namespace dotward {
namespace {

std::string UserName(uid_t user) {
  const passwd* const account = getpwuid(user);
  return account != nullptr ? account->pw_name : StrCat("uid ", user);
}
std::string GroupName(gid_t group) {
  const struct group* const account = getgrgid(group);
  return account != nullptr ? account->gr_name : StrCat("gid ", group);
}

// Whose permission is missing, and how to get it.
absl::Status NotPermitted(const std::string& path) {
  struct stat socket {};
  if (stat(path.c_str(), &socket) != 0) {
    const std::string folder = std::filesystem::path(path).parent_path();
    return absl::PermissionDeniedError(StrCat("the folder ", folder, " of the control socket is closed to ",
                                              UserName(geteuid()), "; run this as root"));
  }
  std::string who = StrCat("as root, or as ", UserName(socket.st_uid));
  if (socket.st_gid != 0) StrAppend(&who, ", or as a member of the group ", GroupName(socket.st_gid));
  return absl::PermissionDeniedError(StrCat("no permission for the control socket ", path, ", which belongs to ",
                                            UserName(socket.st_uid), ":", GroupName(socket.st_gid), "; run this ",
                                            who));
}

absl::Status NotConnected(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(StrCat("there is no control socket at ", path,
                                        ": is dotward running, and is its admin.socket the same? --socket PATH names "
                                        "another"));
    case EACCES:
    case EPERM:
      return NotPermitted(path);
    case ECONNREFUSED: {
      struct stat found {};
      if (stat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
        return absl::UnavailableError(StrCat(path, " is not a socket; --socket PATH names another"));
      }
      return absl::UnavailableError(StrCat("nobody listens at the control socket ", path,
                                           ": the server that made it has ended; dotward replaces it when it starts"));
    }
    case EAGAIN:
      return absl::UnavailableError(StrCat("the control socket ", path, " has too many clients; try again"));
    default:
      return absl::UnavailableError(StrCat("control socket ", path, ": ", std::strerror(error)));
  }
}

absl::Status Broken(const std::string& path, int error) {
  return absl::UnavailableError(StrCat("control socket ", path, ": ", std::strerror(error)));
}

absl::Status AwaitOctets(int socket, const std::string& path, Duration patience) {
  pollfd readable{.fd = socket, .events = POLLIN, .revents = 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  const int ready = poll(&readable, 1, static_cast<int>(milliseconds));
  if (ready > 0) return absl::OkStatus();
  if (ready < 0) return Broken(path, errno);
  return absl::DeadlineExceededError(StrCat("the server at the control socket ", path, " does not answer"));
}

}  // namespace

absl::Status AskControl(const std::string& path, const ControlRequest& request, Duration patience,
                        const ControlLineSink& sink) {
  ASSIGN_OR_RETURN(const UnixAddress address, UnixAddress::Of(path));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return Broken(path, errno);
  // A connection to a Unix socket would wait for ever where the server's backlog is full.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timeval limit{.tv_sec = std::max<time_t>(1, seconds.count()), .tv_usec = 0};
  if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) return Broken(path, errno);
  if (connect(socket.get(), address.data(), address.size) != 0) return NotConnected(path, errno);

  const std::string line = RenderControlRequest(request) + "\n";
  // It fits the socket's buffer. A server that has no place for us closes without reading, and says so.
  const bool sent = send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
  const int send_error = errno;

  std::string pending;
  bool any = false;
  std::array<char, size_t{16} << 10> buffer;
  while (true) {
    RETURN_IF_ERROR(AwaitOctets(socket.get(), path, patience));
    const ssize_t octets = recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (octets < 0 && errno == EINTR) continue;
    if (octets <= 0) {
      if (!sent && !any) return Broken(path, send_error);
      if (octets < 0 && !any) return Broken(path, errno);
      break;
    }
    any = true;
    size_t searched = pending.size();
    pending.append(buffer.data(), static_cast<size_t>(octets));
    size_t begin = 0;
    for (size_t end = pending.find('\n', searched); end != std::string::npos; end = pending.find('\n', begin)) {
      if (!sink(std::string_view(pending).substr(begin, end - begin))) return absl::OkStatus();
      begin = end + 1;
    }
    pending.erase(0, begin);
  }
  if (any && pending.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      StrCat("the server at the control socket ", path, " closed it before its reply was complete"));
}

}  // namespace dotward
