#include "net/tls_stream.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/await.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "net/certificate.h"
#include "net/descriptor.h"
#include "net/socket_address.h"
#include "net/tls_verify.h"

namespace dotward {
namespace {

constexpr std::string_view kAlpnDot = "dot";  // RFC 7858, IANA's registry of ALPN protocols
constexpr size_t kRecordPayloadOctets = 16'384;
// Most DNS answers with their record header fit; what is longer goes straight to GnuTLS's own buffer.
constexpr size_t kReadAheadOctets = 4096;

enum class TlsRole : uint8_t { kClient, kServer };

std::string_view HintForTlsError(int code) {
  switch (code) {
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
    case GNUTLS_E_RECORD_OVERFLOW:
      return " (does this port speak DNS-over-TLS?)";
    case GNUTLS_E_UNKNOWN_CIPHER_SUITE:
    case GNUTLS_E_NO_CIPHER_SUITES:
    case GNUTLS_E_UNWANTED_ALGORITHM:
      return " (TLS 1.2 with ECDHE and an AEAD cipher is the least that is accepted)";
    default:
      return "";
  }
}

}  // namespace

// The session itself. GnuTLS never sees the descriptor: it pulls from and pushes to memory here. So a key update or an
// alert that falls between the parts of a half-sent record cannot mix with it, and nothing GnuTLS does can block or
// reach a descriptor that was closed and given to somebody else. One loop's thread.
class TlsSession final : public StreamSession {
 public:
  TlsSession(asio::io_context& loop, TlsRole role) : StreamSession(loop), role_(role) {}
  ~TlsSession() override {
    Close();
    if (session_ != nullptr) gnutls_deinit(session_);
  }

  // --- setting up ---
  absl::Status StartClient(TlsClientOptions options, const std::vector<uint8_t>& ticket);
  absl::Status StartServer(int descriptor, std::shared_ptr<const TlsServerCredentials> credentials);

  // --- in use ---
  static Task<absl::StatusOr<size_t>> Read(std::shared_ptr<TlsSession> self, std::span<uint8_t> buffer);
  static Task<absl::Status> Write(std::shared_ptr<TlsSession> self, std::span<const uint8_t> octets);
  void Close() override;

  bool resumed() const { return gnutls_session_is_resumed(session_) != 0; }
  size_t buffered_octets() const { return closed() ? 0 : gnutls_record_check_pending(session_); }
  std::string protocol_version() const { return gnutls_protocol_get_name(gnutls_protocol_get_version(session_)); }
  std::string cipher_suite() const {
    const char* const name = gnutls_ciphersuite_get(session_);
    return name == nullptr ? "" : name;
  }
  std::string alpn() const;

  // For the ticket, which says for whom it is.
  const std::string& auth_name() const { return auth_name_; }
  const std::shared_ptr<const TlsClientCredentials>& client_credentials() const { return client_credentials_; }
  std::vector<uint8_t> TakeTicketData();

 private:
  absl::Status StartSession(unsigned flags, gnutls_priority_t priorities,
                            gnutls_certificate_credentials_t certificates);
  Task<absl::Status> Establish() override;
  absl::Status TlsError(int code) const;

  // Sends what it can without waiting: 0, EAGAIN where something is left, or what failed.
  int SendOutput();
  Task<absl::Status> FlushOutput();
  absl::Status FailHandshake(int code);
  absl::Status CheckIdentity();

  // GnuTLS calls these.
  static ssize_t PushCallback(gnutls_transport_ptr_t self, const void* data, size_t size);
  static ssize_t PullCallback(gnutls_transport_ptr_t self, void* data, size_t size);
  static int PullTimeoutCallback(gnutls_transport_ptr_t self, unsigned milliseconds);
  static int VerifyCallback(gnutls_session_t session);
  static int HandshakeMessageCallback(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                                      const gnutls_datum_t* message);
  ssize_t Pull(std::span<uint8_t> buffer);
  int CheckHandshakeMessage(unsigned type, std::span<const uint8_t> message);

