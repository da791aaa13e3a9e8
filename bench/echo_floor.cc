// The floor: what the kernel takes to hand a query to a server and the reply back, with nothing done in between. Every
// query comes back as it is, with QR set.
//
//   bench_echo_floor ADDRESS:PORT

#include <algorithm>
#include <cstdio>

#include "bench/datagram_server.h"

namespace dotward::bench {
namespace {

size_t Echo(std::span<const uint8_t> query, std::span<uint8_t> reply) {
  constexpr size_t kFlagsAt = 2;
  constexpr uint8_t kResponse = 0x80;
  if (query.size() <= kFlagsAt) return 0;
  std::ranges::copy(query, reply.begin());
  reply[kFlagsAt] |= kResponse;
  return query.size();
}

int Main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: bench_echo_floor ADDRESS:PORT\n");
    return 1;
  }
  const auto endpoint = Endpoint::Parse(arguments[1]);
  if (!endpoint.ok()) {
    std::fprintf(stderr, "%s: not an address with a port\n", arguments[1]);
    return 1;
  }
  const Descriptor descriptor = BindBlocking(*endpoint);
  if (!descriptor.is_open()) return 2;
  ServeDatagrams(descriptor.get(), Echo);
  return 5;
}

}  // namespace
}  // namespace dotward::bench

int main(int count, char** arguments) { return dotward::bench::Main(count, arguments); }
