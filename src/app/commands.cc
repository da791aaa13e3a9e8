#include "app/commands.h"

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "app/command_line.h"
#include "app/control_command.h"
#include "app/run.h"
#include "base/strings.h"
#include "dns/library_version.h"
#include "net/library_version.h"

namespace dotward {
namespace {

void Print(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

void PrintFindings(const ConfigResult& result) {
  for (const ConfigError& error : result.errors) Print(stderr, StrCat(error.ToString(), "\n"));
  for (const ConfigError& warning : result.warnings) Print(stderr, StrCat(warning.ToString(), "\n"));
}

ExitCode Check(const CommandLine& command_line) {
  const ConfigResult result = EffectiveConfig(command_line);
  PrintFindings(result);
  if (!result.ok()) return ExitCode::kConfiguration;
  Print(stdout, StrCat(command_line.config_file, ": OK\n"));
  return ExitCode::kOk;
}

ExitCode PrintVersion() {
  Print(stdout, StrCat("dotward ", DOTWARD_VERSION, "\nldns ", LdnsVersion(), "\nGnuTLS ", GnuTlsVersion(), "\n"));
  return ExitCode::kOk;
}

}  // namespace

ExitCode RunCommand(std::span<const std::string> arguments) {
  const absl::StatusOr<CommandLine> command_line = ParseCommandLine(arguments);
  if (!command_line.ok()) {
    Print(stderr, StrCat("dotward: ", MessageOf(command_line.status()), "\n"));
    return ExitCode::kConfiguration;
  }
  switch (command_line->command) {
    case Command::kVersion:
      return PrintVersion();
    case Command::kHelp:
      Print(stdout, HelpText());
      return ExitCode::kOk;
    case Command::kCheck:
      return Check(*command_line);
    case Command::kControl:
      return RunControl(*command_line);
    default:
      break;
  }
  const ConfigResult result = EffectiveConfig(*command_line);
  if (!result.ok()) {
    PrintFindings(result);
    return ExitCode::kConfiguration;
  }
  switch (command_line->command) {
    case Command::kConfig:
      Print(stdout, PrintConfig(*result.config));
      return ExitCode::kOk;
    case Command::kHealthcheck:
      return RunHealthcheck(*command_line, *result.config);
    default:
      return Serve(*command_line, result);
  }
}

}  // namespace dotward
