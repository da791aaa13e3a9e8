#include "server/source_filter.h"

namespace dotward {
namespace {

bool IsReflectorPort(uint16_t port) { return port == 7 || port == 13 || port == 17 || port == 19; }

bool IsOneHost(const IpAddress& address) {
  if (address.is_v4()) {
    const uint8_t first = address.octets()[0];
    return first != 0 && first < 224;  // from 224 on: multicast, then the reserved block with the broadcast address
  }
  return !address.IsMulticast() && !address.IsUnspecified();
}

}  // namespace

bool MayReplyTo(const Endpoint& source) {
  return source.port != 0 && !IsReflectorPort(source.port) && IsOneHost(source.address);
}

}  // namespace dotward
