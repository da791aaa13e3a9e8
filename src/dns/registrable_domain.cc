#include "dns/registrable_domain.h"

#include <libpsl.h>

#include <array>
#include <cstddef>

#include "base/limits.h"
#include "dns/name.h"

namespace dotward {
namespace {

bool IsOfHostNames(uint8_t octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '-';
}

// The last labels of `wire_name` that the list can have something to say about.
OctetView LastLabels(OctetView wire_name) {
  size_t labels = 0;
  for (size_t at = 0; wire_name[at] != 0; at += wire_name[at] + size_t{1}) ++labels;
  for (; labels > Limits::kRegistrableDomainLabelsMax; --labels) {
    wire_name = wire_name.subspan(wire_name[0] + size_t{1});
  }
  return wire_name;
}

}  // namespace

OctetView RegistrableDomain(OctetView wire_name) {
  const OctetView wire = LastLabels(wire_name);
  // The text has a character for each octet behind the first: where a label of it begins, the label's length octet
  // stands in `wire`. What is no letter, digit or hyphen becomes an underscore, which no rule of the list contains, so
  // that a dot, a NUL or UTF-8 inside a label can neither end the text nor pass for something else.
  std::array<char, kNameOctetsMax> text;
  size_t label_left = wire[0];
  for (size_t i = 1; i < wire.size(); ++i) {
    if (label_left == 0) {
      label_left = wire[i];
      text[i - 1] = label_left == 0 ? '\0' : '.';
    } else {
      --label_left;
      const uint8_t octet = LowerOctet(wire[i]);
      text[i - 1] = IsOfHostNames(octet) ? static_cast<char>(octet) : '_';
    }
  }
  if (wire.size() == 1) return wire_name;
  const char* domain = psl_registrable_domain(psl_builtin(), text.data());
  return domain == nullptr ? wire_name : wire.subspan(static_cast<size_t>(domain - text.data()));
}

}  // namespace dotward
