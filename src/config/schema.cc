#include "config/schema.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace dotward {
namespace {

constexpr size_t kNegativeAnchorsMax = 1024;

// Each in the order of its enumeration.
constexpr std::array<std::string_view, 3> kUpstreamProtocols = {"tls", "udp", "tcp"};
constexpr std::array<std::string_view, 4> kUpstreamPolicies = {"latency", "ordered", "round_robin", "sharded"};
constexpr std::array<std::string_view, 2> kRefuseWith = {"refused", "drop"};
constexpr std::array<std::string_view, 2> kAnyPolicies = {"minimal", "forward"};
constexpr std::array<std::string_view, 3> kBlockWith = {"nxdomain", "null_address", "refused"};
constexpr std::array<std::string_view, 3> kClientAddressLogging = {"full", "prefix", "none"};
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats = {"text", "json"};

constexpr uint64_t kSecond = 1000;
constexpr uint64_t kMinute = 60 * kSecond;
constexpr uint64_t kHour = 60 * kMinute;
constexpr uint64_t kDay = 24 * kHour;

#define DOTWARD_SLOT(member) [](const Scope& scope) -> Slot { return &scope.member; }

using enum ValueType;

constexpr std::array kSchema = std::to_array<SchemaKey>({
    {.path = "listen",
     .type = kListenAddress,
     .description = "Addresses to serve Do53 on, UDP and TCP alike; the port may be left out and is 53 then.",
     .slot = DOTWARD_SLOT(config->listen),
     .needs_restart = true,
     .items_min = 1},
    {.path = "workers",
     .type = kNumber,
     .description = "Threads that serve clients; `auto` takes as many as there are CPUs the process may use.",
     .slot = DOTWARD_SLOT(config->workers),
     .min = 1,
     .max = 256,
     .unit = "threads",
     .zero = "auto",
     .needs_restart = true},
    {.path = "user",
     .type = kUser,
     .description = "The user to become after binding, when started as root; empty stays as started.",
     .slot = DOTWARD_SLOT(config->user),
     .needs_restart = true},

    {.path = "tls_server", .type = kSection, .description = "The certificate of `tls://` listeners."},
    {.path = "tls_server.certificate",
     .type = kText,
     .description = "File with the certificate chain, PEM.",
     .slot = DOTWARD_SLOT(config->tls_server.certificate),
     .missing_feature = "serving DNS over TLS",
     .off = "\"\""},
    {.path = "tls_server.key",
     .type = kText,
     .description = "File with the certificate's private key, PEM.",
     .slot = DOTWARD_SLOT(config->tls_server.key),
     .missing_feature = "serving DNS over TLS",
     .off = "\"\""},

    {.path = "access",
     .type = kSection,
     .description = "Who may ask. The most specific prefix that holds the client's address decides; a client that no "
                    "prefix holds is refused."},
    {.path = "access.allow",
     .type = kPrefix,
     .description = "Prefixes of clients that are served.",
     .slot = DOTWARD_SLOT(config->access.allow)},
    {.path = "access.deny",
     .type = kPrefix,
     .description = "Prefixes of clients that are not served, within allowed ones.",
     .slot = DOTWARD_SLOT(config->access.deny)},
    {.path = "access.refuse_with",
     .type = kChoice,
     .description = "What a client that may not ask gets: `refused` sends REFUSED with EDE 18, `drop` nothing.",
     .slot = DOTWARD_SLOT(config->access.refuse_with),
     .choices = kRefuseWith},

    {.path = "upstreams",
     .type = kRecords,
     .description = "The servers that queries may be sent to. The built-in ones are quad9, cloudflare and "
                    "google; a list given here replaces them.",
     .merged_by = "name",
     .items_min = 1,
     .items_max = Limits::kConfigUpstreamsMax},
    {.path = "upstreams[].name",
     .type = kUpstreamName,
     .description = "How `forward`, the log and the statistics call it; letters, digits, `-`, `_` and `.`.",
     .slot = DOTWARD_SLOT(upstream->name),
     .required = true},
    {.path = "upstreams[].addresses",
     .type = kServer,
     .description = "Its IP addresses, or host names that have them: a name is resolved over `bootstrap` or the other "
                    "upstreams, again when its TTL is over or the upstream fails.",
     .slot = [](const Scope& scope) -> Slot { return static_cast<ServerList*>(scope.upstream); },
     .required = true,
     .items_min = 1,
     .items_max = Limits::kConfigAddressesMax},
    {.path = "upstreams[].port",
     .type = kNumber,
     .description = "Its port.",
     .slot = DOTWARD_SLOT(upstream->port),
     .min = 1,
     .max = 65535,
     .initial = "`853` for `tls`, `53` for `udp` and `tcp`"},
    {.path = "upstreams[].protocol",
     .type = kChoice,
     .description = "How it is asked: `tls` is DNS over TLS (RFC 7858); `udp`, with TCP where an answer is truncated, "
                    "and `tcp` go in the clear and are for servers of one's own network.",
     .slot = DOTWARD_SLOT(upstream->protocol),
     .choices = kUpstreamProtocols},
    {.path = "upstreams[].auth_name",
     .type = kAuthName,
     .description = "The name that its certificate must bear (RFC 8310 authentication domain name).",
     .slot = DOTWARD_SLOT(upstream->auth_name),
     .initial = "required for `tls`, unless `pin_only`"},
    {.path = "upstreams[].pins",
     .type = kPin,
     .description = "Pins of its public key (RFC 7858 §4.2), `sha256/BASE64`, one of which must match in addition to "
                    "the name and the CA; give the next key's as well before the key changes.",
     .slot = DOTWARD_SLOT(upstream->pins),
     .items_max = Limits::kConfigPinsMax},
    {.path = "upstreams[].pin_only",
     .type = kSwitch,
     .description = "Whether pins replace the check of the CA and the name.",
     .slot = DOTWARD_SLOT(upstream->pin_only)},
    {.path = "upstreams[].ca_file",
     .type = kFile,
     .description = "File with the CA certificates that it is checked against, PEM; empty is the system's store.",
     .slot = DOTWARD_SLOT(upstream->ca_file)},

    {.path = "bootstrap",
     .type = kResolver,
     .description = "Resolvers for upstreams that are given by host name, `ADDR` (plain DNS) or `tls://ADDR#name`; "
                    "where there are none, the upstreams with IP addresses resolve the names of the others.",
     .slot = DOTWARD_SLOT(config->bootstrap),
     .items_max = Limits::kConfigBootstrapMax},

    {.path = "forward",
     .type = kRecords,
     .description = "Which upstreams answer for which zone; the longest matching zone wins. Where the key is absent, "
                    "`.` goes to all upstreams in their order.",
     .merged_by = "zone",
     .items_min = 1},
    {.path = "forward[].zone",
     .type = kZone,
     .description = "The zone, with every name below it; `.` is the default route and must be there.",
     .slot = DOTWARD_SLOT(forward->zone)},
    {.path = "forward[].upstreams",
     .type = kUpstreamName,
     .description = "Names of the upstreams that are asked; when one fails, the next is.",
     .slot = DOTWARD_SLOT(forward->upstreams),
     .required = true,
     .items_min = 1,
     .items_max = Limits::kConfigUpstreamsMax},
    {.path = "forward[].policy",
     .type = kChoice,
     .description = "Which upstream is asked first: the one that is fastest of late (`latency`), the first in the list "
                    "that works (`ordered`), each in turn (`round_robin`), or for each registrable domain always the "
                    "same (`sharded`), so that none sees all names.",
     .slot = DOTWARD_SLOT(forward->policy),
     .choices = kUpstreamPolicies},
    {.path = "forward[].hedge",
     .type = kSwitch,
     .description = "Whether a second upstream is asked when the first is later than its usual slowest.",
     .slot = DOTWARD_SLOT(forward->hedge)},

    {.path = "query", .type = kSection, .description = "How one client query is handled."},
    {.path = "query.deadline",
     .type = kDuration,
     .description = "Time until a client is answered, end to end, whatever is retried inside it.",
     .slot = DOTWARD_SLOT(config->query.deadline),
     .min = 100,
     .max = kMinute},
    {.path = "query.udp_payload_size",
     .type = kNumber,
     .description = "Largest UDP message that is offered to clients and sent to them (RFC 9715).",
     .slot = DOTWARD_SLOT(config->query.udp_payload_size),
     .min = 512,
     .max = Limits::kUdpReplyOctetsMax,
     .unit = "octets"},
    {.path = "query.any",
     .type = kChoice,
     .description = "What a query for ANY gets: `minimal` a HINFO record (RFC 8482), `forward` the upstream's answer.",
     .slot = DOTWARD_SLOT(config->query.any),
     .choices = kAnyPolicies},

    {.path = "cache", .type = kSection, .description = "What is kept of answers, and how long."},
    {.path = "cache.size",
     .type = kSize,
     .description = "Memory for cached answers, all overhead counted.",
     .slot = DOTWARD_SLOT(config->cache.size_octets),
     .min = 1ULL << 20,
     .max = 1ULL << 40,
     .needs_restart = true},
    {.path = "cache.min_ttl",
     .type = kDuration,
     .description =
         "Answers with a lower TTL are kept this long, even where their signatures end before; TTL 0 is never lifted.",
     .slot = DOTWARD_SLOT(config->cache.min_ttl),
     .min = 0,
     .max = kDay},
    {.path = "cache.max_ttl",
     .type = kDuration,
     .description = "Answers with a higher TTL are kept no longer than this (RFC 8767 §4: at most 7 days).",
     .slot = DOTWARD_SLOT(config->cache.max_ttl),
     .min = kSecond,
     .max = 7 * kDay},
    {.path = "cache.max_negative_ttl",
     .type = kDuration,
     .description = "The same for NXDOMAIN and NODATA (RFC 2308 §5).",
     .slot = DOTWARD_SLOT(config->cache.max_negative_ttl),
     .min = 0,
     .max = kDay},
    {.path = "cache.failure_ttl",
     .type = kDuration,
     .description = "How long a failure is remembered at first; repeated ones double it, up to 5 minutes (RFC 9520).",
     .slot = DOTWARD_SLOT(config->cache.failure_ttl),
     .min = kSecond,
     .max = 5 * kMinute},
    {.path = "cache.prefetch",
     .type = kSwitch,
     .description = "Whether popular answers are fetched anew before they expire.",
     .slot = DOTWARD_SLOT(config->cache.prefetch)},
    {.path = "cache.stale",
     .type = kSection,
     .description = "Expired answers that are given while no upstream answers (RFC 8767)."},
    {.path = "cache.stale.enabled",
     .type = kSwitch,
     .description = "Whether stale answers are given.",
     .slot = DOTWARD_SLOT(config->cache.stale.enabled)},
    {.path = "cache.stale.client_timeout",
     .type = kDuration,
     .description = "How long a client waits for a fresh answer before it gets a stale one.",
     .slot = DOTWARD_SLOT(config->cache.stale.client_timeout),
     .min = 0,
     .max = 10 * kSecond},
    {.path = "cache.stale.answer_ttl",
     .type = kDuration,
     .description = "TTL of the records in a stale answer.",
     .slot = DOTWARD_SLOT(config->cache.stale.answer_ttl),
     .min = kSecond,
     .max = kHour},
    {.path = "cache.stale.max_age",
     .type = kDuration,
     .description = "How long after its expiry an answer may be given.",
     .slot = DOTWARD_SLOT(config->cache.stale.max_age),
     .min = kMinute,
     .max = 30 * kDay},
    {.path = "cache.snapshot", .type = kSection, .description = "A file that carries the cache over a restart."},
    {.path = "cache.snapshot.path",
     .type = kStateFile,
     .description = "The file, in a folder that the server may write to; empty is none.",
     .slot = DOTWARD_SLOT(config->cache.snapshot.path)},
    {.path = "cache.snapshot.interval",
     .type = kDuration,
     .description = "How often it is written, while there is something new; it also is when the server stops.",
     .slot = DOTWARD_SLOT(config->cache.snapshot.interval),
     .min = 10 * kSecond,
     .max = kDay},

    {.path = "dnssec",
     .type = kSection,
     .description = "How signed answers are treated. DO and CD always pass through."},
    {.path = "dnssec.validation",
     .type = kSwitch,
     .description = "Whether answers are validated here.",
     .slot = DOTWARD_SLOT(config->dnssec.validation),
     .spelled_on_off = true},
    {.path = "dnssec.trust_upstream_ad",
     .type = kSwitch,
     .description = "With validation off: whether the AD bit of an upstream that was authenticated over TLS reaches "
                    "clients that asked for it (RFC 6840 §5.8).",
     .slot = DOTWARD_SLOT(config->dnssec.trust_upstream_ad)},
    {.path = "dnssec.trust_anchors",
     .type = kFile,
     .description =
         "File with trust anchors, DS or DNSKEY records in zone-file format, in place of the built-in ones of "
         "the root.",
     .slot = DOTWARD_SLOT(config->dnssec.trust_anchors)},
    {.path = "dnssec.negative_trust_anchors",
     .type = kNegativeAnchor,
     .description = "Zones that are not validated (RFC 7646), such as those that exist in your network alone; each may "
                    "have an end, as in `corp.example until 2027-01-31`.",
     .slot = DOTWARD_SLOT(config->dnssec.negative_trust_anchors),
     .merged_by = "owner",
     .items_max = kNegativeAnchorsMax},
    {.path = "dnssec.aggressive_nsec",
     .type = kSwitch,
     .description = "Whether denials that were validated answer for every name that they deny (RFC 8198).",
     .slot = DOTWARD_SLOT(config->dnssec.aggressive_nsec)},

    {.path = "limits", .type = kSection, .description = "What one client, and all together, may take."},
    {.path = "limits.client_rate",
     .type = kNumber,
     .description = "Queries that one client prefix may send; 0 is no limit.",
     .slot = DOTWARD_SLOT(config->limits.client_rate),
     .min = 0,
     .max = 1'000'000,
     .unit = "queries a second",
     .missing_feature = "limiting the rate of clients",
     .off = "0"},
    {.path = "limits.client_burst",
     .type = kNumber,
     .description = "Queries that it may send at once after a rest.",
     .slot = DOTWARD_SLOT(config->limits.client_burst),
     .min = 1,
     .max = 1'000'000,
     .unit = "queries"},
    {.path = "limits.client_prefix", .type = kSection, .description = "How much of an address counts as one client."},
    {.path = "limits.client_prefix.ipv4",
     .type = kNumber,
     .description = "Length of the prefix for IPv4.",
     .slot = DOTWARD_SLOT(config->limits.client_prefix.ipv4),
     .min = 1,
     .max = 32,
     .unit = "bits"},
    {.path = "limits.client_prefix.ipv6",
     .type = kNumber,
     .description = "Length of the prefix for IPv6.",
     .slot = DOTWARD_SLOT(config->limits.client_prefix.ipv6),
     .min = 1,
     .max = 128,
     .unit = "bits"},
    {.path = "limits.slip",
     .type = kNumber,
     .description = "Every n-th query over the rate gets a truncated reply instead of none; 0 is never.",
     .slot = DOTWARD_SLOT(config->limits.slip),
     .min = 0,
     .max = 100},
    {.path = "limits.cookies",
     .type = kSwitch,
     .description = "Whether DNS cookies are answered (RFC 7873, RFC 9018).",
     .slot = DOTWARD_SLOT(config->limits.cookies),
     .missing_feature = "answering DNS cookies",
     .off = "false"},
    {.path = "limits.waiting_per_client",
     .type = kNumber,
     .description = "Replies that one client may be waiting for; names of one domain keep half of them when others are "
                    "asked. Beyond it the oldest of them becomes SERVFAIL.",
     .slot = DOTWARD_SLOT(config->limits.waiting_per_client),
     .min = 1,
     .max = 20'000,
     .unit = "replies"},
    {.path = "limits.tcp_connections",
     .type = kNumber,
     .description = "Open TCP connections of all clients together.",
     .slot = DOTWARD_SLOT(config->limits.tcp_connections),
     .min = 1,
     .max = 100'000,
     .unit = "connections"},
    {.path = "limits.tcp_connections_per_client",
     .type = kNumber,
     .description = "Open TCP connections of one client.",
     .slot = DOTWARD_SLOT(config->limits.tcp_connections_per_client),
     .min = 1,
     .max = 100'000,
     .unit = "connections"},
    {.path = "limits.tcp_idle",
     .type = kDuration,
     .description = "A TCP connection on which nothing happens for so long is closed.",
     .slot = DOTWARD_SLOT(config->limits.tcp_idle),
     .min = kSecond,
     .max = kHour},

    {.path = "local", .type = kSection, .description = "Names that are answered here instead of being forwarded."},
    {.path = "local.hosts_files",
     .type = kText,
     .description = "Files in the format of /etc/hosts.",
     .slot = DOTWARD_SLOT(config->local.hosts_files),
     .missing_feature = "answering from local data",
     .off = "[]"},
    {.path = "local.records",
     .type = kText,
     .description = "Records in zone-file format.",
     .slot = DOTWARD_SLOT(config->local.records),
     .merged_by = "owner",
     .missing_feature = "answering from local data",
     .off = "[]"},
    {.path = "local.block_lists",
     .type = kText,
     .description = "Files of names that are blocked: hosts format, one domain a line, or an RPZ zone (`.rpz`).",
     .slot = DOTWARD_SLOT(config->local.block_lists),
     .missing_feature = "blocking names",
     .off = "[]"},
    {.path = "local.block_with",
     .type = kChoice,
     .description = "What a blocked name gets, always with EDE 15.",
     .slot = DOTWARD_SLOT(config->local.block_with),
     .choices = kBlockWith},
    {.path = "local.special_names",
     .type = kSwitch,
     .description = "Whether special-use names are answered here (RFC 6761, 6303, 7686, 8375, 9462).",
     .slot = DOTWARD_SLOT(config->local.special_names),
     .missing_feature = "answering special-use names",
     .off = "false"},
    {.path = "local.rebind_protection",
     .type = kSwitch,
     .description = "Whether private addresses in answers of the default route's upstreams are refused.",
     .slot = DOTWARD_SLOT(config->local.rebind_protection),
     .missing_feature = "protection against DNS rebinding",
     .off = "false"},
    {.path = "local.rebind_allow",
     .type = kText,
     .description = "Zones that may have private addresses all the same.",
     .slot = DOTWARD_SLOT(config->local.rebind_allow),
     .missing_feature = "protection against DNS rebinding",
     .off = "[]"},

    {.path = "log",
     .type = kSection,
     .description = "The log: one line an event, never the name of a query, and of a client no more than the address "
                    "where it is limited or refused."},
    {.path = "log.level",
     .type = kChoice,
     .description = "The least important events that are written.",
     .slot = DOTWARD_SLOT(config->log.level),
     .choices = kLogLevels},
    {.path = "log.format",
     .type = kChoice,
     .description = "How an event is written.",
     .slot = DOTWARD_SLOT(config->log.format),
     .choices = kLogFormats},
    {.path = "log.file",
     .type = kText,
     .description = "The file that is written to; empty is standard error.",
     .slot = DOTWARD_SLOT(config->log.file)},
    {.path = "log.queries", .type = kSection, .description = "A log of queries, with names and clients."},
    {.path = "log.queries.enabled",
     .type = kSwitch,
     .description = "Whether queries are logged.",
     .slot = DOTWARD_SLOT(config->log.queries.enabled)},
    {.path = "log.queries.file",
     .type = kText,
     .description = "The file that is written to; empty is where the other events go.",
     .slot = DOTWARD_SLOT(config->log.queries.file)},
    {.path = "log.queries.sample",
     .type = kFraction,
     .description = "The share of queries that is logged.",
     .slot = DOTWARD_SLOT(config->log.queries.sample),
     .min = 0,
     .max = 1},
    {.path = "log.queries.client_address",
     .type = kChoice,
     .description = "How much of a client's address is shown, here and in `dotward slow`.",
     .slot = DOTWARD_SLOT(config->log.queries.client_address),
     .choices = kClientAddressLogging},

    {.path = "admin", .type = kSection, .description = "How the running server is looked into."},
    {.path = "admin.socket",
     .type = kText,
     .description =
         "The control socket, through which `dotward status` and its like reach the running server; owner and "
         "group may use it (mode 0660). Empty is none. Where the default cannot be made, the server runs "
         "without and says so.",
     .slot = DOTWARD_SLOT(config->admin.socket),
     .needs_restart = true},
    {.path = "admin.http",
     .type = kEndpoint,
     .description =
         "Address and port of the HTTP endpoint with metrics, probes and a status page, all of it to be read "
         "only; whoever can reach it may read. Empty is none.",
     .slot = DOTWARD_SLOT(config->admin.http),
     .needs_restart = true},
});

#undef DOTWARD_SLOT

}  // namespace

