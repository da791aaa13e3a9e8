#include "dnssec/signature_key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "dnssec/algorithm.h"
#include "dnssec/ldns_types.h"

namespace dotward {
namespace {

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
struct FreeBuilder {
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
};
struct FreeParameters {
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
};
struct FreeNumber {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeBuilder>;
using Number = std::unique_ptr<BIGNUM, FreeNumber>;

EVP_PKEY* FromParameters(const char* type, OSSL_PARAM_BLD* builder) {
  const std::unique_ptr<OSSL_PARAM, FreeParameters> parameters(OSSL_PARAM_BLD_to_param(builder));
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) return nullptr;
  return key;
}

Number ToNumber(OctetView octets) { return Number(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr)); }

EVP_PKEY* MakeRsa(OctetView public_key) {
  const auto parts = SplitRsaKey(public_key);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!parts || builder == nullptr) return nullptr;
  const Number exponent = ToNumber(parts->exponent);
  const Number modulus = ToNumber(parts->modulus);
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return FromParameters("RSA", builder.get());
}

// RFC 6605 §4: the two coordinates of a point. OpenSSL wants to be told that it is not compressed.
EVP_PKEY* MakeEcdsa(std::string_view group, OctetView public_key) {
  constexpr uint8_t kUncompressed = 4;
  std::array<uint8_t, 97> point = {kUncompressed};
  if (public_key.size() >= point.size()) return nullptr;
  std::ranges::copy(public_key, point.begin() + 1);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), public_key.size() + 1) !=
          1) {
    return nullptr;
  }
  return FromParameters("EC", builder.get());
}

EVP_PKEY* MakeEdwards(const char* type, OctetView public_key) {
  return EVP_PKEY_new_raw_public_key_ex(nullptr, type, nullptr, public_key.data(), public_key.size());
}

bool IsEcdsa(uint8_t algorithm) {
  return algorithm == dnssec_algorithm::kEcdsaP256 || algorithm == dnssec_algorithm::kEcdsaP384;
}

// Null where the algorithm hashes by itself.
const EVP_MD* DigestOf(uint8_t algorithm) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
    case dnssec_algorithm::kEcdsaP256:
      return EVP_sha256();
    case dnssec_algorithm::kEcdsaP384:
      return EVP_sha384();
    case dnssec_algorithm::kRsaSha512:
      return EVP_sha512();
    default:
      return nullptr;
  }
}

}  // namespace

void SignatureKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

SignatureKey::Key SignatureKey::Make(uint8_t algorithm, OctetView public_key) {
  switch (algorithm) {
    case dnssec_algorithm::kRsaSha256:
    case dnssec_algorithm::kRsaSha512:
      return Key(MakeRsa(public_key));
    case dnssec_algorithm::kEcdsaP256:
      return Key(MakeEcdsa("prime256v1", public_key));
    case dnssec_algorithm::kEcdsaP384:
      return Key(MakeEcdsa("secp384r1", public_key));
    case dnssec_algorithm::kEd25519:
      return Key(MakeEdwards("ED25519", public_key));
    case dnssec_algorithm::kEd448:
      return Key(MakeEdwards("ED448", public_key));
    default:
      return nullptr;
  }
}

bool SignatureKey::Made(const ldns_struct_rdf& signature, const ldns_struct_buffer& data) const {
  std::call_once(once_, [this] { key_ = Make(algorithm_, public_key_); });
  if (key_ == nullptr) return false;
  OctetView octets = OctetsOf(signature);
  LdnsBuffer converted;
  if (IsEcdsa(algorithm_)) {
    converted.reset(ldns_buffer_new(LDNS_MIN_BUFLEN));
    if (ldns_convert_ecdsa_rrsig_rdf2asn1(converted.get(), &signature) != LDNS_STATUS_OK) return false;
    octets = OctetsOf(*converted);
  }
  return ldns_verify_rrsig_evp_raw(octets.data(), octets.size(), &data, key_.get(), DigestOf(algorithm_)) ==
         LDNS_STATUS_OK;
}

}  // namespace dotward
