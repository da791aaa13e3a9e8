#ifndef DOTWARD_NET_PLAIN_STREAM_H_
#define DOTWARD_NET_PLAIN_STREAM_H_

#include <absl/status/statusor.h>

#include <memory>

#include "base/deadline.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "dotward/task.h"
#include "net/client_stream.h"

namespace dotward {

class PlainSession;

struct PlainClientOptions {
  Endpoint peer;
  // As for TlsClientOptions.
  Duration connect_patience = Limits::kConnectTime;
  StreamCanceller* canceller = nullptr;
};

// One TCP connection with nothing on it, for servers that are asked over plain TCP (RFC 7766). ClientStream says how it
// is used. Nobody is authenticated, and everybody on the way can read along.
class PlainStream final : public ClientStream {
 public:
  // Connects to `options.peer` by `deadline`.
  static Task<absl::StatusOr<std::unique_ptr<ClientStream>>> Connect(asio::io_context& loop, PlainClientOptions options,
                                                                     Deadline deadline);
  ~PlainStream() override;
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  // As many octets as are there and fit.
  Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer) override;
  bool HasBufferedOctets() const override { return false; }
  Task<absl::Status> Write(std::span<const uint8_t> octets) override;
  void Close() override;
  bool closed() const override;

  const Endpoint& peer() const override;
  const Endpoint& local() const override;
  Duration handshake_time() const override;
  bool resumed() const override { return false; }
  std::string protocol_version() const override { return "tcp"; }
  TlsSessionTicket TakeSessionTicket() override { return {}; }

 private:
  explicit PlainStream(std::shared_ptr<PlainSession> session);

  // Shared with the tasks that wait, so that they can end after the stream has.
  std::shared_ptr<PlainSession> session_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_PLAIN_STREAM_H_
