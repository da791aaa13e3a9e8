#ifndef DOTWARD_BASE_LINE_FILE_H_
#define DOTWARD_BASE_LINE_FILE_H_

#include <absl/status/status.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace dotward {

// A file to which whole lines are appended, or standard error. A line that cannot be written, on a full disk or a
// read-only file system, is counted and forgotten: logging never stops what is logged about. Not thread-safe.
class LineFile {
 public:
  LineFile() = default;  // standard error
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // Opens `path` for appending, making it (mode 0640) where it is missing; an empty path is standard error. Also opens
  // it anew after a rotation. On failure what was open stays in use; kUnavailable says which file and why.
  absl::Status Open(const std::string& path);

  // Makes a regular file that belongs to root the property of an account, so that it can be opened anew after the
  // process has become that account. Whoever has linked another file of root's to the name gets nothing.
  void GiveTo(uid_t user, gid_t group) const;
  // Why this process could not make the file again after it was renamed, or OK. kPermissionDenied names the folder.
  absl::Status MayBeMadeAgain() const;

  // Writes `lines` in one piece: one or several, each with its line break. `count` is how many. False where they are
  // lost, in part or all.
  bool Append(std::string_view lines, uint64_t count = 1);

  const std::string& path() const { return path_; }
  uint64_t lost() const { return lost_; }  // lines, since the start

 private:
  static constexpr int kStandardError = 2;
  bool is_file() const { return descriptor_ != kStandardError; }

  std::string path_;
  int descriptor_ = kStandardError;
  bool torn_ = false;  // the last line ends in its middle
  uint64_t lost_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_LINE_FILE_H_
