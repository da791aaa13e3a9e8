#include "net/tls_credentials.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace dotward {
namespace {

// TLS 1.2 and later, forward secrecy and authenticated encryption only (RFC 9325 §3.1.1, §4.1, §4.2); the profile asks
// of certificates RSA keys of 2048 bits or their equal, and no SHA-1 (RFC 9325 §4.5).
std::string PriorityString(TlsVersions versions) {
  std::string text = "NORMAL:-VERS-ALL";
  if (versions != TlsVersions::kTls12Only) text += ":+VERS-TLS1.3";
  if (versions != TlsVersions::kTls13Only) text += ":+VERS-TLS1.2";
  text += ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:-MAC-ALL:+AEAD";
  text += ":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%PROFILE_MEDIUM";
  return text;
}

absl::Status LibraryError(std::string_view action, int code) {
  return absl::InternalError(StrCat("GnuTLS cannot ", action, ": ", gnutls_strerror(code)));
}

absl::StatusOr<gnutls_priority_t> MakePriorities(TlsVersions versions) {
  gnutls_priority_t priorities = nullptr;
  const int code = gnutls_priority_init(&priorities, PriorityString(versions).c_str(), nullptr);
  if (code != GNUTLS_E_SUCCESS) {
    return LibraryError("set up TLS 1.2 and 1.3 (does a system-wide policy forbid them?)", code);
  }
  return priorities;
}

absl::Status NoSystemStore(std::string_view reason) {
  return absl::FailedPreconditionError(
      StrCat("the system's CA store has no certificates (", reason,
             "), so no upstream can be authenticated: install the package ca-certificates, or set ca_file"));
}

absl::Status LoadSystemStore(gnutls_certificate_credentials_t certificates) {
  const int loaded = gnutls_certificate_set_x509_system_trust(certificates);
  if (loaded < 0) return NoSystemStore(gnutls_strerror(loaded));
  if (loaded == 0) return NoSystemStore("it is empty");
  return absl::OkStatus();
}

absl::Status LoadFile(gnutls_certificate_credentials_t certificates, const std::string& file) {
  // GnuTLS says "error while reading file" for every cause; the operator needs to know which one.
  errno = 0;
  const std::ifstream readable(file);
  if (!readable) {
    return absl::FailedPreconditionError(StrCat("ca_file ", file, " cannot be read: ", std::strerror(errno)));
  }
  const int loaded = gnutls_certificate_set_x509_trust_file(certificates, file.c_str(), GNUTLS_X509_FMT_PEM);
  if (loaded <= 0) {
    return absl::FailedPreconditionError(StrCat("ca_file ", file, " has no usable certificate (",
                                                loaded == 0 ? "it is empty" : gnutls_strerror(loaded),
                                                "): it must be PEM, with BEGIN CERTIFICATE lines"));
  }
  return absl::OkStatus();
}

// Every CA certificate that `certificates` trusts, in DER, sorted: the order of a file means nothing.
absl::StatusOr<std::vector<std::string>> TrustedAuthorities(gnutls_certificate_credentials_t certificates) {
  gnutls_x509_trust_list_t trust = nullptr;
  gnutls_certificate_get_trust_list(certificates, &trust);
  std::vector<std::string> authorities;
  gnutls_x509_trust_list_iter_t iterator = nullptr;
  gnutls_x509_crt_t authority = nullptr;
  while (gnutls_x509_trust_list_iter_get_ca(trust, &iterator, &authority) == GNUTLS_E_SUCCESS) {
    gnutls_datum_t der{};
    const int code = gnutls_x509_crt_export2(authority, GNUTLS_X509_FMT_DER, &der);
    gnutls_x509_crt_deinit(authority);
    if (code < 0) {
      gnutls_x509_trust_list_iter_deinit(iterator);
      return LibraryError("read a CA certificate", code);
    }
    authorities.emplace_back(reinterpret_cast<const char*>(der.data), der.size);
    gnutls_free(der.data);
  }
  std::sort(authorities.begin(), authorities.end());
  return authorities;
}

// DER says how long each certificate is, so that no two lists give one text.
absl::StatusOr<std::array<uint8_t, 32>> DigestOf(const std::vector<std::string>& authorities) {
  gnutls_hash_hd_t hash = nullptr;
  if (const int code = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256); code < 0) return LibraryError("hash", code);
  for (const std::string& authority : authorities) gnutls_hash(hash, authority.data(), authority.size());
  std::array<uint8_t, 32> digest{};
  gnutls_hash_deinit(hash, digest.data());
  return digest;
}

