#include "app/commands.h"

#include <sys/resource.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "admin/health_probe.h"
#include "admin/statistics.h"
#include "app/command_line.h"
#include "app/privileges.h"
#include "app/service.h"
#include "base/await.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/strings.h"
#include "dns/library_version.h"
#include "net/library_version.h"

namespace dotward {
namespace {

constexpr std::chrono::seconds kHealthPatience{2};
constexpr uint64_t kOtherDescriptors = 256;  // listeners, loops, upstream connections, the log

void Print(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

void PrintFindings(const ConfigResult& result) {
  for (const ConfigError& error : result.errors) Print(stderr, StrCat(error.ToString(), "\n"));
  for (const ConfigError& warning : result.warnings) Print(stderr, StrCat(warning.ToString(), "\n"));
}

ExitCode ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kUnavailable:
      return ExitCode::kNetwork;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
      return ExitCode::kFiles;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kConfiguration;
    default:
      return ExitCode::kOther;
  }
}

ExitCode Fail(const absl::Status& status, ExitCode code) {
  Log(LogLevel::kError, "cannot start", {{"error", MessageOf(status)}});
  return code;
}

std::string JoinEndpoints(const std::vector<Endpoint>& endpoints) {
  std::string text;
  for (const Endpoint& endpoint : endpoints) StrAppend(&text, text.empty() ? "" : ", ", endpoint.ToString());
  return text;
}

void DumpStatistics(Service& service) {
  const DumpDetail detail = LogEnabled(LogLevel::kDebug) ? DumpDetail::kWithShards : DumpDetail::kTotals;
  LogBlock(LogLevel::kInfo, "statistics", RenderDump(service.Statistics(), detail));
}

// Acts on signals until one says stop.
Task<> ServeSignals(asio::signal_set& signals, Service& service) {
  while (true) {
    const auto [error, number] = co_await signals.async_wait(kAwait);
    if (error) co_return;
    if (number == SIGUSR1) {
      DumpStatistics(service);
    } else if (number == SIGUSR2) {
      const absl::Status reopened = ReopenLog();
      if (!reopened.ok()) Log(LogLevel::kError, "the log file stays as it was", {{"error", MessageOf(reopened)}});
    } else if (number == SIGHUP) {
      Log(LogLevel::kWarning, "SIGHUP ignored: this version reads its configuration at start only; restart it");
    } else {
      Log(LogLevel::kInfo, "stopping", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
      co_return;
    }
  }
}

// What may be open at once: clients' connections, and a socket for each query to an upstream over UDP.
uint64_t DescriptorsNeeded(const Config& config) {
  uint64_t servers = 0;
  for (const UpstreamConfig& upstream : config.upstreams) {
    if (upstream.protocol == UpstreamProtocol::kUdp) servers += upstream.addresses.size() + upstream.host_names.size();
  }
  return kOtherDescriptors + config.limits.tcp_connections + servers * Limits::kDatagramsInFlightMax;
}

// A login shell's soft limit of 1,024 descriptors is less than the clients that the configuration may allow.
void RaiseDescriptorLimit(const Config& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const uint64_t needed = DescriptorsNeeded(config);
  if (limit.rlim_max >= needed) return;
  Log(LogLevel::kWarning,
      "fewer files may be open than clients and upstreams can need; raise LimitNOFILE= or ulimit -n",
      {{"open_files", uint64_t{limit.rlim_max}}, {"needed", needed}});
}

ExitCode Serve(const ConfigResult& loaded) {
  const auto config = std::make_shared<const Config>(*loaded.config);
  const absl::Status logging = OpenLog({config->log.level, config->log.format, config->log.file});
  if (!logging.ok()) return Fail(logging, ExitCode::kFiles);
  for (const ConfigError& warning : loaded.warnings) {
    const std::string line = warning.line > 0 ? StrCat(":", warning.line) : "";
    Log(LogLevel::kWarning, warning.message, {{"configuration", warning.file + line}});
  }

  // A client or an upstream that has gone is an error of one write, never the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  // Before any thread: they inherit what is blocked, and signals are for the main thread alone.
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGTERM, SIGINT, SIGUSR1);
  signals.add(SIGUSR2);
  signals.add(SIGHUP);

  RaiseDescriptorLimit(*config);
  const SystemClock clock;
  absl::StatusOr<std::unique_ptr<Service>> service = Service::Create(config, clock);
  if (!service.ok()) return Fail(service.status(), ExitCodeFor(service.status()));
  const absl::Status dropped = DropPrivileges(config->user);
  if (!dropped.ok()) return Fail(dropped, ExitCode::kOther);

  (*service)->Start();
  Log(LogLevel::kInfo, "serving",
      {{"version", DOTWARD_VERSION},
       {"listen", JoinEndpoints((*service)->listening())},
       {"workers", uint64_t{(*service)->workers()}},
       {"upstreams", uint64_t{config->upstreams.size()}},
       {"cache_bytes", uint64_t{config->cache.size_octets}}});
  TaskGroup tasks(loop);
  tasks.Spawn(ServeSignals(signals, **service));
  loop.run();
  // From here on the drain is bounded by the queries' deadlines; whoever has less patience may say so again.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  (*service)->Stop();
  Log(LogLevel::kInfo, "stopped");
  return ExitCode::kOk;
}

ExitCode Check(const CommandLine& command_line) {
  const ConfigResult result = EffectiveConfig(command_line);
  PrintFindings(result);
  if (!result.ok()) return ExitCode::kConfiguration;
  Print(stdout, StrCat(command_line.config_file, ": OK\n"));
  return ExitCode::kOk;
}

ExitCode Healthcheck(const Config& config) {
  const absl::Status healthy = ProbeHealth(config.listen.front().endpoint, kHealthPatience);
  if (healthy.ok()) return ExitCode::kOk;
  Print(stderr, StrCat(MessageOf(healthy), "\n"));
  return ExitCode::kNetwork;
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
      return Healthcheck(*result.config);
    default:
      return Serve(result);
  }
}

}  // namespace dotward
