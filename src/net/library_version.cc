#include "net/library_version.h"

#include <gnutls/gnutls.h>

namespace dotward {

std::string GnuTlsVersion() { return gnutls_check_version(nullptr); }

}  // namespace dotward
