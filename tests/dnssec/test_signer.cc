#include "dnssec/test_signer.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace dotward {
namespace {

struct FreeList {
  void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
};
struct FreeBuffer {
  void operator()(ldns_buffer* buffer) const { ldns_buffer_free(buffer); }
};
using Buffer = std::unique_ptr<ldns_buffer, FreeBuffer>;

ldns_rdf* NameRdf(std::string_view text) {
  const Octets wire = WireName(text);
  return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, wire.size(), wire.data());
}

// One record through its wire form, as any program would read it.
ldns_rr* RecordOf(std::string_view owner, uint32_t ttl, const Rdata& rdata) {
  Octets wire = WireName(owner);
  const auto u16 = [&](size_t value) {
    wire.push_back(static_cast<uint8_t>(value >> 8U));
    wire.push_back(static_cast<uint8_t>(value));
  };
  u16(rdata.type);
  u16(1);
  u16(ttl >> 16U);
  u16(ttl & 0xffffU);
  u16(rdata.octets.size());
  wire.insert(wire.end(), rdata.octets.begin(), rdata.octets.end());
  ldns_rr* record = nullptr;
  size_t at = 0;
  if (ldns_wire2rr(&record, wire.data(), wire.size(), &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) std::abort();
  return record;
}

Rdata RdataOfRecord(const ldns_rr* record) {
  Rdata rdata{static_cast<uint16_t>(ldns_rr_get_type(record)), {}};
  for (size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(record, i);
    rdata.octets.insert(rdata.octets.end(), ldns_rdf_data(field), ldns_rdf_data(field) + ldns_rdf_size(field));
  }
  return rdata;
}

void SetField(ldns_rr* record, size_t place, ldns_rdf* field) {
  ldns_rdf_deep_free(ldns_rr_set_rdf(record, field, place));
}

}  // namespace

TestSigner::TestSigner(std::string zone, ldns_signing_algorithm algorithm, uint16_t flags)
    : TestSigner(std::move(zone), ldns_key_new_frm_algorithm(algorithm, 2048), flags) {}

TestSigner TestSigner::FromPrivateKey(std::string zone, const std::string& private_key) {
  std::string text = private_key;
  FILE* file = fmemopen(text.data(), text.size(), "r");
  ldns_key* key = nullptr;
  if (file == nullptr || ldns_key_new_frm_fp(&key, file) != LDNS_STATUS_OK) std::abort();
  std::fclose(file);
  return {std::move(zone), key, 257};
}

TestSigner::TestSigner(std::string zone, ldns_key* key, uint16_t flags) : zone_(std::move(zone)), key_(key) {
  if (key_ == nullptr) std::abort();
  ldns_key_set_pubkey_owner(key_.get(), NameRdf(zone_));
  ldns_key_set_flags(key_.get(), flags);
  record_.reset(ldns_key2rr(key_.get()));
  ldns_key_set_keytag(key_.get(), ldns_calc_keytag(record_.get()));
}

uint16_t TestSigner::tag() const { return ldns_key_keytag(key_.get()); }
uint8_t TestSigner::algorithm() const { return static_cast<uint8_t>(ldns_key_algorithm(key_.get())); }
Rdata TestSigner::Dnskey() const { return RdataOfRecord(record_.get()); }

Rdata TestSigner::Ds(uint8_t digest_type) const {
  const ldns_hash hash = digest_type == 1 ? LDNS_SHA1 : digest_type == 4 ? LDNS_SHA384 : LDNS_SHA256;
  const std::unique_ptr<ldns_rr, FreeRecord> ds(ldns_key_rr2ds(record_.get(), hash));
  return RdataOfRecord(ds.get());
}

DelegationSigner TestSigner::Signer(uint8_t digest_type) const {
  const Octets ds = Ds(digest_type).octets;
  return {static_cast<uint16_t>((ds[0] << 8U) | ds[1]), ds[2], ds[3], Octets(ds.begin() + 4, ds.end())};
}

