#ifndef DOTWARD_BASE_LOG_H_
#define DOTWARD_BASE_LOG_H_

#include <absl/status/status.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace dotward {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  // empty: standard error
};

// One named value of an event. Names of clients and of queries are never among them unless the operator asked.
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

// Sets up the process's one log. kUnavailable where the file cannot be opened: it says which and why. Thread-safe with
// the functions below; until it is called they write text to standard error.
absl::Status OpenLog(const LogOptions& options);
// Opens the log file anew, after a rotation (SIGUSR2). On failure the old file stays in use.
absl::Status ReopenLog();

// Writes one event as one line: `event` is a short English sentence without values, the values are fields.
// Line breaks and control characters inside values are escaped. Thread-safe.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
bool LogEnabled(LogLevel level);

// Writes `text` as lines of their own, one a line, in text format; as one event with the field "text" in JSON.
void LogBlock(LogLevel level, std::string_view event, std::string_view text);

}  // namespace dotward

#endif  // DOTWARD_BASE_LOG_H_
