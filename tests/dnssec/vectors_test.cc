// The examples of the RFCs that define the algorithms, with keys and signatures that somebody else has made.

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "dnssec/name_tools.h"
#include "dnssec/rrset_verifier.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

Name N(std::string_view text) { return *Name::Parse(text); }

// The RDATA of a record in presentation form.
Rdata RdataOf(const std::string& record) {
  ldns_rr* read = nullptr;
  EXPECT_EQ(ldns_rr_new_frm_str(&read, record.c_str(), 3600, nullptr, nullptr), LDNS_STATUS_OK) << record;
  Rdata rdata{static_cast<uint16_t>(ldns_rr_get_type(read)), {}};
  for (size_t i = 0; i < ldns_rr_rd_count(read); ++i) {
    const ldns_rdf* field = ldns_rr_rdf(read, i);
    rdata.octets.insert(rdata.octets.end(), ldns_rdf_data(field), ldns_rdf_data(field) + ldns_rdf_size(field));
  }
  ldns_rr_free(read);
  return rdata;
}

struct Vector {
  std::string name;
  std::string zone;
  std::string key;  // flags, protocol, algorithm, public key
  std::string owner;
  std::string data;       // type and RDATA
  std::string signature;  // the RDATA of the RRSIG
  int64_t now = 0;
};

std::vector<Vector> Vectors() {
  constexpr int64_t k2010 = 1283000000;
  constexpr int64_t k2015 = 1439000000;
  return {
      {"Rfc5702RsaSha256", "example.net.",
       "256 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=",
       "www.example.net.", "A 192.0.2.91",
       "A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9Rnc"
       "riShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==",
       k2010},
      {"Rfc5702RsaSha512", "example.net.",
       "256 3 10 AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZ"
       "DtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL",
       "www.example.net.", "A 192.0.2.91",
       "A 10 3 3600 20300101000000 20000101000000 3740 example.net. tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe"
       "0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0"
       "fthPgxdDLw=",
       k2010},
      {"Rfc6605EcdsaP256", "example.net.",
       "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
       "www.example.net.", "A 192.0.2.1",
       "A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+"
       "3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
       k2010},
      {"Rfc6605EcdsaP384", "example.net.",
       "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp"
       "65F6Glur8I/mlVNgF6W/qTI37m40",
       "www.example.net.", "A 192.0.2.1",
       "A 14 3 3600 20100909102025 20100812102025 10771 example.net. /L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQo"
       "uuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm",
       k2010},
      // RFC 8080 §6 with the signatures of erratum 4935: those of the text do not verify.
      {"Rfc8080Ed25519", "example.com.", "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", "example.com.",
       "MX 10 mail.example.com.",
       "MX 15 2 3600 1440021600 1438207200 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3"
       "fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
       k2015},
      {"Rfc8080Ed25519Second", "example.com.", "257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=", "example.com.",
       "MX 10 mail.example.com.",
       "MX 15 2 3600 1440021600 1438207200 35217 example.com. zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSn"
       "zQoSm5poJ7gD7AQR0O7KuI5k2pcBg==",
       k2015},
      {"Rfc8080Ed448", "example.com.",
       "257 3 16 3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA", "example.com.",
       "MX 10 mail.example.com.",
       "MX 16 2 3600 1440021600 1438207200 9713 example.com. "
       "3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0am"
       "xWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQvE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA",
       k2015},
  };
}

class VectorTest : public ::testing::TestWithParam<Vector> {
 protected:
  Verdict Verify(const Rdata& data, int64_t now) {
    const Vector& vector = GetParam();
    MessageBuilder builder = MessageBuilder(1).Flags(header_flag::kQr).Question(vector.owner, data.type);
    builder.Answer(vector.owner, 3600, data);
    builder.Answer(vector.owner, 3600, RdataOf(StrCat(vector.owner, " IN RRSIG ", vector.signature)));
    builder.Answer(vector.zone, 3600, RdataOf(StrCat(vector.zone, " IN DNSKEY ", vector.key)));
    const Octets octets = builder.Build();
    const Message message = *ParseResponse(octets);
    const auto keys = FindRrset(message.scan(), Section::kAnswer, N(vector.zone), rr_type::kDnskey);
    const auto rrset = FindRrset(message.scan(), Section::kAnswer, N(vector.owner), data.type);
    WorkBudget budget;
    return VerifyRrset(message.scan(), *rrset, ZoneKeys::Read(message.scan(), *keys),
                       WallTime(std::chrono::seconds(now)), budget)
        .verdict;
  }
};

TEST_P(VectorTest, Verifies) {
  const Rdata data = RdataOf(StrCat(GetParam().owner, " IN ", GetParam().data));
  const Verdict verdict = Verify(data, GetParam().now);
  EXPECT_TRUE(verdict.secure()) << verdict.text;
  Rdata other = data;
  other.octets[1] ^= 1U;
  EXPECT_TRUE(Verify(other, GetParam().now).bogus());
  EXPECT_EQ(Verify(data, 1900000000).code, dnssec_error::kSignatureExpired);
  EXPECT_EQ(Verify(data, 900000000).code, dnssec_error::kSignatureNotYetValid);
}

INSTANTIATE_TEST_SUITE_P(OfRfcs, VectorTest, ::testing::ValuesIn(Vectors()),
                         [](const auto& instance) { return instance.param.name; });

TEST(VectorsTest, TheHashesOfRfc5155AreOurs) {
  // RFC 5155 appendix A: 12 iterations, salt aabbccdd.
  const Octets salt = Hex("aabbccdd");
  const auto hash = [&](std::string_view name) { return Nsec3HashOf(N(name), 12, salt); };
  EXPECT_EQ(hash("example."), "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
  EXPECT_EQ(hash("*.w.example."), "r53bq7cc2uvmubfu5ocmm6pers9tk9en");
  EXPECT_EQ(hash("x.y.w.example."), "2vptu5timamqttgl4luu9kg21e0aor3s");
}

}  // namespace
}  // namespace dotward
