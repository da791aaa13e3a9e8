#include "admin/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr mode_t kSocketMode = 0660;
constexpr mode_t kFolderMode = 0755;

absl::Status Failed(std::string_view path, std::string_view what, int error) {
  return absl::FailedPreconditionError(StrCat("control socket ", path, ": ", what, ": ", std::strerror(error)));
}

// Makes the folder of `path` unless it is there; returns it where it was made.
absl::StatusOr<std::string> MakeFolder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return std::string();
  if (mkdir(folder.c_str(), kFolderMode) != 0) {
    if (errno == EEXIST) return std::string();
    return Failed(path, StrCat("its folder ", folder, " cannot be made"), errno);
  }
  // Whatever the umask says: who may use the socket must get to it.
  if (chmod(folder.c_str(), kFolderMode) != 0) return Failed(path, "chmod of its folder", errno);
  return folder;
}

// Whether what stands at the path may be removed: a socket that nobody listens at.
absl::Status CheckStale(const std::string& path, const UnixAddress& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return Failed(path, "it is in use and cannot be looked at", errno);
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(
        StrCat("control socket ", path, ": something else than a socket stands there; remove it or name another path"));
  }
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.is_open()) return Failed(path, "socket", errno);
  // EAGAIN: somebody listens, and has his hands full.
  if (connect(probe.get(), address.data(), address.size) == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError(StrCat("control socket ", path,
                                           ": another server is running and listens there; stop it, or give each its "
                                           "own admin.socket"));
  }
  if (errno == ECONNREFUSED) return absl::OkStatus();
  return Failed(path, "it is in use and cannot be asked", errno);
}

absl::Status Bind(int socket, const std::string& path, const UnixAddress& address) {
  if (bind(socket, address.data(), address.size) == 0) return absl::OkStatus();
  if (errno != EADDRINUSE) return Failed(path, "it cannot be made", errno);
  RETURN_IF_ERROR(CheckStale(path, address));
  if (unlink(path.c_str()) != 0) return Failed(path, "the socket of a server that has ended cannot be removed", errno);
  if (bind(socket, address.data(), address.size) == 0) return absl::OkStatus();
  return Failed(path, "it cannot be made", errno);
}

}  // namespace

absl::StatusOr<UnixAddress> UnixAddress::Of(std::string_view path) {
  sockaddr_un address{};
  static_assert(sizeof(address) <= sizeof(storage));
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        StrCat("control socket ", path, ": the path of a socket has 1 to ", sizeof(address.sun_path) - 1, " octets"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UnixAddress result;
  result.size = static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  std::memcpy(result.storage, &address, sizeof(address));
  return result;
}

absl::StatusOr<ControlSocket> ControlSocket::Open(const std::string& path) {
  ASSIGN_OR_RETURN(const UnixAddress address, UnixAddress::Of(path));
  ControlSocket opened;
  ASSIGN_OR_RETURN(opened.made_folder_, MakeFolder(path));
  opened.listening_ = Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!opened.listening_.is_open()) return Failed(path, "socket", errno);
  // The path gets the mode that the socket has by then, less the umask: so there is no moment in which others may use
  // it, and nothing has to be changed by its name, which whoever owns the folder could make another file's.
  if (fchmod(opened.listening_.get(), kSocketMode) != 0) return Failed(path, "chmod", errno);
  const mode_t umask_before = umask(0);
  const absl::Status bound = Bind(opened.listening_.get(), path, address);
  umask(umask_before);
  RETURN_IF_ERROR(bound);
  struct stat made {};
  if (lstat(path.c_str(), &made) != 0) return Failed(path, "lstat", errno);
  opened.path_ = path;
  opened.device_ = made.st_dev;
  opened.inode_ = made.st_ino;
  if (listen(opened.listening_.get(), Limits::kControlBacklog) != 0) return Failed(path, "listen", errno);
  return opened;
}

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  std::swap(listening_, other.listening_);
  path_.swap(other.path_);
  made_folder_.swap(other.made_folder_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

ControlSocket::~ControlSocket() {
  struct stat found {};
  if (path_.empty() || lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == inode_) unlink(path_.c_str());
}

absl::Status ControlSocket::GiveTo(uid_t user, gid_t group) {
  for (const std::string& path : {made_folder_, path_}) {
    if (!path.empty() && lchown(path.c_str(), user, group) != 0) return Failed(path_, "chown", errno);
  }
  return absl::OkStatus();
}

}  // namespace dotward
