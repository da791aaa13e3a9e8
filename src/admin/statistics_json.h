#ifndef DOTWARD_ADMIN_STATISTICS_JSON_H_
#define DOTWARD_ADMIN_STATISTICS_JSON_H_

#include <string>

#include "admin/statistics.h"

namespace dotward {

// The statistics as JSON in one line. "schema" is 1; names stay, and more may come.
std::string RenderJson(const StatisticsSnapshot& snapshot);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATISTICS_JSON_H_
