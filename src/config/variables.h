#ifndef DOTWARD_CONFIG_VARIABLES_H_
#define DOTWARD_CONFIG_VARIABLES_H_

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "config/yaml_tree.h"
#include "dotward/config.h"

namespace dotward {

// `text` with the environment's variables put in: ${NAME}, or ${NAME:-default} where an unset or empty one has a
// default, which ends at the next "}". "$${" stands for "${" itself; any other "$" is a "$". What is put in is not
// looked into again. kInvalidArgument names the variable that is not set, or says what is wrong with the spelling.
absl::StatusOr<std::string> ExpandVariables(std::string_view text, const Environment& environment);

// The text that ExpandVariables makes `text` of.
std::string EscapeVariables(std::string_view text);

// Puts the variables into every value, not into keys. A scalar that cannot be made becomes kUnsound; one that was made
// of a variable counts as written without quotes, so that it may be a number as well. What all values grow by is
// bounded by Limits::kConfigOctetsMax.
void ExpandVariables(const Environment& environment, YamlTree* tree);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_VARIABLES_H_
