#ifndef DOTWARD_CONFIG_CROSS_CHECKS_H_
#define DOTWARD_CONFIG_CROSS_CHECKS_H_

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/errors.h"
#include "config/text.h"
#include "dotward/config.h"

namespace dotward {

// Where a key stood in the file.
struct Place {
  Position value;
  std::vector<Position> items;  // of the list's sound items, as they are in the Config
};
// Both by path: "upstreams[1].name".
struct Places {
  std::unordered_map<std::string, Place> sound;  // keys that the file does not give are not in it
  std::unordered_set<std::string> unsound;       // their values, or the keys themselves as far as one can guess
  std::vector<std::string> outside;              // paths of sound values about what is outside the texts
};

// What one value cannot show: names that must be unique or must exist, values that must fit each other. `config` has
// the records of the file in their order, with defaults where a value was unsound: those are in `errors` already.
void CrossCheck(const Config& config, const Places& places, ErrorList* errors, ErrorList* warnings);

// What to know of a default route that asks upstreams without TLS; nullopt where it does not.
std::optional<std::string> ClearTextWarning(const Config& config);

// What keeps the listener with that number from being bound beside the others: one of them has all addresses of its
// family, and the port (each family has sockets of its own).
std::optional<std::string> OverlapOf(const std::vector<ListenConfig>& listen, size_t index);

// True where somebody can tell the addresses of that upstream's host names: a bootstrap resolver, or an upstream with
// an address.
bool CanBeResolved(const UpstreamConfig& upstream, const Config& config);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_CROSS_CHECKS_H_
