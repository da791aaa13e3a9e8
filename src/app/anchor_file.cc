#include "app/anchor_file.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <utility>

#include "app/state_file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  ASSIGN_OR_RETURN(const Descriptor file, OpenStateFile(path));
  // One octet more than is allowed: what is too long is found to be so by who reads it.
  Octets octets(DnssecLimits::kAnchorFileOctetsMax + 1);
  ASSIGN_OR_RETURN(const size_t filled, ReadStateFile(file, path, octets));
  return std::string(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(filled));
}

absl::Status Replace(const std::string& path, const std::string& text) {
  ASSIGN_OR_RETURN(FileReplacement file, FileReplacement::Begin(path));
  RETURN_IF_ERROR(file.Write({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  return file.Commit();
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
  absl::StatusOr<std::string> text = ReadWhole(path_);
  if (text.ok()) return *std::move(text);
  if (!absl::IsNotFound(text.status())) Tell(path_, text.status());
  return {};
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
