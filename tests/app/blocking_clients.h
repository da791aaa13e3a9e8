#ifndef DOTWARD_APP_BLOCKING_CLIENTS_H_
#define DOTWARD_APP_BLOCKING_CLIENTS_H_

#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "dns/types.h"
#include "net/descriptor.h"
#include "net/socket_address.h"
#include "testing/messages.h"

// Clients for a server that runs on threads of its own: each call blocks until its octets are there. The patience is a
// guard against tests that hang, and no part of any claim.

namespace dotward {

inline constexpr int kPatienceMilliseconds = 20'000;

inline bool WaitReadable(int descriptor, int milliseconds = kPatienceMilliseconds) {
  pollfd readable{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&readable, 1, milliseconds) == 1;
}

class BlockingClient {
 public:
  BlockingClient(const Endpoint& server, int type)
      : type_(type), descriptor_(socket(server.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0)) {
    const SocketAddress peer(server);
    connected_ = connect(descriptor_.get(), peer.data(), peer.size()) == 0;
  }

  bool connected() const { return connected_; }

  void Send(const Octets& message) {
    const Octets octets = type_ == SOCK_STREAM ? Framed(message) : message;
    sent_ = send(descriptor_.get(), octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
  }
  void SendEndOfStream() { shutdown(descriptor_.get(), SHUT_WR); }

  // The next message; nullopt where the server closed or stayed silent.
  std::optional<Octets> Receive() {
    if (type_ == SOCK_DGRAM) {
      if (!WaitReadable(descriptor_.get())) return std::nullopt;
      Octets datagram(65'535);
      const ssize_t octets = recv(descriptor_.get(), datagram.data(), datagram.size(), 0);
      if (octets < 0) return std::nullopt;
      datagram.resize(static_cast<size_t>(octets));
      return datagram;
    }
    const std::optional<Octets> length = ReadExactly(2);
    if (!length) return std::nullopt;
    return ReadExactly(static_cast<size_t>((*length)[0] << 8U | (*length)[1]));
  }
  std::optional<MessageRead> Ask(const Octets& query) {
    Send(query);
    const std::optional<Octets> reply = Receive();
    if (!reply) return std::nullopt;
    return MustReadMessage(*reply);
  }
  bool sent() const { return sent_; }

 private:
  std::optional<Octets> ReadExactly(size_t count) {
    Octets octets(count);
    size_t have = 0;
    while (have < count) {
      if (!WaitReadable(descriptor_.get())) return std::nullopt;
      const ssize_t got = recv(descriptor_.get(), octets.data() + have, count - have, 0);
      if (got <= 0) return std::nullopt;
      have += static_cast<size_t>(got);
    }
    return octets;
  }

  const int type_;
  Descriptor descriptor_;
  bool connected_ = false;
  bool sent_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_APP_BLOCKING_CLIENTS_H_
