#ifndef DOTWARD_CONFIG_SETTINGS_H_
#define DOTWARD_CONFIG_SETTINGS_H_

#include <string_view>

#include "config/yaml_tree.h"

namespace dotward {

// What "cache.stale.enabled=true" says, as the document that a file would have for it; `source` is its number in
// positions, none of which has a line. A problem names the setting.
YamlResult ReadSetting(std::string_view setting, int source);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_SETTINGS_H_
