#ifndef DOTWARD_APP_COMMANDS_H_
#define DOTWARD_APP_COMMANDS_H_

#include <span>
#include <string>

#include "app/exit_code.h"

namespace dotward {

// Runs the subcommand that `arguments` (without the program's name) name. Prints to standard output what was asked for,
// and to standard error what went wrong.
ExitCode RunCommand(std::span<const std::string> arguments);

}  // namespace dotward

#endif  // DOTWARD_APP_COMMANDS_H_
