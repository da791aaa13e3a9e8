#include "app/reloader.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/restart_keys.h"

namespace dotward {
namespace {

ReloadReport Refused(std::vector<ConfigError> errors) {
  ReloadReport report;
  report.errors = std::move(errors);
  return report;
}

ReloadReport Refused(const absl::Status& why) {
  ConfigError error;
  error.file = "reload";
  error.message = MessageOf(why);
  return Refused({std::move(error)});
}

LogOptions LogOptionsOf(const Config& config) { return {config.log.level, config.log.format, config.log.file}; }

bool SameLog(const Config& a, const Config& b) {
  return a.log.level == b.log.level && a.log.format == b.log.format && a.log.file == b.log.file;
}

// `number` tells one reload from the next, so that their lines are not folded into one.
void LogReport(const ReloadReport& report, uint64_t number) {
  for (const ConfigError& error : report.errors) {
    Log(LogLevel::kError, "an error in the configuration", {{"error", error.ToString()}});
  }
  LogWarnings(report.warnings);
  for (const std::string& change : report.needs_restart) {
    Log(LogLevel::kWarning, "a change of the configuration needs a restart", {{"change", change}});
  }
  if (report.accepted) {
    Log(LogLevel::kInfo, "the configuration was reloaded",
        {{"reload", number}, {"needs_restart", uint64_t{report.needs_restart.size()}}});
  } else {
    Log(LogLevel::kError, "the configuration was refused, and what served before serves on",
        {{"reload", number}, {"errors", uint64_t{report.errors.size()}}});
  }
}

}  // namespace

void LogWarnings(const std::vector<ConfigError>& warnings) {
  for (const ConfigError& warning : warnings) {
    const std::string line = warning.line > 0 ? StrCat(":", warning.line) : "";
    Log(LogLevel::kWarning, "worth a look in the configuration",
        {{"place", warning.file + line}, {"warning", warning.message}});
  }
}

void Reloader::Start() {
  const std::lock_guard lock(mutex_);
  running_ = true;
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "reload");
}

void Reloader::Stop() {
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Reloader::Request() {
  {
    const std::lock_guard lock(mutex_);
    requested_ = begun_ + 1;
  }
  changed_.notify_all();
}

ReloadReport Reloader::Reload() {
  std::unique_lock lock(mutex_);
  const uint64_t mine = begun_ + 1;
  requested_ = mine;
  changed_.notify_all();
  changed_.wait(lock, [&] { return ended_ >= mine || !running_; });
  return ended_ >= mine ? last_ : Refused(absl::UnavailableError("the server is not running"));
}

void Reloader::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return requested_ > begun_ || !running_; });
    if (!running_) return;
    const uint64_t number = ++begun_;
    lock.unlock();
    if (hooks_.began) hooks_.began();
    ReloadReport report = ReloadOnce();
    LogReport(report, number);
    if (hooks_.ended) hooks_.ended();
    lock.lock();
    last_ = std::move(report);
    ended_ = begun_;
    changed_.notify_all();
  }
}

// Both logs, or neither.
absl::Status Reloader::ApplyLogs(const Config& before, const Config& now) {
  RETURN_IF_ERROR(service_.query_log().Apply(QueryLog::Options::Of(now)));
  if (SameLog(before, now)) return absl::OkStatus();
  const absl::Status opened = OpenLog(LogOptionsOf(now));
  // What it had a moment ago it can have again; where not, there is nothing better than the new one.
  if (!opened.ok()) static_cast<void>(!service_.query_log().Apply(QueryLog::Options::Of(before)).ok());
  return opened;
}

// Everything that can fail comes before the swap, the logs last of it: they alone are seen outside.
ReloadReport Reloader::ReloadOnce() {
  ConfigResult loaded = hooks_.load();
  if (!loaded.ok()) return Refused(std::move(loaded.errors));
  const std::shared_ptr<const Config> before = service_.state()->config;
  ReloadReport report;
  report.needs_restart = KeepUntilRestart(*before, &*loaded.config);
  const auto now = std::make_shared<const Config>(*std::move(loaded.config));
  absl::StatusOr<Service::Prepared> prepared = service_.Prepare(now);
  if (!prepared.ok()) return Refused(prepared.status());
  if (const absl::Status logs = ApplyLogs(*before, *now); !logs.ok()) return Refused(logs);
  if (const absl::Status adopted = service_.Adopt(*std::move(prepared)); !adopted.ok()) return Refused(adopted);
  service_.slow_queries().Apply(QueryLog::Options::Of(*now).privacy);
  if (hooks_.applied) hooks_.applied(*before, *now);
  report.accepted = true;
  report.warnings = std::move(loaded.warnings);
  return report;
}

}  // namespace dotward
