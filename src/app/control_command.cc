#include "app/control_command.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "admin/control_client.h"
#include "admin/health_probe.h"
#include "app/control_tables.h"
#include "base/strings.h"

namespace dotward {
namespace {

// Two questions fit into what the image gives a health check.
constexpr std::chrono::milliseconds kHealthPatience{1500};

bool Print(std::FILE* stream, std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stream) == text.size();
}

ExitCode ExitCodeFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kConfiguration;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kNetwork;
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kFiles;
    default:
      return ExitCode::kOther;
  }
}

ExitCode Fail(const absl::Status& status) {
  Print(stderr, StrCat("dotward: ", MessageOf(status), "\n"));
  return ExitCodeFor(status.code());
}

// Colour is for terminals, and for people who have not asked to be spared (https://no-color.org).
Colour ColourOfOutput() {
  const char* const spared = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool plain =
      (spared != nullptr && *spared != '\0') || terminal == nullptr || std::string_view(terminal) == "dumb";
  return !plain && isatty(STDOUT_FILENO) != 0 ? Colour::kTerminal : Colour::kNone;
}

// Where the server listens. A configuration that is broken does not hide a server that runs at the usual place: it may
// be the very reason to ask.
absl::StatusOr<std::string> SocketPath(const CommandLine& command_line) {
  if (!command_line.socket.empty()) return command_line.socket;
  const ConfigResult loaded = FileConfig(command_line);
  std::string path = loaded.ok() ? loaded.config->admin.socket : DefaultConfig().admin.socket;
  std::error_code ignored;
  if (!loaded.ok() && !std::filesystem::exists(path, ignored)) {
    std::string errors;
    for (const ConfigError& error : loaded.errors) StrAppend(&errors, error.ToString(), "\n");
    return absl::InvalidArgumentError(
        StrCat("the configuration cannot be read, so the control socket is not known; name it with --socket PATH\n",
               errors.substr(0, errors.size() - 1)));
  }
  if (path.empty()) {
    return absl::InvalidArgumentError("the configuration has no control socket: admin.socket is empty");
  }
  return path;
}

std::string TextOf(const nlohmann::ordered_json& reply, const char* key) {
  return reply.contains(key) && reply[key].is_string() ? reply[key].get<std::string>() : std::string();
}

// What one line of a reply means for the subcommand as a whole.
class Outcome {
 public:
  explicit Outcome(const CommandLine& command_line)
      : json_(command_line.json),
        expects_end_(command_line.control.command == ControlCommand::kCacheDump ||
                     command_line.control.command == ControlCommand::kCacheLookup),
        tables_(command_line.control, ColourOfOutput()) {}

  // False where nobody reads on.
  bool Take(std::string_view line) {
    const auto reply = nlohmann::ordered_json::parse(line.begin(), line.end(), nullptr, false);
    if (!reply.is_object() || !reply.contains("schema")) {
      code_ = Fail(absl::DataLossError("the server's reply cannot be read; the versions of the two programs differ"));
      return false;
    }
    any_ = true;
    ended_ |= reply.contains("end");
    if (reply.contains("error")) return TakeError(reply, line);
    if (reply.contains("accepted") && reply["accepted"] == false) code_ = ExitCode::kConfiguration;
    const bool to_errors = !json_ && code_ == ExitCode::kConfiguration;
    return Print(to_errors ? stderr : stdout, json_ ? StrCat(line, "\n") : tables_.ToText(line));
  }

  ExitCode End(const absl::Status& status) {
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (!status.ok()) return Fail(status);
    if (!written && errno != EPIPE) {
      Print(stderr, StrCat("dotward: the output cannot be written: ", std::strerror(errno), "\n"));
      return ExitCode::kFiles;
    }
    const bool complete = any_ && (!expects_end_ || ended_);
    if (code_ == ExitCode::kOk && !complete && std::ferror(stdout) == 0) {
      return Fail(absl::UnavailableError("the server closed the control socket before its reply was complete"));
    }
    return code_;
  }

 private:
  bool TakeError(const nlohmann::ordered_json& reply, std::string_view line) {
    const std::string error = TextOf(reply, "error");
    const std::string code = TextOf(reply, "code");
    ended_ = true;
    code_ = code == "invalid_argument" || code == "not_found" ? ExitCode::kConfiguration
            : code == "internal"                              ? ExitCode::kOther
                                                              : ExitCode::kNetwork;
    if (json_) Print(stdout, StrCat(line, "\n"));
    Print(stderr, StrCat("dotward: ", error, "\n"));
    return true;
  }

  const bool json_;
  const bool expects_end_;
  ControlTables tables_;
  bool any_ = false;
  bool ended_ = false;
  ExitCode code_ = ExitCode::kOk;
};

// Whether the server at the socket says that it is ready. An error where it cannot be asked, or serves somewhere else
// than the configuration says: several servers may have been started with the socket's default path.
absl::StatusOr<bool> AskReady(const std::string& path, const Endpoint& listener) {
  bool ready = false;
  bool same = listener.port == 0;
  ControlRequest request;
  request.command = ControlCommand::kHealth;
  const absl::Status asked = AskControl(path, request, kHealthPatience, [&](std::string_view line) {
    const auto reply = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (!reply.is_object()) return false;
    ready = reply.contains("ready") && reply["ready"] == true;
    if (!reply.contains("listening")) return true;
    for (const auto& endpoint : reply["listening"]) same |= endpoint == listener.ToString();
    return true;
  });
  if (!asked.ok()) return asked;
  if (!same) return absl::NotFoundError(StrCat("another server than that of ", listener.ToString(), " is at ", path));
  return ready;
}

}  // namespace

ExitCode RunControl(const CommandLine& command_line) {
  const absl::StatusOr<std::string> path = SocketPath(command_line);
  if (!path.ok()) return Fail(path.status());
  Outcome outcome(command_line);
  const absl::Status asked = AskControl(*path, command_line.control, kControlPatience,
                                        [&outcome](std::string_view line) { return outcome.Take(line); });
  return outcome.End(asked);
}

ExitCode RunHealthcheck(const CommandLine& command_line, const Config& config) {
  const std::string& path = command_line.socket.empty() ? config.admin.socket : command_line.socket;
  if (!path.empty()) {
    const absl::StatusOr<bool> ready = AskReady(path, config.listen.front().endpoint);
    if (ready.ok() && !*ready) return Fail(absl::UnavailableError("the server is stopping"));
    if (!ready.ok() && !command_line.socket.empty()) return Fail(ready.status());
  }
  // It says that it is ready; that it serves shows when a client gets an answer.
  const absl::Status healthy = ProbeHealth(config.listen.front().endpoint, kHealthPatience);
  return healthy.ok() ? ExitCode::kOk : Fail(healthy);
}

}  // namespace dotward
