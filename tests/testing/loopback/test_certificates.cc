#include "testing/loopback/test_certificates.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <type_traits>
#include <utility>

namespace dotward {
namespace {

using std::chrono::hours;

[[noreturn]] void Fail(const char* what, int code) {
  std::fprintf(stderr, "cannot make a test certificate: %s: %s\n", what, gnutls_strerror(code));
  std::abort();
}
void Check(const char* what, int code) {
  if (code < 0) Fail(what, code);
}

struct FreeCertificate {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
struct FreeKey {
  void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
};
using Certificate = std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, FreeCertificate>;
using Key = std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>, FreeKey>;

Key NewKey() {
  gnutls_x509_privkey_t raw = nullptr;
  Check("key", gnutls_x509_privkey_init(&raw));
  return Key(raw);
}

Key MakeKey(TestKeyKind kind = TestKeyKind::kEcdsa) {
  Key key = NewKey();
  const auto generate = [&](gnutls_pk_algorithm_t algorithm, unsigned bits) {
    Check("key", gnutls_x509_privkey_generate2(key.get(), algorithm, bits, 0, nullptr, 0));
  };
  switch (kind) {
    case TestKeyKind::kEcdsa:
      generate(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
      break;
    case TestKeyKind::kRsa:
      generate(GNUTLS_PK_RSA, 2048);
      break;
    case TestKeyKind::kEd25519:
      generate(GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519));
      break;
  }
  return key;
}

Key ReadKey(const std::string& pem) {
  Key key = NewKey();
  std::string text = pem;
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())};
  Check("key", gnutls_x509_privkey_import2(key.get(), &datum, GNUTLS_X509_FMT_PEM, nullptr, 0));
  return key;
}

SpkiPin PinOf(gnutls_x509_crt_t certificate) {
  gnutls_pubkey_t key = nullptr;
  Check("public key", gnutls_pubkey_init(&key));
  Check("public key", gnutls_pubkey_import_x509(key, certificate, 0));
  gnutls_datum_t der{};
  Check("public key", gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der));
  SpkiPin pin;
  Check("hash", gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, pin.data()));
  gnutls_free(der.data);
  gnutls_pubkey_deinit(key);
  return pin;
}

Certificate StartCertificate(const Key& key, const std::string& common_name, std::chrono::seconds from,
                             std::chrono::seconds until) {
  gnutls_x509_crt_t raw = nullptr;
  Check("certificate", gnutls_x509_crt_init(&raw));
  Certificate certificate(raw);
  std::array<unsigned char, 12> serial{};
  Check("serial", gnutls_rnd(GNUTLS_RND_NONCE, serial.data(), serial.size()));
  serial[0] = 1;
  const std::time_t now = std::time(nullptr);
  Check("version", gnutls_x509_crt_set_version(raw, 3));
  Check("serial", gnutls_x509_crt_set_serial(raw, serial.data(), serial.size()));
  Check("activation", gnutls_x509_crt_set_activation_time(raw, now + from.count()));
  Check("expiration", gnutls_x509_crt_set_expiration_time(raw, now + until.count()));
  Check("key", gnutls_x509_crt_set_key(raw, key.get()));
  Check("name", gnutls_x509_crt_set_dn_by_oid(raw, GNUTLS_OID_X520_COMMON_NAME, 0, common_name.data(),
                                              static_cast<unsigned>(common_name.size())));
  return certificate;
}

void AddNames(const Certificate& certificate, const CertificateSpec& spec) {
  for (const std::string& name : spec.dns_names) {
    Check("dNSName", gnutls_x509_crt_set_subject_alt_name(certificate.get(), GNUTLS_SAN_DNSNAME, name.data(),
                                                          static_cast<unsigned>(name.size()), GNUTLS_FSAN_APPEND));
  }
  for (const std::string& address : spec.addresses) {
    std::array<unsigned char, 16> octets{};
    unsigned size = 4;
    if (inet_pton(AF_INET, address.c_str(), octets.data()) != 1) {
      size = 16;
      if (inet_pton(AF_INET6, address.c_str(), octets.data()) != 1) Fail(address.c_str(), GNUTLS_E_INVALID_REQUEST);
    }
    Check("iPAddress", gnutls_x509_crt_set_subject_alt_name(certificate.get(), GNUTLS_SAN_IPADDRESS, octets.data(),
                                                            size, GNUTLS_FSAN_APPEND));
  }
}

