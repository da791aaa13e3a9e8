#include "net/tls_verify.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/build_date.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "base/spki_pin.h"
#include "base/strings.h"
#include "net/certificate.h"

namespace dotward {
namespace {

// RFC 7301 §6, RFC 8446 §4.2.
constexpr unsigned kAlpnExtension = 16;

// What %PROFILE_MEDIUM of the sessions is to a trust list: GNUTLS_PROFILE_TO_VFLAGS, whose casts are of another age.
constexpr unsigned kProfileFlags = unsigned{GNUTLS_PROFILE_MEDIUM} << 24;

// How every explanation of GnuTLS begins.
constexpr std::string_view kVerdict = "The certificate is NOT trusted. ";

bool NameMatches(const Certificate& certificate, const SubjectNames& names, const std::string& auth_name) {
  if (const absl::StatusOr<IpAddress> address = IpAddress::Parse(auth_name); address.ok()) {
    const std::span<const uint8_t> octets = address->octets();
    return gnutls_x509_crt_check_ip(certificate.get(), octets.data(), static_cast<unsigned>(octets.size()), 0) != 0;
  }
  // GnuTLS falls back to the common name where there is no dNSName. RFC 8310 §8.1 wants the subjectAltName.
  return names.has_dns_name && gnutls_x509_crt_check_hostname(certificate.get(), auth_name.c_str()) != 0;
}

std::string WrongName(const SubjectNames& names, const std::string& auth_name) {
  return StrCat("it is for ", NamesText(names), ", wanted ", auth_name,
                ": correct auth_name, or find out who answers at this address");
}

std::string UnknownCa(const std::vector<Certificate>& chain, const TlsClientCredentials& credentials) {
  return StrCat("its issuer ", IssuerOf(chain.back()), " is not in ", credentials.source(),
                ": update ca-certificates, name the right CA in ca_file, or find out who intercepts the connection");
}

std::string OutOfDate(const std::vector<Certificate>& chain, bool expired) {
  const std::time_t now = std::time(nullptr);
  for (const Certificate& certificate : chain) {
    if (certificate == nullptr) continue;
    const std::time_t from = gnutls_x509_crt_get_activation_time(certificate.get());
    const std::time_t until = gnutls_x509_crt_get_expiration_time(certificate.get());
    const std::string whose =
        certificate == chain.front() ? "it" : StrCat("its CA certificate ", SubjectOf(certificate));
    if (expired && now > until) return ExpiredText(whose, until, now);
    if (!expired && now < from) {
      return NotYetValidText(whose, from, now, std::chrono::system_clock::to_time_t(BuildDate()));
    }
  }
  return StrCat("a certificate of its chain ", expired ? "has expired" : "is not valid yet");
}

std::string OtherFault(unsigned status) {
  gnutls_datum_t printed{};
  if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &printed, 0) < 0) {
    return "it cannot be verified";
  }
  // The library's own words, not a stranger's: "The certificate is NOT trusted. The ... .  "
  std::string text(reinterpret_cast<const char*>(printed.data), printed.size);
  gnutls_free(printed.data);
  if (text.starts_with(kVerdict)) text.erase(0, kVerdict.size());
  while (text.ends_with(' ') || text.ends_with('.')) text.pop_back();
  return text;
}

void AddFault(std::string& faults, const std::string& fault) { StrAppend(&faults, faults.empty() ? "" : "; ", fault); }

// GnuTLS would multiply with any key of the chain. The server's own counts too: it signs the handshake.
std::optional<std::string> FindLargeKey(const std::vector<Certificate>& chain) {
  for (const Certificate& certificate : chain) {
    unsigned bits = 0;
    if (certificate == nullptr || gnutls_x509_crt_get_pk_algorithm(certificate.get(), &bits) < 0) continue;
    if (bits > Limits::kTlsKeyBitsMax) {
      return StrCat("its chain has a key of ", bits, " bits; at most ", Limits::kTlsKeyBitsMax, " are looked at");
    }
  }
  return std::nullopt;
}

// For servers, up to one of the session's CAs. `status` gets what is wrong, 0 for nothing.
int VerifyChain(gnutls_session_t session, unsigned& status) {
  std::string purpose = GNUTLS_KP_TLS_WWW_SERVER;
  gnutls_typed_vdata_st wanted{GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose.data()), 0};
  return gnutls_certificate_verify_peers(session, &wanted, 1, &status);
}

void AddChainFaults(std::string& faults, unsigned status, const std::vector<Certificate>& chain,
                    const TlsClientCredentials& credentials) {
  if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0) AddFault(faults, UnknownCa(chain, credentials));
  if ((status & GNUTLS_CERT_EXPIRED) != 0) AddFault(faults, OutOfDate(chain, true));
  if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0) AddFault(faults, OutOfDate(chain, false));
  const unsigned explained =
      GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
  if (status != 0 && ((status & ~explained) != 0 || faults.empty())) AddFault(faults, OtherFault(status));
}

struct FreeTrustList {
  void operator()(gnutls_x509_trust_list_t list) const { gnutls_x509_trust_list_deinit(list, 0); }
};

