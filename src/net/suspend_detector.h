#ifndef DOTWARD_NET_SUSPEND_DETECTOR_H_
#define DOTWARD_NET_SUSPEND_DETECTOR_H_

#include "base/limits.h"
#include "dotward/clock.h"

namespace dotward {

// Tells that the machine has slept: CLOCK_BOOTTIME goes on meanwhile and CLOCK_MONOTONIC does not. Reads no clock.
class SuspendDetector {
 public:
  // Both as they are now.
  SuspendDetector(Duration boot_time, Duration monotonic) : asleep_(boot_time - monotonic) {}

  // True where the machine has slept for more than Limits::kSuspendMin since the last call. Shorter sleeps do not add
  // up: no connection dies of them.
  bool Observe(Duration boot_time, Duration monotonic) {
    const Duration asleep = boot_time - monotonic;
    const bool slept = asleep - asleep_ > Limits::kSuspendMin;
    asleep_ = asleep;
    return slept;
  }

 private:
  Duration asleep_;  // since the machine was started
};

}  // namespace dotward

#endif  // DOTWARD_NET_SUSPEND_DETECTOR_H_
