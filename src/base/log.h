#ifndef DOTWARD_BASE_LOG_H_
#define DOTWARD_BASE_LOG_H_

#include <absl/status/status.h>
#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/log_folder.h"

namespace dotward {

enum class LogFormat : uint8_t { kText, kJson };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  // empty: standard error
};

// One named value of an event. Names of queries are never among them; a client's address is only where the client is
// limited (base/limit_log.h).
struct LogField {
  LogField(std::string_view name_in, std::string_view value_in) : name(name_in), value(value_in) {}
  LogField(std::string_view name_in, const char* value_in) : name(name_in), value(value_in) {}
  LogField(std::string_view name_in, const std::string& value_in) : name(name_in), value(value_in) {}
  LogField(std::string_view name_in, uint64_t value_in)
      : name(name_in), value(std::to_string(value_in)), number(true) {}

  std::string name;
  std::string value;
  bool number = false;
};

// One written by many threads, read by any. Since the start.
struct LogStatistics {
  uint64_t lines_lost = 0;    // because they could not be written
  uint64_t lines_folded = 0;  // because the same had just been written
};

// Sets up the process's one log. kUnavailable where the file cannot be opened: it says which and why. Thread-safe with
// the functions below; until it is called they write text to standard error.
absl::Status OpenLog(const LogOptions& options);
// Opens the log file anew, after a rotation (SIGUSR2). On failure the old file stays in use.
absl::Status ReopenLog();
// What a log file needs before the process becomes another account, and what can be said after that: see LineFile.
void GiveLogTo(uid_t user, gid_t group);
absl::Status LogMayBeMadeAgain();

// Writes one event as one line: `event` is a short English sentence without values, the values are fields; both are
// listed in docs/logging.md. Line breaks and control characters inside values are escaped. A line that equals one of a
// moment ago is counted instead, and the count is written in its time: see LogFolder. Thread-safe. Never waits for
// anything but the file; a line that cannot be written is counted, and that is told with the next one that can.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
bool LogEnabled(LogLevel level);
// Writes every count that is still owed, for the end of the process.
void FlushLog();
LogStatistics LogTotals();

// Writes `text` as lines of their own, one a line, in text format; as one event with the field "text" in JSON. What was
// asked for is never folded.
void LogBlock(LogLevel level, std::string_view event, std::string_view text);

// Writes lines that are complete already, each with its line break, where the log goes. False where they are lost.
bool LogWrittenLines(std::string_view lines, uint64_t count);

// `text` as JSON has it between quotes; in other logs it keeps an outsider's octets out of the terminal. What is no
// UTF-8 stays what it is.
std::string EscapeForLog(std::string_view text);

}  // namespace dotward

#endif  // DOTWARD_BASE_LOG_H_
