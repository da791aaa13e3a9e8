#include "base/log.h"

#include <pthread.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/limit_log.h"
#include "base/limit_tally.h"
#include "base/line_file.h"
#include "base/strings.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

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

std::string RenderText(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    const bool plain = field.value.find_first_of(" \"=\\\n\t") == std::string::npos && !field.value.empty();
    StrAppend(&line, " ", field.name, "=");
    StrAppend(&line, plain ? EscapeForLog(field.value) : StrCat("\"", EscapeForLog(field.value), "\""));
  }
  return line;
}

std::string RenderJson(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line = StrCat("\"event\":\"", EscapeForLog(event), "\"");
  for (const LogField& field : fields) {
    StrAppend(&line, ",\"", EscapeForLog(field.name), "\":");
    StrAppend(&line, field.number ? field.value : StrCat("\"", EscapeForLog(field.value), "\""));
  }
  return line;
}

std::string Render(LogFormat format, std::string_view event, std::initializer_list<LogField> fields) {
  return format == LogFormat::kJson ? RenderJson(event, fields) : RenderText(event, fields);
}

std::string RenderSummary(LogFormat format, const LogFolder::Summary& summary) {
  if (format == LogFormat::kJson) return StrCat(summary.line, ",\"repeated\":", summary.repeats);
  const std::string_view times = summary.repeats == 1 ? " time: " : " times: ";
  return StrCat("last message repeated ", summary.repeats, times, summary.line);
}

// spdlog has the time and the level before each line; where lines go is ours.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit LineSink(LineFile& file) : file_(file) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    file_.Append({formatted.data(), formatted.size()});
  }
  void flush_() override {}

 private:
  LineFile& file_;
};

std::unique_ptr<spdlog::formatter> MakeFormatter(LogFormat format) {
  return std::make_unique<spdlog::pattern_formatter>(format == LogFormat::kJson
                                                         ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}"
                                                         : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
                                                     spdlog::pattern_time_type::utc);
}

struct LimitEvent {
  LogLevel level;
  std::string_view event;
};

// By LimitReason. Whoever is outside the access list is on the Internet's daily rounds; the others may be an operator's
// own clients, who lose something.
constexpr std::array<LimitEvent, kLimitReasons> kLimitEvents = {{
    {LogLevel::kInfo, "client outside access.allow"},
    {LogLevel::kWarning, "client waits for too many answers, so its oldest waits end"},
    {LogLevel::kWarning, "too many answers of one domain are waited for, so the oldest waits end"},
    {LogLevel::kWarning, "too many answers are waited for, so the oldest waits end"},
    {LogLevel::kWarning, "client asks for too many large answers, so its questions wait"},
    {LogLevel::kWarning, "client has too many connections"},
    {LogLevel::kWarning, "too many connections"},
}};

std::string ClientText(const IpPrefix& client) {
  const bool whole = client.length == (client.address.is_v4() ? 32 : 128);
  return whole ? client.address.ToString() : client.ToString();
}

// The process's log. It is never destroyed, so that whatever ends late can still say so.
class ProcessLog {
 public:
  static ProcessLog& Get() {
    static ProcessLog* const log = new ProcessLog();
    return *log;
  }

  absl::Status Open(const LogOptions& options) {
    const std::lock_guard lock(mutex_);
    WriteAllSummaries();
    const absl::Status opened = file_.Open(options.file);
    if (!opened.ok()) return opened;
    format_ = options.format;
    level_.store(options.level, std::memory_order_relaxed);
    logger_->set_formatter(MakeFormatter(format_));
    return absl::OkStatus();
  }

  absl::Status Reopen() {
    const std::lock_guard lock(mutex_);
    return file_.Open(file_.path());
  }

  void GiveTo(uid_t user, gid_t group) {
    const std::lock_guard lock(mutex_);
    file_.GiveTo(user, group);
  }
  absl::Status MayBeMadeAgain() {
    const std::lock_guard lock(mutex_);
    return file_.MayBeMadeAgain();
  }

