#ifndef DOTWARD_TESTING_LOOPBACK_TEST_CERTIFICATES_H_
#define DOTWARD_TESTING_LOOPBACK_TEST_CERTIFICATES_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/spki_pin.h"

namespace dotward {

// A file that exists as long as the object, with the text it was made from.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

enum class TestKeyKind : uint8_t { kEcdsa, kRsa, kEd25519 };

// A key that is known before there is a certificate for it.
struct TestKey {
  std::string pem;
  SpkiPin pin;
};
TestKey MakeTestKey(TestKeyKind kind = TestKeyKind::kEcdsa);

// The pins of the certificates in `pem`, in their order; not made by the code under test.
std::vector<SpkiPin> PinsOf(const std::string& pem);

// What a server's certificate says.
struct CertificateSpec {
  std::vector<std::string> dns_names = {"dns.test"};
  std::vector<std::string> addresses;                        // IPv4 or IPv6, as iPAddress names
  std::string common_name = "a test server";                 // never what a client looks for
  std::chrono::seconds valid_from = -std::chrono::hours(1);  // both counted from now
  std::chrono::seconds valid_until = std::chrono::hours(24);
  std::string purpose = "1.3.6.1.5.5.7.3.1";  // id-kp-serverAuth
  std::string key;                            // PEM, of a TestKey; empty: a new one
  size_t intermediates = 0;                   // CAs between the authority and the server, all of them presented
  size_t padding_octets = 0;                  // an extension of this size, to make the certificate large
  size_t issuer_key_bits = 0;                 // not 0: a CA with an RSA key of this size is presented as the issuer
};
// Certificates with one thing wrong.
CertificateSpec ExpiredCertificate();
CertificateSpec NotYetValidCertificate();

// PEM text, as TlsServerCredentials::Create takes it.
struct TestCertificate {
  std::string chain;
  std::string key;
};

// A certificate authority that lives in this process only. Each object is another one, so a certificate of one is from
// an unknown CA for clients of another. Thread-safe once it is made.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  TestCertificate Issue(const CertificateSpec& spec = {}) const;
  const std::string& certificate() const;  // PEM
  const std::string& ca_file() const;      // a file with the same, for a client's ca_file

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_LOOPBACK_TEST_CERTIFICATES_H_
