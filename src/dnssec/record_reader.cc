#include "dnssec/record_reader.h"

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
  LdnsRrList unique(ldns_rr_list_new());
  while (ldns_rr_list_rr_count(sorted.get()) != 0) {
    LdnsRr last(ldns_rr_list_pop_rr(sorted.get()));
    const size_t count = ldns_rr_list_rr_count(sorted.get());
    if (count != 0 && ldns_rr_compare(last.get(), ldns_rr_list_rr(sorted.get(), count - 1)) == 0) continue;
    ldns_rr_list_push_rr(unique.get(), last.release());
  }
  return unique;
}

}  // namespace dotward
