#include "dnssec/algorithm.h"

#include <bit>
#include <optional>

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

// RFC 3110 §2.
struct RsaKey {
  uint64_t exponent = 0;  // UINT64_MAX: more than fits
  size_t modulus_octets = 0;
};

// The exponent stands behind its length, which is one octet, or zero and two; then comes the modulus.
std::optional<RsaKey> ReadRsaKey(OctetView key) {
  if (key.size() < 3) return std::nullopt;
  size_t octets = key[0];
  size_t head = 1;
  if (octets == 0) {
    octets = ReadU16(&key[1]);
    head = 3;
  }
  if (octets == 0 || key.size() < head + octets) return std::nullopt;
  RsaKey rsa{.modulus_octets = key.size() - head - octets};
  for (const uint8_t octet : key.subspan(head, octets)) {
    if (rsa.exponent >> 56U != 0) return RsaKey{.exponent = UINT64_MAX, .modulus_octets = rsa.modulus_octets};
    rsa.exponent = rsa.exponent << 8U | octet;
  }
  return rsa;
}

bool IsUsableRsaKey(OctetView key, size_t octets_min) {
  const std::optional<RsaKey> rsa = ReadRsaKey(key);
  return rsa && rsa->exponent != 0 && rsa->exponent <= DnssecLimits::kRsaExponentMax &&
         rsa->modulus_octets >= octets_min && rsa->modulus_octets <= DnssecLimits::kRsaOctetsMax;
}

// A multiplication for each bit of the exponent, whose cost grows with the square of the modulus; one of a size that is
// no multiple of 64 octets takes OpenSSL's slower way.
unsigned RsaMicroseconds(OctetView key) {
  constexpr double kMultiplication2048 = 1.3;
  constexpr size_t kOctets2048 = 256;
  const RsaKey rsa = ReadRsaKey(key).value_or(RsaKey());
  const double size = static_cast<double>(rsa.modulus_octets) / kOctets2048;
  const double slower = rsa.modulus_octets % 64 == 0 ? 1 : 2;
  return 5 + static_cast<unsigned>(static_cast<double>(std::bit_width(rsa.exponent)) * kMultiplication2048 * size *
                                   size * slower);
}

}  // namespace

bool IsSupportedAlgorithm(uint8_t algorithm) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
    case dnssec_algorithm::kRsaSha512:
    case dnssec_algorithm::kEcdsaP256:
    case dnssec_algorithm::kEcdsaP384:
    case dnssec_algorithm::kEd25519:
    case dnssec_algorithm::kEd448:
      return true;
    default:
      return false;
  }
}

bool IsSupportedDigest(uint8_t digest_type) {
  return digest_type == ds_digest::kSha256 || digest_type == ds_digest::kSha384;
}

std::string AlgorithmToString(uint8_t algorithm) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
      return "RSASHA256";
    case dnssec_algorithm::kRsaSha512:
      return "RSASHA512";
    case dnssec_algorithm::kEcdsaP256:
      return "ECDSAP256SHA256";
    case dnssec_algorithm::kEcdsaP384:
      return "ECDSAP384SHA384";
    case dnssec_algorithm::kEd25519:
      return "ED25519";
    case dnssec_algorithm::kEd448:
      return "ED448";
    default:
      return StrCat("algorithm ", int{algorithm});
  }
}

bool IsUsablePublicKey(uint8_t algorithm, OctetView public_key) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
      return IsUsableRsaKey(public_key, DnssecLimits::kRsaOctetsMin);
    case dnssec_algorithm::kRsaSha512:
      return IsUsableRsaKey(public_key, DnssecLimits::kRsaSha512OctetsMin);
    case dnssec_algorithm::kEcdsaP256:
      return public_key.size() == 64;  // RFC 6605 §4
    case dnssec_algorithm::kEcdsaP384:
      return public_key.size() == 96;
    case dnssec_algorithm::kEd25519:
      return public_key.size() == 32;  // RFC 8080 §3
    case dnssec_algorithm::kEd448:
      return public_key.size() == 57;
    default:
      return false;
  }
}

unsigned CheckMicroseconds(uint8_t algorithm, OctetView public_key) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
    case dnssec_algorithm::kRsaSha512:
      return RsaMicroseconds(public_key);
    case dnssec_algorithm::kEcdsaP384:
      return 825;
    case dnssec_algorithm::kEd448:
      return 300;
    case dnssec_algorithm::kEd25519:
      return 130;
    default:
      return 80;
  }
}

}  // namespace dotward
