#ifndef DOTWARD_APP_RUN_H_
#define DOTWARD_APP_RUN_H_

#include "app/command_line.h"
#include "app/exit_code.h"
#include "dotward/config.h"

namespace dotward {

// Serves by a configuration that was loaded without an error, and by the command line that it was loaded for, until a
// signal says stop. Errors go to the log.
ExitCode Serve(const CommandLine& command_line, const ConfigResult& loaded);

}  // namespace dotward

#endif  // DOTWARD_APP_RUN_H_
