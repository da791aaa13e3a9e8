#ifndef DOTWARD_CONFIG_RELOAD_REPORT_H_
#define DOTWARD_CONFIG_RELOAD_REPORT_H_

#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {

// What came of one reload, for whoever asked for it: the control socket's client, or the log after SIGHUP. A value,
// free to be copied between threads.
struct ReloadReport {
  // False where the new configuration was refused: then `errors` is not empty and what served before serves on,
  // untouched.
  bool accepted = false;
  std::vector<ConfigError> errors;    // in the order of the files, bounded by Limits::kConfigErrorsMax
  std::vector<ConfigError> warnings;  // of what was accepted, in the same order and bounded in the same way
  // What the new configuration says and only a restart can do, one key each: "workers: 2 stays until a restart; the
  // file says 4". Everything else of it is in force.
  std::vector<std::string> needs_restart;
};

}  // namespace dotward

#endif  // DOTWARD_CONFIG_RELOAD_REPORT_H_
