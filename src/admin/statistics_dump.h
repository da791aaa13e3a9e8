#ifndef DOTWARD_ADMIN_STATISTICS_DUMP_H_
#define DOTWARD_ADMIN_STATISTICS_DUMP_H_

#include <cstdint>
#include <string>

#include "admin/statistics.h"

namespace dotward {

enum class DumpDetail : uint8_t { kTotals, kWithShards };

// The dump that SIGUSR1 writes: lines in dnsmasq's vocabulary, then one line of JSON with the same and more.
std::string RenderDump(const StatisticsSnapshot& snapshot, DumpDetail detail);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATISTICS_DUMP_H_
