#include "dnssec/record_reader.h"

#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "dnssec/name_tools.h"

namespace dotward {

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

LdnsRrList ReadRrset(const ScannedMessage& message, std::span<const uint16_t> places) {
  LdnsRrList sorted(ldns_rr_list_new());
  for (const uint16_t place : places) {
    LdnsRr record = ReadRecord(message, message.records[place]);
    if (record == nullptr) return nullptr;
    ldns_rr2canonical(record.get());
    ldns_rr_list_push_rr(sorted.get(), record.release());
  }
  ldns_rr_list_sort(sorted.get());
  // From the last on, because that is where ldns takes records out.
  std::vector<LdnsRr> unique_from_last;
  while (ldns_rr_list_rr_count(sorted.get()) != 0) {
    LdnsRr last(ldns_rr_list_pop_rr(sorted.get()));
    const bool again = !unique_from_last.empty() && ldns_rr_compare(last.get(), unique_from_last.back().get()) == 0;
    if (!again) unique_from_last.push_back(std::move(last));
  }
  LdnsRrList unique(ldns_rr_list_new());
  for (LdnsRr& record : std::views::reverse(unique_from_last)) ldns_rr_list_push_rr(unique.get(), record.release());
  return unique;
}

LdnsBuffer SignedOctets(const ldns_rr& signature, const SignatureFields& fields, const Name& owner,
                        ldns_rr_list& rrset) {
  const size_t labels = owner.label_count();
  const bool expanded = fields.labels < labels;
  const std::string signed_owner = LowerOf((expanded ? WildcardOf(Suffix(owner, fields.labels)) : owner).wire());
  LdnsBuffer octets(ldns_buffer_new(LDNS_MIN_BUFLEN));
  if (ldns_rrsig2buffer_wire(octets.get(), &signature) != LDNS_STATUS_OK) return nullptr;
  for (size_t i = 0; i < ldns_rr_list_rr_count(&rrset); ++i) {
    ldns_rr* const record = ldns_rr_list_rr(&rrset, i);
    const LdnsRdf given(ldns_rr_owner(record));
    ldns_rr_set_owner(record,
                      ToLdns({reinterpret_cast<const uint8_t*>(signed_owner.data()), signed_owner.size()}).release());
    ldns_rr_set_ttl(record, fields.original_ttl);
    if (ldns_rr2buffer_wire(octets.get(), record, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) return nullptr;
  }
  return octets;
}

}  // namespace dotward
