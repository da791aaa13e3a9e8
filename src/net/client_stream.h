#ifndef DOTWARD_NET_CLIENT_STREAM_H_
#define DOTWARD_NET_CLIENT_STREAM_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/ip_address.h"
#include "dotward/clock.h"
#include "dotward/task.h"
#include "net/tls_credentials.h"

namespace dotward {

class StreamSession;

// Ends a Connect or Accept that is under way, from the same loop: it then returns kCancelled on the loop's next turn.
// One object serves one call. Cancel() before the call counts; after it has returned it does nothing.
class StreamCanceller {
 public:
  StreamCanceller() = default;
  StreamCanceller(const StreamCanceller&) = delete;
  StreamCanceller& operator=(const StreamCanceller&) = delete;

  void Cancel();

 private:
  friend class StreamSession;
  bool cancelled_ = false;
  std::weak_ptr<StreamSession> session_;
};

// One connection to a server, over TLS (TlsStream) or plain TCP (PlainStream): octets in, octets out. Belongs to one
// event loop and is used on its thread only. At most one Read and one Write may be waiting at a time, and these two may
// wait together.
//
// Error codes are for the caller's decision; the text is for the operator and begins with peer and phase, as in
// "9.9.9.9:853: certificate: …" or "10.0.0.1:53: connect: …":
//   kUnauthenticated   the peer is not whom we want: trying again at once will not help
//   kUnavailable       the network or the peer's TLS failed
//   kDeadlineExceeded  the deadline or the patience for the TCP handshake passed
//   kCancelled         Close() or StreamCanceller::Cancel() was called
class ClientStream {
 public:
  virtual ~ClientStream() = default;  // Close(); a Read or Write that waits ends with kCancelled, touching it no more

  // Waits for octets and reads those that are there, at least one and, over TLS, at most one record; 0 means that the
  // peer has closed, with or without close_notify (a DNS message that is cut shows in its framing). `buffer` must not
  // be empty, and must live until the task has ended.
  virtual Task<absl::StatusOr<size_t>> Read(std::span<uint8_t> buffer) = 0;

  // True where a Read has left octets of a TLS record behind, so that the next one will not wait. What the kernel
  // holds does not count.
  virtual bool HasBufferedOctets() const = 0;

  // Writes all of `octets`; what is ready together should be written together. Waits while the peer does not read: the
  // caller bounds that by Close(). After an error the stream can only be closed. `octets` must live until the task has
  // ended.
  virtual Task<absl::Status> Write(std::span<const uint8_t> octets) = 0;

  // Closes at once, over TLS with close_notify if it can go out without waiting. What waits ends with kCancelled on the
  // loop's next turn. May be called at any time and again.
  virtual void Close() = 0;
  virtual bool closed() const = 0;

  virtual const Endpoint& peer() const = 0;
  // The socket's own address and port: the address that the route to the peer had when the stream was made.
  virtual const Endpoint& local() const = 0;
  // From the start of Connect until the stream could be used.
  virtual Duration handshake_time() const = 0;

  // The handshake resumed an earlier TLS session.
  virtual bool resumed() const = 0;
  virtual std::string protocol_version() const = 0;  // "TLS1.3", or "tcp"
  // The newest ticket that the server has given, which may be none: under TLS 1.3 tickets come after the handshake and
  // are noticed by Read, so ask when the connection has been used; after Close() will do. Each ticket is given once.
  virtual TlsSessionTicket TakeSessionTicket() = 0;
};

}  // namespace dotward

#endif  // DOTWARD_NET_CLIENT_STREAM_H_