std::string TakeText(gnutls_datum_t datum) {
  std::string text(reinterpret_cast<const char*>(datum.data), datum.size);
  gnutls_free(datum.data);
  return text;
}
std::string PemOf(const Certificate& certificate) {
  gnutls_datum_t pem{};
  Check("PEM", gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_PEM, &pem));
  return TakeText(pem);
}
std::string PemOf(const Key& key) {
  gnutls_datum_t pem{};
  Check("PEM", gnutls_x509_privkey_export2_pkcs8(key.get(), GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &pem));
  return TakeText(pem);
}

}  // namespace

TemporaryFile::TemporaryFile(std::string_view text) {
  const char* const folder = std::getenv("TMPDIR");
  path_ = std::string(folder == nullptr ? "/tmp" : folder) + "/dotward-test-XXXXXX";
  const int descriptor = mkstemp(path_.data());
  if (descriptor < 0 || write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    std::perror(path_.c_str());
    std::abort();
  }
  close(descriptor);
}
TemporaryFile::~TemporaryFile() { unlink(path_.c_str()); }

TestKey MakeTestKey(TestKeyKind kind) {
  const Key key = MakeKey(kind);
  return {PemOf(key), PinOf(StartCertificate(key, "a key", hours(-1), hours(1)).get())};
}

std::vector<SpkiPin> PinsOf(const std::string& pem) {
  std::string text = pem;
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())};
  gnutls_x509_crt_t* list = nullptr;
  unsigned count = 0;
  Check("chain", gnutls_x509_crt_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM, 0));
  std::vector<SpkiPin> pins;
  for (unsigned i = 0; i < count; ++i) {
    pins.push_back(PinOf(list[i]));
    gnutls_x509_crt_deinit(list[i]);
  }
  gnutls_free(list);
  return pins;
}

CertificateSpec ExpiredCertificate() {
  CertificateSpec spec;
  spec.valid_from = -hours(48);
  spec.valid_until = -hours(24);
  return spec;
}
CertificateSpec NotYetValidCertificate() {
  CertificateSpec spec;
  spec.valid_from = hours(24);
  spec.valid_until = hours(48);
  return spec;
}

