#ifndef DOTWARD_CONFIG_REFERENCE_H_
#define DOTWARD_CONFIG_REFERENCE_H_

#include <string>

namespace dotward {

// docs/configuration.md, made from the schema: every key with its type, default, range and meaning. A test compares the
// page with this and can write it anew.
std::string RenderReference();

}  // namespace dotward

#endif  // DOTWARD_CONFIG_REFERENCE_H_
