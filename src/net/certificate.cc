#include "net/certificate.h"

#include <algorithm>
#include <array>

#include "base/ip_address.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr size_t kNamesShownMax = 6;
constexpr unsigned kNamesReadMax = 1000;
constexpr size_t kTextShownMax = 80;

std::string TimeText(std::time_t time) {
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return "an unreadable time";
  char text[40];
  const size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text, length};
}

std::string DayText(std::time_t time) { return TimeText(time).substr(0, 10); }

std::string DistinguishedName(const Certificate& certificate,
                              int (*get)(gnutls_x509_crt_t, gnutls_datum_t*, unsigned)) {
  gnutls_datum_t name{};
  if (certificate == nullptr || get(certificate.get(), &name, 0) < 0) return "(no name)";
  std::string text = Printable({reinterpret_cast<const char*>(name.data), name.size});
  gnutls_free(name.data);
  return text;
}

}  // namespace

Certificate ImportCertificate(const gnutls_datum_t& der) {
  gnutls_x509_crt_t raw = nullptr;
  if (gnutls_x509_crt_init(&raw) < 0) return nullptr;
  Certificate certificate(raw);
  if (gnutls_x509_crt_import(raw, &der, GNUTLS_X509_FMT_DER) < 0) return nullptr;
  return certificate;
}

std::optional<SpkiPin> PinOf(const Certificate& certificate) {
  SpkiPin pin;
  size_t size = pin.size();
  // The key as GnuTLS has read it, encoded anew: the hash is of the key that the handshake proves, and of nothing else.
  const int code = gnutls_x509_crt_get_key_id(certificate.get(), GNUTLS_KEYID_USE_SHA256, pin.data(), &size);
  if (code < 0 || size != pin.size()) return std::nullopt;
  return pin;
}

SubjectNames ReadSubjectNames(const Certificate& certificate) {
  SubjectNames names;
  std::vector<char> value(512);
  for (unsigned index = 0; index < kNamesReadMax; ++index) {
    size_t size = value.size();
    const int type = gnutls_x509_crt_get_subject_alt_name(certificate.get(), index, value.data(), &size, nullptr);
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

std::string SubjectOf(const Certificate& certificate) {
  return DistinguishedName(certificate, gnutls_x509_crt_get_dn3);
}
std::string IssuerOf(const Certificate& certificate) {
  return DistinguishedName(certificate, gnutls_x509_crt_get_issuer_dn3);
}

std::string DescribeCertificate(const Certificate& certificate) {
  const std::optional<SpkiPin> pin = PinOf(certificate);
  return StrCat(SubjectOf(certificate), ", issued by ", IssuerOf(certificate), ", valid ",
                DayText(gnutls_x509_crt_get_activation_time(certificate.get())), " to ",
                DayText(gnutls_x509_crt_get_expiration_time(certificate.get())), ", key ",
                pin ? FormatSpkiPin(*pin) : "unreadable");
}

std::string NotYetValidText(std::string_view whose, std::time_t from, std::time_t now, std::time_t built) {
  if (now < built) {
    return StrCat(whose, " is not valid before ", TimeText(from), ": this machine's clock says ", TimeText(now),
                  ", which is before this program was built (", DayText(built), "): set the clock");
  }
  return StrCat(whose, " is not valid before ", TimeText(from), ", and this machine's clock says ", TimeText(now),
                ": set the clock");
}

std::string ExpiredText(std::string_view whose, std::time_t until, std::time_t now) {
  return StrCat(whose, " expired at ", TimeText(until), ", and this machine's clock says ", TimeText(now),
                ": the server's operator must renew it, unless the clock is wrong");
}

std::string Printable(std::string_view text) {
  std::string printable(text.substr(0, kTextShownMax));
  for (char& c : printable) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (text.size() > kTextShownMax) printable += "...";
  return printable;
}

}  // namespace dotward
