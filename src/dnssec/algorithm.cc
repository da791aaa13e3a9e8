#include "dnssec/algorithm.h"

#include <bit>
#include <optional>

#include "base/strings.h"
#include "dns/wire.h"
#include "dnssec/dnssec_limits.h"

namespace dotward {
namespace {

// UINT64_MAX where it does not fit.
uint64_t ToNumber(OctetView octets) {
  uint64_t number = 0;
  for (const uint8_t octet : octets) {
    if (number >> 56U != 0) return UINT64_MAX;
    number = number << 8U | octet;
  }
  return number;
}

bool IsUsableRsaKey(OctetView key, size_t octets_min) {
  const std::optional<RsaKeyParts> rsa = SplitRsaKey(key);
  if (!rsa) return false;
  const uint64_t exponent = ToNumber(rsa->exponent);
  return exponent != 0 && exponent <= DnssecLimits::kRsaExponentMax && rsa->modulus.size() >= octets_min &&
         rsa->modulus.size() <= DnssecLimits::kRsaOctetsMax;
}

// A multiplication for each bit of the exponent, whose cost grows with the square of the modulus; one of a size that is
// no multiple of 64 octets takes OpenSSL's slower way.
unsigned RsaMicroseconds(OctetView key) {
  constexpr double kMultiplication2048 = 1.3;
  constexpr size_t kOctets2048 = 256;
  const RsaKeyParts rsa = SplitRsaKey(key).value_or(RsaKeyParts());
  const double size = static_cast<double>(rsa.modulus.size()) / kOctets2048;
  const double slower = rsa.modulus.size() % 64 == 0 ? 1 : 2;
  return 5 + static_cast<unsigned>(static_cast<double>(std::bit_width(ToNumber(rsa.exponent))) * kMultiplication2048 *
                                   size * size * slower);
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

// The exponent stands behind its length, which is one octet, or zero and two; then comes the modulus.
std::optional<RsaKeyParts> SplitRsaKey(OctetView public_key) {
  if (public_key.size() < 3) return std::nullopt;
  size_t exponent = public_key[0];
  size_t head = 1;
  if (exponent == 0) {
    exponent = ReadU16(&public_key[1]);
    head = 3;
  }
  if (exponent == 0 || public_key.size() < head + exponent) return std::nullopt;
  return RsaKeyParts{public_key.subspan(head, exponent), public_key.subspan(head + exponent)};
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
