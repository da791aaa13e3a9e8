#include "dnssec/zone_keys.h"

#include <algorithm>
#include <utility>

#include "dns/wire.h"
#include "dnssec/algorithm.h"
#include "dnssec/ldns_types.h"
#include "dnssec/record_reader.h"

namespace dotward {
namespace {

constexpr size_t kKeyOverheadOctets = 400;  // of ldns's record, its fields and owner, and of the key itself
constexpr uint8_t kProtocol = 3;            // RFC 4034 §2.1.2
constexpr size_t kFixedOctets = 4;          // of RDATA, before the key

}  // namespace

ZoneKeys::Use ZoneKeys::UseOf(OctetView rdata) {
  if (rdata.size() <= kFixedOctets) return Use::kUnusable;
  const uint16_t flags = ReadU16(&rdata[0]);
  if ((flags & LDNS_KEY_ZONE_KEY) == 0) return Use::kNoZoneKey;
  if ((flags & LDNS_KEY_REVOKE_KEY) != 0) return Use::kRevoked;
  const bool usable = rdata[2] == kProtocol && IsUsablePublicKey(rdata[3], rdata.subspan(kFixedOctets));
  return usable ? Use::kSigns : Use::kUnusable;
}

void ZoneKeys::FreeRecord::operator()(ldns_struct_rr* record) const { ldns_rr_free(record); }

ZoneKeys ZoneKeys::Read(const ScannedMessage& message, const Rrset& rrset) {
  std::vector<KeyPtr> keys;
  for (const uint16_t place : rrset.records) {
    LdnsRr record = ReadRecord(message, message.records[place]);
    if (record == nullptr || ldns_rr_rd_count(record.get()) != 4) continue;
    const OctetView public_key = OctetsOf(*ldns_rr_rdf(record.get(), 3));
    auto key = std::make_shared<Key>();
    key->tag = ldns_calc_keytag(record.get());
    key->algorithm = ldns_rdf2native_int8(ldns_rr_rdf(record.get(), 2));
    key->use = UseOf(RdataOf(message, message.records[place]));
    key->memory_octets = kKeyOverheadOctets + public_key.size();
    key->check_microseconds = CheckMicroseconds(key->algorithm, public_key);
    if (key->use == Use::kSigns) {
      key->checks = std::make_unique<const SignatureKey>(key->algorithm, public_key);
      key->memory_octets += SignatureKey::kMadeOctets;
    }
    key->record.reset(record.release());
    keys.push_back(std::move(key));
  }
  return {rrset.owner, std::move(keys)};
}

size_t ZoneKeys::memory_octets() const {
  size_t octets = 0;
  for (const KeyPtr& key : keys_) octets += key->memory_octets;
  return octets;
}

ZoneKeys ZoneKeys::Subset(const std::function<bool(const Key&)>& chosen) const {
  std::vector<KeyPtr> keys;
  std::ranges::copy_if(keys_, std::back_inserter(keys), [&](const KeyPtr& key) { return chosen(*key); });
  return {zone_, std::move(keys)};
}

bool DigestMatches(const ZoneKeys::Key& key, const DelegationSigner& signer) {
  const ldns_hash hash = signer.digest_type == ds_digest::kSha384 ? LDNS_SHA384 : LDNS_SHA256;
  const LdnsRr ds(ldns_key_rr2ds(key.record.get(), hash));
  return ds != nullptr && ldns_rr_rd_count(ds.get()) == 4 &&
         std::ranges::equal(OctetsOf(*ldns_rr_rdf(ds.get(), 3)), signer.digest);
}

}  // namespace dotward
