#include "server/tcp_stream.h"

#include <absl/status/status.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include "base/await.h"

namespace dotward {
namespace {

absl::Status ToStatus(const asio::error_code& error) {
  if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
    return absl::CancelledError("closed here");
  }
  return absl::UnavailableError(error.message());
}

}  // namespace

TcpStream::TcpStream(asio::io_context& loop, Descriptor connected, IpFamily family) : socket_(loop.get_executor()) {
  asio::error_code error;
  const asio::ip::tcp protocol = family == IpFamily::kIpv4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
  socket_.assign(protocol, connected.get(), error);
  // Where the loop could not take it, the descriptor is closed here, and Read says that the stream is closed.
  if (!error) (void)connected.Release();
}

Task<absl::StatusOr<size_t>> TcpStream::Read(std::span<uint8_t> buffer) {
  const auto result = co_await socket_.async_read_some(asio::buffer(buffer.data(), buffer.size()),
                                                       asio::bind_cancellation_slot(read_cancel_.slot(), kAwait));
  const auto& [error, octets] = result;
  if (error == asio::error::eof) co_return size_t{0};
  if (error) co_return ToStatus(error);
  co_return octets;
}

Task<absl::StatusOr<size_t>> TcpStream::WriteSome(std::span<const uint8_t> octets) {
  const auto result = co_await socket_.async_write_some(asio::buffer(octets.data(), octets.size()), kAwait);
  const auto& [error, written] = result;
  if (error) co_return ToStatus(error);
  co_return written;
}

void TcpStream::CancelRead() { read_cancel_.emit(asio::cancellation_type::terminal); }

void TcpStream::ShutdownWrite() {
  asio::error_code ignored;  // the peer may have gone
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void TcpStream::Close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

}  // namespace dotward
