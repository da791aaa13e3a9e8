#ifndef DOTWARD_CONFIG_SCHEMA_H_
#define DOTWARD_CONFIG_SCHEMA_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dotward/config.h"

namespace dotward {

// The configuration as one table. The loader, the printer and docs/configuration.md are made from it, so a key that is
// added here is read, checked, printed and described.

enum class ValueType : uint8_t {
  kSection,         // a mapping with keys of its own
  kRecords,         // a list of mappings
  kSwitch,          // true | false
  kNumber,          // a whole number
  kFraction,        // a decimal number
  kDuration,        // 250ms
  kSize,            // 64MiB
  kChoice,          // one of `choices`
  kText,            // anything on one line
  kUser,            // the name of an account; "" is none
  kFile,            // the path of a file that must be readable when the configuration is loaded; "" is none
  kStateFile,       // the path of a file that the program makes and reads again; "" is none
  kListenAddress,   // 192.0.2.1:53
  kEndpoint,        // 192.0.2.1:8953; "" is none
  kServer,          // 192.0.2.1, or dns.example
  kPrefix,          // 192.0.2.0/24
  kZone,            // a domain name
  kNegativeAnchor,  // a domain name, or "corp.example until 2027-01-31"
  kAuthName,        // RFC 8310 authentication domain name; "" is none
  kPin,             // sha256/BASE64
  kResolver,        // 192.0.2.1:53, or tls://192.0.2.1#dns.example
  kUpstreamName,
};

// The objects which a key may be part of. `upstream` and `forward` are set for the keys of one record.
struct Scope {
  Config* config = nullptr;
  UpstreamConfig* upstream = nullptr;
  ForwardConfig* forward = nullptr;
};

// Where a key's value lives. A pointer to a vector, or to a ServerList, is a list.
using Slot =
    std::variant<bool*, uint8_t*, uint16_t*, unsigned*, uint64_t*, double*, Duration*, std::string*, UpstreamProtocol*,
                 UpstreamPolicy*, RefuseWith*, AnyPolicy*, BlockWith*, ClientAddressLogging*, LogLevel*, LogFormat*,
                 std::vector<std::string>*, std::vector<IpPrefix>*, std::vector<ListenConfig>*,
                 std::vector<BootstrapConfig>*, ServerList*>;

struct SchemaKey {
  std::string_view path;  // "cache.stale.max_age"; keys of records as "upstreams[].port"
  ValueType type = ValueType::kText;
  std::string_view description;          // one sentence
  Slot (*slot)(const Scope&) = nullptr;  // not for kSection and kRecords

  // kNumber and kFraction: the number; kDuration: milliseconds; kSize: octets.
  uint64_t min = 0;
  uint64_t max = 0;
  std::string_view unit = {};                      // of a number
  std::string_view zero = {};                      // the word that is read and printed for 0
  std::span<const std::string_view> choices = {};  // in the order of the enumeration's values
  bool spelled_on_off = false;                     // a switch that is printed as on | off
  bool required = false;                           // must be given in every record
  bool needs_restart = false;                      // a reload leaves it as it is
  // Of a list whose entries are joined by name where a drop-in file has it as well: the key of the record that is the
  // name, or "owner" for the first word of a text.
  std::string_view merged_by = {};
  std::string_view initial = {};  // what stands for the default where that depends on other keys
  size_t items_min = 0;
  size_t items_max = 0;  // 0: bounded by the text alone

  // Of a feature that is not there yet: what it is called, and the only value that is accepted, as it is printed.
  std::string_view missing_feature = {};
  std::string_view off = {};
};

// Every key, sections before their keys, in the order in which they are printed.
std::span<const SchemaKey> Schema();
// The key with that path, or nullptr.
const SchemaKey* FindKey(std::string_view path);
// The keys directly below `prefix`, which is "" or ends in "." ("cache.", "upstreams[].").
std::vector<const SchemaKey*> KeysBelow(std::string_view prefix);
// The last part of a path: "max_age".
std::string_view LeafOf(std::string_view path);

bool IsList(const SchemaKey& key);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_SCHEMA_H_
