#ifndef DOTWARD_BASE_BUILD_DATE_H_
#define DOTWARD_BASE_BUILD_DATE_H_

#include "dotward/clock.h"

namespace dotward {

// When this program was made: SOURCE_DATE_EPOCH where that was set, else the time of the last commit, else that of the
// configuration of the build. No clock that is right can say less.
WallTime BuildDate();

}  // namespace dotward

#endif  // DOTWARD_BASE_BUILD_DATE_H_
