#include "app/command_line.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "app/control_arguments.h"
#include "app/surroundings.h"
#include "base/strings.h"
#include "config/command_line.h"
#include "config/cross_checks.h"

namespace dotward {
namespace {

struct CommandName {
  std::string_view name;
  Command command;
};
constexpr std::array kCommands = {CommandName{"run", Command::kRun},
                                  CommandName{"check", Command::kCheck},
                                  CommandName{"config", Command::kConfig},
                                  CommandName{"version", Command::kVersion},
                                  CommandName{"--version", Command::kVersion},
                                  CommandName{"healthcheck", Command::kHealthcheck},
                                  CommandName{"help", Command::kHelp},
                                  CommandName{"--help", Command::kHelp},
                                  CommandName{"-h", Command::kHelp}};

constexpr std::string_view kHelp =
    R"(dotward: a caching forwarding DNS resolver that asks its upstreams over DNS-over-TLS

  dotward [run] [--config FILE] [--listen ADDR]... [--upstream URL]...
                       serve in the foreground, log to standard error
  dotward check --config FILE
                       check a configuration: exit 0, or 1 with every error
  dotward config [--config FILE]
                       print the effective configuration, defaults filled in
  dotward version      versions of dotward and of what it is built on
  dotward help         this page

Of a running server, through its control socket:
  dotward status       whether it is ready, and what it serves on
  dotward stats        everything that it counts
  dotward upstreams    its upstreams: a row an address
  dotward slow         the last queries that took over half a second or failed
  dotward cache lookup NAME [TYPE] [--do] [--cd]
                       what the cache has of a name
  dotward cache dump   every entry of the cache
  dotward cache flush NAME | --zone NAME | --all
                       forget a name, a zone and all below it, or everything
  dotward why NAME [TYPE]
                       how a question would be answered now, and why
  dotward reload       read the configuration anew; exit 1 with every error where it is refused
  dotward query NAME [TYPE] [--upstream NAME] [--do] [--cd]
                       ask upstream, past the cache; with --upstream that one alone
  dotward healthcheck [--listen ADDR]
                       exit 0 when the running server is ready

  --config FILE        default: /etc/dotward/dotward.yaml where it exists, else the built-in defaults
  --set KEY=VALUE      one key of the configuration, such as cache.max_ttl=1h; wins over the files; may be repeated
  --listen ADDR        127.0.0.1:5300 or [::1]:5300; replaces the file's list
  --upstream URL       tls://9.9.9.9#dns.quad9.net, with :PORT where it is not 853, or, in the clear, udp://10.0.0.1
                       or tcp://10.0.0.1; replaces the file's upstreams
  --socket PATH        the control socket; default: admin.socket of the configuration
  --json               the server's reply as it comes, a line of JSON each
  --zone NAME          cache flush: a zone and all below it
  --all                cache flush: everything
  --do, --cd           query: with these bits set; cache lookup: entries for such queries alone

Signals: TERM and INT stop, HUP reads the configuration anew, USR1 writes the statistics to the log, USR2 opens the log
file anew.
Exit codes: 0 ok, 1 configuration, 2 network, 3 files, 4 memory, 5 other.
)";

absl::Status UsageError(std::string_view what) {
  return absl::InvalidArgumentError(StrCat(what, "; \"dotward help\" lists what there is"));
}

std::optional<Command> FindCommand(std::string_view name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(), [name](const auto& c) { return c.name == name; });
  return found == kCommands.end() ? std::nullopt : std::optional(found->command);
}

// What the file's upstreams were warned of is past; those of the command line have no place in a file.
void WarnOfUpstreams(ConfigResult* result) {
  result->warnings.clear();
  std::optional<std::string> clear_text = ClearTextWarning(*result->config);
  if (!clear_text) return;
  ConfigError& warning = result->warnings.emplace_back();
  warning.file = "command line";
  warning.message = *std::move(clear_text);
  warning.severity = ConfigError::Severity::kWarning;
}

}  // namespace

std::string_view HelpText() { return kHelp; }

absl::StatusOr<CommandLine> ParseCommandLine(std::span<const std::string> arguments) {
  if (!arguments.empty() && IsControlWord(arguments[0])) return ParseControlArguments(arguments);
  CommandLine parsed;
  size_t at = 0;
  if (!arguments.empty() && (!arguments[0].starts_with("--") || FindCommand(arguments[0]))) {
    const std::optional<Command> command = FindCommand(arguments[0]);
    if (!command) return UsageError(StrCat("there is no subcommand \"", arguments[0], "\""));
    parsed.command = *command;
    at = 1;
  }
  for (; at < arguments.size(); ++at) {
    std::string option = arguments[at];
    std::optional<std::string> value;
    if (const size_t equals = option.find('='); equals != std::string::npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
    }
    const bool known = option == "--config" || option == "--listen" || option == "--upstream" || option == "--set" ||
                       (option == "--socket" && parsed.command == Command::kHealthcheck);
    if (!known) return UsageError(StrCat("there is no option \"", arguments[at], "\""));
    if (!value) {
      if (at + 1 == arguments.size()) return UsageError(StrCat(option, " needs a value"));
      value = arguments[++at];
    }
    if (value->empty()) return UsageError(StrCat(option, " needs a value that is not empty"));
    if (option == "--config") parsed.config_file = *value;
    if (option == "--listen") parsed.listen.push_back(*value);
    if (option == "--upstream") parsed.upstreams.push_back(*value);
    if (option == "--socket") parsed.socket = *value;
    if (option == "--set") parsed.settings.push_back(*value);
  }
  if (parsed.command == Command::kCheck && parsed.config_file.empty()) {
    return UsageError("check needs --config FILE");
  }
  return parsed;
}

std::string ConfigFileOf(const CommandLine& command_line) {
  if (!command_line.config_file.empty()) return command_line.config_file;
  std::error_code ignored;
  return std::filesystem::exists(kDefaultConfigFile, ignored) ? std::string(kDefaultConfigFile) : std::string();
}

ConfigResult FileConfig(const CommandLine& command_line) {
  const std::string file = ConfigFileOf(command_line);
  return file.empty() ? LoadDropIns(std::string(kDefaultConfigFile), command_line.settings)
                      : LoadConfig(file, command_line.settings);
}

ConfigResult EffectiveConfig(const CommandLine& command_line) {
  ConfigResult result = FileConfig(command_line);
  if (!result.ok()) return result;
  absl::Status replaced = ReplaceListen(command_line.listen, &*result.config);
  if (replaced.ok()) replaced = ReplaceUpstreams(command_line.upstreams, &*result.config);
  if (!replaced.ok()) {
    ConfigError error;
    error.file = "command line";
    error.message = MessageOf(replaced);
    return {std::nullopt, {std::move(error)}};
  }
  if (!command_line.upstreams.empty()) WarnOfUpstreams(&result);
  CheckSurroundings(&result);
  return result;
}

}  // namespace dotward
