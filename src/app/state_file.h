#ifndef DOTWARD_APP_STATE_FILE_H_
#define DOTWARD_APP_STATE_FILE_H_

#include <absl/status/statusor.h>

#include <span>
#include <string>

#include "dns/types.h"
#include "net/descriptor.h"

namespace dotward {

// Files that carry over a restart what a server has learned. kNotFound: the file, or its folder, is not there;
// kUnavailable: the system refused a step. Messages name the step, the file and the cause.

// A regular file to be read: kInvalidArgument for links, for devices that never end and for pipes that nobody fills.
absl::StatusOr<Descriptor> OpenStateFile(const std::string& path);
// Reads what comes next, and fills `space` unless the file ends before. Returns how many octets there were. `path` is
// how a message calls the file.
absl::StatusOr<size_t> ReadStateFile(const Descriptor& file, const std::string& path, std::span<uint8_t> space);

// A file that takes another's place as a whole: it is written as FILE.tmp beside it, and reaches the disk before it
// takes the name, so that whenever the power fails there is the old file or the new one. Mode 0600. Without Commit, or
// where a step fails, the former file stays and nothing else is left; but for Commit's last, which is to make sure that
// the folder has the new one.
class FileReplacement {
 public:
  static absl::StatusOr<FileReplacement> Begin(const std::string& path);
  ~FileReplacement();
  FileReplacement(FileReplacement&& other) noexcept = default;
  FileReplacement& operator=(FileReplacement&& other) = delete;

  // Appends all of it.
  absl::Status Write(OctetView octets);
  // Once, behind the last Write.
  absl::Status Commit();

 private:
  FileReplacement(std::string path, Descriptor file);
  std::string temporary_path() const { return path_ + ".tmp"; }

  std::string path_;
  Descriptor file_;  // closed once it has the name
};

}  // namespace dotward

#endif  // DOTWARD_APP_STATE_FILE_H_