  const TlsRole role_;
  gnutls_session_t session_ = nullptr;

  std::string auth_name_;
  std::shared_ptr<const TlsClientCredentials> client_credentials_;
  std::shared_ptr<const TlsServerCredentials> server_credentials_;

  bool broken_ = false;            // a write has failed: no close_notify any more
  bool identity_checked_ = false;  // by VerifyCallback, in this handshake
  std::string fault_;              // what a callback has found, in words
  absl::StatusCode fault_code_ = absl::StatusCode::kUnavailable;
  size_t handshake_octets_ = 0;  // received
  bool ticket_waits_ = false;    // there is a ticket that nobody has taken

  // Input: what came in one system call and GnuTLS has not asked for yet.
  std::array<uint8_t, kReadAheadOctets> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  bool starved_ = false;  // GnuTLS has asked for more than there was
  int receive_error_ = 0;

  // Output: encrypted octets that the socket has not taken yet, from output_begin_.
  std::vector<uint8_t> output_;
  size_t output_begin_ = 0;
  bool writing_ = false;  // a Write is under way and will flush
};

// --- errors ---

absl::Status TlsSession::TlsError(int code) const {
  if (!fault_.empty()) return Error(fault_code_, fault_);
  if (code == GNUTLS_E_PREMATURE_TERMINATION) return Error(absl::StatusCode::kUnavailable, "closed by the peer");
  if (code == GNUTLS_E_PULL_ERROR && receive_error_ != 0) return NetworkError(receive_error_);
  if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
    const char* const name = gnutls_alert_get_name(gnutls_alert_get(session_));
    return Error(absl::StatusCode::kUnavailable, StrCat("the peer sent the alert ", name == nullptr ? "?" : name));
  }
  return Error(absl::StatusCode::kUnavailable, StrCat(gnutls_strerror(code), HintForTlsError(code)));
}

// --- what GnuTLS calls ---

ssize_t TlsSession::PushCallback(gnutls_transport_ptr_t self, const void* data, size_t size) {
  std::vector<uint8_t>& output = static_cast<TlsSession*>(self)->output_;
  const uint8_t* const octets = static_cast<const uint8_t*>(data);
  output.insert(output.end(), octets, octets + size);
  return static_cast<ssize_t>(size);
}

ssize_t TlsSession::PullCallback(gnutls_transport_ptr_t self, void* data, size_t size) {
  TlsSession* const session = static_cast<TlsSession*>(self);
  const ssize_t pulled = session->Pull({static_cast<uint8_t*>(data), size});
  if (pulled < 0) gnutls_transport_set_errno(session->session_, session->receive_error_);
  return pulled;
}

// Nothing here waits inside GnuTLS.
int TlsSession::PullTimeoutCallback(gnutls_transport_ptr_t /*self*/, unsigned /*milliseconds*/) { return 0; }

ssize_t TlsSession::Pull(std::span<uint8_t> buffer) {
  if (closed()) {
    receive_error_ = EBADF;
    return -1;
  }
  if (input_begin_ == input_end_) {
    // After a short receive the socket is empty, unless something came since; then the wait ends at once.
    ssize_t received = -1;
    receive_error_ = EAGAIN;
    if (!drained()) {
      received = Receive(buffer.size() >= input_.size() ? buffer : std::span<uint8_t>(input_), receive_error_);
    }
    if (received < 0 && receive_error_ == EAGAIN) starved_ = true;
    if (received <= 0 || buffer.size() >= input_.size()) return received;
    input_begin_ = 0;
    input_end_ = static_cast<size_t>(received);
  }
  const size_t taken = std::min(buffer.size(), input_end_ - input_begin_);
  std::memcpy(buffer.data(), &input_[input_begin_], taken);
  input_begin_ += taken;
  return static_cast<ssize_t>(taken);
}

