#ifndef DOTWARD_DNSSEC_LDNS_TYPES_H_
#define DOTWARD_DNSSEC_LDNS_TYPES_H_

#include <ldns/ldns.h>

#include <memory>

#include "dns/name.h"
#include "dns/types.h"

namespace dotward {

// For the sources of this folder alone: ldns's objects with an owner.

struct FreeLdnsRr {
  void operator()(ldns_rr* record) const { ldns_rr_free(record); }
};
using LdnsRr = std::unique_ptr<ldns_rr, FreeLdnsRr>;

struct FreeLdnsRrList {
  void operator()(ldns_rr_list* records) const { ldns_rr_list_deep_free(records); }
};
using LdnsRrList = std::unique_ptr<ldns_rr_list, FreeLdnsRrList>;

struct FreeLdnsRdf {
  void operator()(ldns_rdf* field) const { ldns_rdf_deep_free(field); }
};
using LdnsRdf = std::unique_ptr<ldns_rdf, FreeLdnsRdf>;

struct FreeLdnsBuffer {
  void operator()(ldns_buffer* buffer) const { ldns_buffer_free(buffer); }
};
using LdnsBuffer = std::unique_ptr<ldns_buffer, FreeLdnsBuffer>;

inline LdnsRdf ToLdns(OctetView wire_name) {
  return LdnsRdf(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, wire_name.size(), wire_name.data()));
}
inline OctetView OctetsOf(const ldns_rdf& field) { return {ldns_rdf_data(&field), ldns_rdf_size(&field)}; }
// What was written into it.
inline OctetView OctetsOf(const ldns_buffer& buffer) {
  return {ldns_buffer_begin(&buffer), ldns_buffer_position(&buffer)};
}
inline Name NameOf(const ldns_rdf& field) { return Name::FromWire(OctetsOf(field)); }

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_LDNS_TYPES_H_
