#ifndef DOTWARD_APP_RELOADER_H_
#define DOTWARD_APP_RELOADER_H_

#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "app/service.h"
#include "config/reload_report.h"
#include "dotward/config.h"

namespace dotward {

// Of a configuration that was accepted.
void LogWarnings(const std::vector<ConfigError>& warnings);

// Reloads the configuration of a running server, on a thread of its own: loads and checks it whole, then swaps it in or
// leaves everything as it is, and logs which. Requests that come while one is under way share the next one, which sees
// what the files say by then.
class Reloader {
 public:
  struct Hooks {
    // The configuration as at the start: file, drop-in files, command line.
    std::function<ConfigResult()> load;
    // Around every reload; may be empty. What takes up more than the service does so in `applied`.
    std::function<void()> began;
    std::function<void(const Config& before, const Config& now)> applied;
    std::function<void()> ended;
  };

  // `service` must outlive it.
  Reloader(Service& service, Hooks hooks) : service_(service), hooks_(std::move(hooks)) {}
  ~Reloader() { Stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // Once the service runs. Until then, and after Stop, every reload is refused.
  void Start();
  // Ends when the reload under way has ended; whoever waits for another gets a refusal. Before the service stops.
  void Stop();

  // Both thread-safe. The first blocks until a reload has ended that began after the call.
  ReloadReport Reload();
  void Request();

 private:
  void Run();
  ReloadReport ReloadOnce();
  absl::Status ApplyLogs(const Config& before, const Config& now);

  Service& service_;
  const Hooks hooks_;

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t requested_ = 0;  // guarded by mutex_; the reload that the next request shares has the number after `begun_`
  uint64_t begun_ = 0;      // guarded by mutex_
  uint64_t ended_ = 0;      // guarded by mutex_
  bool running_ = false;    // guarded by mutex_
  ReloadReport last_;       // guarded by mutex_
  std::thread thread_;
};

}  // namespace dotward

#endif  // DOTWARD_APP_RELOADER_H_
