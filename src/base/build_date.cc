#include "base/build_date.h"

namespace dotward {

WallTime BuildDate() { return WallTime(std::chrono::seconds(DOTWARD_BUILD_DATE)); }

}  // namespace dotward
