#include "dns/library_version.h"

#include <ldns/ldns.h>

namespace dotward {

std::string LdnsVersion() { return ldns_version(); }

}  // namespace dotward
