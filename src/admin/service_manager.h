#ifndef DOTWARD_ADMIN_SERVICE_MANAGER_H_
#define DOTWARD_ADMIN_SERVICE_MANAGER_H_

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dotward/clock.h"

namespace dotward {

// Calls `turned` once each of the loops has had a turn: on the thread of the last, and never where one of them hangs.
void ProbeLoops(const std::vector<asio::io_context*>& loops, const std::function<void()>& turned);

// Tells whoever supervises the process, systemd or another that speaks its protocol (sd_notify(3)), what the process is
// doing, and that it is alive. Where NOTIFY_SOCKET names nobody, nothing happens. For the thread of one event loop,
// which must outlive it.
class ServiceManager {
 public:
  // Finds out whether every loop of the server turns: calls `turned` on any thread, once, when each has.
  using Probe = std::function<void(std::function<void()> turned)>;

  explicit ServiceManager(asio::io_context& loop);
  ~ServiceManager();  // StopWatchdog()
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // It serves. `status` is one line for people, as below.
  void Ready(std::string_view status);
  // A configuration is being read, until Ready() is called again, whatever came of it.
  void Reloading(SteadyTime now);
  // It answers what is in flight, and ends; no ping is wanted any more, because the supervisor's time for a stop
  // counts.
  void Stopping(std::string_view status);

  // Where a watchdog is asked for (WATCHDOG_USEC), has `probe` called twice in its time, and pings when all loops have
  // turned: one that hangs ends the pings, and the supervisor starts the process anew. A probe that has not come back
  // is waited for. Keeps the loop running until StopWatchdog().
  void StartWatchdog(Probe probe);
  void StopWatchdog();

  // The time within which a ping is wanted; zero where none is.
  Duration watchdog() const { return watchdog_; }

 private:
  class Watchdog;

  asio::io_context& loop_;
  const Duration watchdog_;
  std::shared_ptr<Watchdog> running_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_SERVICE_MANAGER_H_
