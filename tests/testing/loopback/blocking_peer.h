#ifndef DOTWARD_TESTING_LOOPBACK_BLOCKING_PEER_H_
#define DOTWARD_TESTING_LOOPBACK_BLOCKING_PEER_H_

#include <functional>
#include <string>
#include <thread>

#include "base/ip_address.h"
#include "net/descriptor.h"
#include "testing/loopback/test_certificates.h"

struct gnutls_session_int;

namespace dotward {

// A TCP server on 127.0.0.1 that takes one connection, or several one after the other, and hands its blocking socket to
// a function, on a thread of its own. For what LoopbackDotServer, which uses the code under test for its own side,
// cannot do.
class BlockingPeer {
 public:
  explicit BlockingPeer(std::function<void(int socket)> conversation, int connections = 1);
  // Waits for the end of the conversation; if nobody has connected, there is none.
  ~BlockingPeer();
  BlockingPeer(const BlockingPeer&) = delete;
  BlockingPeer& operator=(const BlockingPeer&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  void Join();

 private:
  Descriptor listener_;
  Endpoint endpoint_;
  std::thread thread_;
};

// A TCP listener on 127.0.0.1 whose queue is full and which accepts nothing: whoever connects gets no answer, as from
// an address that is dead or behind a firewall that drops.
class SilentListener {
 public:
  SilentListener();

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  Descriptor listener_;
  Descriptor in_queue_;
  Endpoint endpoint_;
};

// GnuTLS with blocking calls, independent of TlsStream: makes the server's handshake by `priority` on `socket` and,
// where it succeeds, runs `talk`. The chain is presented as it is, in order or not. The result is that of
// gnutls_handshake.
struct BlockingTls {
  std::string priority = "NORMAL";
  TestCertificate certificate;
  bool fragment = false;                                       // every octet goes out in a segment of its own
  unsigned flags = 0;                                          // more of them for gnutls_init
  std::function<void(gnutls_session_int*)> prepare = nullptr;  // called before the handshake
};
int ServeBlockingTls(int socket, const BlockingTls& options, const std::function<void(gnutls_session_int*)>& talk);

// As above on the client's side, without any check of the server, on a new connection.
int TalkBlockingTls(const Endpoint& server, const std::string& priority,
                    const std::function<void(gnutls_session_int*)>& talk);

// Reads until the peer closes.
std::string ReadAll(int socket);
// gnutls_record_recv until `octets` have come or the peer closes.
std::string ReceiveOctets(gnutls_session_int* session, size_t octets);

}  // namespace dotward

#endif  // DOTWARD_TESTING_LOOPBACK_BLOCKING_PEER_H_