std::span<const SchemaKey> Schema() { return kSchema; }

const SchemaKey* FindKey(std::string_view path) {
  const auto found =
      std::find_if(kSchema.begin(), kSchema.end(), [path](const SchemaKey& k) { return k.path == path; });
  return found == kSchema.end() ? nullptr : &*found;
}

std::vector<const SchemaKey*> KeysBelow(std::string_view prefix) {
  std::vector<const SchemaKey*> keys;
  for (const SchemaKey& key : kSchema) {
    if (key.path.starts_with(prefix) && key.path.find('.', prefix.size()) == std::string_view::npos) {
      keys.push_back(&key);
    }
  }
  return keys;
}

std::string_view LeafOf(std::string_view path) { return path.substr(path.rfind('.') + 1); }

bool IsList(const SchemaKey& key) {
  if (key.type == ValueType::kRecords) return true;
  if (key.type == ValueType::kSection) return false;
  Config config;
  UpstreamConfig upstream;
  ForwardConfig forward;
  return std::visit(
      [](auto* target) {
        using Target = std::remove_pointer_t<decltype(target)>;
        constexpr bool kVector = requires { typename Target::value_type; };
        return std::is_same_v<Target, ServerList> || (kVector && !std::is_same_v<Target, std::string>);
      },
      key.slot(Scope{&config, &upstream, &forward}));
}

}  // namespace dotward
