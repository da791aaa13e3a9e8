#ifndef DOTWARD_ADMIN_STATUS_SITE_H_
#define DOTWARD_ADMIN_STATUS_SITE_H_

#include <functional>
#include <optional>
#include <string>

#include "admin/http_protocol.h"
#include "admin/statistics.h"
#include "dotward/clock.h"

namespace dotward {

// What the HTTP endpoint shows: the probes, the statistics in two formats, and a page for people. Nothing can be
// changed through it. Not thread-safe.
class StatusSite {
 public:
  struct Sources {
    // Gathers the statistics; may block for a turn of the forwarding loop.
    std::function<StatisticsSnapshot()> statistics;
    // Whether clients are served: false from when a stop begins. Never blocks.
    std::function<bool()> ready;
  };

  // The clock outlives it.
  StatusSite(Sources sources, const Clock& clock) : sources_(std::move(sources)), clock_(clock) {}

  // The reply to a request for `path`; 404 names the paths there are.
  HttpReply Get(const std::string& path);

 private:
  HttpReply Ready() const;
  // No older than Limits::kStatisticsReuse: however often somebody asks, the forwarding loop is asked no more often.
  const StatisticsSnapshot& Statistics();

  const Sources sources_;
  const Clock& clock_;
  std::optional<StatisticsSnapshot> snapshot_;
  SteadyTime taken_at_{};
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATUS_SITE_H_
