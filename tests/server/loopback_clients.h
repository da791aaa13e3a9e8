#ifndef DOTWARD_SERVER_LOOPBACK_CLIENTS_H_
#define DOTWARD_SERVER_LOOPBACK_CLIENTS_H_

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "net/socket_address.h"
#include "testing/run_until.h"

// Clients on plain sockets, for listeners that run on the test's own thread: the test sends, turns the loop until what
// it waits for is there, and looks. Nothing sleeps, and a test whose claim is false ends after the patience here.

namespace dotward {

// Runs what is ready and nothing else.
inline void RunReady(asio::io_context& loop) {
  if (loop.stopped()) loop.restart();
  loop.poll();
}

inline Endpoint EndpointAt(std::string_view address, uint16_t port) {
  return {IpAddress::Parse(address).value(), port};
}

class UdpClient {
 public:
  explicit UdpClient(std::string_view address = "127.0.0.1", uint16_t port = 0)
      : descriptor_(socket(IpAddress::Parse(address)->is_v4() ? AF_INET : AF_INET6,
                           SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const SocketAddress local(EndpointAt(address, port));
    bound_ = bind(descriptor_.get(), local.data(), local.size()) == 0;
    const int room = 4 << 20;
    setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
  }

  bool bound() const { return bound_; }
  Endpoint local() const { return LocalEndpoint(descriptor_.get()); }

  void Send(const Endpoint& to, std::string_view text) const {
    const SocketAddress peer(to);
    ASSERT_EQ(sendto(descriptor_.get(), text.data(), text.size(), 0, peer.data(), peer.size()),
              static_cast<ssize_t>(text.size()));
  }

  struct Datagram {
    std::string text;
    Endpoint from;
  };
  std::optional<Datagram> TryReceive() const {
    std::string text(65536, '\0');
    SocketAddress peer;
    socklen_t size = SocketAddress::kCapacity;
    const ssize_t octets = recvfrom(descriptor_.get(), text.data(), text.size(), 0, peer.Receive(), &size);
    if (octets < 0) return std::nullopt;
    text.resize(static_cast<size_t>(octets));
    return Datagram{text, peer.ToEndpoint()};
  }
  Datagram Receive(asio::io_context& loop) const {
    std::optional<Datagram> datagram;
    const bool came = RunUntil(loop, [&] { return (datagram = TryReceive()).has_value(); });
    EXPECT_TRUE(came) << "no reply";
    return datagram.value_or(Datagram{});
  }

 private:
  Descriptor descriptor_;
  bool bound_ = false;
};

// `text` behind its length, as it goes over a stream.
inline std::string Frame(std::string_view text) {
  std::string framed{static_cast<char>(text.size() >> 8U), static_cast<char>(text.size() & 0xffU)};
  framed += text;
  return framed;
}

class TcpClient {
 public:
  explicit TcpClient(const Endpoint& server, std::string_view from = {}, int receive_buffer = 0)
      : descriptor_(socket(server.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) {
      setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    if (!from.empty()) {
      const SocketAddress local(EndpointAt(from, 0));
      EXPECT_EQ(bind(descriptor_.get(), local.data(), local.size()), 0);
    }
    const SocketAddress peer(server);
    // On loopback the kernel completes this by itself, before the server accepts.
    connected_ = connect(descriptor_.get(), peer.data(), peer.size()) == 0;
    int on = 1;
    ioctl(descriptor_.get(), FIONBIO, &on);
  }

  bool connected() const { return connected_; }
  Endpoint local() const { return LocalEndpoint(descriptor_.get()); }

  // Sends what the kernel takes and gives how much that was.
  size_t SendSome(std::string_view octets) const {
    const ssize_t sent = send(descriptor_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void Send(std::string_view octets) const { EXPECT_EQ(SendSome(octets), octets.size()); }
  void SendEndOfStream() const { shutdown(descriptor_.get(), SHUT_WR); }
  void Reset() {
    const linger at_once{1, 0};
    setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    descriptor_ = Descriptor();
  }

  // Reads what is there. Replies are in `replies()`, whole ones only.
  void Read() {
    std::string piece(1 << 16, '\0');
    while (!closed_) {
      const ssize_t octets = recv(descriptor_.get(), piece.data(), piece.size(), 0);
      if (octets < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (octets <= 0) {
        closed_ = true;
        reset_ = octets < 0;
        return;
      }
      stream_.append(piece, 0, static_cast<size_t>(octets));
      TakeFrames();
    }
  }

  const std::vector<std::string>& replies() {
    Read();
    return replies_;
  }
  // The server has closed, in order or with a reset.
  bool closed() {
    Read();
    return closed_;
  }
  bool reset() const { return reset_; }
  // Octets behind the last whole reply.
  const std::string& rest() const { return stream_; }

  // Runs the loop until `count` replies have come in all.
  std::vector<std::string> Replies(asio::io_context& loop, size_t count) {
    EXPECT_TRUE(RunUntil(loop, [&] { return replies().size() >= count || closed_; }));
    EXPECT_EQ(replies_.size(), count);
    return replies_;
  }

 private:
  void TakeFrames() {
    size_t begin = 0;
    while (stream_.size() - begin >= 2) {
      const size_t length =
          static_cast<size_t>(static_cast<uint8_t>(stream_[begin])) << 8U | static_cast<uint8_t>(stream_[begin + 1]);
      if (stream_.size() - begin < 2 + length) break;
      replies_.push_back(stream_.substr(begin + 2, length));
      begin += 2 + length;
    }
    stream_.erase(0, begin);
  }

  Descriptor descriptor_;
  bool connected_ = false;
  bool closed_ = false;
  bool reset_ = false;
  std::string stream_;
  std::vector<std::string> replies_;
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_LOOPBACK_CLIENTS_H_
