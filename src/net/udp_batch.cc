#include "net/udp_batch.h"

#include <netinet/in.h>

#include <cassert>
#include <cstring>

namespace dotward {
namespace {

// Buffers of a power of two would put the first octets of every datagram into one set of the processor's cache, which
// holds eight to twelve of them: one line more between them spreads 64 datagrams over all sets.
constexpr size_t kCacheLine = 64;
size_t StrideOf(size_t octets_max) {
  return octets_max == 0 ? 0 : (octets_max + kCacheLine - 1) / kCacheLine * kCacheLine + kCacheLine;
}

// The only control message that these sockets ask for, so it is the first.
void ReadLocalAddress(const msghdr& header, UdpPath& path) {
  // CMSG_FIRSTHDR does not change what it is given.
  const cmsghdr* control = CMSG_FIRSTHDR(&header);
  if (control == nullptr) return;
  if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(control), sizeof(info));
    // ipi_spec_dst, not ipi_addr: the two differ for broadcasts, which no reply may have as its source.
    std::memcpy(path.local.data(), &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
    path.has_local = true;
  } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    std::memcpy(&info, CMSG_DATA(control), sizeof(info));
    // A multicast address cannot be a source either: the kernel chooses one.
    if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
      std::memcpy(path.local.data(), &info.ipi6_addr, sizeof(info.ipi6_addr));
    }
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
      path.interface = info.ipi6_ifindex;
    }
    path.has_local = true;
  }
}

template <typename Info>
void WriteControl(int level, int type, const Info& info, UdpControl& control, msghdr& header) {
  header.msg_control = control.octets.data();
  header.msg_controllen = CMSG_SPACE(sizeof(info));
  cmsghdr head{};
  head.cmsg_level = level;
  head.cmsg_type = type;
  head.cmsg_len = CMSG_LEN(sizeof(info));
  std::memset(control.octets.data(), 0, CMSG_SPACE(sizeof(info)));
  std::memcpy(control.octets.data(), &head, sizeof(head));
  std::memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &info, sizeof(info));
}

void WriteLocalAddress(const UdpPath& path, UdpControl& control, msghdr& header) {
  if (!path.has_local) {
    header.msg_control = nullptr;
    header.msg_controllen = 0;
  } else if (path.peer.family() == AF_INET) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, path.local.data(), sizeof(info.ipi_spec_dst));
    WriteControl(IPPROTO_IP, IP_PKTINFO, info, control, header);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, path.local.data(), sizeof(info.ipi6_addr));
    info.ipi6_ifindex = path.interface;
    WriteControl(IPPROTO_IPV6, IPV6_PKTINFO, info, control, header);
  }
}

}  // namespace

UdpReceiveBatch::UdpReceiveBatch(size_t datagrams_max, size_t octets_max)
    : octets_max_(octets_max),
      stride_(StrideOf(octets_max)),
      octets_(datagrams_max * stride_),
      peers_(datagrams_max),
      controls_(datagrams_max),
      pieces_(datagrams_max),
      messages_(datagrams_max) {
  for (size_t i = 0; i < datagrams_max; ++i) {
    pieces_[i] = {&octets_[i * stride_], octets_max_};
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_name = peers_[i].Receive();
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
  size_ = datagrams_max;  // so that the first Prepare sets every header
}

std::span<mmsghdr> UdpReceiveBatch::Prepare() {
  // The kernel has written over the lengths of what it used in the last call, and of nothing else.
  for (size_t i = 0; i < size_; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header.msg_namelen = SocketAddress::kCapacity;
    header.msg_control = controls_[i].octets.data();
    header.msg_controllen = controls_[i].octets.size();
  }
  size_ = 0;
  return messages_;
}

std::span<const uint8_t> UdpReceiveBatch::octets(size_t index) const {
  return {&octets_[index * stride_], messages_[index].msg_len};
}

UdpPath UdpReceiveBatch::path(size_t index) const {
  UdpPath path;
  path.peer = peers_[index];
  if (messages_[index].msg_hdr.msg_controllen != 0) ReadLocalAddress(messages_[index].msg_hdr, path);
  return path;
}

UdpSendBatch::UdpSendBatch(size_t datagrams_max, size_t octets_max)
    : octets_max_(octets_max),
      stride_(StrideOf(octets_max)),
      octets_(datagrams_max * stride_),
      peers_(datagrams_max),
      controls_(datagrams_max),
      pieces_(datagrams_max),
      messages_(datagrams_max) {
  for (size_t i = 0; i < datagrams_max; ++i) {
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::span<uint8_t> UdpSendBatch::Space() {
  assert(!full());
  return {octets_.data() + size_ * stride_, octets_max_};
}

void UdpSendBatch::Commit(size_t octets, const UdpPath& path) {
  assert(octets <= octets_max_);
  Append(octets_.data() + size_ * stride_, octets, path);
}

void UdpSendBatch::Add(std::span<const uint8_t> octets, const UdpPath& path) {
  // iovec serves reading and writing alike and so has no const; sendmmsg only reads.
  Append(const_cast<uint8_t*>(octets.data()), octets.size(), path);
}

void UdpSendBatch::Append(uint8_t* octets, size_t size, const UdpPath& path) {
  assert(!full());
  pieces_[size_] = {octets, size};
  peers_[size_] = path.peer;
  msghdr& header = messages_[size_].msg_hdr;
  header.msg_name = peers_[size_].Receive();
  header.msg_namelen = peers_[size_].size();
  WriteLocalAddress(path, controls_[size_], header);
  ++size_;
}

}  // namespace dotward
