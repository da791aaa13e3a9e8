#ifndef DOTWARD_ADMIN_CONTROL_SOCKET_H_
#define DOTWARD_ADMIN_CONTROL_SOCKET_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "net/descriptor.h"

namespace dotward {

// A Unix stream socket that listens at a path, which owner and group alone may use (mode 0660). The path goes with the
// object, unless somebody else has put another socket there.
class ControlSocket {
 public:
  // Makes the folder where it is missing. A socket that a dead process has left is replaced; one that somebody listens
  // at is not: kAlreadyExists. kFailedPrecondition says what else is wrong with the path and what would help.
  static absl::StatusOr<ControlSocket> Open(const std::string& path);
  ControlSocket(ControlSocket&& other) noexcept { *this = std::move(other); }
  ControlSocket& operator=(ControlSocket&& other) noexcept;
  ~ControlSocket();

  const std::string& path() const { return path_; }
  int descriptor() const { return listening_.get(); }

  // Makes the socket, and the folder if it was made here, belong to another account: for a process that gives up root.
  absl::Status GiveTo(uid_t user, gid_t group);

 private:
  ControlSocket() = default;

  Descriptor listening_;
  std::string path_;  // empty once it was moved from
  std::string made_folder_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The address of a path as the socket calls want it, or kInvalidArgument where it is too long for one.
struct UnixAddress {
  static absl::StatusOr<UnixAddress> Of(std::string_view path);
  const struct sockaddr* data() const { return reinterpret_cast<const struct sockaddr*>(storage); }
  unsigned size = 0;
  alignas(8) char storage[128];
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_CONTROL_SOCKET_H_
