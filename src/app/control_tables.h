#ifndef DOTWARD_APP_CONTROL_TABLES_H_
#define DOTWARD_APP_CONTROL_TABLES_H_

#include <string>
#include <string_view>

#include "admin/control_request.h"

namespace dotward {

enum class Colour : uint8_t { kNone, kTerminal };

// What the control socket answers, for people: tables that fit 100 columns. Only the lines of DNS records, which others
// may want to copy, may be longer. Control characters in whatever the server passes on from outside never reach the
// terminal.
class ControlTables {
 public:
  ControlTables(ControlRequest request, Colour colour) : request_(std::move(request)), colour_(colour) {}

  // The text for one line of the reply, which is JSON and no error; empty where it has nothing for people.
  std::string ToText(std::string_view line);

 private:
  const ControlRequest request_;
  const Colour colour_;
  uint64_t entries_ = 0;  // rendered so far
};

}  // namespace dotward

#endif  // DOTWARD_APP_CONTROL_TABLES_H_
