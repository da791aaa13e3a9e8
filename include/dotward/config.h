#ifndef DOTWARD_CONFIG_H_
#define DOTWARD_CONFIG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"
#include "base/log.h"
#include "dotward/clock.h"

namespace dotward {

// The whole configuration, as the running server sees it: every default filled in, every value in range. Immutable once
// loaded and shared between threads as shared_ptr<const Config>. The names are those of the file; what each means, its
// unit and its range stand in the schema (src/config/schema.cc), from which the loader and the printed form are made.

enum class UpstreamProtocol : uint8_t { kTls, kUdp, kTcp };
enum class UpstreamPolicy : uint8_t { kLatency, kOrdered, kRoundRobin, kSharded };
enum class RefuseWith : uint8_t { kRefused, kDrop };
enum class AnyPolicy : uint8_t { kMinimal, kForward };
enum class BlockWith : uint8_t { kNxdomain, kNullAddress, kRefused };
enum class ClientAddressLogging : uint8_t { kFull, kPrefix, kNone };
enum class ListenProtocol : uint8_t { kDo53, kTls };

struct ListenConfig {
  ListenProtocol protocol = ListenProtocol::kDo53;  // Do53 is UDP and TCP
  Endpoint endpoint;
};

// RFC 7858 §3.1, RFC 1035 §4.2.
constexpr uint16_t DefaultPort(UpstreamProtocol protocol) { return protocol == UpstreamProtocol::kTls ? 853 : 53; }

// What `addresses` of an upstream may hold. At least one of the lists is not empty.
struct ServerList {
  std::vector<IpAddress> addresses;
  std::vector<std::string> host_names;  // in lower case, without the final dot; resolved while the server runs
};

struct UpstreamConfig : ServerList {
  std::string name;
  uint16_t port = 853;
  UpstreamProtocol protocol = UpstreamProtocol::kTls;
  std::string auth_name;          // empty only without TLS and with pin_only
  std::vector<std::string> pins;  // ParseSpkiPin accepts each
  bool pin_only = false;          // never without pins
  std::string ca_file;            // empty: the system's store
};

// A resolver for the host names of upstreams.
struct BootstrapConfig {
  Endpoint endpoint;
  UpstreamProtocol protocol = UpstreamProtocol::kUdp;  // kUdp, with TCP where an answer is truncated, or kTls
  std::string auth_name;                               // with kTls
};

struct ForwardConfig {
  std::string zone = ".";
  std::vector<std::string> upstreams;  // names of UpstreamConfig
  UpstreamPolicy policy = UpstreamPolicy::kLatency;
  bool hedge = true;
};

struct Config {
  std::vector<ListenConfig> listen;
  unsigned workers = 0;  // 0: auto
  std::string user;

  struct {
    std::string certificate, key;
  } tls_server;

  struct {
    std::vector<IpPrefix> allow;
    std::vector<IpPrefix> deny;
    RefuseWith refuse_with = RefuseWith::kRefused;
  } access;

  std::vector<UpstreamConfig> upstreams;
  std::vector<BootstrapConfig> bootstrap;  // empty: the upstreams that have addresses
  std::vector<ForwardConfig> forward;

  struct {
    Duration deadline = std::chrono::seconds(5);
    uint16_t udp_payload_size = 1232;
    AnyPolicy any = AnyPolicy::kMinimal;
  } query;

  struct {
    uint64_t size_octets = 64ULL << 20;
    Duration min_ttl{0};
    Duration max_ttl = std::chrono::hours(24);
    Duration max_negative_ttl = std::chrono::hours(1);
    Duration failure_ttl = std::chrono::seconds(5);
    bool prefetch = true;
    struct {
      bool enabled = true;
      Duration client_timeout = std::chrono::milliseconds(1800);
      Duration answer_ttl = std::chrono::seconds(30);
      Duration max_age = std::chrono::hours(24);
    } stale;
    struct {
      std::string path;
      Duration interval = std::chrono::minutes(5);
    } snapshot;
  } cache;

  struct {
    bool validation = true;
    bool trust_upstream_ad = true;
    std::string trust_anchors;
    std::vector<std::string> negative_trust_anchors;  // as ParseNegativeAnchor reads them
    bool aggressive_nsec = true;
  } dnssec;