  bool Enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    const SteadyTime now = Now();
    const std::lock_guard lock(mutex_);
    const std::string line = Render(format_, event, fields);
    std::vector<LogFolder::Summary> due;
    const bool admitted = folder_.Admit(level, line, now, due);
    WriteSummaries(due);
    if (admitted) return WriteLine(level, line);
    ++folded_;
    AwakenAlarm();
  }

  void WriteBlock(LogLevel level, std::string_view event, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (format_ == LogFormat::kJson) return WriteLine(level, RenderJson(event, {{"text", text}}));
    WriteLine(level, RenderText(event, {}));
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      if (!line.empty()) WriteLine(level, line);
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
  }

  bool WriteWritten(std::string_view lines, uint64_t count) {
    const std::lock_guard lock(mutex_);
    return file_.Append(lines, count);
  }

  void Limited(LimitReason reason, const IpPrefix& client, SteadyTime now) {
    Limit& limit = limits_[static_cast<size_t>(reason)];
    std::optional<LimitTally::Line> line;
    bool owes;
    {
      const std::unique_lock lock(limit.mutex, std::try_to_lock);
      if (!lock.owns_lock()) {
        limit.overlooked.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      const bool owed = limit.tally.NextDue().has_value();
      line = limit.tally.Add(client, now);
      owes = !owed && limit.tally.NextDue().has_value();
    }
    if (line) WriteLimit(reason, *line);
    if (!owes) return;
    const std::lock_guard lock(mutex_);
    AwakenAlarm();
  }

  void Flush() {
    WriteLimits(&LimitTally::TakeRest);
    const std::lock_guard lock(mutex_);
    WriteAllSummaries();
  }

  LogStatistics Totals() {
    const std::lock_guard lock(mutex_);
    return {.lines_lost = file_.lost(), .lines_folded = folded_};
  }

 private:
  // One of LimitReason.
  struct alignas(64) Limit {
    std::mutex mutex;
    LimitTally tally;                     // guarded by mutex
    std::atomic<uint64_t> overlooked{0};  // reported while another thread had the mutex
  };

  ProcessLog() : logger_(std::make_unique<spdlog::logger>("dotward", std::make_shared<LineSink>(file_))) {
    logger_->set_level(spdlog::level::trace);  // ours decides
    logger_->set_formatter(MakeFormatter(format_));
  }

  // With mutex_ held, as all that follow unless they say otherwise.
  void WriteLine(LogLevel level, std::string_view line) {
    const uint64_t lost = file_.lost();
    logger_->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
    if (file_.lost() != lost || lost == told_lost_) return;
    const uint64_t untold = lost - std::exchange(told_lost_, lost);
    const std::string news = Render(format_, "lines of the log could not be written", {{"lines", untold}});
    logger_->log(ToSpdlog(LogLevel::kError), spdlog::string_view_t(news));
  }

  void WriteSummaries(const std::vector<LogFolder::Summary>& summaries) {
    for (const LogFolder::Summary& summary : summaries) WriteLine(summary.level, RenderSummary(format_, summary));
  }
  void WriteAllSummaries() {
    std::vector<LogFolder::Summary> due;
    folder_.TakeAll(due);
    WriteSummaries(due);
  }

  // Without mutex_.
  void WriteLimit(LimitReason reason, const LimitTally::Line& line) {
    const LimitEvent& about = kLimitEvents[static_cast<size_t>(reason)];
    if (!Enabled(about.level)) return;
    const std::lock_guard lock(mutex_);
    const std::string client = line.clients == 0 ? "" : ClientText(line.client);
    WriteLine(about.level,
              Render(format_, about.event, {{"client", client}, {"times", line.times}, {"clients", line.clients}}));
  }
  // Without mutex_. `take` is called with each tally and gives what is to be written of it.
  template <typename Take>
  void WriteLimits(Take take) {
    for (size_t reason = 0; reason < kLimitReasons; ++reason) {
      std::optional<LimitTally::Line> line;
      {
        Limit& limit = limits_[reason];
        const std::lock_guard lock(limit.mutex);
        limit.tally.AddUnknown(limit.overlooked.exchange(0, std::memory_order_relaxed));
        line = std::invoke(take, limit.tally);
      }
      if (line) WriteLimit(static_cast<LimitReason>(reason), *line);
    }
  }

  // Something will be due. The thread that sees to it is made when there is something to see to, and sleeps without end
  // while there is nothing.
  void AwakenAlarm() {
    if (!alarm_running_ && !StartAlarm()) return;  // what is due is written with the next line, or at the end
    alarm_set_ = true;
    alarm_.notify_one();
  }

  // False where the system has no thread to give.
  bool StartAlarm() {
    try {
      std::thread thread([this] { RunAlarm(); });
      pthread_setname_np(thread.native_handle(), "log");
      thread.detach();  // as this object, it is there until the process ends
    } catch (const std::system_error&) {
      return false;
    }
    alarm_running_ = true;
    return true;
  }

  [[noreturn]] void RunAlarm() {
    while (true) {
      AwaitDue();
      const SteadyTime now = Now();
      WriteLimits([now](LimitTally& tally) { return tally.TakeDue(now); });
      const std::lock_guard lock(mutex_);
      std::vector<LogFolder::Summary> due;
      folder_.TakeDue(now, due);
      WriteSummaries(due);
    }
  }

  void AwaitDue() {
    std::unique_lock lock(mutex_);
    while (true) {
      alarm_set_ = false;
      lock.unlock();
      std::optional<SteadyTime> next = NextLimitDue();
      lock.lock();
      const std::optional<SteadyTime> next_summary = folder_.NextDue();
      if (next_summary && (!next || *next_summary < *next)) next = next_summary;
      if (next && *next <= Now()) return;
      if (alarm_set_) continue;
      if (!next) {
        alarm_.wait(lock);
      } else if (alarm_.wait_until(lock, *next) == std::cv_status::timeout) {
        return;
      }
    }
  }

  std::optional<SteadyTime> NextLimitDue() {
    std::optional<SteadyTime> next;
    for (Limit& limit : limits_) {
      const std::lock_guard lock(limit.mutex);
      const std::optional<SteadyTime> due = limit.tally.NextDue();
      if (due && (!next || *due < *next)) next = due;
    }
    return next;
  }

  std::atomic<LogLevel> level_{LogLevel::kInfo};
  std::array<Limit, kLimitReasons> limits_;  // a limit's mutex and mutex_ are never held together

  std::mutex mutex_;
  // All below are guarded by mutex_.
  LogFormat format_ = LogFormat::kText;
  LineFile file_;
  std::unique_ptr<spdlog::logger> logger_;  // writes to file_
  LogFolder folder_;
  uint64_t folded_ = 0;
  uint64_t told_lost_ = 0;  // of the lines that are lost, those that a line has told of
  bool alarm_running_ = false;
  bool alarm_set_ = false;  // something has changed since the thread looked
  std::condition_variable alarm_;
};

}  // namespace

