#ifndef DOTWARD_NET_TLS_CREDENTIALS_H_
#define DOTWARD_NET_TLS_CREDENTIALS_H_

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/spki_pin.h"

struct gnutls_certificate_credentials_st;
struct gnutls_priority_st;

namespace dotward {

// Which versions of TLS a session may use. Nothing older than 1.2 exists here (RFC 9325 §3.1.1).
enum class TlsVersions : uint8_t { kTls12And13, kTls12Only, kTls13Only };

// What a client knows its servers by, certificate authorities or pinned keys, and the rules of its sessions. Immutable;
// shared by every connection that authenticates its server against them, on any thread.
class TlsClientCredentials {
 public:
  struct Options {
    std::string ca_file;  // PEM; an empty name means the system's store
    TlsVersions versions = TlsVersions::kTls12And13;
    // Keys of which the server must have one, beside a certificate in order; any of several will do, so that a server
    // can change its key.
    std::vector<SpkiPin> pins = {};
    // The server must have a pinned key, and nothing else is asked of its certificate: neither CA nor name nor dates.
    bool pin_only = false;
  };

  // Reads the CAs' certificates, but with pin_only, which needs none. kFailedPrecondition where not one usable
  // certificate is found: without any, no server could ever be authenticated, so the text says what to install or to
  // correct. kInvalidArgument for pin_only without a pin. Reads files: not for the query path.
  static absl::StatusOr<std::shared_ptr<const TlsClientCredentials>> Create(Options options);
  // Without pins.
  static absl::StatusOr<std::shared_ptr<const TlsClientCredentials>> Create(
      const std::string& ca_file, TlsVersions versions = TlsVersions::kTls12And13);
  ~TlsClientCredentials();
  TlsClientCredentials(const TlsClientCredentials&) = delete;
  TlsClientCredentials& operator=(const TlsClientCredentials&) = delete;

  // "/etc/dotward/ca.pem", "the system's CA store", or "pins".
  const std::string& source() const { return source_; }
  const std::vector<SpkiPin>& pins() const { return pins_; }
  bool pin_only() const { return pin_only_; }
  // Whether each server that one of them accepts is accepted by the other, as far as that is laid down here: the same
  // authorities, wherever they were read, the same pins and versions. A connection made by one then passes for one made
  // by the other.
  bool ChecksTheSameAs(const TlsClientCredentials& other) const;

  // For the sessions of this layer.
  gnutls_certificate_credentials_st* certificates() const { return certificates_; }
  gnutls_priority_st* priorities() const { return priorities_; }

 private:
  TlsClientCredentials() = default;

  std::string source_;
  TlsVersions versions_ = TlsVersions::kTls12And13;
  std::vector<SpkiPin> pins_;
  bool pin_only_ = false;
  std::array<uint8_t, 32> authorities_{};  // SHA-256 over the certificates of the CAs
  gnutls_certificate_credentials_st* certificates_ = nullptr;
  gnutls_priority_st* priorities_ = nullptr;
};

// What a server shows its clients: its certificate chain with the key, and the secret that seals session tickets, which
// is new with every object. Immutable and shared as above.
class TlsServerCredentials {
 public:
  // `certificate_chain` and `key` are PEM text, the server's own certificate first. kInvalidArgument says what is wrong
  // with them; nothing of the key is ever in the text.
  static absl::StatusOr<std::shared_ptr<const TlsServerCredentials>> Create(
      const std::string& certificate_chain, const std::string& key, TlsVersions versions = TlsVersions::kTls12And13);
  ~TlsServerCredentials();
  TlsServerCredentials(const TlsServerCredentials&) = delete;
  TlsServerCredentials& operator=(const TlsServerCredentials&) = delete;

  // For the sessions of this layer.
  gnutls_certificate_credentials_st* certificates() const { return certificates_; }
  gnutls_priority_st* priorities() const { return priorities_; }
  const std::vector<uint8_t>& ticket_key() const { return ticket_key_; }

 private:
  TlsServerCredentials() = default;

  gnutls_certificate_credentials_st* certificates_ = nullptr;
  gnutls_priority_st* priorities_ = nullptr;
  std::vector<uint8_t> ticket_key_;
};

// What lets a later connection skip the full handshake (RFC 8446 §2.2, RFC 5077). It remembers for whom it was made:
// used for another address, port, authentication name or set of credentials it is ignored, so a resumed session has
// always passed the same checks. Move-only, because a ticket that is used twice lets an observer link the two
// connections (RFC 8446 §C.4).
class TlsSessionTicket {
 public:
  TlsSessionTicket() = default;
  TlsSessionTicket(TlsSessionTicket&&) = default;
  TlsSessionTicket& operator=(TlsSessionTicket&&) = default;

  bool empty() const { return data_.empty(); }

 private:
  friend class TlsStream;

  std::vector<uint8_t> data_;
  Endpoint peer_;
  std::string auth_name_;
  std::weak_ptr<const TlsClientCredentials> credentials_;
};

}  // namespace dotward

#endif  // DOTWARD_NET_TLS_CREDENTIALS_H_
