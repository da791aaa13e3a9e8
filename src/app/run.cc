#include "app/run.h"

#include <sys/resource.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "admin/control_server.h"
#include "admin/control_socket.h"
#include "admin/http_server.h"
#include "admin/service_manager.h"
#include "admin/statistics_dump.h"
#include "admin/status_site.h"
#include "app/privileges.h"
#include "app/reloader.h"
#include "app/service.h"
#include "app/service_control.h"
#include "base/await.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr uint64_t kOtherDescriptors = 256;  // listeners, loops, upstream connections, HTTP, the log

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
  FlushLog();
  return code;
}

std::string JoinEndpoints(const std::vector<Endpoint>& endpoints) {
  std::string text;
  for (const Endpoint& endpoint : endpoints) StrAppend(&text, text.empty() ? "" : ", ", endpoint.ToString());
  return text;
}

std::string ServingText(const Service& service) { return StrCat("serving on ", JoinEndpoints(service.listening())); }

void DumpStatistics(Service& service) {
  const DumpDetail detail = LogEnabled(LogLevel::kDebug) ? DumpDetail::kWithShards : DumpDetail::kTotals;
  LogBlock(LogLevel::kInfo, "statistics", RenderDump(service.Statistics(), detail));
}

void ReopenLogFiles(Service& service) {
  for (const absl::Status& reopened : {ReopenLog(), service.query_log().Reopen()}) {
    if (!reopened.ok()) Log(LogLevel::kError, "the log file stays as it was", {{"error", MessageOf(reopened)}});
  }
}

