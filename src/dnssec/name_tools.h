#ifndef DOTWARD_DNSSEC_NAME_TOOLS_H_
#define DOTWARD_DNSSEC_NAME_TOOLS_H_

#include <cstdint>
#include <string>

#include "dns/name.h"
#include "dns/types.h"

namespace dotward {

// For the sources of this folder alone: what proofs of denial do with names.

inline constexpr uint8_t kNsec3Sha1 = 1;    // RFC 5155 §11
inline constexpr uint8_t kNsec3OptOut = 1;  // RFC 5155 §3.1.2.1
inline constexpr size_t kNsec3HashOctets = 20;
inline constexpr size_t kNsec3HashCharacters = 32;

// The last `labels` labels of a name that has at least as many.
Name Suffix(const Name& name, size_t labels);
// How many labels two names have in common, from the root on.
size_t CommonLabels(const Name& a, const Name& b);
bool IsBelow(const Name& name, const Name& zone);
// "*." before a name that is a proper ancestor of another, so that there is room.
Name WildcardOf(const Name& closest);

std::string LowerOf(OctetView octets);
// RFC 4648 §7 without padding, in lower case: text of which the order is that of the octets.
std::string Base32Hex(OctetView octets);
// The hash of a name as Base32Hex (RFC 5155 §5); empty where ldns cannot make it.
std::string Nsec3HashOf(const Name& name, uint16_t iterations, OctetView salt);

// Text whose order by octets is the canonical order of names (RFC 4034 §6.1): labels from the root on, in lower case.
std::string CanonicalKey(const Name& name);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_NAME_TOOLS_H_
