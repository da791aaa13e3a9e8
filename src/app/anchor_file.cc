#include "app/anchor_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "dnssec/dnssec_limits.h"
#include "net/descriptor.h"

namespace dotward {
namespace {

absl::Status Refused(std::string_view what, const std::string& path) {
  return absl::UnavailableError(StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

// The former file or the new one, whenever the power fails.
absl::Status Replace(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp";
  unlink(temporary.c_str());  // what an earlier process left when it was killed
  const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return Refused("make", temporary);
  absl::Status status;
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    status = Refused("write", temporary);
  } else if (fsync(file.get()) != 0) {
    status = Refused("sync", temporary);
  } else if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = Refused("rename to", path);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

void Tell(const std::string& path, const absl::Status& status) {
  Log(LogLevel::kWarning, "the keys of trust anchors cannot be kept over a restart",
      {{"file", path}, {"error", MessageOf(status)}});
}

}  // namespace

std::string AnchorFile::PathOf(const Config& config) {
  const std::string& snapshot = config.cache.snapshot.path;
  return snapshot.empty() ? "" : snapshot + ".anchors";
}

AnchorFile::~AnchorFile() {
  if (writing_.joinable()) writing_.join();
}

std::string AnchorFile::Read() const {
  if (path_.empty()) return {};
  const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) {
    if (errno != ENOENT) Tell(path_, Refused("read", path_));
    return {};
  }
  // One octet more than is allowed: what is too long is found to be so by who reads it.
  std::string text(DnssecLimits::kAnchorFileOctetsMax + 1, '\0');
  const ssize_t octets = read(file.get(), text.data(), text.size());
  if (octets < 0) {
    Tell(path_, Refused("read", path_));
    return {};
  }
  text.resize(static_cast<size_t>(octets));
  return text;
}

void AnchorFile::Write(std::string text) {
  if (path_.empty()) return;
  if (writing_.joinable()) writing_.join();
  writing_ = std::thread([path = path_, text = std::move(text)] {
    const absl::Status status = Replace(path, text);
    if (!status.ok()) Tell(path, status);
  });
}

}  // namespace dotward
