#ifndef DOTWARD_NET_TLS_STREAM_H_
#define DOTWARD_NET_TLS_STREAM_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "dotward/task.h"
#include "net/client_stream.h"
#include "net/stream_session.h"
#include "net/tls_credentials.h"

namespace dotward {

class TlsSession;

// The name that fits where there is only TLS.
using TlsCanceller = StreamCanceller;

struct TlsClientOptions {
  std::shared_ptr<const TlsClientCredentials> credentials;
  // The authentication domain name (RFC 8310 §8.1), or an IP address in text form: the certificate must carry it as a
  // subjectAltName. Required unless the credentials are pins alone; then it is only sent (SNI), where it is given.
  std::string auth_name;
  Endpoint peer;
  // From an earlier stream with the same credentials, name and peer; empty or foreign ones mean a full handshake.
  TlsSessionTicket session_ticket;
  // May be null. Must outlive the call otherwise.
  TlsCanceller* canceller = nullptr;
  // The TCP handshake alone must be over within it: a server that is reached at all answers it in one round trip.
  Duration connect_patience = Limits::kConnectTime;
};

// One TCP connection with TLS on it; ClientStream says how it is used. The text of a failed check says which one, what
// was presented and what to do.
//
// Never renegotiates, never sends early data. No octet that is written leaves before the peer's identity is proven:
// the certificate is checked inside the handshake, and the handshake is over before there is a stream to write to.
class TlsStream final : public ClientStream {
 public:
  // Connects to `options.peer`, makes the handshake with TLS 1.2 or later, SNI and ALPN "dot" (RFC 7858; a server that
  // knows no ALPN is fine, one that chooses something else is not), and checks name, CA, dates and pins, all by
  // `deadline`. A resumed session is checked against the certificate of the session that it resumes, as of now.
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> Connect(asio::io_context& loop, TlsClientOptions options,
                                                                  Deadline deadline);

  // The server's side of the handshake on a connected socket, which it owns from here on and closes on failure. Selects
  // ALPN "dot" when it is offered, and gives out session tickets. `canceller` as above.
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> Accept(
      asio::io_context& loop, int descriptor, std::shared_ptr<const TlsServerCredentials> credentials,
      Deadline deadline, TlsCanceller* canceller = nullptr);

  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer) override;
  bool HasBufferedOctets() const override;
  // One TLS record for each 16,384 octets.
  Task<absl::Status> Write(std::span<const uint8_t> octets) override;
  void Close() override;
  bool closed() const override;

  const Endpoint& peer() const override;
  const Endpoint& local() const override;
  Duration handshake_time() const override;
  bool resumed() const override;
  std::string protocol_version() const override;
  TlsSessionTicket TakeSessionTicket() override;

  std::string cipher_suite() const;  // as GnuTLS names it
  std::string alpn() const;          // "dot", or empty where none was agreed on

 private:
  explicit TlsStream(std::shared_ptr<TlsSession> session);
  static std::vector<uint8_t> UsableTicket(const TlsClientOptions& options);
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> SetUp(std::shared_ptr<TlsSession> session,
                                                                absl::Status started,
                                                                StreamSession::SetUpOptions options);

  // Shared with the tasks that wait, so that they can end after the stream has.
  std::shared_ptr<TlsSession> session_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_TLS_STREAM_H_
