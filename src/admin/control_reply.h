#ifndef DOTWARD_ADMIN_CONTROL_REPLY_H_
#define DOTWARD_ADMIN_CONTROL_REPLY_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "admin/control_request.h"
#include "admin/service_control.h"
#include "dotward/clock.h"

namespace dotward {

// What the control socket answers: each function makes one line of JSON without its line break. "schema" is 1; names
// stay, and more may come. Whatever text comes from outside (names, data of records, errors) is escaped.

std::string RenderControlError(const absl::Status& status);

std::string RenderStatus(const ServiceFacts& facts, bool ready);
// With where it listens, so that whoever asks can tell which server answered.
std::string RenderHealth(const ServiceFacts& facts, bool ready);
std::string RenderSlow(const SlowReport& report);
std::string RenderUpstreams(const std::vector<UpstreamSnapshot>& upstreams);

// One moment on both clocks.
struct ControlMoment {
  ControlMoment(SteadyTime steady_in, WallTime wall_in = {})
      : steady(steady_in), wall(wall_in) {}  // NOLINT: one is enough
  SteadyTime steady;
  WallTime wall;
};

// One entry of the cache, its records with the TTLs that a client would be told at `now`. `trust` may be null: a walk
// over the whole cache does not look at the chain of trust of each.
std::string RenderCacheEntry(const CacheEntry& entry, const AnswerTrust* trust, const ControlMoment& now);
// The line behind the last entry.
std::string RenderEndOfEntries(uint64_t entries);
std::string RenderFlushed(uint64_t entries);

std::string RenderWhy(const ControlRequest& request, const WhyReport& report,
                      const std::vector<UpstreamSnapshot>& upstreams, const ControlMoment& now);
std::string RenderReload(const ReloadReport& report);
std::string RenderAnswer(const ControlRequest& request, const ControlAnswer& answer);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_CONTROL_REPLY_H_
