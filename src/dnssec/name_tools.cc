#include "dnssec/name_tools.h"

#include <algorithm>
#include <vector>

#include "dnssec/ldns_types.h"

namespace dotward {

Name Suffix(const Name& name, size_t labels) {
  OctetView wire = name.wire();
  for (size_t count = name.label_count(); count > labels; --count) wire = wire.subspan(wire[0] + size_t{1});
  return Name::FromWire(wire);
}

size_t CommonLabels(const Name& a, const Name& b) {
  size_t labels = std::min(a.label_count(), b.label_count());
  while (!(Suffix(a, labels) == Suffix(b, labels))) --labels;
  return labels;
}

bool IsBelow(const Name& name, const Name& zone) { return name.IsAtOrBelow(zone) && !(name == zone); }

Name WildcardOf(const Name& closest) {
  Octets wire = {1, '*'};
  wire.insert(wire.end(), closest.wire().begin(), closest.wire().end());
  return Name::FromWire(wire);
}

std::string LowerOf(OctetView octets) {
  std::string text(octets.size(), '\0');
  std::transform(octets.begin(), octets.end(), text.begin(),
                 [](uint8_t octet) { return static_cast<char>(LowerOctet(octet)); });
  return text;
}

std::string Base32Hex(OctetView octets) {
  std::string text;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const uint8_t octet : octets) {
    bits = (bits << 8U) | octet;
    for (count += 8; count >= 5; count -= 5) text += "0123456789abcdefghijklmnopqrstuv"[(bits >> (count - 5)) & 31U];
  }
  if (count != 0) text += "0123456789abcdefghijklmnopqrstuv"[(bits << (5 - count)) & 31U];
  return text;
}

std::string Nsec3HashOf(const Name& name, uint16_t iterations, OctetView salt) {
  Octets copy(salt.begin(), salt.end());  // ldns takes it as if it wrote to it
  const LdnsRdf hash(ldns_nsec3_hash_name(ToLdns(name.wire()).get(), kNsec3Sha1, iterations,
                                          static_cast<uint8_t>(copy.size()), copy.data()));
  if (hash == nullptr || ldns_rdf_size(hash.get()) <= kNsec3HashCharacters) return {};
  return LowerOf(OctetsOf(*hash).subspan(1, kNsec3HashCharacters));
}

// A label ends with an octet 0, which sorts before everything that a longer label goes on with; within labels 0 and 1
// are written as two octets that keep their order.
std::string CanonicalKey(const Name& name) {
  std::vector<OctetView> labels;
  for (OctetView left = name.wire(); left[0] != 0; left = left.subspan(left[0] + size_t{1})) {
    labels.push_back(left.subspan(1, left[0]));
  }
  std::string key;
  key.reserve(name.wire().size());
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    for (const uint8_t octet : *label) {
      if (octet <= 1) key += '\x01';
      key += static_cast<char>(octet <= 1 ? octet + 1 : LowerOctet(octet));
    }
    key += '\0';
  }
  return key;
}

}  // namespace dotward
