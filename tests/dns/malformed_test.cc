#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "dns/hex_file.h"
#include "dns/printers.h"
#include "dns/reply.h"
#include "dns/scan.h"
#include "dotward/message.h"
#include "testing/messages.h"

// Every file of tests/data/malformed says in its first lines on which side it arrives, which fault the scan must find
// and what follows from it. A new fault is one more file; nothing here has to change but the list of the faults' names.
namespace dotward {
namespace {

struct NamedFault {
  ScanFault fault;
  const char* name;
};
constexpr NamedFault kFaults[] = {
    {ScanFault::kNone, "kNone"},
    {ScanFault::kShortHeader, "kShortHeader"},
    {ScanFault::kQuestionCount, "kQuestionCount"},
    {ScanFault::kNameCut, "kNameCut"},
    {ScanFault::kNameTooLong, "kNameTooLong"},
    {ScanFault::kLabelType, "kLabelType"},
    {ScanFault::kPointerForward, "kPointerForward"},
    {ScanFault::kPointerTarget, "kPointerTarget"},
    {ScanFault::kPointerLimit, "kPointerLimit"},
    {ScanFault::kQuestionCompressed, "kQuestionCompressed"},
    {ScanFault::kRecordCut, "kRecordCut"},
    {ScanFault::kRecordLimit, "kRecordLimit"},
    {ScanFault::kTrailingOctets, "kTrailingOctets"},
    {ScanFault::kAddressLength, "kAddressLength"},
    {ScanFault::kRdataName, "kRdataName"},
    {ScanFault::kOptOwner, "kOptOwner"},
    {ScanFault::kOptOutsideAdditional, "kOptOutsideAdditional"},
    {ScanFault::kTwoOpts, "kTwoOpts"},
    {ScanFault::kOptionCut, "kOptionCut"},
    {ScanFault::kTsigMisplaced, "kTsigMisplaced"},
    {ScanFault::kStringBomb, "kStringBomb"},
    {ScanFault::kModel, "kModel"},
};

std::string NameOf(ScanFault fault) {
  for (const NamedFault& named : kFaults) {
    if (named.fault == fault) return named.name;
  }
  return "a fault that this list lacks";
}

// "kTwoOpts" → "two_opts".
std::string FileStem(std::string_view fault) {
  std::string stem;
  for (const char c : fault.substr(1)) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !stem.empty()) stem += '_';
    stem += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return stem;
}

std::vector<std::string> MalformedFiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(DOTWARD_SOURCE_DIR "/tests/data/malformed")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The octets in a block of exactly their size, so that a sanitizer sees a read of one octet more.
struct ExactBlock {
  explicit ExactBlock(const Octets& octets) : size(octets.size()), block(std::make_unique<uint8_t[]>(octets.size())) {
    if (size != 0) std::memcpy(block.get(), octets.data(), size);
  }
  OctetView view() const { return {block.get(), size}; }
  size_t size;
  std::unique_ptr<uint8_t[]> block;
};

class MalformedMessageTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const absl::StatusOr<HexFile> file = ReadHexFile(DOTWARD_SOURCE_DIR "/tests/data/malformed/" + GetParam());
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *file;
    for (const char* key : {"side", "fault", "outcome"}) ASSERT_TRUE(file_.expectations.contains(key)) << key;
    is_query_ = file_.expectations["side"] == "query";
    ASSERT_TRUE(is_query_ || file_.expectations["side"] == "response");
  }

  HexFile file_;
  bool is_query_ = false;
};

TEST_P(MalformedMessageTest, X8_HasTheFaultThatItsFileNames) {
  const ExactBlock octets(file_.octets);
  if (is_query_) {
    const ParsedQuery query = ParseQuery(octets.view());
    EXPECT_EQ(NameOf(query.fault), file_.expectations["fault"]) << ScanFaultToString(query.fault);
    EXPECT_EQ(OutcomeName(query.outcome), file_.expectations["outcome"]);
    return;
  }
  ScannedMessage scan;
  const ScanFault fault = ScanMessage(octets.view(), MessageSide::kResponse, scan);
  const absl::StatusOr<Message> response = ParseResponse(octets.view());
  // What only ldns can see is sound for the scan.
  if (file_.expectations["fault"] != "kModel" || fault != ScanFault::kNone) {
    EXPECT_EQ(NameOf(fault), file_.expectations["fault"]) << ScanFaultToString(fault);
  }
  if (file_.expectations["outcome"] == "kAccepted") {
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->MakeModel() == nullptr, file_.expectations["model"] == "none");
    return;
  }
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
  if (fault != ScanFault::kNone) {
    EXPECT_NE(MessageOf(response.status()).find(ScanFaultToString(fault)), std::string_view::npos) << response.status();
  }
}

