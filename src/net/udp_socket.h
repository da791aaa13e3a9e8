#ifndef DOTWARD_NET_UDP_SOCKET_H_
#define DOTWARD_NET_UDP_SOCKET_H_

#include <absl/status/statusor.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "net/port_sharing.h"
#include "net/udp_batch.h"

namespace dotward {

// What became of a batch of datagrams.
struct UdpSendResult {
  size_t sent = 0;     // handed to the kernel
  size_t skipped = 0;  // refused for a reason of their own: no route, a packet filter, no buffer for this one
  size_t calls = 0;
  // Set where the socket takes no more for now; what is left begins at `sent + skipped`.
  bool blocked = false;
};

// Sends `messages` with `send`, which is sendmmsg on a socket or behaves as it does. One datagram that cannot be sent
// never keeps back those behind it. Makes at most messages.size() + 1 calls, interrupted ones aside.
template <typename Send>
UdpSendResult SendDatagrams(std::span<mmsghdr> messages, Send send) {
  UdpSendResult result;
  while (!messages.empty()) {
    const int sent = send(messages);
    ++result.calls;
    size_t done = 0;
    if (sent > 0) {
      done = std::min(static_cast<size_t>(sent), messages.size());
      result.sent += done;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      result.blocked = true;
      break;
    } else if (errno != EINTR) {
      // sendmmsg reports an error only for the first of what it was given.
      done = 1;
      ++result.skipped;
    }
    messages = messages.subspan(done);
  }
  return result;
}

// A non-blocking UDP socket for a server, read and written in batches. Single-threaded. No call allocates.
class UdpSocket {
 public:
  // Binds to `endpoint`; port 0 lets the kernel choose. For the errors see BindError.
  static absl::StatusOr<UdpSocket> Bind(const Endpoint& endpoint, PortSharing sharing);

  int descriptor() const { return descriptor_.get(); }
  // Where it is bound, with the port that the kernel chose.
  const Endpoint& local() const { return local_; }
  // From now on sockets of the same user can bind with kSibling; the kernel spreads the clients over them.
  absl::Status ShareWithSiblings();

  // Reads what is there, at most batch.capacity() datagrams, without waiting. kUnavailable where the system call failed
  // otherwise than by having nothing.
  absl::Status Receive(UdpReceiveBatch& batch);

  UdpSendResult Send(std::span<mmsghdr> messages);

  void Close() { descriptor_ = Descriptor(); }

 private:
  UdpSocket(Descriptor descriptor, const Endpoint& local) : descriptor_(std::move(descriptor)), local_(local) {}

  Descriptor descriptor_;
  Endpoint local_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_UDP_SOCKET_H_
