#include "dns/presentation.h"

#include <ldns/ldns.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/strings.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kFieldsBeforeData = 4;  // owner, TTL, class, type, each ended by a tab

std::string NameAt(OctetView message, size_t offset) {
  std::array<uint8_t, kNameOctetsMax> expanded;
  return NameToString(OctetView(expanded.data(), ExpandName(message, offset, expanded)));
}

std::string UnknownData(OctetView rdata) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = StrCat("\\# ", rdata.size(), rdata.empty() ? "" : " ");
  for (const uint8_t octet : rdata) {
    text.push_back(kDigits[octet >> 4U]);
    text.push_back(kDigits[octet & 15U]);
  }
  return text;
}

// The data alone of the line that ldns prints; empty where it cannot.
std::string DataText(OctetView message, const RecordEdges& record) {
  ldns_rr* parsed = nullptr;
  size_t at = record.owner;
  const auto section = static_cast<ldns_pkt_section>(1 + static_cast<int>(record.section));
  if (ldns_wire2rr(&parsed, message.data(), message.size(), &at, section) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<ldns_rr, decltype(&ldns_rr_free)> owned(parsed, &ldns_rr_free);
  if (at != record.end) return {};
  const std::unique_ptr<char, decltype(&std::free)> line(ldns_rr2str_fmt(ldns_output_format_nocomments, parsed),
                                                         &std::free);
  if (line == nullptr) return {};
  std::string_view text = line.get();
  for (size_t field = 0; field < kFieldsBeforeData; ++field) {
    const size_t tab = text.find('\t');
    if (tab == std::string_view::npos) return {};
    text.remove_prefix(tab + 1);
  }
  const size_t end = text.find_last_not_of(" \t\n");
  return end == std::string_view::npos ? std::string() : std::string(text.substr(0, end + 1));
}

}  // namespace

std::vector<RecordText> RecordTexts(const ScannedMessage& message) {
  std::vector<RecordText> texts;
  for (const RecordEdges& record : message.records) {
    if (record.type == rr_type::kOpt) continue;
    RecordText& text = texts.emplace_back();
    text.section = record.section;
    text.name = NameAt(message.octets, record.owner);
    text.ttl = record.ttl;
    text.klass = ClassToString(record.klass);
    text.type = TypeToString(record.type);
    if (!message.needs_no_model) text.data = DataText(message.octets, record);
    if (text.data.empty()) text.data = UnknownData(message.octets.subspan(record.rdata, record.end - record.rdata));
  }
  return texts;
}

std::string_view SectionToString(Section section) {
  switch (section) {
    case Section::kAnswer:
      return "answer";
    case Section::kAuthority:
      return "authority";
    case Section::kAdditional:
      return "additional";
  }
  return "";
}

std::vector<std::string_view> FlagNames(uint16_t flags) {
  struct Flag {
    uint16_t bit;
    std::string_view name;
  };
  constexpr std::array kFlags = {Flag{0x8000, "qr"}, Flag{0x0400, "aa"}, Flag{0x0200, "tc"}, Flag{0x0100, "rd"},
                                 Flag{0x0080, "ra"}, Flag{0x0020, "ad"}, Flag{0x0010, "cd"}};
  std::vector<std::string_view> names;
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) != 0) names.push_back(flag.name);
  }
  return names;
}

}  // namespace dotward
