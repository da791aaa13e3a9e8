#ifndef DOTWARD_APP_SURROUNDINGS_H_
#define DOTWARD_APP_SURROUNDINGS_H_

#include "dotward/config.h"

namespace dotward {

// Refuses a sound configuration that names what this machine does not have: a file of CA certificates without any, or
// of trust anchors, an account that does not exist. Warns of a snapshot that cannot be written, and of a negative trust
// anchor whose time is over. Reads files and asks for accounts, which may
// take a while: not for the query path.
void CheckSurroundings(ConfigResult* result);

}  // namespace dotward

#endif  // DOTWARD_APP_SURROUNDINGS_H_
