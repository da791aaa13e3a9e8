#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/strings.h"

namespace dotward {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// JSON's escapes; in text, too, they keep one event on one line and an outsider's octets out of the terminal.
std::string Escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (octet < 0x20 || octet == 0x7f) {
      StrAppend(&out, "\\u", absl::Hex(octet, absl::kZeroPad4));
    } else {
      out += c;
    }
  }
  return out;
}

std::string RenderText(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    const bool plain = field.value.find_first_of(" \"=\\\n\t") == std::string::npos && !field.value.empty();
    StrAppend(&line, " ", field.name, "=");
    StrAppend(&line, plain ? Escaped(field.value) : StrCat("\"", Escaped(field.value), "\""));
  }
  return line;
}

std::string RenderJson(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line = StrCat("\"event\":\"", Escaped(event), "\"");
  for (const LogField& field : fields) {
    StrAppend(&line, ",\"", Escaped(field.name), "\":");
    StrAppend(&line, field.number ? field.value : StrCat("\"", Escaped(field.value), "\""));
  }
  return line;
}

// The process's log. spdlog's own default logger may not be replaced while others write through it; ours may.
class ProcessLog {
 public:
  static ProcessLog& Get() {
    static ProcessLog log;
    return log;
  }

  absl::Status Open(const LogOptions& options) {
    std::shared_ptr<spdlog::logger> logger;
    try {
      spdlog::sink_ptr sink;
      if (options.file.empty()) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      } else {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
      }
      logger = std::make_shared<spdlog::logger>("dotward", std::move(sink));
    } catch (const spdlog::spdlog_ex& error) {
      return absl::UnavailableError(
          StrCat("log file ", options.file, ": ", error.what(), "; check log.file, the folder and its permissions"));
    }
    logger->set_level(ToSpdlog(options.level));
    logger->flush_on(spdlog::level::debug);
    if (options.format == LogFormat::kJson) {
      logger->set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}", spdlog::pattern_time_type::utc);
    } else {
      logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc);
    }
    const std::lock_guard lock(mutex_);
    logger_ = std::move(logger);
    options_ = options;
    return absl::OkStatus();
  }

  std::pair<std::shared_ptr<spdlog::logger>, LogOptions> Current() {
    const std::lock_guard lock(mutex_);
    return {logger_, options_};
  }

 private:
  ProcessLog() { Open(LogOptions{}).IgnoreError(); }

  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;  // guarded by mutex_
  LogOptions options_;                      // guarded by mutex_
};

}  // namespace

absl::Status OpenLog(const LogOptions& options) { return ProcessLog::Get().Open(options); }

absl::Status ReopenLog() {
  const LogOptions options = ProcessLog::Get().Current().second;
  return options.file.empty() ? absl::OkStatus() : ProcessLog::Get().Open(options);
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const auto [logger, options] = ProcessLog::Get().Current();
  if (!logger->should_log(ToSpdlog(level))) return;
  const std::string line = options.format == LogFormat::kJson ? RenderJson(event, fields) : RenderText(event, fields);
  logger->log(ToSpdlog(level), spdlog::string_view_t(line));
}

bool LogEnabled(LogLevel level) { return ProcessLog::Get().Current().first->should_log(ToSpdlog(level)); }

void LogBlock(LogLevel level, std::string_view event, std::string_view text) {
  if (ProcessLog::Get().Current().second.format == LogFormat::kJson) {
    Log(level, event, {{"text", text}});
    return;
  }
  Log(level, event);
  const auto logger = ProcessLog::Get().Current().first;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!line.empty()) logger->log(ToSpdlog(level), spdlog::string_view_t(line));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
}

}  // namespace dotward
