#ifndef DOTWARD_APP_CONTROL_COMMAND_H_
#define DOTWARD_APP_CONTROL_COMMAND_H_

#include "app/command_line.h"
#include "app/exit_code.h"
#include "dotward/config.h"

namespace dotward {

// Puts what the command line asks to the running server at its control socket and prints the reply, as it came with
// --json, else as tables; errors go to standard error.
ExitCode RunControl(const CommandLine& command_line);

// kOk where the running server says that it is ready: through the control socket where it can be reached, else by a DNS
// query to its first listener.
ExitCode RunHealthcheck(const CommandLine& command_line, const Config& config);

}  // namespace dotward

#endif  // DOTWARD_APP_CONTROL_COMMAND_H_