// Acts on signals until one says stop.
Task<> ServeSignals(asio::signal_set& signals, Service& service, Reloader& reloader, ServiceManager& manager) {
  while (true) {
    const auto [error, number] = co_await signals.async_wait(kAwait);
    if (error) co_return;
    if (number == SIGUSR1) {
      DumpStatistics(service);
    } else if (number == SIGUSR2) {
      ReopenLogFiles(service);
    } else if (number == SIGHUP) {
      reloader.Request();
    } else {
      Log(LogLevel::kInfo, "stopping", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
      manager.Stopping("answering what is in flight");
      co_return;
    }
  }
}

// Null where nobody asked for it.
absl::StatusOr<std::unique_ptr<HttpServer>> ListenHttp(const Config& config, ServiceControl& control,
                                                       const Clock& clock) {
  if (config.admin.http.empty()) return nullptr;
  ASSIGN_OR_RETURN(const Endpoint where, Endpoint::Parse(config.admin.http));
  const StatusSite::Sources sources{.statistics = [&control] { return control.Statistics(); },
                                    .ready = [&control] { return control.ready(); }};
  const auto site = std::make_shared<StatusSite>(sources, clock);
  return HttpServer::Create(where, [site](const std::string& path) { return site->Get(path); });
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

// A file that is renamed has to be made again, which the account that serves may not be allowed to do.
void WarnOfRotation(Service& service) {
  for (const absl::Status& allowed : {LogMayBeMadeAgain(), service.query_log().MayBeMadeAgain()}) {
    if (allowed.ok()) continue;
    Log(LogLevel::kWarning,
        "the log file cannot be made again after it was renamed, so rotate it by a copy or make the new one at once",
        {{"error", MessageOf(allowed)}});
  }
}

// None where the configuration has none, or where the built-in default, which nobody asked for, cannot be made.
absl::StatusOr<std::optional<ControlSocket>> OpenControlSocket(const Config& config) {
  const std::string& path = config.admin.socket;
  if (path.empty()) return std::nullopt;
  absl::StatusOr<ControlSocket> opened = ControlSocket::Open(path);
  if (opened.ok()) return *std::move(opened);
  if (path != DefaultConfig().admin.socket) return opened.status();
  Log(LogLevel::kWarning, "runs without a control socket; set admin.socket to a path that can be made, or to nothing",
      {{"error", MessageOf(opened.status())}});
  return std::nullopt;
}

void GiveSocketTo(std::optional<ControlSocket>& socket, uid_t user, gid_t group) {
  if (!socket) return;
  const absl::Status given = socket->GiveTo(user, group);
  if (given.ok()) return;
  Log(LogLevel::kWarning, "the control socket stays root's", {{"error", MessageOf(given)}});
}

}  // namespace

ExitCode Serve(const CommandLine& command_line, const ConfigResult& loaded) {
  const auto config = std::make_shared<const Config>(*loaded.config);
  const absl::Status logging = OpenLog({config->log.level, config->log.format, config->log.file});
  if (!logging.ok()) return Fail(logging, ExitCode::kFiles);
  LogWarnings(loaded.warnings);

  // A client or an upstream that has gone is an error of one write, never the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  // So is a file that grows over the limit that was set for it.
  std::signal(SIGXFSZ, SIG_IGN);
  // Before any thread: they inherit what is blocked, and signals are for the main thread alone.
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGTERM, SIGINT, SIGUSR1);
  signals.add(SIGUSR2);
  signals.add(SIGHUP);
  ServiceManager manager(loop);

  RaiseDescriptorLimit(*config);
  const SystemClock clock;
  absl::StatusOr<std::unique_ptr<Service>> service = Service::Create(config, clock);
  if (!service.ok()) return Fail(service.status(), ExitCodeFor(service.status()));
  Reloader reloader(**service, {.load = [&command_line] { return EffectiveConfig(command_line); },
                                .began = [&] { manager.Reloading(clock.Now()); },
                                .applied = [](const Config&, const Config& now) { RaiseDescriptorLimit(now); },
                                .ended = [&] { manager.Ready(ServingText(**service)); }});
  LiveServiceControl control(**service, clock, ConfigFileOf(command_line), [&reloader] { return reloader.Reload(); });
  absl::StatusOr<std::unique_ptr<HttpServer>> http = ListenHttp(*config, control, clock);
  if (!http.ok()) return Fail(http.status(), ExitCodeFor(http.status()));
  absl::StatusOr<std::optional<ControlSocket>> socket = OpenControlSocket(*config);
  if (!socket.ok()) return Fail(socket.status(), ExitCodeFor(socket.status()));
  const absl::Status dropped = DropPrivileges(config->user, [&](uid_t user, gid_t group) {
    GiveLogTo(user, group);
    (*service)->query_log().GiveTo(user, group);
    GiveSocketTo(*socket, user, group);
  });
  if (!dropped.ok()) return Fail(dropped, ExitCode::kOther);
  WarnOfRotation(**service);

  (*service)->Start();
  reloader.Start();
  if (*http) (*http)->Start();
  std::optional<ControlServer> control_server;
  if (*socket) control_server.emplace(**std::move(socket), control, clock).Start();
  Log(LogLevel::kInfo, "serving",
      {{"version", DOTWARD_VERSION},
       {"listen", JoinEndpoints((*service)->listening())},
       {"workers", uint64_t{(*service)->workers()}},
       {"upstreams", uint64_t{config->upstreams.size()}},
       {"cache_bytes", uint64_t{config->cache.size_octets}},
       {"http", *http ? (*http)->listening().ToString() : "off"}});
  manager.Ready(ServingText(**service));
  manager.StartWatchdog([loops = (*service)->loops()](const auto& turned) { ProbeLoops(loops, turned); });
  TaskGroup tasks(loop);
  tasks.Spawn(ServeSignals(signals, **service, reloader, manager));
  loop.run();
  // From here on the drain is bounded by the queries' deadlines; whoever has less patience may say so again.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  control.BeginStop();
  reloader.Stop();
  (*service)->Stop();
  // Last, so that the server can be asked while it answers what is in flight.
  control_server.reset();
  Log(LogLevel::kInfo, "stopped");
  FlushLog();
  return ExitCode::kOk;
}

}  // namespace dotward