TEST_P(MalformedMessageTest, IsNamedForItsFault) {
  std::string stem = FileStem(file_.expectations["fault"]);
  if (!is_query_ && file_.expectations["outcome"] == "kAccepted") stem = "string_bomb";
  EXPECT_TRUE(GetParam().starts_with(stem)) << stem;
  EXPECT_TRUE(GetParam().ends_with(is_query_ ? ".query.hex" : ".response.hex"));
}

// Q5: the client that sent it gets a reply that repeats its ID and, where it could be read, its question.
TEST_P(MalformedMessageTest, Q5_IsAnsweredWithASoundErrorOrDropped) {
  if (!is_query_) return;
  const ExactBlock octets(file_.octets);
  const ParsedQuery query = ParseQuery(octets.view());
  if (query.outcome == QueryOutcome::kDrop) {
    EXPECT_LT(octets.size, kHeaderOctets);
    return;
  }
  const ScannedMessage& scan = query.message.scan();
  ASSERT_TRUE(scan.has_header);
  const ReplyContext context = MakeReplyContext(scan, ReplyChannel::kDatagram, 1232);
  uint8_t buffer[4096];
  const size_t length = RenderError(Rcode::kFormErr, {}, context, buffer);
  ASSERT_LE(length, 512U);
  const std::optional<MessageRead> reply = ReadMessage({buffer, length});
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->id, file_.octets[0] << 8U | file_.octets[1]);
  EXPECT_TRUE(reply->Has(header_flag::kQr));
  EXPECT_EQ(reply->rcode, static_cast<unsigned>(Rcode::kFormErr));
  EXPECT_EQ(reply->questions.size(), scan.has_question ? 1U : 0U);
  EXPECT_EQ(reply->opt_count, scan.has_edns ? 1U : 0U);
}

// Cut anywhere, a malformed message is malformed still, or at least nothing breaks.
TEST_P(MalformedMessageTest, X8_BreaksNothingWhenItIsCutAnywhere) {
  for (size_t length = 0; length < std::min<size_t>(file_.octets.size(), 600); ++length) {
    const ExactBlock octets(Octets(file_.octets.begin(), file_.octets.begin() + static_cast<std::ptrdiff_t>(length)));
    const ParsedQuery query = ParseQuery(octets.view());
    if (length < kHeaderOctets) {
      EXPECT_EQ(query.outcome, QueryOutcome::kDrop) << length;
    }
    const absl::StatusOr<Message> response = ParseResponse(octets.view());
    if (length < kHeaderOctets + 5) {
      EXPECT_FALSE(response.ok()) << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, MalformedMessageTest, testing::ValuesIn(MalformedFiles()), [](const auto& file) {
  std::string name = file.param.substr(0, file.param.rfind(".hex"));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST(MalformedMessagesTest, EveryFaultHasAFile) {
  const std::vector<std::string> files = MalformedFiles();
  for (const NamedFault& named : kFaults) {
    if (named.fault == ScanFault::kNone) continue;
    const std::string stem = FileStem(named.name);
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&](const std::string& name) {
      return name.starts_with(stem);
    })) << stem;
  }
}

TEST(MalformedMessagesTest, TheListHereHasEveryFault) {
  for (unsigned value = 0; value < std::size(kFaults); ++value) {
    EXPECT_EQ(static_cast<unsigned>(kFaults[value].fault), value) << kFaults[value].name;
    EXPECT_NE(ScanFaultToString(kFaults[value].fault), "");
    for (unsigned other = 0; other < value; ++other) {
      EXPECT_NE(ScanFaultToString(kFaults[value].fault), ScanFaultToString(kFaults[other].fault));
    }
  }
  // One past the last: a fault that was added to the enumeration and not to this list has a text of its own.
  const auto beyond = static_cast<ScanFault>(std::size(kFaults));
  EXPECT_EQ(ScanFaultToString(beyond), ScanFaultToString(static_cast<ScanFault>(255)));
}

}  // namespace
}  // namespace dotward
