#ifndef DOTWARD_DNSSEC_ZONE_KEYS_H_
#define DOTWARD_DNSSEC_ZONE_KEYS_H_

#include <functional>
#include <memory>
#include <vector>

#include "dns/name.h"
#include "dnssec/delegation.h"
#include "dnssec/rrset.h"
#include "dnssec/signature_key.h"

struct ldns_struct_rr;

namespace dotward {

// The keys of a DNSKEY RRset. Immutable and safe to share between threads. That they are there does not mean that
// anybody vouches for them.
class ZoneKeys {
 public:
  // Why a key signs nothing.
  enum class Use : uint8_t {
    kSigns,
    kNoZoneKey,  // RFC 4034 §2.1.1
    kRevoked,    // RFC 5011 §2.1
    kUnusable,   // another protocol than 3, an algorithm that is not supported, a key of the wrong size
  };
  // Of the RDATA of a DNSKEY record.
  static Use UseOf(OctetView rdata);
  struct FreeRecord {
    void operator()(ldns_struct_rr* record) const;
  };
  struct Key {
    uint16_t tag = 0;
    uint8_t algorithm = 0;
    Use use = Use::kUnusable;
    unsigned check_microseconds = 0;
    size_t memory_octets = 0;
    std::unique_ptr<ldns_struct_rr, FreeRecord> record;
    std::unique_ptr<const SignatureKey> checks;  // where it signs
  };
  using KeyPtr = std::shared_ptr<const Key>;

  ZoneKeys(Name zone, std::vector<KeyPtr> keys) : zone_(std::move(zone)), keys_(std::move(keys)) {}
  // The records of a DNSKEY RRset. Those that ldns cannot read are left out.
  static ZoneKeys Read(const ScannedMessage& message, const Rrset& rrset);

  const Name& zone() const { return zone_; }
  const std::vector<KeyPtr>& keys() const { return keys_; }
  // Of memory, roughly.
  size_t memory_octets() const;
  ZoneKeys Subset(const std::function<bool(const Key&)>& chosen) const;

 private:
  Name zone_;
  std::vector<KeyPtr> keys_;
};

// Whether the digest of a DS record is that of the key (RFC 4034 §5.1.4). The digest type must be supported.
bool DigestMatches(const ZoneKeys::Key& key, const DelegationSigner& signer);

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_ZONE_KEYS_H_
