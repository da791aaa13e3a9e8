#ifndef DOTWARD_NET_NETWORK_MONITOR_H_
#define DOTWARD_NET_NETWORK_MONITOR_H_

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

#include "net/network_change.h"

namespace dotward {

// Tells when the network of this machine, or its time, has become another: addresses, routes and links by netlink, the
// wall clock and a wake-up from suspend by a timer that is cancelled on them. Nothing polls: while nothing happens,
// nothing runs.
//
// The state at the beginning is read when the monitor is made (some system calls, no waiting), so that what is merely
// repeated is not taken for a change; NetlinkState says what counts. The first change is told at once; what follows
// within Limits::kNetworkChangeQuiet is told as one at the end of it, and so on while changes go on.
//
// Where a sandbox denies netlink sockets or timers, that is logged once and their kind of change is never told.
// Belongs to one event loop and is used on its thread only; it may be destroyed at any time but inside `on_change`.
class NetworkMonitor {
 public:
  using OnChange = std::function<void(const NetworkChange&)>;

  // The sockets are of the calling thread's network namespace.
  NetworkMonitor(asio::io_context& loop, OnChange on_change);
  ~NetworkMonitor();  // `on_change` is called no more
  NetworkMonitor(const NetworkMonitor&) = delete;
  NetworkMonitor& operator=(const NetworkMonitor&) = delete;

  // Whether changes of the network are noticed at all.
  bool watches_network() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_NETWORK_MONITOR_H_
