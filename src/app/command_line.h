#ifndef DOTWARD_APP_COMMAND_LINE_H_
#define DOTWARD_APP_COMMAND_LINE_H_

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/control_request.h"
#include "dotward/config.h"

namespace dotward {

enum class Command { kRun, kCheck, kConfig, kVersion, kHealthcheck, kHelp, kControl };

struct CommandLine {
  Command command = Command::kRun;
  std::string config_file;             // empty: the default path where it exists, else the built-in default
  std::vector<std::string> settings;   // "cache.max_ttl=1h"; win over the file and its drop-in files
  std::vector<std::string> listen;     // replace the file's list where not empty
  std::vector<std::string> upstreams;  // "tls://ADDR[:PORT]#NAME"; replace the file's upstreams and routes

  // Of the subcommands that ask a running server.
  std::string socket;      // where it listens; empty: admin.socket of the configuration
  bool json = false;       // its reply as it comes
  ControlRequest control;  // with kControl: what it is asked
};

inline constexpr std::string_view kDefaultConfigFile = "/etc/dotward/dotward.yaml";

// `arguments` is without the program's name. kInvalidArgument says which argument is wrong and what is accepted.
absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments);

std::string_view HelpText();

// The file that the configuration is read from; empty where there is none, which leaves the built-in defaults and
// drop-in files beside the default path.
std::string ConfigFileOf(const CommandLine& command_line);

// The configuration of the files and settings alone, of which nothing is checked against this machine.
ConfigResult FileConfig(const CommandLine& command_line);

// The configuration that the command line names, with what it replaces, checked against this machine. `file` of the
// errors is the file, or "command line" for what came from there.
ConfigResult EffectiveConfig(const CommandLine& command_line);

}  // namespace dotward

#endif  // DOTWARD_APP_COMMAND_LINE_H_
