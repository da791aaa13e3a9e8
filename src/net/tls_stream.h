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
#include "dotward/task.h"
#include "net/tls_credentials.h"

namespace dotward {

class TlsSession;

// Ends a Connect or Accept that is under way, from the same loop: it then returns kCancelled on the loop's next turn.
// One object serves one call. Cancel() before the call counts; after it has returned it does nothing.
class TlsCanceller {
 public:
  TlsCanceller() = default;
  TlsCanceller(const TlsCanceller&) = delete;
  TlsCanceller& operator=(const TlsCanceller&) = delete;

  void Cancel();

 private:
  friend class TlsStream;
  bool cancelled_ = false;
  std::weak_ptr<TlsSession> session_;
};

struct TlsClientOptions {
  std::shared_ptr<const TlsClientCredentials> credentials;
  // The authentication domain name (RFC 8310 §8.1), or an IP address in text form: the certificate must carry it as a
  // subjectAltName. Required: without a name there is nothing to authenticate.
  std::string auth_name;
  Endpoint peer;
  // From an earlier stream with the same credentials, name and peer; empty or foreign ones mean a full handshake.
  TlsSessionTicket session_ticket;
  // May be null. Must outlive the call otherwise.
  TlsCanceller* canceller = nullptr;
};

// One TCP connection with TLS on it: octets in, octets out. Belongs to one event loop and is used on its thread only.
// At most one Read and one Write may be waiting at a time, and these two may wait together.
//
// Error codes are for the caller's decision; the text is for the operator, begins with peer and phase, as in
// "9.9.9.9:853: certificate: …", and says which check failed, what was presented and what to do:
//   kUnauthenticated   the peer is not whom we want (name, CA, dates): trying again at once will not help
//   kUnavailable       the network or the peer's TLS failed
//   kDeadlineExceeded  the deadline passed
//   kCancelled         Close() or TlsCanceller::Cancel() was called
//
// Never renegotiates, never sends early data. No octet that is written leaves before the peer's identity is proven:
// the certificate is checked inside the handshake, and the handshake is over before there is a stream to write to.
class TlsStream {
 public:
  // Connects to `options.peer`, makes the handshake with TLS 1.2 or later, SNI and ALPN "dot" (RFC 7858; a server that
  // knows no ALPN is fine, one that chooses something else is not), and checks name, CA and dates, all by `deadline`.
  // A resumed session is checked against the certificate of the session that it resumes, as of now.
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> Connect(asio::io_context& loop, TlsClientOptions options,
                                                                  Deadline deadline);

  // The server's side of the handshake on a connected socket, which it owns from here on and closes on failure. Selects
  // ALPN "dot" when it is offered, and gives out session tickets. `canceller` as above.
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> Accept(
      asio::io_context& loop, int descriptor, std::shared_ptr<const TlsServerCredentials> credentials,
      Deadline deadline, TlsCanceller* canceller = nullptr);

  ~TlsStream();  // Close(); a Read or Write that waits ends with kCancelled and touches the stream no more
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Waits for octets and reads those that are there, at most one TLS record and at least one octet; 0 means that the
  // peer has closed, with or without close_notify (a DNS message that is cut shows in its framing). `buffer` must not
  // be empty, and must live until the task has ended.
  Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer);

  // True where a Read has left octets of its record behind, so that the next one will not wait.
  bool HasBufferedOctets() const;

  // Writes all of `octets`, as one TLS record for each 16,384 of them, so what is ready together should be written
  // together. Waits while the peer does not read: the caller bounds that by Close(). After an error the stream can
  // only be closed. `octets` must live until the task has ended.
  Task<absl::Status> Write(std::span<const uint8_t> octets);

  // Closes at once, with close_notify if it can go out without waiting. What waits ends with kCancelled on the loop's
  // next turn. May be called at any time and again.
  void Close();
  bool closed() const;

  const Endpoint& peer() const;
  // The handshake resumed an earlier session.
  bool resumed() const;
  std::string protocol_version() const;  // "TLS1.3"
  std::string cipher_suite() const;      // as GnuTLS names it
  std::string alpn() const;              // "dot", or empty where none was agreed on

  // The newest ticket that the server has given, which may be none: under TLS 1.3 tickets come after the handshake and
  // are noticed by Read, so ask when the connection has been used; after Close() will do. Each ticket is given once.
  TlsSessionTicket TakeSessionTicket();

 private:
  explicit TlsStream(std::shared_ptr<TlsSession> session);
  static std::vector<uint8_t> UsableTicket(const TlsClientOptions& options);
  static Task<absl::StatusOr<std::unique_ptr<TlsStream>>> SetUp(std::shared_ptr<TlsSession> session,
                                                                absl::Status started, Deadline deadline,
                                                                TlsCanceller* canceller);

  // Shared with the tasks that wait, so that they can end after the stream has.
  std::shared_ptr<TlsSession> session_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_TLS_STREAM_H_
