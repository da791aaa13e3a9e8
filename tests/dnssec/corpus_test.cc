// The corpus of fuzz/dnssec_fuzz.cc, which is signed with the keys of RFC 8080 §6.1 and so the same each time:
//   DOTWARD_UPDATE_CORPUS=1 dnssec_tests --gtest_filter='DnssecCorpusTest.*'    writes it anew

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/strings.h"
#include "dnssec/test_world.h"

namespace dotward {
namespace {

constexpr Section kAnswer = Section::kAnswer;
constexpr Section kAuthority = Section::kAuthority;

TestSigner KeyOf(const std::string& zone, const std::string& private_key) {
  return TestSigner::FromPrivateKey(
      zone, StrCat("Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: ", private_key, "\n"));
}

void Append(Octets& octets, const Octets& message) {
  octets.push_back(static_cast<uint8_t>(message.size() >> 8U));
  octets.push_back(static_cast<uint8_t>(message.size()));
  octets.insert(octets.end(), message.begin(), message.end());
}

std::map<std::string, Octets> Corpus() {
  const TestSigner root = KeyOf(".", "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=");
  const TestSigner zone = KeyOf("example.", "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=");
  std::map<std::string, Octets> corpus;
  const auto add = [&](const std::string& name, std::string_view question, uint16_t type, const WorldAnswer& answer) {
    Octets& octets = corpus[name];
    const auto query = [](std::string_view about, uint16_t qtype) {
      return MessageBuilder::Query(1, about, qtype).WithEdns({.dnssec_ok = true}).Build();
    };
    Append(octets, WorldAnswer().Signed(root, kAnswer, "example.", {zone.Ds()}).To(query("example.", rr_type::kDs)));
    Append(octets,
           WorldAnswer().Signed(zone, kAnswer, "example.", {zone.Dnskey()}).To(query("example.", rr_type::kDnskey)));
    const Octets message = answer.To(query(question, type));
    octets.insert(octets.end(), message.begin(), message.end());
  };
  const std::string apex = "example.";
  const std::string www = "www.example.";
  add("positive", www, rr_type::kA, WorldAnswer().Signed(zone, kAnswer, www, {A("192.0.2.1"), A("192.0.2.2")}));
  add("mx", www, rr_type::kMx, WorldAnswer().Signed(zone, kAnswer, www, {Mx(1, "Mail.example.")}));
  add("bad-signature", www, rr_type::kA,
      WorldAnswer().Plain(kAnswer, www, {A("192.0.2.9"), zone.Sign(www, 300, {A("192.0.2.1")})}));
  add("expired", www, rr_type::kA,
      WorldAnswer().Signed(zone, kAnswer, www, {A("192.0.2.1")}, {.expiration = At(std::chrono::seconds(-1))}));
  add("alias", "a.example.", rr_type::kA,
      WorldAnswer().Signed(zone, kAnswer, "a.example.", {Cname(www)}).Signed(zone, kAnswer, www, {A("192.0.2.1")}));
  add("dname", "x.d.example.", rr_type::kA,
      WorldAnswer()
          .Signed(zone, kAnswer, "d.example.", {Dname(apex)})
          .Plain(kAnswer, "x.d.example.", {Cname("x.example.")})
          .Signed(zone, kAnswer, "x.example.", {A("192.0.2.1")}));
  add("wildcard", "a.example.", rr_type::kA,
      WorldAnswer()
          .Expanded(zone, "*.example.", "a.example.", {A("192.0.2.1")})
          .SignedNsec(zone, "*.example.", www, {rr_type::kA}));
  add("nxdomain-nsec", "no.example.", rr_type::kA,
      WorldAnswer().Rcode(Rcode::kNxDomain).SignedSoa(zone).SignedNsec(zone, apex, www, {rr_type::kNs, rr_type::kSoa}));
  add("nodata-nsec", www, rr_type::kMx,
      WorldAnswer().SignedSoa(zone).SignedNsec(zone, www, apex, {rr_type::kA, rr_type::kRrsig}));
  add("compact-denial", "no.example.", rr_type::kA,
      WorldAnswer().SignedSoa(zone).SignedNsec(zone, "no.example.", "\\000.no.example.", {rr_type::kNsec, 128}));
  const std::string low(32, '0');
  const std::string high(32, 'v');
  const auto nsec3 = [&](uint8_t flags, uint16_t iterations, std::string_view match) {
    return WorldAnswer()
        .Rcode(Rcode::kNxDomain)
        .SignedSoa(zone)
        .Signed(zone, kAuthority, StrCat(Nsec3Hash(match, iterations), ".example."),
                {Nsec3(high, {rr_type::kNs, rr_type::kSoa}, flags, iterations)})
        .Signed(zone, kAuthority, StrCat(low, ".example."), {Nsec3(high, {rr_type::kA}, flags, iterations)});
  };
  add("nxdomain-nsec3", "no.example.", rr_type::kA, nsec3(0, 0, apex));
  add("nxdomain-nsec3-opt-out", "no.example.", rr_type::kA, nsec3(1, 1, apex));
  add("nsec3-iterations", "no.example.", rr_type::kA, nsec3(0, 51, apex));
  add("nsec3-unknown-hash", "no.example.", rr_type::kA,
      WorldAnswer().SignedSoa(zone).Signed(zone, kAuthority, StrCat(low, ".example."),
                                           {Nsec3(high, {rr_type::kA}, 0, 0, 2)}));
  add("nodata-nsec3", apex, rr_type::kA, nsec3(0, 0, apex).Rcode(Rcode::kNoError));
  add("ds-of-child", "sub.example.", rr_type::kDs,
      WorldAnswer().SignedSoa(zone).SignedNsec(zone, "sub.example.", www, {rr_type::kNs}));
  add("unsigned", www, rr_type::kA, WorldAnswer().Plain(kAnswer, www, {A("192.0.2.1")}));
  return corpus;
}

TEST(DnssecCorpusTest, TheCorpusIsWhatTheKeysSign) {
  const std::filesystem::path folder = std::filesystem::path(DOTWARD_SOURCE_DIR) / "fuzz/corpus/dnssec";
  const bool update = std::getenv("DOTWARD_UPDATE_CORPUS") != nullptr;
  if (update) std::filesystem::create_directories(folder);
  for (const auto& [name, octets] : Corpus()) {
    if (update) {
      std::ofstream(folder / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
    }
    std::ifstream file(folder / name, std::ios::binary);
    const std::vector<char> stored{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_TRUE(std::equal(stored.begin(), stored.end(), octets.begin(), octets.end(), [](char a, uint8_t b) {
      return static_cast<uint8_t>(a) == b;
    })) << name;
  }
}

}  // namespace
}  // namespace dotward
