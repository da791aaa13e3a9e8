#include "config/restart_keys.h"

#include <variant>

#include "base/strings.h"
#include "config/schema.h"
#include "config/values.h"

namespace dotward {

std::vector<std::string> KeepUntilRestart(const Config& running, Config* config) {
  Config kept = running;  // the schema's slots point into what can be written to
  std::vector<std::string> differences;
  for (const SchemaKey& key : Schema()) {
    if (!key.needs_restart) continue;
    const Slot from = key.slot(Scope{&kept});
    const Slot to = key.slot(Scope{config});
    const std::string old_value = FormatValue(key, from);
    const std::string new_value = FormatValue(key, to);
    if (old_value == new_value) continue;
    differences.push_back(
        StrCat(key.path, ": ", old_value, " stays until a restart; the new configuration has ", new_value));
    std::visit([&from](auto* target) { *target = *std::get<decltype(target)>(from); }, to);
  }
  return differences;
}

}  // namespace dotward
