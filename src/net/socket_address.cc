#include "net/socket_address.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace dotward {

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  const std::span<const uint8_t> octets = endpoint.address.octets();
  if (endpoint.address.is_v4()) {
    v4_ = {};
    v4_.sin_family = AF_INET;
    v4_.sin_port = htons(endpoint.port);
    std::memcpy(&v4_.sin_addr, octets.data(), sizeof(v4_.sin_addr));
  } else {
    v6_ = {};
    v6_.sin6_family = AF_INET6;
    v6_.sin6_port = htons(endpoint.port);
    std::memcpy(&v6_.sin6_addr, octets.data(), sizeof(v6_.sin6_addr));
    v6_.sin6_scope_id = endpoint.address.zone_index();
  }
}

Endpoint SocketAddress::ToEndpoint() const {
  if (family() == AF_INET) {
    std::array<uint8_t, 4> octets;
    std::memcpy(octets.data(), &v4_.sin_addr, octets.size());
    return {IpAddress::V4(octets), port()};
  }
  if (family() == AF_INET6) {
    std::array<uint8_t, 16> octets;
    std::memcpy(octets.data(), &v6_.sin6_addr, octets.size());
    return {IpAddress::V6(octets, v6_.sin6_scope_id), port()};
  }
  return {};
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(v4_.sin_port);
  if (family() == AF_INET6) return ntohs(v6_.sin6_port);
  return 0;
}

Endpoint LocalEndpoint(int descriptor) {
  SocketAddress address;
  socklen_t size = SocketAddress::kCapacity;
  if (getsockname(descriptor, address.Receive(), &size) != 0) return {};
  return address.ToEndpoint();
}

}  // namespace dotward