Rdata TestSigner::Sign(std::string_view owner, uint32_t ttl, const std::vector<Rdata>& rdata,
                       const SignatureSpec& spec) const {
  const std::unique_ptr<ldns_rr_list, FreeList> records(ldns_rr_list_new());
  for (const Rdata& one : rdata) {
    ldns_rr* record = RecordOf(owner, spec.original_ttl.value_or(ttl), one);
    ldns_rr2canonical(record);
    ldns_rr_list_push_rr(records.get(), record);
  }
  ldns_rr_list_sort(records.get());
  ldns_key_set_inception(key_.get(), spec.inception);
  ldns_key_set_expiration(key_.get(), spec.expiration);
  const std::unique_ptr<ldns_rr, FreeRecord> signature(ldns_create_empty_rrsig(records.get(), key_.get()));
  if (spec.signer) SetField(signature.get(), 7, NameRdf(*spec.signer));
  if (spec.labels) SetField(signature.get(), 2, ldns_native2rdf_int8(LDNS_RDF_TYPE_INT8, *spec.labels));
  if (spec.key_tag) SetField(signature.get(), 6, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, *spec.key_tag));
  if (spec.algorithm) SetField(signature.get(), 1, ldns_native2rdf_int8(LDNS_RDF_TYPE_ALG, *spec.algorithm));
  const Buffer buffer(ldns_buffer_new(65535));
  if (ldns_rrsig2buffer_wire(buffer.get(), signature.get()) != LDNS_STATUS_OK) std::abort();
  if (ldns_rr_list2buffer_wire(buffer.get(), records.get()) != LDNS_STATUS_OK) std::abort();
  ldns_rdf* signed_octets = ldns_sign_public_buffer(buffer.get(), key_.get());
  if (signed_octets == nullptr) std::abort();
  SetField(signature.get(), 8, signed_octets);
  return RdataOfRecord(signature.get());
}

Rdata DsRdata(const DelegationSigner& signer) {
  Octets octets = {static_cast<uint8_t>(signer.key_tag >> 8U), static_cast<uint8_t>(signer.key_tag), signer.algorithm,
                   signer.digest_type};
  octets.insert(octets.end(), signer.digest.begin(), signer.digest.end());
  return Opaque(rr_type::kDs, std::move(octets));
}

std::string Nsec3Hash(std::string_view name, uint16_t iterations) {
  ldns_rdf* owner = NameRdf(name);
  ldns_rdf* hashed = ldns_nsec3_hash_name(owner, 1, iterations, 0, nullptr);
  const uint8_t* data = ldns_rdf_data(hashed);
  std::string text(reinterpret_cast<const char*>(data + 1), data[0]);
  for (char& c : text) c = static_cast<char>(LowerOctet(static_cast<uint8_t>(c)));
  ldns_rdf_deep_free(owner);
  ldns_rdf_deep_free(hashed);
  return text;
}

Rdata Nsec3(std::string_view next_hash, std::initializer_list<uint16_t> types, uint8_t flags, uint16_t iterations,
            uint8_t algorithm) {
  Octets octets = {algorithm, flags, static_cast<uint8_t>(iterations >> 8U), static_cast<uint8_t>(iterations), 0, 20};
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : next_hash) {
    bits = (bits << 5U) | static_cast<uint32_t>(c >= 'a' ? c - 'a' + 10 : c - '0');
    if ((count += 5) < 8) continue;
    count -= 8;
    octets.push_back(static_cast<uint8_t>(bits >> count));
  }
  // The bitmap is that of an NSEC whose next name is the root.
  const Octets nsec = Nsec(".", types).octets;
  octets.insert(octets.end(), nsec.begin() + 1, nsec.end());
  return Opaque(rr_type::kNsec3, std::move(octets));
}

}  // namespace dotward
