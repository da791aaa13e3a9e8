#ifndef DOTWARD_ADMIN_QUERY_LINE_H_
#define DOTWARD_ADMIN_QUERY_LINE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "admin/query_record.h"
#include "base/ip_address.h"
#include "dotward/config.h"

namespace dotward {

// How much of a client's address is told, in the query log and wherever else single queries are shown.
struct ClientPrivacy {
  ClientAddressLogging show = ClientAddressLogging::kFull;
  uint8_t ipv4_prefix = 32;  // bits, with kPrefix
  uint8_t ipv6_prefix = 56;

  // "192.0.2.7", "192.0.2.0/24", or "" where nothing is told.
  std::string Show(const IpAddress& client) const;
};

std::string_view TransportToString(Transport transport);     // "udp", "tcp", "tls"
std::string_view AnswerSourceToString(AnswerSource source);  // "cache", "stale", "upstream", ...

std::string UtcToString(WallTime at);  // "2026-11-21T16:05:07.040Z"

// Writes records as the lines of the query log, whose fields docs/logging.md lists. Remembers how times and types are
// spelled, since one second has many lines. Not thread-safe.
class QueryLineWriter {
 public:
  explicit QueryLineWriter(const ClientPrivacy& privacy) : privacy_(privacy) {}

  // Appends one line with its line break. `received_at` is the record's, as civil time.
  void Append(const QueryRecord& record, WallTime received_at, std::string& out);

 private:
  void AppendTime(WallTime at, std::string& out);
  void AppendClient(const IpAddress& client, std::string& out) const;
  const std::string& TypeName(uint16_t type);

  const ClientPrivacy privacy_;
  std::chrono::sys_seconds second_{std::chrono::seconds(-1)};
  std::string second_text_;                   // "2026-11-21T16:20:07"
  std::array<std::string, 512> known_types_;  // those that are asked for in practice; filled as they come
  std::string other_type_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_QUERY_LINE_H_