namespace {

struct Issuer {
  Key key;
  Certificate certificate;
};

// Every CA has a name of its own: two of one name would be taken for one whose key has changed.
Issuer MakeCa(const Issuer* issuer) {
  std::array<unsigned char, 8> random{};
  Check("name", gnutls_rnd(GNUTLS_RND_NONCE, random.data(), random.size()));
  std::string name = "a test authority ";
  for (const unsigned char octet : random) name += static_cast<char>('a' + octet % 26);
  Issuer made{MakeKey(), nullptr};
  made.certificate = StartCertificate(made.key, name, -hours(24 * 365), hours(24 * 365));
  const gnutls_x509_crt_t raw = made.certificate.get();
  Check("CA", gnutls_x509_crt_set_ca_status(raw, 1));
  Check("usage", gnutls_x509_crt_set_key_usage(raw, GNUTLS_KEY_KEY_CERT_SIGN));
  const Issuer& signer = issuer == nullptr ? made : *issuer;
  Check("sign", gnutls_x509_crt_sign2(raw, signer.certificate.get(), signer.key.get(), GNUTLS_DIG_SHA256, 0));
  return made;
}

// A CA whose certificate, put in front of `chain`, has a random number as its key: making a real key of this size would
// take minutes.
Issuer MakeLargeKeyCa(const Issuer& issuer, size_t bits, std::string* chain) {
  std::vector<unsigned char> modulus(bits / 8);
  Check("modulus", gnutls_rnd(GNUTLS_RND_NONCE, modulus.data(), modulus.size()));
  modulus.front() |= 0x80;
  modulus.back() |= 1;
  std::array<unsigned char, 3> exponent = {1, 0, 1};
  const gnutls_datum_t modulus_datum{modulus.data(), static_cast<unsigned>(modulus.size())};
  const gnutls_datum_t exponent_datum{exponent.data(), static_cast<unsigned>(exponent.size())};
  gnutls_pubkey_t large = nullptr;
  Check("large key", gnutls_pubkey_init(&large));
  Check("large key", gnutls_pubkey_import_rsa_raw(large, &modulus_datum, &exponent_datum));
  const std::string name = "a test authority with a large key";
  const Certificate shown = StartCertificate(issuer.key, name, -hours(24 * 365), hours(24 * 365));
  Check("large key", gnutls_x509_crt_set_pubkey(shown.get(), large));
  gnutls_pubkey_deinit(large);
  Check("CA", gnutls_x509_crt_set_ca_status(shown.get(), 1));
  Check("sign large",
        gnutls_x509_crt_sign2(shown.get(), issuer.certificate.get(), issuer.key.get(), GNUTLS_DIG_SHA256, 0));
  *chain = PemOf(shown) + *chain;
  Issuer signer{MakeKey(), nullptr};
  signer.certificate = StartCertificate(signer.key, name, -hours(24 * 365), hours(24 * 365));
  return signer;
}

}  // namespace

struct TestAuthority::Keys {
  Issuer root;
  std::string pem;
  std::unique_ptr<TemporaryFile> file;
};

TestAuthority::TestAuthority() : keys_(std::make_unique<Keys>()) {
  keys_->root = MakeCa(nullptr);
  keys_->pem = PemOf(keys_->root.certificate);
  keys_->file = std::make_unique<TemporaryFile>(keys_->pem);
}
TestAuthority::~TestAuthority() = default;

TestCertificate TestAuthority::Issue(const CertificateSpec& spec) const {
  std::string intermediates;
  Issuer last;
  const Issuer* issuer = &keys_->root;
  for (size_t i = 0; i < spec.intermediates; ++i) {
    last = MakeCa(issuer);
    issuer = &last;
    intermediates = PemOf(last.certificate) + intermediates;
  }
  const Key key = spec.key.empty() ? MakeKey() : ReadKey(spec.key);
  const Certificate certificate = StartCertificate(key, spec.common_name, spec.valid_from, spec.valid_until);
  const gnutls_x509_crt_t raw = certificate.get();
  AddNames(certificate, spec);
  Check("usage", gnutls_x509_crt_set_key_usage(raw, GNUTLS_KEY_DIGITAL_SIGNATURE));
  Check("purpose", gnutls_x509_crt_set_key_purpose_oid(raw, spec.purpose.c_str(), 0));
  if (spec.padding_octets != 0) {
    const std::string padding(spec.padding_octets, 'x');
    Check("padding",
          gnutls_x509_crt_set_extension_by_oid(raw, "1.3.6.1.4.1.32473.1", padding.data(), padding.size(), 0));
  }
  if (spec.issuer_key_bits == 0) {
    Check("sign", gnutls_x509_crt_sign2(raw, issuer->certificate.get(), issuer->key.get(), GNUTLS_DIG_SHA256, 0));
  } else {
    // Presented is another CA of the same name as the one that signs.
    const Issuer signer = MakeLargeKeyCa(*issuer, spec.issuer_key_bits, &intermediates);
    Check("sign", gnutls_x509_crt_sign2(raw, signer.certificate.get(), signer.key.get(), GNUTLS_DIG_SHA256, 0));
  }
  return {PemOf(certificate) + intermediates, PemOf(key)};
}

const std::string& TestAuthority::certificate() const { return keys_->pem; }
const std::string& TestAuthority::ca_file() const { return keys_->file->path(); }

}  // namespace dotward
