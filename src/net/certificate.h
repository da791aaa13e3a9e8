#ifndef DOTWARD_NET_CERTIFICATE_H_
#define DOTWARD_NET_CERTIFICATE_H_

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/spki_pin.h"

namespace dotward {

// Certificates as a peer presents them, and what people are told about them. All text is printable ASCII and bounded,
// although parts of it come from a stranger.

struct FreeCertificate {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
using Certificate = std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, FreeCertificate>;

// Null where `der` is no certificate.
Certificate ImportCertificate(const gnutls_datum_t& der);

// The pin of its public key, of whatever kind; nullopt where the key cannot be read.
std::optional<SpkiPin> PinOf(const Certificate& certificate);

// Its subjectAltNames: dNSName and iPAddress.
struct SubjectNames {
  std::vector<std::string> shown;  // the first few
  size_t total = 0;
  bool has_dns_name = false;
};
SubjectNames ReadSubjectNames(const Certificate& certificate);
std::string NamesText(const SubjectNames& names);

// Distinguished names; both take null.
std::string SubjectOf(const Certificate& certificate);
std::string IssuerOf(const Certificate& certificate);

// All that tells it from others: "CN=…, issued by …, valid … to …, key sha256/…".
std::string DescribeCertificate(const Certificate& certificate);

// Why a certificate, `whose` ("it"), is refused at `now`, when it was or will be valid between `from` and `until`. A
// clock that is before `built`, the date of this program, is wrong for certain, and is said to be the cause.
std::string NotYetValidText(std::string_view whose, std::time_t from, std::time_t now, std::time_t built);
std::string ExpiredText(std::string_view whose, std::time_t until, std::time_t now);

// `text` from a stranger, for a message to people: printable ASCII, at most 80 characters.
std::string Printable(std::string_view text);

}  // namespace dotward

#endif  // DOTWARD_NET_CERTIFICATE_H_
