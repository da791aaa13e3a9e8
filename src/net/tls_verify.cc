#include "net/tls_verify.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr size_t kNamesShownMax = 6;
constexpr unsigned kNamesReadMax = 1000;
constexpr size_t kTextShownMax = 80;
// RFC 7301 §6, RFC 8446 §4.2.
constexpr unsigned kAlpnExtension = 16;

// How every explanation of GnuTLS begins.
constexpr std::string_view kVerdict = "The certificate is NOT trusted. ";

struct FreeCertificate {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
using Certificate = std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, FreeCertificate>;

Certificate ImportCertificate(const gnutls_datum_t& der) {
  gnutls_x509_crt_t raw = nullptr;
  if (gnutls_x509_crt_init(&raw) < 0) return nullptr;
  Certificate certificate(raw);
  if (gnutls_x509_crt_import(raw, &der, GNUTLS_X509_FMT_DER) < 0) return nullptr;
  return certificate;
}

std::string TimeText(std::time_t time) {
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return "an unreadable time";
  char text[40];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text, length};
}

std::string DistinguishedName(const Certificate& certificate,
                              int (*get)(gnutls_x509_crt_t, gnutls_datum_t*, unsigned)) {
  gnutls_datum_t name{};
  if (certificate == nullptr || get(certificate.get(), &name, 0) < 0) return "(no name)";
  std::string text = Printable({reinterpret_cast<const char*>(name.data), name.size});
  gnutls_free(name.data);
  return text;
}

struct SubjectNames {
  std::vector<std::string> shown;
  size_t total = 0;
  bool has_dns_name = false;
};

SubjectNames ReadSubjectNames(gnutls_x509_crt_t certificate) {
  SubjectNames names;
  std::vector<char> value(512);
  for (unsigned index = 0; index < kNamesReadMax; ++index) {
    size_t size = value.size();
    const int type = gnutls_x509_crt_get_subject_alt_name(certificate, index, value.data(), &size, nullptr);
    // A name that is too long for a DNS name is skipped; any other error is the end.
    if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER) break;
    if (type == GNUTLS_SAN_DNSNAME) names.has_dns_name = true;
    ++names.total;
    if (names.shown.size() >= kNamesShownMax) continue;
    if (type == GNUTLS_SAN_DNSNAME) names.shown.push_back(Printable({value.data(), size}));
    if (type == GNUTLS_SAN_IPADDRESS && size == 4) {
      std::array<uint8_t, 4> octets;
      std::copy_n(value.begin(), 4, octets.begin());
      names.shown.push_back(IpAddress::V4(octets).ToString());
    }
    if (type == GNUTLS_SAN_IPADDRESS && size == 16) {
      std::array<uint8_t, 16> octets;
      std::copy_n(value.begin(), 16, octets.begin());
      names.shown.push_back(IpAddress::V6(octets).ToString());
    }
  }
  return names;
}

std::string NamesText(const SubjectNames& names) {
  if (names.shown.empty()) return "no name at all";
  std::string text;
  for (const std::string& name : names.shown) StrAppend(&text, text.empty() ? "" : ", ", name);
  if (names.total > names.shown.size()) StrAppend(&text, " and ", names.total - names.shown.size(), " more");
  return text;
}

bool NameMatches(gnutls_x509_crt_t certificate, const SubjectNames& names, const std::string& auth_name) {
  if (const absl::StatusOr<IpAddress> address = IpAddress::Parse(auth_name); address.ok()) {
    const std::span<const uint8_t> octets = address->octets();
    return gnutls_x509_crt_check_ip(certificate, octets.data(), static_cast<unsigned>(octets.size()), 0) != 0;
  }
  // GnuTLS falls back to the common name where there is no dNSName. RFC 8310 §8.1 wants the subjectAltName.
  return names.has_dns_name && gnutls_x509_crt_check_hostname(certificate, auth_name.c_str()) != 0;
}

std::string WrongName(const SubjectNames& names, const std::string& auth_name) {
  return StrCat("it is for ", NamesText(names), ", wanted ", auth_name,
                ": correct auth_name, or find out who answers at this address");
}

std::string UnknownCa(const std::vector<Certificate>& chain, const TlsClientCredentials& credentials) {
  return StrCat("its issuer ", DistinguishedName(chain.back(), gnutls_x509_crt_get_issuer_dn3), " is not in ",
                credentials.source(),
                ": update ca-certificates, name the right CA in ca_file, or find out who intercepts the connection");
}

std::string OutOfDate(const std::vector<Certificate>& chain, bool expired) {
  const std::time_t now = std::time(nullptr);
  for (const Certificate& certificate : chain) {
    if (certificate == nullptr) continue;
    const std::time_t from = gnutls_x509_crt_get_activation_time(certificate.get());
    const std::time_t until = gnutls_x509_crt_get_expiration_time(certificate.get());
    const std::string whose =
        certificate == chain.front()
            ? "it"
            : StrCat("its CA certificate ", DistinguishedName(certificate, gnutls_x509_crt_get_dn3));
    if (expired && now > until) {
      return StrCat(whose, " expired at ", TimeText(until), ", and this machine's clock says ", TimeText(now),
                    ": the server's operator must renew it, unless the clock is wrong");
    }
    if (!expired && now < from) {
      return StrCat(whose, " is not valid before ", TimeText(from), ", and this machine's clock says ", TimeText(now),
                    ": set the clock");
    }
  }
  return StrCat("a certificate of its chain ", expired ? "has expired" : "is not valid yet",
                "; this machine's clock says ", TimeText(now));
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

std::string Printable(std::string_view text) {
  std::string printable(text.substr(0, kTextShownMax));
  for (char& c : printable) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (text.size() > kTextShownMax) printable += "...";
  return printable;
}

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

  // GnuTLS would multiply with any of them. The server's own counts too: it signs the handshake.
  for (const Certificate& certificate : chain) {
    unsigned bits = 0;
    if (certificate == nullptr || gnutls_x509_crt_get_pk_algorithm(certificate.get(), &bits) < 0) continue;
    if (bits > Limits::kTlsKeyBitsMax) {
      return StrCat("its chain has a key of ", bits, " bits; at most ", Limits::kTlsKeyBitsMax, " are looked at");
    }
  }

  std::string purpose = GNUTLS_KP_TLS_WWW_SERVER;
  gnutls_typed_vdata_st wanted{GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose.data()), 0};
  unsigned status = GNUTLS_CERT_INVALID;
  const int code = gnutls_certificate_verify_peers(session, &wanted, 1, &status);
  if (code < 0) return StrCat("it cannot be verified: ", gnutls_strerror(code));

  std::string faults;
  const SubjectNames names = ReadSubjectNames(chain.front().get());
  if (!NameMatches(chain.front().get(), names, auth_name)) AddFault(faults, WrongName(names, auth_name));
  if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0) AddFault(faults, UnknownCa(chain, credentials));
  if ((status & GNUTLS_CERT_EXPIRED) != 0) AddFault(faults, OutOfDate(chain, true));
  if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0) AddFault(faults, OutOfDate(chain, false));
  const unsigned explained =
      GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
  if (status != 0 && ((status & ~explained) != 0 || faults.empty())) AddFault(faults, OtherFault(status));
  if (faults.empty()) return std::nullopt;
  return StrCat(faults, " (presented: ", DistinguishedName(chain.front(), gnutls_x509_crt_get_dn3), ", issued by ",
                DistinguishedName(chain.front(), gnutls_x509_crt_get_issuer_dn3), ")");
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
