#include "app/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"

namespace dotward {
namespace {

// Whoever reads it knows what was asked.
constexpr mode_t kMode = 0600;

absl::Status Refused(std::string_view step, const std::string& path) {
  const int error = errno;
  const std::string text = StrCat(step, " ", path, ": ", std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

// What an operator can do about a file that cannot be made.
absl::Status NotMade(const std::string& path) {
  const int error = errno;
  const absl::Status refused = Refused("cannot make", path);
  std::string_view advice;
  if (error == ENOENT) advice = "; its folder has to be there";
  if (error == EACCES || error == EPERM || error == EROFS) {
    advice = "; its folder has to be writable for the account that dotward runs as";
  }
  return absl::Status(refused.code(), StrCat(MessageOf(refused), advice));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Neither follows a link nor waits for anybody.
Descriptor Open(const std::string& path, int flags) {
  return Descriptor(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, kMode));
}

// Without it, a loss of power could bring back the old name of a file whose octets are safe.
absl::Status SyncFolder(const std::string& folder) {
  const Descriptor opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder that may be written to but not read cannot be asked to; the file is there all the same.
  if (!opened.is_open()) return absl::OkStatus();
  return fsync(opened.get()) == 0 ? absl::OkStatus() : Refused("cannot sync", folder);
}

}  // namespace

absl::StatusOr<Descriptor> OpenStateFile(const std::string& path) {
  Descriptor file = Open(path, O_RDONLY);
  if (!file.is_open() && errno == ELOOP) return absl::InvalidArgumentError(StrCat(path, " is a symbolic link"));
  if (!file.is_open()) return Refused("cannot open", path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return Refused("cannot look at", path);
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(StrCat(path, " is no regular file"));
  return file;
}

absl::StatusOr<size_t> ReadStateFile(const Descriptor& file, const std::string& path, std::span<uint8_t> space) {
  size_t filled = 0;
  while (filled < space.size()) {
    const ssize_t got = read(file.get(), space.data() + filled, space.size() - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<size_t>(got);
    } else if (errno != EINTR) {
      return Refused("cannot read", path);
    }
  }
  return filled;
}

FileReplacement::FileReplacement(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

absl::StatusOr<FileReplacement> FileReplacement::Begin(const std::string& path) {
  const std::string temporary = path + ".tmp";
  // What an earlier process left when it was killed.
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return Refused("cannot remove", temporary);
  Descriptor file = Open(temporary, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) return NotMade(temporary);
  return FileReplacement(path, std::move(file));
}

FileReplacement::~FileReplacement() {
  if (file_.is_open()) unlink(temporary_path().c_str());
}

absl::Status FileReplacement::Write(OctetView octets) {
  while (!octets.empty()) {
    const ssize_t taken = write(file_.get(), octets.data(), octets.size());
    if (taken > 0) {
      octets = octets.subspan(static_cast<size_t>(taken));
    } else if (taken == 0 || errno != EINTR) {
      return Refused("cannot write", temporary_path());
    }
  }
  return absl::OkStatus();
}

absl::Status FileReplacement::Commit() {
  if (fsync(file_.get()) != 0) return Refused("cannot sync", temporary_path());
  if (std::rename(temporary_path().c_str(), path_.c_str()) != 0) return Refused("cannot rename to", path_);
  file_ = Descriptor();
  return SyncFolder(FolderOf(path_));
}

}  // namespace dotward
