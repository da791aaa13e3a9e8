#ifndef DOTWARD_CONFIG_CROSS_CHECKS_H_
#define DOTWARD_CONFIG_CROSS_CHECKS_H_

#include <string>
#include <unordered_map>
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
// By path: "upstreams[1].name". Keys that the file does not give are not in it.
using Places = std::unordered_map<std::string, Place>;

// What one value cannot show: names that must be unique or must exist, values that must fit each other. `config` has
// the records of the file in their order, with defaults where a value was unsound: those are in `errors` already.
void CrossCheck(const Config& config, const Places& places, ErrorList* errors);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_CROSS_CHECKS_H_
