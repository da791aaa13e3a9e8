#ifndef DOTWARD_TESTS_DNSSEC_TEST_SIGNER_H_
#define DOTWARD_TESTS_DNSSEC_TEST_SIGNER_H_

#include <ldns/ldns.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/name.h"
#include "dnssec/delegation.h"
#include "dotward/clock.h"
#include "testing/messages.h"

namespace dotward {

// 1 November 2026, where ManualClock begins.
inline const WallTime kSigningTime{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};
inline uint32_t At(std::chrono::seconds after) {
  return static_cast<uint32_t>((kSigningTime.time_since_epoch() + after) / std::chrono::seconds(1));
}

// What a signature says; what is not given is as it should be.
struct SignatureSpec {
  std::optional<std::string> signer;
  std::optional<uint8_t> labels;
  std::optional<uint16_t> key_tag;
  std::optional<uint8_t> algorithm;
  std::optional<uint32_t> original_ttl;
  uint32_t inception = At(-std::chrono::hours(1));
  uint32_t expiration = At(std::chrono::hours(24));
};

// A zone's key that signs what it is told to, right or wrong.
class TestSigner {
 public:
  explicit TestSigner(std::string zone, ldns_signing_algorithm algorithm = LDNS_SIGN_ECDSAP256SHA256,
                      uint16_t flags = 257);

  // The zone's key is that of a private key file of BIND, so that what it signs is the same each time.
  static TestSigner FromPrivateKey(std::string zone, const std::string& private_key);

  const std::string& zone() const { return zone_; }
  uint16_t tag() const;
  uint8_t algorithm() const;
  Rdata Dnskey() const;
  DelegationSigner Signer(uint8_t digest_type = 2) const;  // as a trust anchor
  Rdata Ds(uint8_t digest_type = 2) const;
  // The RRSIG of records with one owner. An owner that begins with "*." is signed as a wildcard.
  Rdata Sign(std::string_view owner, uint32_t ttl, const std::vector<Rdata>& rdata,
             const SignatureSpec& spec = {}) const;

  ldns_rr* key_record() const { return record_.get(); }

 private:
  TestSigner(std::string zone, ldns_key* key, uint16_t flags);
  struct FreeKey {
    void operator()(ldns_key* key) const { ldns_key_deep_free(key); }
  };
  struct FreeRecord {
    void operator()(ldns_rr* record) const { ldns_rr_free(record); }
  };
  std::string zone_;
  std::unique_ptr<ldns_key, FreeKey> key_;
  std::unique_ptr<ldns_rr, FreeRecord> record_;
};

Rdata DsRdata(const DelegationSigner& signer);
Rdata Nsec3(std::string_view next_hash, std::initializer_list<uint16_t> types, uint8_t flags = 0,
            uint16_t iterations = 0, uint8_t algorithm = 1);
// The hash of a name, without salt, in base32hex and lower case.
std::string Nsec3Hash(std::string_view name, uint16_t iterations = 0);

}  // namespace dotward

#endif  // DOTWARD_TESTS_DNSSEC_TEST_SIGNER_H_
