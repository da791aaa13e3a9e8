#ifndef DOTWARD_NET_LIBRARY_VERSION_H_
#define DOTWARD_NET_LIBRARY_VERSION_H_

#include <string>

namespace dotward {

// Of the library that is loaded now, which may be newer than the one at build time.
std::string GnuTlsVersion();

}  // namespace dotward

#endif  // DOTWARD_NET_LIBRARY_VERSION_H_
