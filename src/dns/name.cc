#include "dns/name.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/strings.h"

namespace dotward {
namespace {

struct FreeRdf {
  void operator()(ldns_rdf* rdf) const { ldns_rdf_deep_free(rdf); }
};
using RdfPtr = std::unique_ptr<ldns_rdf, FreeRdf>;

}  // namespace

absl::StatusOr<Name> Name::Parse(std::string_view text) {
  // The longest spelling is four characters an octet; ldns copies what it is given, up to the first zero octet.
  if (text.empty() || text.size() > 4 * kNameOctetsMax || text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(StrCat("\"", text.substr(0, kNameOctetsMax), "\" is not a domain name"));
  }
  ldns_rdf* parsed = nullptr;
  const ldns_status status = ldns_str2rdf_dname(&parsed, std::string(text).c_str());
  const RdfPtr rdf(parsed);
  if (status != LDNS_STATUS_OK) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" is not a domain name: ", ldns_get_errorstr_by_id(status)));
  }
  return FromWire({ldns_rdf_data(rdf.get()), ldns_rdf_size(rdf.get())});
}

std::string Name::ToString() const { return NameToString(wire()); }

size_t Name::label_count() const {
  size_t count = 0;
  for (size_t at = 0; wire_[at] != 0; at += wire_[at] + size_t{1}) ++count;
  return count;
}

Name Name::Parent() const { return is_root() ? Name() : FromWire(wire().subspan(wire_[0] + size_t{1})); }

bool Name::IsAtOrBelow(const Name& zone) const { return dotward::IsAtOrBelow(wire(), zone.wire()); }

bool operator==(const Name& a, const Name& b) { return EqualIgnoringCase(a.wire(), b.wire()); }

bool EqualIgnoringCase(OctetView a, OctetView b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](uint8_t x, uint8_t y) { return x == y || LowerOctet(x) == LowerOctet(y); });
}

bool IsAtOrBelow(OctetView name, OctetView zone) {
  // Step over whole labels until the rest is as long as the zone: a suffix of octets alone could begin inside a label.
  while (name.size() > zone.size()) name = name.subspan(std::min(name.size(), name[0] + size_t{1}));
  return EqualIgnoringCase(name, zone);
}

std::string NameToString(OctetView wire) {
  const RdfPtr rdf(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, wire.size(), wire.data()));
  const std::unique_ptr<char, decltype(&std::free)> text(ldns_rdf2str(rdf.get()), &std::free);
  return text == nullptr ? std::string() : std::string(text.get());
}

}  // namespace dotward
