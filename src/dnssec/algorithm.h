#ifndef DOTWARD_DNSSEC_ALGORITHM_H_
#define DOTWARD_DNSSEC_ALGORITHM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "dns/types.h"

namespace dotward {

// DNSSEC algorithm numbers that are validated (RFC 8624 §3.1: RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384,
// ED25519, ED448). A zone that has no others is insecure.
namespace dnssec_algorithm {
inline constexpr uint8_t kRsaSha256 = 8, kRsaSha512 = 10, kEcdsaP256 = 13, kEcdsaP384 = 14, kEd25519 = 15, kEd448 = 16;
}  // namespace dnssec_algorithm

// Digests of DS records that are validated (RFC 8624 §3.3). SHA-1 is not: alone it makes a zone insecure.
namespace ds_digest {
inline constexpr uint8_t kSha256 = 2, kSha384 = 4;
}  // namespace ds_digest

bool IsSupportedAlgorithm(uint8_t algorithm);
bool IsSupportedDigest(uint8_t digest_type);
std::string AlgorithmToString(uint8_t algorithm);  // "ECDSAP256SHA256", "algorithm 99"

// The two numbers of an RSA key as it stands in a DNSKEY (RFC 3110 §2), most significant octet first; borrowed. nullopt
// where it is cut off.
struct RsaKeyParts {
  OctetView exponent;
  OctetView modulus;
};
std::optional<RsaKeyParts> SplitRsaKey(OctetView public_key);

// Whether a public key, as it stands in a DNSKEY, has a form that its algorithm allows and a size that is cheap to
// check with.
bool IsUsablePublicKey(uint8_t algorithm, OctetView public_key);
// What one check with such a key costs, roughly, in microseconds.
unsigned CheckMicroseconds(uint8_t algorithm, OctetView public_key);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ALGORITHM_H_
