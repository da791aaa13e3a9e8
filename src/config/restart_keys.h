#ifndef DOTWARD_CONFIG_RESTART_KEYS_H_
#define DOTWARD_CONFIG_RESTART_KEYS_H_

#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {

// Gives `config` the values of `running` in every key that a reload leaves as it is, so that it says what is in force.
// Returns what differed, one key each: "workers: 2 stays until a restart; the new configuration has 4".
std::vector<std::string> KeepUntilRestart(const Config& running, Config* config);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_RESTART_KEYS_H_
