#ifndef DOTWARD_DNS_REGISTRABLE_DOMAIN_H_
#define DOTWARD_DNS_REGISTRABLE_DOMAIN_H_

#include "dns/types.h"

namespace dotward {

// The part of a name that one party has registered: its public suffix and one label more, by the Public Suffix List
// with its private section ("a.b.example.co.uk." gives "example.co.uk.", "x.me.github.io." gives "me.github.io."). A
// name that is a public suffix itself, or the root, is returned whole. A top-level domain that the list does not know
// is a public suffix. Case does not matter. Octets that no host name has match no rule of the list, whatever they are.
//
// `wire_name` is a whole name in uncompressed wire form; the result is a suffix of it, root label included, and borrows
// from it. Thread-safe; allocates nothing of ours; takes about a microsecond, so it is not for every query.
OctetView RegistrableDomain(OctetView wire_name);

}  // namespace dotward

#endif  // DOTWARD_DNS_REGISTRABLE_DOMAIN_H_
