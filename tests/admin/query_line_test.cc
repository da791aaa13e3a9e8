#include "admin/query_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "dns/name.h"

namespace dotward {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr WallTime kWhen = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(16) +
                           std::chrono::minutes(5) + milliseconds(7'040);

QueryRecord RecordOf(OctetView qname) {
  QueryRecord record;
  record.duration = microseconds(1234);
  record.client = IpAddress::V4({192, 0, 2, 70});
  record.reply_octets = 86;
  record.qtype = rr_type::kA;
  record.qclass = rr_class::kIn;
  record.qname_octets = static_cast<uint8_t>(qname.size());
  std::copy(qname.begin(), qname.end(), record.qname.begin());
  return record;
}

QueryRecord RecordOf(std::string_view name) { return RecordOf(Name::Parse(name)->wire()); }

std::string LineOf(const QueryRecord& record, const ClientPrivacy& privacy = {}) {
  std::string line;
  QueryLineWriter(privacy).Append(record, kWhen, line);
  return line;
}

TEST(QueryLineTest, HasEveryFieldOfTheReference) {
  QueryRecord record = RecordOf("www.example.");
  record.transport = Transport::kTls;
  record.source = AnswerSource::kUpstream;
  record.rcode = Rcode::kServFail;
  record.extended_error = 22;
  EXPECT_EQ(LineOf(record),
            R"({"time":"2026-11-21T16:05:07.040Z","event":"query","client":"192.0.2.70","transport":"tls",)"
            R"("name":"www.example.","type":"A","rcode":"SERVFAIL","source":"upstream","octets":86,)"
            R"("duration_us":1234,"ede":22})"
            "\n");
}

TEST(QueryLineTest, ClientIsShownAsFarAsWasAskedFor) {
  const QueryRecord record = RecordOf("example.");
  const auto client = [&](const ClientPrivacy& privacy) {
    const nlohmann::json line = nlohmann::json::parse(LineOf(record, privacy));
    return line.contains("client") ? line["client"].get<std::string>() : "-";
  };
  EXPECT_EQ(client({}), "192.0.2.70");
  EXPECT_EQ(client({ClientAddressLogging::kPrefix, 24, 56}), "192.0.2.0/24");
  EXPECT_EQ(client({ClientAddressLogging::kNone}), "-");
  QueryRecord v6 = record;
  v6.client = *IpAddress::Parse("2001:db8:0:1ff::7");
  EXPECT_EQ(nlohmann::json::parse(LineOf(v6, {ClientAddressLogging::kPrefix, 24, 56}))["client"],
            "2001:db8:0:100::/56");
}

TEST(QueryLineTest, NamesAreSpelledAsEverywhereAndStayJson) {
  for (const std::string_view name : {".", "a.", "_dns.resolver.arpa.", "With-Case.Example.", R"(quo\"te.example.)",
                                      R"(back\\slash.example.)", R"(dot\.ted.example.)", R"(\000\010\255.example.)"}) {
    const QueryRecord record = RecordOf(name);
    const nlohmann::json line = nlohmann::json::parse(LineOf(record));
    EXPECT_EQ(line["name"], NameToString(OctetView(record.qname).first(record.qname_octets)));
  }
}

TEST(QueryLineTest, LongestNameAndEveryOctetAreOneLine) {
  Octets wire;
  for (int label = 0; label < 3; ++label) {
    wire.push_back(63);
    for (int i = 0; i < 63; ++i) wire.push_back(static_cast<uint8_t>(label * 85 + i));
  }
  wire.push_back(61);
  for (int i = 0; i < 61; ++i) wire.push_back(static_cast<uint8_t>(195 + i));
  wire.push_back(0);
  ASSERT_EQ(wire.size(), kNameOctetsMax);
  const std::string line = LineOf(RecordOf(wire));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

TEST(QueryLineTest, UnknownTypesClassesAndCodesHaveNumbers) {
  QueryRecord record = RecordOf("example.");
  record.qtype = 65280;
  record.qclass = 3;
  record.rcode = static_cast<Rcode>(23);
  const nlohmann::json line = nlohmann::json::parse(LineOf(record));
  EXPECT_EQ(line["type"], "TYPE65280");
  EXPECT_EQ(line["class"], "CLASS3");
  EXPECT_EQ(line["rcode"], "RCODE23");
}

TEST(QueryLineTest, QuestionThatCouldNotBeReadIsLeftOut) {
  QueryRecord record = RecordOf("example.");
  record.qname_octets = 0;
  record.source = AnswerSource::kMalformed;
  record.rcode = Rcode::kFormErr;
  const nlohmann::json line = nlohmann::json::parse(LineOf(record));
  EXPECT_FALSE(line.contains("name"));
  EXPECT_FALSE(line.contains("type"));
  EXPECT_EQ(line["rcode"], "FORMERR");
}

}  // namespace
}  // namespace dotward
