#ifndef DOTWARD_CONFIG_NEGATIVE_ANCHOR_H_
#define DOTWARD_CONFIG_NEGATIVE_ANCHOR_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "dotward/clock.h"

namespace dotward {

// One item of `dnssec.negative_trust_anchors`: a zone, or "ZONE until YYYY-MM-DD", or the same with "Thh:mm:ssZ"
// behind.
struct NegativeAnchor {
  std::string zone;  // with the final dot
  std::optional<WallTime> end;
};
absl::StatusOr<NegativeAnchor> ParseNegativeAnchor(std::string_view text);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_NEGATIVE_ANCHOR_H_
