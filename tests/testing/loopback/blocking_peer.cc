#include "testing/loopback/blocking_peer.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "net/socket_address.h"

namespace dotward {
namespace {

void Check(const char* what, int code) {
  if (code >= 0) return;
  std::fprintf(stderr, "BlockingPeer: %s: %s\n", what, gnutls_strerror(code));
  std::abort();
}

// A peer that never comes or never goes must not hang the test run.
constexpr timeval kPatience{30, 0};

void SetUpSocket(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

ssize_t SendOneOctet(gnutls_transport_ptr_t socket, const void* data, size_t size) {
  return send(static_cast<int>(reinterpret_cast<intptr_t>(socket)), data, std::min<size_t>(size, 1), MSG_NOSIGNAL);
}

int Handshake(gnutls_session_t session) {
  int code = 0;
  do {
    code = gnutls_handshake(session);
  } while (code < 0 && gnutls_error_is_fatal(code) == 0);
  return code;
}

}  // namespace

namespace {

// gnutls_certificate_set_x509_key_mem would put the chain in order and leave out what does not belong to it.
void PresentChain(gnutls_certificate_credentials_t credentials, const TestCertificate& certificate) {
  std::string chain = certificate.chain;
  std::string key = certificate.key;
  const gnutls_datum_t chain_datum{reinterpret_cast<unsigned char*>(chain.data()), static_cast<unsigned>(chain.size())};
  const gnutls_datum_t key_datum{reinterpret_cast<unsigned char*>(key.data()), static_cast<unsigned>(key.size())};
  std::array<gnutls_pcert_st, 32> list;
  unsigned count = list.size();
  Check("chain", gnutls_pcert_list_import_x509_raw(list.data(), &count, &chain_datum, GNUTLS_X509_FMT_PEM, 0));
  gnutls_privkey_t owned = nullptr;
  Check("key", gnutls_privkey_init(&owned));
  Check("key", gnutls_privkey_import_x509_raw(owned, &key_datum, GNUTLS_X509_FMT_PEM, nullptr, 0));
  // Takes the certificates' contents and the key.
  Check("key", gnutls_certificate_set_key(credentials, nullptr, 0, list.data(), static_cast<int>(count), owned));
}

}  // namespace

SilentListener::SilentListener()
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      in_queue_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const SocketAddress any(Endpoint{IpAddress::V4({127, 0, 0, 1}), 0});
  // A backlog of 0 has room for one.
  bool ready = bind(listener_.get(), any.data(), any.size()) == 0 && listen(listener_.get(), 0) == 0;
  endpoint_ = LocalEndpoint(listener_.get());
  const SocketAddress address(endpoint_);
  ready = ready && connect(in_queue_.get(), address.data(), address.size()) == 0;
  if (!ready) {
    std::perror("SilentListener");
    std::abort();
  }
}

BlockingPeer::BlockingPeer(std::function<void(int socket)> conversation, int connections)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const SocketAddress address(Endpoint{IpAddress::V4({127, 0, 0, 1}), 0});
  if (bind(listener_.get(), address.data(), address.size()) != 0 || listen(listener_.get(), 8) != 0) {
    std::perror("BlockingPeer");
    std::abort();
  }
  endpoint_ = LocalEndpoint(listener_.get());
  thread_ = std::thread([this, conversation = std::move(conversation), connections] {
    for (int i = 0; i < connections; ++i) {
      const Descriptor accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      SetUpSocket(accepted.get());
      conversation(accepted.get());
    }
  });
}

BlockingPeer::~BlockingPeer() { Join(); }

void BlockingPeer::Join() {
  // Wakes an accept() that still waits.
  shutdown(listener_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
}

int ServeBlockingTls(int socket, const BlockingTls& options, const std::function<void(gnutls_session_int*)>& talk) {
  gnutls_certificate_credentials_t credentials = nullptr;
  Check("credentials", gnutls_certificate_allocate_credentials(&credentials));
  PresentChain(credentials, options.certificate);
  gnutls_session_t session = nullptr;
  Check("session", gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL | options.flags));
  Check("priority", gnutls_priority_set_direct(session, options.priority.c_str(), nullptr));
  Check("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
  gnutls_transport_set_int(session, socket);
  if (options.fragment) gnutls_transport_set_push_function(session, SendOneOctet);
  if (options.prepare) options.prepare(session);
  const int code = Handshake(session);
  if (code == GNUTLS_E_SUCCESS) talk(session);
  gnutls_deinit(session);
  gnutls_certificate_free_credentials(credentials);
  return code;
}

int TalkBlockingTls(const Endpoint& server, const std::string& priority,
                    const std::function<void(gnutls_session_int*)>& talk) {
  const SocketAddress address(server);
  const Descriptor descriptor(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  SetUpSocket(descriptor.get());
  if (connect(descriptor.get(), address.data(), address.size()) != 0) return GNUTLS_E_PUSH_ERROR;
  gnutls_certificate_credentials_t credentials = nullptr;
  Check("credentials", gnutls_certificate_allocate_credentials(&credentials));
  gnutls_session_t session = nullptr;
  Check("session", gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL));
  Check("priority", gnutls_priority_set_direct(session, priority.c_str(), nullptr));
  Check("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
  gnutls_transport_set_int(session, descriptor.get());
  const int code = Handshake(session);
  if (code == GNUTLS_E_SUCCESS) talk(session);
  gnutls_deinit(session);
  gnutls_certificate_free_credentials(credentials);
  return code;
}

std::string ReadAll(int socket) {
  std::string all;
  std::array<char, 4096> part;
  while (true) {
    const ssize_t received = recv(socket, part.data(), part.size(), 0);
    if (received <= 0) return all;
    all.append(part.data(), static_cast<size_t>(received));
  }
}

std::string ReceiveOctets(gnutls_session_int* session, size_t octets) {
  std::string all;
  std::array<char, 16'384> part;
  while (all.size() < octets) {
    const ssize_t received = gnutls_record_recv(session, part.data(), std::min(part.size(), octets - all.size()));
    if (received == GNUTLS_E_AGAIN || received == GNUTLS_E_INTERRUPTED) continue;
    if (received <= 0) return all;
    all.append(part.data(), static_cast<size_t>(received));
  }
  return all;
}

}  // namespace dotward