int TlsSession::VerifyCallback(gnutls_session_t session) {
  TlsSession* const self = static_cast<TlsSession*>(gnutls_session_get_ptr(session));
  std::optional<std::string> fault = FindCertificateFault(session, *self->client_credentials_, self->auth_name_);
  if (fault) {
    self->phase_ = Phase::kCertificate;
    self->fault_ = *std::move(fault);
    self->fault_code_ = absl::StatusCode::kUnauthenticated;
    return -1;
  }
  self->identity_checked_ = true;
  return 0;
}

int TlsSession::HandshakeMessageCallback(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                                         const gnutls_datum_t* message) {
  TlsSession* const self = static_cast<TlsSession*>(gnutls_session_get_ptr(session));
  if (incoming == 0) return 0;
  if (when == GNUTLS_HOOK_POST) {
    if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET) self->ticket_waits_ = true;
    return 0;
  }
  return self->CheckHandshakeMessage(type, {message->data, message->size});
}

int TlsSession::CheckHandshakeMessage(unsigned type, std::span<const uint8_t> message) {
  if (phase_ != Phase::kEstablished) {
    handshake_octets_ += message.size();
    if (handshake_octets_ > Limits::kTlsHandshakeOctetsMax) {
      fault_ = StrCat("the peer's handshake is longer than ", Limits::kTlsHandshakeOctetsMax, " octets");
      return GNUTLS_E_HANDSHAKE_TOO_LARGE;
    }
  }
  if (role_ == TlsRole::kClient &&
      (type == GNUTLS_HANDSHAKE_SERVER_HELLO || type == GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS)) {
    const std::optional<std::string> chosen = FindChosenAlpn(message, type == GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS);
    if (chosen && *chosen != kAlpnDot) {
      fault_ = StrCat("the server speaks \"", Printable(*chosen), "\" on this port, not DNS-over-TLS (ALPN)");
      return GNUTLS_E_NO_APPLICATION_PROTOCOL;
    }
  }
  return 0;
}

// --- setting up ---

absl::Status TlsSession::StartSession(unsigned flags, gnutls_priority_t priorities,
                                      gnutls_certificate_credentials_t certificates) {
  int code = gnutls_init(&session_, flags | GNUTLS_NONBLOCK);
  if (code < 0) return TlsError(code);
  gnutls_session_set_ptr(session_, this);
  gnutls_transport_set_ptr(session_, this);
  gnutls_transport_set_push_function(session_, PushCallback);
  gnutls_transport_set_pull_function(session_, PullCallback);
  gnutls_transport_set_pull_timeout_function(session_, PullTimeoutCallback);
  gnutls_handshake_set_max_packet_length(session_, Limits::kTlsHandshakeOctetsMax);
  gnutls_handshake_set_hook_function(session_, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, HandshakeMessageCallback);
  std::string protocol(kAlpnDot);
  const gnutls_datum_t alpn{reinterpret_cast<unsigned char*>(protocol.data()), static_cast<unsigned>(protocol.size())};
  code = gnutls_priority_set(session_, priorities);
  if (code >= 0) code = gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, certificates);
  if (code >= 0) code = gnutls_alpn_set_protocols(session_, &alpn, 1, 0);
  return code >= 0 ? absl::OkStatus() : TlsError(code);
}

