#ifndef DOTWARD_CONFIG_SOURCES_H_
#define DOTWARD_CONFIG_SOURCES_H_

#include <string>
#include <vector>

#include "dotward/config.h"

namespace dotward {

// Whether a configuration has a file of its own, or drop-in files alone.
enum class MainFile : uint8_t { kRequired, kAbsent };

struct Sources {
  std::vector<ConfigText> texts;    // the file, then its drop-in files in the order of their names
  std::vector<ConfigError> errors;  // of what cannot be read
};

// Reads `file` and dotward.d/*.yaml beside it, as far as that can have a sound configuration: at most
// Limits::kConfigDropInsMax files, and little more octets than Limits::kConfigOctetsMax altogether.
Sources ReadSources(const std::string& file, MainFile main_file);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_SOURCES_H_
