#ifndef DOTWARD_NET_UDP_BATCH_H_
#define DOTWARD_NET_UDP_BATCH_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/socket_address.h"

namespace dotward {

// Where a datagram came from and which of our addresses it was sent to; that is, how its reply must go.
struct UdpPath {
  SocketAddress peer;
  // Set only by a socket that is bound to a wildcard address; otherwise the socket's own address is the answer.
  // In network order, 4 or 16 octets by the peer's family.
  std::array<uint8_t, 16> local{};
  uint32_t interface = 0;  // of link-local addresses only, so that other replies follow the routing table
  bool has_local = false;
};

// Room for the control message that carries a local address.
struct UdpControl {
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> octets;
};

// The buffers of one recvmmsg call, made once and used for every call.
class UdpReceiveBatch {
 public:
  // A datagram that is longer than `octets_max` arrives cut.
  UdpReceiveBatch(size_t datagrams_max, size_t octets_max);
  UdpReceiveBatch(const UdpReceiveBatch&) = delete;
  UdpReceiveBatch& operator=(const UdpReceiveBatch&) = delete;

  // What the last receive brought.
  size_t size() const { return size_; }
  size_t capacity() const { return messages_.size(); }
  std::span<const uint8_t> octets(size_t index) const;
  bool cut(size_t index) const { return (messages_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  const SocketAddress& peer(size_t index) const { return peers_[index]; }
  UdpPath path(size_t index) const;

 private:
  friend class UdpSocket;
  // The headers, ready for the next call.
  std::span<mmsghdr> Prepare();

  const size_t octets_max_;
  const size_t stride_;
  size_t size_ = 0;
  std::vector<uint8_t> octets_;
  std::vector<SocketAddress> peers_;
  std::vector<UdpControl> controls_;
  std::vector<iovec> pieces_;
  std::vector<mmsghdr> messages_;
};

// Replies that are to leave in one sendmmsg call, made once and used for every call.
class UdpSendBatch {
 public:
  // With `octets_max` over 0 every place has a buffer of its own for Space and Commit.
  UdpSendBatch(size_t datagrams_max, size_t octets_max);
  UdpSendBatch(const UdpSendBatch&) = delete;
  UdpSendBatch& operator=(const UdpSendBatch&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == messages_.size(); }
  void Clear() { size_ = 0; }

  // The next place's own buffer; the batch must not be full. Commit adds its first `octets` as a datagram.
  std::span<uint8_t> Space();
  void Commit(size_t octets, const UdpPath& path);
  // Adds octets that stay where they are, and must until the batch has been sent. The batch must not be full.
  void Add(std::span<const uint8_t> octets, const UdpPath& path);

  std::span<mmsghdr> messages() { return std::span(messages_).first(size_); }

 private:
  void Append(uint8_t* octets, size_t size, const UdpPath& path);

  const size_t octets_max_;
  const size_t stride_;
  size_t size_ = 0;
  std::vector<uint8_t> octets_;
  std::vector<SocketAddress> peers_;
  std::vector<UdpControl> controls_;
  std::vector<iovec> pieces_;
  std::vector<mmsghdr> messages_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_UDP_BATCH_H_
