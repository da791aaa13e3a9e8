#ifndef DOTWARD_BASE_LOG_FOLDER_H_
#define DOTWARD_BASE_LOG_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dotward/clock.h"

namespace dotward {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Which lines of a log are written and which are only counted, because the same line was written a moment ago. The
// first is written at once. Those that equal it are counted, and told as one summary after Limits::kLogFoldFirst, then
// after each Limits::kLogFoldNext; a line that was not repeated for so long is forgotten, and news again. Equal means:
// the same level, event and fields. Others may come between. Time is an argument; bounded; not thread-safe.
class LogFolder {
 public:
  struct Summary {
    LogLevel level;
    std::string line;
    uint64_t repeats;  // since the line, or the summary of it before
  };

  // Whether `line` is to be written. What has to be written before it is appended to `due`.
  bool Admit(LogLevel level, std::string_view line, SteadyTime now, std::vector<Summary>& due);
  // Appends the summaries whose time has come.
  void TakeDue(SteadyTime now, std::vector<Summary>& due);
  // Appends every summary there is, and forgets all lines.
  void TakeAll(std::vector<Summary>& due);
  // When the next summary is due; nullopt while nothing is counted.
  std::optional<SteadyTime> NextDue() const;

  size_t remembered() const { return entries_.size(); }  // at most Limits::kLogFoldedLinesMax

 private:
  struct Entry {
    size_t hash;
    LogLevel level;
    std::string line;
    uint64_t repeats;
    SteadyTime due;
  };

  Entry* Find(size_t hash, LogLevel level, std::string_view line);
  void MakeRoom(std::vector<Summary>& due);

  std::vector<Entry> entries_;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_LOG_FOLDER_H_