absl::Status TlsSession::StartClient(TlsClientOptions options, const std::vector<uint8_t>& ticket) {
  peer_ = options.peer;
  auth_name_ = std::move(options.auth_name);
  client_credentials_ = std::move(options.credentials);
  if (client_credentials_ == nullptr) return Error(absl::StatusCode::kInvalidArgument, "no credentials were given");
  if (auth_name_.empty() && !client_credentials_->pin_only()) {
    return Error(absl::StatusCode::kInvalidArgument, "without an authentication name there is nothing to check");
  }
  RETURN_IF_ERROR(StartSession(GNUTLS_CLIENT, client_credentials_->priorities(), client_credentials_->certificates()));
  gnutls_session_set_verify_function(session_, VerifyCallback);
  // RFC 6066 §3: literal addresses are not allowed in SNI.
  if (!auth_name_.empty() && !IpAddress::Parse(auth_name_).ok()) {
    const int code = gnutls_server_name_set(session_, GNUTLS_NAME_DNS, auth_name_.data(), auth_name_.size());
    if (code < 0) {
      return Error(absl::StatusCode::kInvalidArgument,
                   StrCat("\"", Printable(auth_name_), "\" cannot be a server's name: ", gnutls_strerror(code)));
    }
  }
  // A ticket that GnuTLS cannot use means a full handshake, nothing worse.
  if (!ticket.empty()) gnutls_session_set_data(session_, ticket.data(), ticket.size());
  return absl::OkStatus();
}

absl::Status TlsSession::StartServer(int descriptor, std::shared_ptr<const TlsServerCredentials> credentials) {
  Descriptor owned(descriptor);
  SocketAddress address;
  socklen_t size = SocketAddress::kCapacity;
  if (getpeername(descriptor, address.Receive(), &size) == 0) peer_ = address.ToEndpoint();
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return NetworkError(errno);
  server_credentials_ = std::move(credentials);
  RETURN_IF_ERROR(StartSession(GNUTLS_SERVER, server_credentials_->priorities(), server_credentials_->certificates()));
  std::vector<uint8_t> key = server_credentials_->ticket_key();
  const gnutls_datum_t ticket_key{key.data(), static_cast<unsigned>(key.size())};
  if (const int code = gnutls_session_ticket_enable_server(session_, &ticket_key); code < 0) return TlsError(code);
  return Adopt(owned.Release());
}

absl::Status TlsSession::FailHandshake(int code) {
  // The peer's operator shall see why as well. An alert is not data, and nothing waits for it.
  gnutls_alert_send_appropriate(session_, code);
  SendOutput();
  return TlsError(code);
}

Task<absl::Status> TlsSession::Establish() {
  phase_ = Phase::kHandshake;
  for (size_t idle = 0; idle < Limits::kTlsIdleRecordsMax;) {
    starved_ = false;
    const int code = gnutls_handshake(session_);
    if (code < 0 && gnutls_error_is_fatal(code) != 0) co_return FailHandshake(code);
    const absl::Status flushed = co_await FlushOutput();
    if (!flushed.ok()) co_return flushed;
    if (code == GNUTLS_E_SUCCESS) co_return CheckIdentity();
    if (!starved_) {
      ++idle;  // a warning, an empty record: something came, and it was no progress
      continue;
    }
    const bool open = co_await Wait(asio::posix::descriptor_base::wait_read);
    if (!open) co_return ClosedError();
  }
  co_return Error(absl::StatusCode::kUnavailable, "the peer sends records that do not move the handshake on");
}

absl::Status TlsSession::CheckIdentity() {
  if (role_ == TlsRole::kServer) return absl::OkStatus();
  // A resumed handshake shows no certificate. The one of the session that it resumes is still at hand, and is checked
  // again: since then it may have expired, or the CA store may have changed.
  if (resumed() && !identity_checked_ && VerifyCallback(session_) != 0) {
    return FailHandshake(GNUTLS_E_CERTIFICATE_ERROR);
  }
  if (!identity_checked_) return Error(absl::StatusCode::kUnauthenticated, "the peer has not shown who it is");
  // Under TLS 1.3 tickets come later.
  ticket_waits_ = gnutls_protocol_get_version(session_) == GNUTLS_TLS1_2;
  return absl::OkStatus();
}

// --- in use ---

int TlsSession::SendOutput() {
  std::span<const uint8_t> left = std::span<const uint8_t>(output_).subspan(output_begin_);
  if (const int error = Send(left); error != 0) {
    output_begin_ = output_.size() - left.size();
    return error;
  }
  output_begin_ = 0;
  output_.clear();
  if (output_.capacity() > 2 * kRecordPayloadOctets) output_.shrink_to_fit();
  return 0;
}

