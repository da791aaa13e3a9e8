#ifndef DOTWARD_BENCH_DATAGRAM_SERVER_H_
#define DOTWARD_BENCH_DATAGRAM_SERVER_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "net/socket_address.h"

namespace dotward::bench {

// As many datagrams as dotward takes with one system call.
inline constexpr size_t kBatch = 64;
inline constexpr size_t kDatagramOctetsMax = 512;
inline constexpr int kKernelBufferOctets = 4 << 20;

// A UDP socket that is bound to `endpoint` and to nobody else, and that blocks. Not open where that failed: the reason
// is then on standard error.
inline Descriptor BindBlocking(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  Descriptor socket_descriptor(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_descriptor.is_open() || bind(socket_descriptor.get(), address.data(), address.size()) != 0) {
    std::fprintf(stderr, "%s: %s\n", endpoint.ToString().c_str(), std::strerror(errno));
    return Descriptor();
  }
  const int octets = kKernelBufferOctets;
  setsockopt(socket_descriptor.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
  setsockopt(socket_descriptor.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
  return socket_descriptor;
}

// The least that a server on UDP can do: it waits for datagrams, takes up to kBatch with one call, lets
// `answer(query octets, room)` write each reply into the room and return its length (0 for none), and sends them all
// with one call. Returns when the socket fails.
template <typename Answer>
void ServeDatagrams(int descriptor, Answer answer) {
  struct Slot {
    std::array<uint8_t, kDatagramOctetsMax> query;
    std::array<uint8_t, kDatagramOctetsMax> reply;
    SocketAddress peer;
    iovec in;
    iovec out;
  };
  static std::array<Slot, kBatch> slots;
  std::array<mmsghdr, kBatch> incoming{};
  std::array<mmsghdr, kBatch> outgoing{};
  for (size_t i = 0; i < kBatch; ++i) {
    slots[i].in = {.iov_base = slots[i].query.data(), .iov_len = kDatagramOctetsMax};
    incoming[i].msg_hdr.msg_iov = &slots[i].in;
    incoming[i].msg_hdr.msg_iovlen = 1;
    incoming[i].msg_hdr.msg_name = slots[i].peer.Receive();
  }
  for (;;) {
    for (mmsghdr& message : incoming) message.msg_hdr.msg_namelen = SocketAddress::kCapacity;
    const int received = recvmmsg(descriptor, incoming.data(), kBatch, MSG_WAITFORONE, nullptr);
    if (received < 0 && errno != EINTR) return;
    size_t replies = 0;
    for (size_t i = 0; received > 0 && i < static_cast<size_t>(received); ++i) {
      const size_t octets = answer(std::span<const uint8_t>(slots[i].query.data(), incoming[i].msg_len),
                                   std::span<uint8_t>(slots[i].reply));
      if (octets == 0) continue;
      slots[i].out = {.iov_base = slots[i].reply.data(), .iov_len = octets};
      msghdr& header = outgoing[replies++].msg_hdr;
      header = {};
      header.msg_name = slots[i].peer.Receive();
      header.msg_namelen = slots[i].peer.size();
      header.msg_iov = &slots[i].out;
      header.msg_iovlen = 1;
    }
    for (size_t sent = 0; sent < replies;) {
      const int count = sendmmsg(descriptor, &outgoing[sent], static_cast<unsigned>(replies - sent), 0);
      // sendmmsg reports an error only for the first datagram that it was given: that one is passed over.
      sent += count > 0 ? static_cast<size_t>(count) : 1;
    }
  }
}

}  // namespace dotward::bench

#endif  // DOTWARD_BENCH_DATAGRAM_SERVER_H_