// Whether the chain's leaf verifies up to its certificate number `anchor`, by all rules of RFC 5280, as if that were
// the only CA. So a certificate that is merely presented along, and has signed nothing of the path, proves nothing.
bool VerifiesUpTo(const std::vector<Certificate>& chain, size_t anchor) {
  gnutls_x509_trust_list_t raw = nullptr;
  if (gnutls_x509_trust_list_init(&raw, 0) < 0) return false;
  const std::unique_ptr<std::remove_pointer_t<gnutls_x509_trust_list_t>, FreeTrustList> only(raw);
  gnutls_x509_crt_t trusted = chain[anchor].get();
  if (gnutls_x509_trust_list_add_cas(raw, &trusted, 1, 0) != 1) return false;
  std::vector<gnutls_x509_crt_t> path;
  for (const Certificate& certificate : chain) {
    // The anchor is where a path ends; GnuTLS does not always see that by itself when it stands in the middle.
    if (certificate != nullptr && gnutls_x509_crt_equals(certificate.get(), trusted) == 0) {
      path.push_back(certificate.get());
    }
  }
  std::string purpose = GNUTLS_KP_TLS_WWW_SERVER;
  gnutls_typed_vdata_st wanted{GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose.data()), 0};
  unsigned status = GNUTLS_CERT_INVALID;
  if (path.empty()) return false;
  const int code = gnutls_x509_trust_list_verify_crt2(raw, path.data(), static_cast<unsigned>(path.size()), &wanted, 1,
                                                      kProfileFlags, &status, nullptr);
  return code >= 0 && status == 0;
}

// RFC 7858 §4.2. The server's own key, or that of a CA that vouches for it; but with pins alone there is no reason to
// believe what a CA's key has signed for whom, so only its own counts.
bool IsPinned(const std::vector<Certificate>& chain, const TlsClientCredentials& credentials) {
  const auto matches = [&](const Certificate& certificate) {
    const std::optional<SpkiPin> pin = certificate == nullptr ? std::nullopt : PinOf(certificate);
    return pin && std::find(credentials.pins().begin(), credentials.pins().end(), *pin) != credentials.pins().end();
  };
  if (matches(chain.front())) return true;
  if (credentials.pin_only()) return false;
  for (size_t i = 1; i < chain.size(); ++i) {
    if (matches(chain[i]) && VerifiesUpTo(chain, i)) return true;
  }
  return false;
}

std::string NotPinned(const TlsClientCredentials& credentials) {
  const size_t count = credentials.pins().size();
  return StrCat("its key is ",
                count == 1 ? std::string("not the pinned one") : StrCat("none of the ", count, " pinned"),
                ": if the server's operator has announced this key, put it into pins; "
                "if not, find out who intercepts the connection");
}

// A cursor over a TLS message. What cannot be read is empty.
class MessageReader {
 public:
  explicit MessageReader(std::span<const uint8_t> octets) : octets_(octets) {}

  bool empty() const { return octets_.empty(); }
  std::span<const uint8_t> Take(size_t count) {
    if (octets_.size() < count) {
      octets_ = {};
      return {};
    }
    const std::span<const uint8_t> taken = octets_.first(count);
    octets_ = octets_.subspan(count);
    return taken;
  }
  unsigned TakeNumber(size_t octets) {
    unsigned number = 0;
    for (const uint8_t octet : Take(octets)) number = number << 8 | octet;
    return number;
  }

 private:
  std::span<const uint8_t> octets_;
};

}  // namespace

std::optional<std::string> FindCertificateFault(gnutls_session_int* session, const TlsClientCredentials& credentials,
                                                const std::string& auth_name) {
  unsigned presented = 0;
  const gnutls_datum_t* const list = gnutls_certificate_get_peers(session, &presented);
  if (list == nullptr || presented == 0) return "the server presented none";
  if (presented > Limits::kTlsChainCertificatesMax) {
    return StrCat("the server presented ", presented, " certificates; at most ", Limits::kTlsChainCertificatesMax,
                  " are looked at");
  }
  std::vector<Certificate> chain;
  for (unsigned i = 0; i < presented; ++i) chain.push_back(ImportCertificate(list[i]));
  if (chain.front() == nullptr) return "what the server presented cannot be read as a certificate";
  if (std::optional<std::string> fault = FindLargeKey(chain)) return fault;

  const SubjectNames names = ReadSubjectNames(chain.front());
  std::string faults;
  bool named = false;
  if (!credentials.pin_only()) {
    unsigned status = GNUTLS_CERT_INVALID;
    const int code = VerifyChain(session, status);
    if (code < 0) return StrCat("it cannot be verified: ", gnutls_strerror(code));
    named = !NameMatches(chain.front(), names, auth_name);
    if (named) AddFault(faults, WrongName(names, auth_name));
    AddChainFaults(faults, status, chain, credentials);
  }
  if (!credentials.pins().empty() && !IsPinned(chain, credentials)) AddFault(faults, NotPinned(credentials));
  if (faults.empty()) return std::nullopt;
  return StrCat(faults, " (presented: ", DescribeCertificate(chain.front()), named ? "" : ", for ",
                named ? "" : NamesText(names), ")");
}

std::optional<std::string> FindChosenAlpn(std::span<const uint8_t> message, bool encrypted_extensions) {
  MessageReader reader(message);
  if (!encrypted_extensions) {
    // RFC 5246 §7.4.1.3: version, random, session ID, cipher suite, compression method.
    reader.Take(2 + 32);
    reader.Take(reader.TakeNumber(1));
    reader.Take(2 + 1);
  }
  MessageReader extensions(reader.Take(reader.TakeNumber(2)));
  while (!extensions.empty()) {
    const unsigned type = extensions.TakeNumber(2);
    MessageReader body(extensions.Take(extensions.TakeNumber(2)));
    if (type != kAlpnExtension) continue;
    body.TakeNumber(2);
    const std::span<const uint8_t> protocol = body.Take(body.TakeNumber(1));
    return std::string(protocol.begin(), protocol.end());
  }
  return std::nullopt;
}

}  // namespace dotward
