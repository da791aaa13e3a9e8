#include "net/tls_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "base/strings.h"
#include "testing/loopback/test_certificates.h"

namespace dotward {
namespace {

using ::testing::HasSubstr;

TEST(TlsClientCredentialsTest, ReadsACaFile) {
  const TestAuthority authority;
  const auto credentials = TlsClientCredentials::Create(authority.ca_file());
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ((*credentials)->source(), authority.ca_file());
}

TEST(TlsClientCredentialsTest, U2_TheSameChecksAreTheSameAuthoritiesAndPinsWhateverTheFileIsCalled) {
  const TestAuthority one, other;
  const auto create = [](TlsClientCredentials::Options options) {
    return TlsClientCredentials::Create(std::move(options)).value();
  };
  const auto original = create({.ca_file = one.ca_file()});
  std::ostringstream text;
  text << std::ifstream(one.ca_file()).rdbuf();
  const TemporaryFile copy(text.str());
  EXPECT_TRUE(original->ChecksTheSameAs(*create({.ca_file = copy.path()})));
  EXPECT_FALSE(original->ChecksTheSameAs(*create({.ca_file = other.ca_file()})));
  EXPECT_FALSE(original->ChecksTheSameAs(*create({.ca_file = one.ca_file(), .pins = {SpkiPin{}}})));
  EXPECT_FALSE(original->ChecksTheSameAs(*create({.ca_file = one.ca_file(), .versions = TlsVersions::kTls12Only})));
  const auto pinned = create({.pins = {SpkiPin{}}, .pin_only = true});
  EXPECT_FALSE(pinned->ChecksTheSameAs(*create({.ca_file = one.ca_file(), .pins = {SpkiPin{}}})));
  EXPECT_TRUE(pinned->ChecksTheSameAs(*create({.pins = {SpkiPin{}}, .pin_only = true})));
  // The order in a file means nothing.
  std::ostringstream second;
  second << std::ifstream(other.ca_file()).rdbuf();
  const TemporaryFile both(text.str() + second.str()), swapped(second.str() + text.str());
  EXPECT_TRUE(create({.ca_file = both.path()})->ChecksTheSameAs(*create({.ca_file = swapped.path()})));
  EXPECT_FALSE(original->ChecksTheSameAs(*create({.ca_file = both.path()})));
}

TEST(TlsClientCredentialsTest, U1_MissingCaFileIsNamed) {
  const auto credentials = TlsClientCredentials::Create("/nonexistent/ca.pem");
  ASSERT_EQ(credentials.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(MessageOf(credentials.status())),
              ::testing::AllOf(HasSubstr("/nonexistent/ca.pem"), HasSubstr("No such file")));
}

TEST(TlsClientCredentialsTest, U1_CaFileWithoutCertificatesIsRefused) {
  for (const char* const text : {"", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    const TemporaryFile file(text);
    const auto credentials = TlsClientCredentials::Create(file.path());
    ASSERT_EQ(credentials.status().code(), absl::StatusCode::kFailedPrecondition) << '"' << text << '"';
    EXPECT_THAT(std::string(MessageOf(credentials.status())), HasSubstr("no usable certificate"));
  }
}

// Hides the system's store from this process. The path is the one that Debian's GnuTLS has built in.
bool HideSystemStore() {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("tmpfs", "/etc/ssl/certs", "tmpfs", 0, nullptr) == 0;
}

enum ChildResult { kAsPromised, kNotAllowedHere, kWrongCode, kWrongText };

int CreateWithoutStore() {
  if (!HideSystemStore()) return kNotAllowedHere;
  const auto credentials = TlsClientCredentials::Create("");
  if (credentials.status().code() != absl::StatusCode::kFailedPrecondition) return kWrongCode;
  const std::string_view text = MessageOf(credentials.status());
  return text.find("install the package ca-certificates") != std::string_view::npos ? kAsPromised : kWrongText;
}

TEST(TlsClientCredentialsTest, U1_SystemWithoutCaStoreSaysWhatToInstall) {
  // Namespaces are for single-threaded processes, and must not stay with the other tests.
  const pid_t child = fork();
  if (child == 0) _exit(CreateWithoutStore());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotAllowedHere) GTEST_SKIP() << "this system allows no user namespaces";
  EXPECT_EQ(WEXITSTATUS(status), kAsPromised);
}

TEST(TlsServerCredentialsTest, TakesAChainAndItsKey) {
  const TestCertificate certificate = TestAuthority().Issue();
  EXPECT_TRUE(TlsServerCredentials::Create(certificate.chain, certificate.key).ok());
}

TEST(TlsServerCredentialsTest, RefusesAKeyThatDoesNotBelong) {
  const TestAuthority authority;
  const auto credentials = TlsServerCredentials::Create(authority.Issue().chain, authority.Issue().key);
  ASSERT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(MessageOf(credentials.status())), HasSubstr("does not belong"));
}

TEST(TlsServerCredentialsTest, RefusesWhatIsNotPem) {
  EXPECT_EQ(TlsServerCredentials::Create("", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(TlsServerCredentials::Create("x", "y").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace dotward
