#include "dnssec/algorithm.h"

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

// RFC 3110 §2: the exponent behind its length, which is one octet, or zero and two; then the modulus.
bool IsUsableRsaKey(OctetView key, size_t octets_min) {
  if (key.size() < 3) return false;
  size_t exponent = key[0];
  size_t head = 1;
  if (exponent == 0) {
    exponent = ReadU16(&key[1]);
    head = 3;
  }
  if (exponent == 0 || exponent > DnssecLimits::kRsaExponentOctetsMax || key.size() < head + exponent) return false;
  const size_t modulus = key.size() - head - exponent;
  return modulus >= octets_min && modulus <= DnssecLimits::kRsaOctetsMax;
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
      return public_key.size() > 300 ? 120 : 50;
    case dnssec_algorithm::kEcdsaP384:
      return 900;
    case dnssec_algorithm::kEd448:
      return 400;
    default:
      return 120;
  }
}

}  // namespace dotward
