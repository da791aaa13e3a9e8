#ifndef DOTWARD_ADMIN_CONTROL_REQUEST_H_
#define DOTWARD_ADMIN_CONTROL_REQUEST_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dns/name.h"

namespace dotward {

// The protocol of the control socket. One request a connection, one line of JSON:
//   {"schema":1,"command":"cache lookup","name":"www.example.","type":"AAAA"}
// What comes back are lines of JSON, each with "schema", then the end of the stream. A request that fails gets one line
// with "error", in words, and "code". Where there can be many lines (cache lookup, cache dump), the last one has "end",
// so that a reply that was cut short can be told.
inline constexpr int kControlSchema = 1;

enum class ControlCommand : uint8_t {
  kStatus,
  kStats,
  kUpstreams,
  kSlow,
  kCacheLookup,
  kCacheDump,
  kCacheFlush,
  kWhy,
  kReload,
  kQuery,
  kHealth,
};
// "cache lookup"
std::string_view ControlCommandToString(ControlCommand command);

enum class FlushScope : uint8_t { kName, kZone, kAll };

struct ControlRequest {
  ControlCommand command = ControlCommand::kStatus;
  Name name;                     // cache lookup, cache flush but for kAll, why, query
  std::optional<uint16_t> type;  // cache lookup: of this type alone; why, query: A where there is none
  // query: how to ask. cache lookup: entries for such clients alone; false does not filter.
  bool dnssec_ok = false;
  bool checking_disabled = false;
  FlushScope flush = FlushScope::kName;  // cache flush
  std::string upstream;                  // query: this one alone; empty: as the routes have it

  bool operator==(const ControlRequest&) const = default;
};

// Reads one request line, with or without its line break. Any octets are allowed; work is bounded by their number,
// which the caller bounds. kInvalidArgument says what is wrong with it: no JSON, another schema, an unknown command, a
// key that the command does not take, or a value that makes no sense.
absl::StatusOr<ControlRequest> ParseControlRequest(std::string_view line);

// The line, without a line break, that ParseControlRequest reads as the same request.
std::string RenderControlRequest(const ControlRequest& request);

}  // namespace dotward

#endif  // DOTWARD_ADMIN_CONTROL_REQUEST_H_
