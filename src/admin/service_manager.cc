#include "admin/service_manager.h"

#include <systemd/sd-daemon.h>

#include <asio/post.hpp>
#include <atomic>
#include <utility>

#include "base/await.h"
#include "base/strings.h"

namespace dotward {
namespace {

// Whether it arrives is the supervisor's affair: there is nothing that could be done about it here.
void Notify(const std::string& state) { sd_notify(/*unset_environment=*/0, state.c_str()); }

Duration WatchdogTime() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &microseconds) <= 0) return Duration(0);
  return std::chrono::microseconds(microseconds);
}

// A status is one line; what follows a line break would be another variable.
std::string OneLine(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace

void ProbeLoops(const std::vector<asio::io_context*>& loops, const std::function<void()>& turned) {
  const auto left = std::make_shared<std::atomic<size_t>>(loops.size());
  for (asio::io_context* loop : loops) {
    asio::post(*loop, [left, turned] {
      if (left->fetch_sub(1) == 1) turned();
    });
  }
}

// Shared with the probes that are under way, which may come back when nobody asks any more.
class ServiceManager::Watchdog : public std::enable_shared_from_this<Watchdog> {
 public:
  Watchdog(asio::io_context& loop, Duration interval, Probe probe)
      : loop_(loop), interval_(interval), probe_(std::move(probe)), timer_(loop.get_executor()) {}

  void Run() {
    if (!std::exchange(waiting_, true)) {
      probe_([self = shared_from_this()] { asio::post(self->loop_, [self] { self->Turned(); }); });
    }
    timer_.expires_after(interval_);
    timer_.async_wait([self = shared_from_this()](const asio::error_code&) {
      if (!self->stopped_) self->Run();
    });
  }

  void Stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  void Turned() {
    waiting_ = false;
    if (!stopped_) Notify("WATCHDOG=1");
  }

  asio::io_context& loop_;
  const Duration interval_;
  const Probe probe_;
  SteadyTimer timer_;
  bool waiting_ = false;  // a probe has not come back
  bool stopped_ = false;
};

ServiceManager::ServiceManager(asio::io_context& loop) : loop_(loop), watchdog_(WatchdogTime()) {}

ServiceManager::~ServiceManager() { StopWatchdog(); }

void ServiceManager::Ready(std::string_view status) { Notify(StrCat("READY=1\nSTATUS=", OneLine(status))); }

void ServiceManager::Reloading(SteadyTime now) {
  // steady_clock is CLOCK_MONOTONIC, which is what is asked for.
  const auto since_boot = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  Notify(StrCat("RELOADING=1\nMONOTONIC_USEC=", since_boot.count(), "\nSTATUS=reading the configuration"));
}

void ServiceManager::Stopping(std::string_view status) {
  StopWatchdog();
  Notify(StrCat("STOPPING=1\nWATCHDOG_USEC=0\nSTATUS=", OneLine(status)));
}

void ServiceManager::StartWatchdog(Probe probe) {
  if (watchdog_ <= Duration(0) || running_ != nullptr) return;
  running_ = std::make_shared<Watchdog>(loop_, watchdog_ / 2, std::move(probe));
  running_->Run();
}

void ServiceManager::StopWatchdog() {
  if (running_ == nullptr) return;
  running_->Stop();
  running_.reset();
}

}  // namespace dotward
