#include "base/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/strings.h"

namespace dotward {
namespace {

constexpr mode_t kMode = 0640;  // what it says is for the operator's group, not for everybody

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Octets that were written before an error.
size_t WriteAll(int descriptor, std::string_view text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t taken = write(descriptor, text.data() + written, text.size() - written);
    if (taken > 0) {
      written += static_cast<size_t>(taken);
    } else if (taken == 0 || errno != EINTR) {
      break;
    }
  }
  return written;
}

}  // namespace

LineFile::~LineFile() {
  if (is_file()) close(descriptor_);
}

absl::Status LineFile::Open(const std::string& path) {
  int opened = kStandardError;
  if (!path.empty()) {
    opened = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, kMode);
    if (opened < 0) {
      return absl::UnavailableError(StrCat("log file ", path, ": ", std::generic_category().message(errno),
                                           "; check the name, the folder and its permissions"));
    }
  }
  const int old = std::exchange(descriptor_, opened);
  if (old != kStandardError) close(old);
  path_ = path;
  torn_ = false;
  return absl::OkStatus();
}

void LineFile::GiveTo(uid_t user, gid_t group) const {
  struct stat status {};
  if (!is_file() || fstat(descriptor_, &status) != 0) return;
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || status.st_nlink != 1) return;
  // Nor what the name only leads to: who owns the folder could have put a link to any file of root's there.
  struct stat named {};
  if (lstat(path_.c_str(), &named) != 0 || named.st_dev != status.st_dev || named.st_ino != status.st_ino) return;
  // Where it fails, opening the file anew will say so.
  static_cast<void>(!fchown(descriptor_, user, group));
}

absl::Status LineFile::MayBeMadeAgain() const {
  struct stat status {};
  if (!is_file() || fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return absl::OkStatus();
  const std::string folder = FolderOf(path_);
  // The effective user decides what open() may do.
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(StrCat(folder, ": ", std::generic_category().message(errno)));
}

bool LineFile::Append(std::string_view lines, uint64_t count) {
  // The rest of a line that did not get through must not be taken for a part of this one.
  if (torn_) torn_ = WriteAll(descriptor_, "\n") == 0;
  const size_t written = torn_ ? 0 : WriteAll(descriptor_, lines);
  if (written == lines.size()) return true;
  if (written != 0) torn_ = true;
  lost_ += count;
  return false;
}

}  // namespace dotward
