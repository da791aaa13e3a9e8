#ifndef DOTWARD_APP_CONTROL_ARGUMENTS_H_
#define DOTWARD_APP_CONTROL_ARGUMENTS_H_

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <string_view>

#include "app/command_line.h"

namespace dotward {

// Whether the word begins a subcommand that asks a running server: "status", "cache", …
bool IsControlWord(std::string_view word);

// Reads such a subcommand, `arguments` beginning with its word. kInvalidArgument says which argument is wrong and what
// is accepted.
absl::StatusOr<CommandLine> ParseControlArguments(std::span<const std::string> arguments);

}  // namespace dotward

#endif  // DOTWARD_APP_CONTROL_ARGUMENTS_H_
