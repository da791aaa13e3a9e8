#ifndef DOTWARD_APP_ANCHOR_FILE_H_
#define DOTWARD_APP_ANCHOR_FILE_H_

#include <absl/status/status.h>

#include <string>
#include <thread>

#include "dotward/config.h"

namespace dotward {

// The file that carries what is known of trust anchors over a restart (RFC 5011 §2.4.1), beside the cache's snapshot:
// its path with ".anchors" behind. Without a snapshot there is none. One thread at a time.
class AnchorFile {
 public:
  static std::string PathOf(const Config& config);  // empty: none

  explicit AnchorFile(std::string path) : path_(std::move(path)) {}
  ~AnchorFile();
  AnchorFile(const AnchorFile&) = delete;
  AnchorFile& operator=(const AnchorFile&) = delete;

  // What it holds; empty where there is none, or it cannot be read, which the log is told.
  std::string Read() const;
  // Replaces it as a whole, on a thread of its own, which waits for the one before. The log is told of a failure.
  void Write(std::string text);
  void SetPath(std::string path) { path_ = std::move(path); }

 private:
  std::string path_;
  std::thread writing_;
};

}  // namespace dotward

#endif  // DOTWARD_APP_ANCHOR_FILE_H_
