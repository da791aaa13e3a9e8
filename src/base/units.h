#ifndef DOTWARD_BASE_UNITS_H_
#define DOTWARD_BASE_UNITS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "dotward/clock.h"

namespace dotward {

// Reads "250ms", "5s", "10m", "1h", "1d": a decimal whole number and a unit, nothing around them. kInvalidArgument
// says what was read and what is accepted; a value over 100 years is refused.
absl::StatusOr<Duration> ParseDuration(std::string_view text);
// The shortest exact spelling: 90s is "90s", 120s is "2m". Parts under a millisecond are cut.
std::string FormatDuration(Duration duration);

// Reads "512", "64KiB", "256MiB", "1GiB": octets, with binary units only. At most 1 PiB.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);
std::string FormatSize(uint64_t octets);

}  // namespace dotward

#endif  // DOTWARD_BASE_UNITS_H_
