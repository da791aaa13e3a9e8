#ifndef DOTWARD_CONFIG_VALUES_H_
#define DOTWARD_CONFIG_VALUES_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/schema.h"
#include "config/yaml_tree.h"

namespace dotward {

// What is wrong with a value, or with one item of a list.
struct ValueProblem {
  std::optional<size_t> item;
  Position position;
  std::string message;
};

struct ValueReading {
  std::vector<ValueProblem> problems;  // of a list, the first ones up to one more than Limits::kConfigErrorsMax
  std::vector<Position> items;         // of a list: where each item stood that was taken over
};

// Reads `node` as the value of `key` into what `slot` points at. Where the value is unsound the slot keeps what it had;
// of a list, the sound items are taken over. `key_position` is where a missing value is reported.
ValueReading ReadValue(const SchemaKey& key, const YamlTree& tree, const YamlNode& node, Position key_position,
                       const Slot& slot);

// The value as YAML on one line, which ReadValue reads as the same value. Lists in brackets.
std::string FormatValue(const SchemaKey& key, const Slot& slot);
// The same, each item of a list by itself; one text for what is no list.
std::vector<std::string> FormatItems(const SchemaKey& key, const Slot& slot);

// What the key is where nothing is given, as FormatValue prints it; "" for sections, records and required keys.
std::string DefaultText(const SchemaKey& key);
// What is accepted: "1 to 65535", "tls | udp | tcp"; "" where the type says it all.
std::string AcceptedText(const SchemaKey& key);

// One item of `listen`.
absl::StatusOr<ListenConfig> ParseListenAddress(std::string_view text);
// An address of an upstream or a host name that has some, in lower case and without the final dot. What is nearer to a
// mistyped address than to a name ("9.9.9.999", "1.1.1") is refused.
using Server = std::variant<IpAddress, std::string>;
absl::StatusOr<Server> ParseServer(std::string_view text);
// Adds what is not in the list yet; else false.
bool AddServer(Server server, ServerList* list);
// RFC 8310 authentication domain name, without the final dot; kInvalidArgument says what it lacks.
absl::StatusOr<std::string> ParseAuthName(std::string_view text);
// One item of `bootstrap`.
absl::StatusOr<BootstrapConfig> ParseBootstrap(std::string_view text);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_VALUES_H_
