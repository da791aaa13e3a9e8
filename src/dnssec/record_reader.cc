#include "dnssec/record_reader.h"

#include <algorithm>
#include <string>

#include "dnssec/name_tools.h"

namespace dotward {
namespace {

constexpr size_t kFixedOctets = 10;  // of a record, between owner and RDATA

}  // namespace

LdnsRr ReadRecord(const ScannedMessage& message, const RecordEdges& record) {
  // What it would cost ldns to hold the message's strings was found to be too much.
  if (message.needs_no_model) return nullptr;
  ldns_rr* read = nullptr;
  size_t at = record.owner;
  const ldns_status status =
      ldns_wire2rr(&read, message.octets.data(), message.octets.size(), &at, LDNS_SECTION_ANSWER);
  LdnsRr model(status == LDNS_STATUS_OK ? read : nullptr);
  if (at != record.end) model = nullptr;
  return model;
}

std::optional<CanonicalRdata> ReadCanonicalRdata(const ScannedMessage& message, const Rrset& rrset) {
  CanonicalRdata canonical;
  canonical.reserve(rrset.records.size());
  // Addresses have one form.
  const bool as_it_is = rrset.type == rr_type::kA || rrset.type == rr_type::kAaaa;
  for (const uint16_t place : rrset.records) {
    const RecordEdges& record = message.records[place];
    const OctetView given = RdataOf(message, record);
    if (as_it_is) {
      canonical.emplace_back(given.begin(), given.end());
      continue;
    }
    const LdnsRr model = ReadRecord(message, record);
    if (model == nullptr) return std::nullopt;
    ldns_rr2canonical(model.get());
    const LdnsBuffer octets(ldns_buffer_new(given.size() + 1));
    if (ldns_rr_rdata2buffer_wire(octets.get(), model.get()) != LDNS_STATUS_OK) return std::nullopt;
    const OctetView written = OctetsOf(*octets);
    canonical.emplace_back(written.begin(), written.end());
  }
  std::ranges::sort(canonical);
  const auto again = std::ranges::unique(canonical);
  canonical.erase(again.begin(), again.end());
  return canonical;
}

LdnsBuffer SignedOctets(const ldns_rr& signature, const SignatureFields& fields, const Rrset& rrset, uint16_t klass,
                        const CanonicalRdata& rdata) {
  const Name& owner = rrset.owner;
  const bool expanded = fields.labels < owner.label_count();
  const std::string signed_owner = LowerOf((expanded ? WildcardOf(Suffix(owner, fields.labels)) : owner).wire());
  LdnsBuffer octets(ldns_buffer_new(LDNS_MIN_BUFLEN));
  if (ldns_rrsig2buffer_wire(octets.get(), &signature) != LDNS_STATUS_OK) return nullptr;
  for (const Octets& one : rdata) {
    if (!ldns_buffer_reserve(octets.get(), signed_owner.size() + kFixedOctets + one.size())) return nullptr;
    ldns_buffer_write(octets.get(), signed_owner.data(), signed_owner.size());
    ldns_buffer_write_u16(octets.get(), rrset.type);
    ldns_buffer_write_u16(octets.get(), klass);
    ldns_buffer_write_u32(octets.get(), fields.original_ttl);
    ldns_buffer_write_u16(octets.get(), static_cast<uint16_t>(one.size()));
    ldns_buffer_write(octets.get(), one.data(), one.size());
  }
  return octets;
}

size_t SignedSize(const ScannedMessage& message, const Rrset& rrset) {
  size_t size = 0;
  for (const uint16_t place : rrset.records) {
    size += rrset.owner.wire().size() + kFixedOctets + RdataOf(message, message.records[place]).size();
  }
  return size;
}

}  // namespace dotward