gnutls_datum_t BorrowDatum(const std::string& text) {
  // GnuTLS takes inputs as non-const data and does not write to them.
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())), static_cast<unsigned>(text.size())};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsClientCredentials>> TlsClientCredentials::Create(Options options) {
  if (options.pin_only && options.pins.empty()) {
    return absl::InvalidArgumentError("pin_only needs at least one pin: there is nothing else to know the server by");
  }
  const std::shared_ptr<TlsClientCredentials> made(new TlsClientCredentials);
  made->source_ = options.pin_only ? "pins" : options.ca_file.empty() ? "the system's CA store" : options.ca_file;
  made->pins_ = std::move(options.pins);
  made->pin_only_ = options.pin_only;
  made->versions_ = options.versions;
  if (const int code = gnutls_certificate_allocate_credentials(&made->certificates_); code < 0) {
    return LibraryError("allocate credentials", code);
  }
  if (!options.pin_only) {
    RETURN_IF_ERROR(options.ca_file.empty() ? LoadSystemStore(made->certificates_)
                                            : LoadFile(made->certificates_, options.ca_file));
    ASSIGN_OR_RETURN(const std::vector<std::string> authorities, TrustedAuthorities(made->certificates_));
    ASSIGN_OR_RETURN(made->authorities_, DigestOf(authorities));
  }
  gnutls_certificate_set_verify_limits(made->certificates_, Limits::kTlsKeyBitsMax, Limits::kTlsChainCertificatesMax);
  ASSIGN_OR_RETURN(made->priorities_, MakePriorities(options.versions));
  return made;
}

absl::StatusOr<std::shared_ptr<const TlsClientCredentials>> TlsClientCredentials::Create(const std::string& ca_file,
                                                                                         TlsVersions versions) {
  return Create(Options{.ca_file = ca_file, .versions = versions});
}

bool TlsClientCredentials::ChecksTheSameAs(const TlsClientCredentials& other) const {
  return versions_ == other.versions_ && pin_only_ == other.pin_only_ && pins_ == other.pins_ &&
         authorities_ == other.authorities_;
}

TlsClientCredentials::~TlsClientCredentials() {
  if (certificates_ != nullptr) gnutls_certificate_free_credentials(certificates_);
  if (priorities_ != nullptr) gnutls_priority_deinit(priorities_);
}

absl::StatusOr<std::shared_ptr<const TlsServerCredentials>> TlsServerCredentials::Create(
    const std::string& certificate_chain, const std::string& key, TlsVersions versions) {
  const std::shared_ptr<TlsServerCredentials> made(new TlsServerCredentials);
  if (const int code = gnutls_certificate_allocate_credentials(&made->certificates_); code < 0) {
    return LibraryError("allocate credentials", code);
  }
  const gnutls_datum_t chain_datum = BorrowDatum(certificate_chain);
  const gnutls_datum_t key_datum = BorrowDatum(key);
  const int code =
      gnutls_certificate_set_x509_key_mem(made->certificates_, &chain_datum, &key_datum, GNUTLS_X509_FMT_PEM);
  if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
    return absl::InvalidArgumentError("the key does not belong to the first certificate of the chain");
  }
  if (code < 0) {
    return absl::InvalidArgumentError(StrCat("certificate and key are not usable: ", gnutls_strerror(code),
                                             "; both must be PEM, the key unencrypted"));
  }
  ASSIGN_OR_RETURN(made->priorities_, MakePriorities(versions));
  gnutls_datum_t ticket_key{};
  if (const int ticket_code = gnutls_session_ticket_key_generate(&ticket_key); ticket_code < 0) {
    return LibraryError("make a key for session tickets", ticket_code);
  }
  made->ticket_key_.assign(ticket_key.data, ticket_key.data + ticket_key.size);
  gnutls_memset(ticket_key.data, 0, ticket_key.size);
  gnutls_free(ticket_key.data);
  return made;
}

TlsServerCredentials::~TlsServerCredentials() {
  if (certificates_ != nullptr) gnutls_certificate_free_credentials(certificates_);
  if (priorities_ != nullptr) gnutls_priority_deinit(priorities_);
  if (!ticket_key_.empty()) gnutls_memset(ticket_key_.data(), 0, ticket_key_.size());
}

}  // namespace dotward
