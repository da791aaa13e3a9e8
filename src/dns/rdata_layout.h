#ifndef DOTWARD_DNS_RDATA_LAYOUT_H_
#define DOTWARD_DNS_RDATA_LAYOUT_H_

#include <cstdint>

namespace dotward {

// Where the domain names lie in a type's RDATA: `fixed` octets, `strings` character strings, `names` names, then
// `tail` octets, or anything where `tail` is kAnyTail. It covers every type in which ldns looks for names, so that what
// ldns follows has been walked by us before.
struct RdataLayout {
  static constexpr uint8_t kAnyTail = 255;
  uint8_t fixed = 0;
  uint8_t strings = 0;
  uint8_t names = 0;
  uint8_t tail = 0;
  // RFC 3597 §4 lets these types' names be compressed; a pointer in any other is a fault.
  bool may_compress = false;
};

// Null for types whose RDATA holds no names that need care.
const RdataLayout* FindRdataLayout(uint16_t type);

}  // namespace dotward

#endif  // DOTWARD_DNS_RDATA_LAYOUT_H_