absl::Status OpenLog(const LogOptions& options) { return ProcessLog::Get().Open(options); }

absl::Status ReopenLog() { return ProcessLog::Get().Reopen(); }

void GiveLogTo(uid_t user, gid_t group) { ProcessLog::Get().GiveTo(user, group); }

absl::Status LogMayBeMadeAgain() { return ProcessLog::Get().MayBeMadeAgain(); }

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  ProcessLog& log = ProcessLog::Get();
  if (log.Enabled(level)) log.Write(level, event, fields);
}

bool LogEnabled(LogLevel level) { return ProcessLog::Get().Enabled(level); }

void FlushLog() { ProcessLog::Get().Flush(); }

LogStatistics LogTotals() { return ProcessLog::Get().Totals(); }

void LogBlock(LogLevel level, std::string_view event, std::string_view text) {
  ProcessLog& log = ProcessLog::Get();
  if (log.Enabled(level)) log.WriteBlock(level, event, text);
}

bool LogWrittenLines(std::string_view lines, uint64_t count) { return ProcessLog::Get().WriteWritten(lines, count); }

void LogLimited(LimitReason reason, const IpPrefix& client, SteadyTime now) {
  ProcessLog::Get().Limited(reason, client, now);
}

std::string EscapeForLog(std::string_view text) {
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

}  // namespace dotward
