#ifndef DOTWARD_SERVER_TCP_STREAM_H_
#define DOTWARD_SERVER_TCP_STREAM_H_

#include <asio/basic_stream_socket.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "server/byte_stream.h"

namespace dotward {

// An accepted TCP connection. Every Read and WriteSome takes at least one turn of the loop, so a client that always has
// more to send cannot keep the others waiting.
class TcpStream final : public ByteStream {
 public:
  TcpStream(asio::io_context& loop, Descriptor connected, IpFamily family);

  Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer) override;
  Task<absl::StatusOr<size_t>> WriteSome(std::span<const uint8_t> octets) override;
  void CancelRead() override;
  void ShutdownWrite() override;
  void Close() override;

 private:
  asio::basic_stream_socket<asio::ip::tcp, Executor> socket_;
  asio::cancellation_signal read_cancel_;
};

}  // namespace dotward

#endif  // DOTWARD_SERVER_TCP_STREAM_H_
