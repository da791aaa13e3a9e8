#include "net/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/loopback/test_certificates.h"

namespace dotward {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Certificate Import(std::string pem) {
  gnutls_x509_crt_t raw = nullptr;
  EXPECT_EQ(gnutls_x509_crt_init(&raw), 0);
  Certificate certificate(raw);
  const gnutls_datum_t datum{reinterpret_cast<unsigned char*>(pem.data()), static_cast<unsigned>(pem.size())};
  EXPECT_EQ(gnutls_x509_crt_import(raw, &datum, GNUTLS_X509_FMT_PEM), 0);
  return certificate;
}

// Made by OpenSSL, and their pins by the command that the documentation names.
constexpr char kRsa[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDCzCCAfOgAwIBAgIUHymaMedizmbwkCCcJ8Xo3LGNYNcwDQYJKoZIhvcNAQEL\n"
    "BQAwFDESMBAGA1UEAwwJa25vd24gcnNhMCAXDTI2MTEyMTEzNTAyMFoYDzIxMjYx\n"
    "MDI4MTM1MDIwWjAUMRIwEAYDVQQDDAlrbm93biByc2EwggEiMA0GCSqGSIb3DQEB\n"
    "AQUAA4IBDwAwggEKAoIBAQDjqVYirRuqSvE63A1tJLewEQc74Zdk0/dfnKsaz0xx\n"
    "LL8Qv0FaI9fd750N+3evKR3UZoafrDY7MI8ogR1ZqipojDYORfh7zcf1taLsjor+\n"
    "U8YfpmyzSXW7oxrMDysXO+NjjV1E2ypYkxOUZ8syADi/br7FzoWcs8Ty+IJdQSWp\n"
    "YBgBDbJD9WaNVOE7/+ymlicL0+TpVPPv+KsO7YCEzO6ZMnLCwWzKEvMrKKA569EJ\n"
    "dXEkYn9suOtBsCl5sCWOc3JmhIphLLenzUhUiN0N7VN908Vv3cF/baIJo5Mkvv5c\n"
    "W3+hFE1aTxJcIkj8mh6chhotoEM4qFHeSeB8MXXBqnMVAgMBAAGjUzBRMB0GA1Ud\n"
    "DgQWBBRnfbqNrxKxD7cL1AnVxquTpgzDSzAfBgNVHSMEGDAWgBRnfbqNrxKxD7cL\n"
    "1AnVxquTpgzDSzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQCd\n"
    "jzen9xfjTY9iV8+g4AAiJM9UsyWb6rbjern6rocUzn3FpWG+a2OlpWAURLhEbV/j\n"
    "dwutGT2XUgbx6BhcH2jO5v2w/YU8DnG4WGJKrWcbhasNXUE+cyei6mXU+k1aOujg\n"
    "sdTrSMeYvuCHSj3r8Ktk9IqO1s8g6FFB1E8LczUcAhrMfOZ9RMFymdR9TH1AP6v0\n"
    "YTGxEDCCKlBIcFCwhdyIeyked8RX5ibdEp3hZcbGULIFl3cPg2eGlnXax7+V5iCn\n"
    "p3HlaVbLDXdQOHSV+pW9128c40oEJz1rdGouUHNxp3YzkaiSUHavUiYT8m5jREKE\n"
    "GZaqus+z06lPEwSCZxhd\n"
    "-----END CERTIFICATE-----\n";
constexpr char kEcdsa[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfjCCASOgAwIBAgIUTB23VeoalCoLt5IjELDNUnFMCSIwCgYIKoZIzj0EAwIw\n"
    "EzERMA8GA1UEAwwIa25vd24gZWMwIBcNMjYxMTIxMTM1MDIwWhgPMjEyNjEwMjgx\n"
    "MzUwMjBaMBMxETAPBgNVBAMMCGtub3duIGVjMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
    "AQcDQgAE2FWJrmBjKYQPM14fiXVg0pW97DPmtRMWk5dkv9LWk5+hc6cSepTrGVZk\n"
    "/TaasJtKwUP+P5bd4lRy2rwcMDVpKaNTMFEwHQYDVR0OBBYEFMS5Oxg+DaUjStLO\n"
    "bPscI2K5omMoMB8GA1UdIwQYMBaAFMS5Oxg+DaUjStLObPscI2K5omMoMA8GA1Ud\n"
    "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAMnQPUZzKaMx4rbRddv/Iz5O\n"
    "H2W338NXPEHLYOpX7/0KAiEAnL8kA2gSXtJa8EKkm0XvrNTWU1+qaT5GFC447aZv\n"
    "pPk=\n"
    "-----END CERTIFICATE-----\n";
constexpr char kEd25519[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBPDCB76ADAgECAhQVU3DToEhSt54UCelNwslFk0utJzAFBgMrZXAwEzERMA8G\n"
    "A1UEAwwIa25vd24gZWQwIBcNMjYxMTIxMTM1MDIwWhgPMjEyNjEwMjgxMzUwMjBa\n"
    "MBMxETAPBgNVBAMMCGtub3duIGVkMCowBQYDK2VwAyEApMG9bl5m14qS5Jl0P4iS\n"
    "5gNz27pX7jbu4V0bgZCoRQWjUzBRMB0GA1UdDgQWBBRMG9LWQto/TXYy93s/JwHY\n"
    "GIQIjzAfBgNVHSMEGDAWgBRMG9LWQto/TXYy93s/JwHYGIQIjzAPBgNVHRMBAf8E\n"
    "BTADAQH/MAUGAytlcANBAOtuZbcR8sNzyZ2z97/e41B9nySOaB2piDlq6kPMn/4K\n"
    "eVS8QVCWdpv9UkAJADvacxG2a/ouuN+eaHfKTSjX4wU=\n"
    "-----END CERTIFICATE-----\n";

TEST(PinOfTest, IsWhatOpensslSays) {
  const auto pin = [](const char* pem) { return FormatSpkiPin(PinOf(Import(pem)).value()); };
  EXPECT_EQ(pin(kRsa), "sha256/BY96VS1Bpy0eWV/3IR2syT68OdlKk2bIm23LUMQXBk0=");
  EXPECT_EQ(pin(kEcdsa), "sha256/N58BM5vglCSjm7uW/vTKCXjTe/jZUzGH0TfLPIpmMW8=");
  EXPECT_EQ(pin(kEd25519), "sha256/c5GIAxtwFoxtLWdE/AC5s1vAOZsLvCWnoiBuRUAAbB0=");
}

TEST(DescribeCertificateTest, SaysAllThatTellsItFromOthers) {
  EXPECT_EQ(DescribeCertificate(Import(kEcdsa)),
            "CN=known ec, issued by CN=known ec, valid 2026-11-21 to 2126-10-28, "
            "key sha256/N58BM5vglCSjm7uW/vTKCXjTe/jZUzGH0TfLPIpmMW8=");
}

TEST(ImportCertificateTest, WhatIsNoCertificateIsNull) {
  std::string text = "nothing of the kind";
  EXPECT_EQ(ImportCertificate({reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())}),
            nullptr);
  EXPECT_EQ(SubjectOf(nullptr), "(no name)");
}

constexpr std::time_t kBuilt = 1'790'000'000;   // 2026-09-21
constexpr std::time_t kIssued = 1'791'000'000;  // 2026-10-03

TEST(NotYetValidTextTest, PromiseU1_ClockBeforeTheBuildDateIsTheCause) {
  EXPECT_EQ(NotYetValidText("it", kIssued, 5, kBuilt),
            "it is not valid before 2026-10-03 04:00:00 UTC: this machine's clock says 1970-01-01 00:00:05 UTC, which "
            "is before this program was built (2026-09-21): set the clock");
  EXPECT_THAT(NotYetValidText("it", kIssued, kBuilt - 1, kBuilt), HasSubstr("before this program was built"));
}

TEST(NotYetValidTextTest, ClockThatMayBeRightIsNotAccused) {
  EXPECT_THAT(NotYetValidText("it", kIssued, kBuilt, kBuilt),
              AllOf(HasSubstr("and this machine's clock says 2026-09-21"), HasSubstr("set the clock"),
                    Not(HasSubstr("built"))));
}

TEST(ExpiredTextTest, NamesBothTimes) {
  EXPECT_EQ(ExpiredText("it", kBuilt, kIssued),
            "it expired at 2026-09-21 14:13:20 UTC, and this machine's clock says 2026-10-03 04:00:00 UTC: the "
            "server's operator must renew it, unless the clock is wrong");
}

}  // namespace
}  // namespace dotward
