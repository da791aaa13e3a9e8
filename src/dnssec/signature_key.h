#ifndef DOTWARD_DNSSEC_SIGNATURE_KEY_H_
#define DOTWARD_DNSSEC_SIGNATURE_KEY_H_

#include <cstdint>
#include <memory>
#include <mutex>

#include "dns/types.h"

struct evp_pkey_st;
struct ldns_struct_buffer;
struct ldns_struct_rdf;

namespace dotward {

// What signatures are checked with. ldns makes such a key anew for each check, which costs nearly as much as the check;
// this one is made when it is first needed, and kept. Thread-safe.
class SignatureKey {
 public:
  // The public key as it stands in a DNSKEY record, in a form that IsUsablePublicKey accepts; must outlive it.
  SignatureKey(uint8_t algorithm, OctetView public_key) : algorithm_(algorithm), public_key_(public_key) {}

  // Whether the signature, as it stands in an RRSIG record, was made of `data` with the key's other half. False, too,
  // where OpenSSL refuses the key.
  bool Made(const ldns_struct_rdf& signature, const ldns_struct_buffer& data) const;

  // What it takes of memory besides itself, at most; octets.
  static constexpr size_t kMadeOctets = 3'000;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, Free>;
  static Key Make(uint8_t algorithm, OctetView public_key);

  const uint8_t algorithm_;
  const OctetView public_key_;
  mutable std::once_flag once_;
  mutable Key key_;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_SIGNATURE_KEY_H_