Task<absl::Status> TlsSession::FlushOutput() {
  while (true) {
    if (closed()) co_return ClosedError();
    const int error = SendOutput();
    if (error == 0) co_return absl::OkStatus();
    if (error != EAGAIN) co_return NetworkError(error);
    co_await Wait(asio::posix::descriptor_base::wait_write);
  }
}

Task<absl::StatusOr<size_t>> TlsSession::Read(std::shared_ptr<TlsSession> self, std::span<uint8_t> buffer) {
  for (size_t idle = 0; idle < Limits::kTlsIdleRecordsMax;) {
    if (self->TurnIsOver()) co_await self->NextTurn();
    if (self->closed()) co_return self->ClosedError();
    self->starved_ = false;
    const ssize_t code = gnutls_record_recv(self->session_, buffer.data(), buffer.size());
    if (code > 0) {
      self->CountRead();
      co_return static_cast<size_t>(code);
    }
    // RFC 7858 §3.4 lets a server just close; a message that was cut by it shows in its framing.
    if (code == 0 || code == GNUTLS_E_PREMATURE_TERMINATION) co_return size_t{0};
    if (code == GNUTLS_E_REHANDSHAKE && self->role_ == TlsRole::kClient) {
      // RFC 5246 §7.4.1.1 lets a client refuse. Whoever was authenticated stays who it is.
      gnutls_alert_send(self->session_, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
    } else if (code == GNUTLS_E_REHANDSHAKE) {
      gnutls_alert_send(self->session_, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION);
      self->fault_ = "the client asked for renegotiation, which is refused";
    }
    // A writer that waits for the socket takes this along.
    if (!self->output_.empty() && !self->writing_) self->SendOutput();
    if (!self->fault_.empty() || gnutls_error_is_fatal(static_cast<int>(code)) != 0) {
      co_return self->TlsError(static_cast<int>(code));
    }
    if (!self->starved_) {
      ++idle;
      continue;
    }
    const bool open = co_await self->Wait(asio::posix::descriptor_base::wait_read);
    if (!open) co_return self->ClosedError();
  }
  co_return self->Error(absl::StatusCode::kUnavailable, "the peer sends record after record without data");
}

Task<absl::Status> TlsSession::Write(std::shared_ptr<TlsSession> self, std::span<const uint8_t> octets) {
  if (self->closed()) co_return self->ClosedError();
  self->writing_ = true;
  absl::Status status;
  while (status.ok() && !octets.empty()) {
    const ssize_t code =
        gnutls_record_send(self->session_, octets.data(), std::min(octets.size(), kRecordPayloadOctets));
    // Pushing to memory never fails and never waits, so every error here is the session's own.
    if (code < 0) {
      status = self->TlsError(static_cast<int>(code));
      break;
    }
    octets = octets.subspan(static_cast<size_t>(code));
    if (octets.empty() || self->output_.size() >= Limits::kTlsWriteBatchOctets) status = co_await self->FlushOutput();
  }
  self->writing_ = false;
  if (!status.ok()) self->broken_ = true;
  co_return status;
}

void TlsSession::Close() {
  if (!closed() && has_descriptor()) {
    if (phase_ == Phase::kEstablished && !broken_) gnutls_bye(session_, GNUTLS_SHUT_WR);
    SendOutput();
  }
  StreamSession::Close();
}

std::string TlsSession::alpn() const {
  gnutls_datum_t protocol{};
  if (gnutls_alpn_get_selected_protocol(session_, &protocol) < 0) return "";
  return {reinterpret_cast<const char*>(protocol.data), protocol.size};
}

std::vector<uint8_t> TlsSession::TakeTicketData() {
  if (!std::exchange(ticket_waits_, false)) return {};
  gnutls_datum_t data{};
  if (gnutls_session_get_data2(session_, &data) < 0) return {};
  std::vector<uint8_t> ticket(data.data, data.data + data.size);
  gnutls_memset(data.data, 0, data.size);
  gnutls_free(data.data);
  return ticket;
}

// --- TlsStream ---

TlsStream::TlsStream(std::shared_ptr<TlsSession> session) : session_(std::move(session)) {}

TlsStream::~TlsStream() { session_->Close(); }

std::vector<uint8_t> TlsStream::UsableTicket(const TlsClientOptions& options) {
  const TlsSessionTicket& ticket = options.session_ticket;
  const bool same = !ticket.empty() && ticket.peer_ == options.peer && ticket.auth_name_ == options.auth_name &&
                    ticket.credentials_.lock() == options.credentials;
  return same ? ticket.data_ : std::vector<uint8_t>();
}

Task<absl::StatusOr<std::unique_ptr<TlsStream>>> TlsStream::SetUp(std::shared_ptr<TlsSession> session,
                                                                  absl::Status started,
                                                                  StreamSession::SetUpOptions options) {
  if (!started.ok()) co_return started;
  const absl::Status done = co_await StreamSession::SetUp(session, options);
  if (!done.ok()) co_return done;
  co_return std::unique_ptr<TlsStream>(new TlsStream(std::move(session)));
}

Task<absl::StatusOr<std::unique_ptr<TlsStream>>> TlsStream::Connect(asio::io_context& loop, TlsClientOptions options,
                                                                    Deadline deadline) {
  const StreamSession::SetUpOptions set_up{deadline, options.connect_patience, options.canceller};
  if (options.auth_name.ends_with('.')) options.auth_name.pop_back();
  const std::vector<uint8_t> ticket = UsableTicket(options);
  auto session = std::make_shared<TlsSession>(loop, TlsRole::kClient);
  absl::Status started = session->StartClient(std::move(options), ticket);
  auto connected = co_await SetUp(std::move(session), std::move(started), set_up);
  co_return connected;
}

Task<absl::StatusOr<std::unique_ptr<TlsStream>>> TlsStream::Accept(
    asio::io_context& loop, int descriptor, std::shared_ptr<const TlsServerCredentials> credentials, Deadline deadline,
    TlsCanceller* canceller) {
  const StreamSession::SetUpOptions set_up{deadline, Duration::zero(), canceller};
  auto session = std::make_shared<TlsSession>(loop, TlsRole::kServer);
  absl::Status started = session->StartServer(descriptor, std::move(credentials));
  auto accepted = co_await SetUp(std::move(session), std::move(started), set_up);
  co_return accepted;
}

Task<absl::StatusOr<size_t>> TlsStream::Read(std::span<uint8_t> buffer) { return TlsSession::Read(session_, buffer); }
bool TlsStream::HasBufferedOctets() const { return session_->buffered_octets() != 0; }
Task<absl::Status> TlsStream::Write(std::span<const uint8_t> octets) { return TlsSession::Write(session_, octets); }
void TlsStream::Close() { session_->Close(); }
bool TlsStream::closed() const { return session_->closed(); }
const Endpoint& TlsStream::peer() const { return session_->peer(); }
const Endpoint& TlsStream::local() const { return session_->local(); }
Duration TlsStream::handshake_time() const { return session_->handshake_time(); }
bool TlsStream::resumed() const { return session_->resumed(); }
std::string TlsStream::protocol_version() const { return session_->protocol_version(); }
std::string TlsStream::cipher_suite() const { return session_->cipher_suite(); }
std::string TlsStream::alpn() const { return session_->alpn(); }

TlsSessionTicket TlsStream::TakeSessionTicket() {
  TlsSessionTicket ticket;
  ticket.data_ = session_->TakeTicketData();
  ticket.peer_ = session_->peer();
  ticket.auth_name_ = session_->auth_name();
  ticket.credentials_ = session_->client_credentials();
  return ticket;
}

}  // namespace dotward