  struct {
    uint64_t client_rate = 0;
    uint64_t client_burst = 2000;
    struct {
      uint8_t ipv4 = 32, ipv6 = 56;
    } client_prefix;
    unsigned slip = 2;
    bool cookies = false;
    unsigned waiting_per_client = 200;
    unsigned tcp_connections = 1000;
    unsigned tcp_connections_per_client = 50;
    Duration tcp_idle = std::chrono::seconds(30);
  } limits;

  struct {
    std::vector<std::string> hosts_files, records, block_lists;
    BlockWith block_with = BlockWith::kNxdomain;
    bool special_names = false;
    bool rebind_protection = false;
    std::vector<std::string> rebind_allow;
  } local;

  struct {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
    std::string file;
    struct {
      bool enabled = false;
      std::string file;
      double sample = 1.0;
      ClientAddressLogging client_address = ClientAddressLogging::kFull;
    } queries;
  } log;

  struct {
    std::string socket = "/run/dotward/control.sock";
    std::string http;
  } admin;
};

// One thing that is wrong with a configuration, or worth a second thought, where, and what to do.
struct ConfigError {
  std::string file;
  int line = 0;      // from 1; 0 where no place can be named
  int column = 0;    // from 1
  std::string path;  // "upstreams[1].port"; empty for the file as a whole
  std::string message;
  enum class Severity : uint8_t { kError, kWarning } severity = Severity::kError;

  std::string ToString() const;  // "FILE:LINE:COL: path: message", "FILE:LINE:COL: path: warning: message"
};

// Where a value stands.
struct ConfigPlace {
  std::string file;
  int line = 0, column = 0;  // as in ConfigError
};

struct ConfigResult {
  std::optional<Config> config;     // set where there is no error
  std::vector<ConfigError> errors;  // all that were found, in the order of the texts; at most Limits::kConfigErrorsMax
  // What is accepted and yet should be known, in the order of the texts; bounded in the same way.
  std::vector<ConfigError> warnings = {};
  // Of the values that name something outside the texts, a file or an account, by path ("upstreams[1].ca_file"): for
  // who checks it. Set where there is no error.
  std::unordered_map<std::string, ConfigPlace> places = {};

  bool ok() const { return config.has_value(); }
  // Adds an error about the value at `path`, with its place where it was given, and takes the configuration away.
  void Refuse(const std::string& path, std::string message);
  // Adds a warning about it, in the same way, and takes nothing away.
  void Warn(const std::string& path, std::string message);
};

// A text that configures, and what errors call it.
struct ConfigText {
  std::string file;
  std::string text;
};

// The value of a variable, or nullopt where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// That of this process. Nothing changes it while the process runs.
Environment ProcessEnvironment();

// All that makes one configuration, each part laid over those before it.
struct ConfigParts {
  std::vector<ConfigText> texts = {};      // the file, then its drop-in files
  std::vector<std::string> settings = {};  // "cache.size=1GiB": a path of keys, then the value as YAML
  Environment environment = ProcessEnvironment();
};

// The defaults alone: what runs where there is no file. Equal to loading conf/dotward.yaml.
Config DefaultConfig();

// Reads YAML texts, which may have Limits::kConfigOctetsMax octets together. Never throws; work is bounded by the
// texts.
ConfigResult ParseConfig(const ConfigParts& parts);
// The same for one text; `file` names it in the errors.
ConfigResult ParseConfig(const std::string& text, const std::string& file);
// Reads `file` and its drop-in files: dotward.d/*.yaml beside it, in the order of their names. One that cannot be read
// is an error as any other.
ConfigResult LoadConfig(const std::string& file, const std::vector<std::string>& settings = {});
// The same where there is no file: drop-in files beside the place where it would be, and settings.
ConfigResult LoadDropIns(const std::string& absent_file, const std::vector<std::string>& settings);

// The configuration as YAML, every key written out, which ParseConfig accepts and reads as the same configuration
// (unless tens of thousands of routes make it longer than Limits::kConfigOctetsMax).
std::string PrintConfig(const Config& config);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_H_
