#include "dns/types.h"

#include <ldns/ldns.h>

#include <charconv>
#include <cstdlib>
#include <memory>

#include "base/strings.h"

namespace dotward {
namespace {

std::string TakeCString(char* text) {
  const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
  return owned == nullptr ? std::string() : std::string(owned.get());
}

}  // namespace

std::string RcodeToString(Rcode rcode) {
  if (rcode == Rcode::kBadVers) return "BADVERS";
  const auto number = static_cast<unsigned>(rcode);
  const std::string text = number < 16 ? TakeCString(ldns_pkt_rcode2str(static_cast<ldns_pkt_rcode>(number))) : "";
  return text.empty() ? StrCat("RCODE", number) : text;
}

std::string TypeToString(uint16_t type) { return TakeCString(ldns_rr_type2str(static_cast<ldns_rr_type>(type))); }

std::optional<uint16_t> ParseType(std::string_view text) {
  constexpr std::string_view kUnknown = "TYPE";
  constexpr size_t kNameOctetsSane = 16;  // the longest name of a type has ten
  std::string upper(text.substr(0, kNameOctetsSane));
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  if (text.size() >= kNameOctetsSane || text.find('\0') != std::string_view::npos) return std::nullopt;
  if (upper.starts_with(kUnknown)) {
    uint16_t number = 0;
    const char* const end = upper.data() + upper.size();
    const auto [at, error] = std::from_chars(upper.data() + kUnknown.size(), end, number);
    return error == std::errc() && at == end ? std::optional(number) : std::nullopt;
  }
  const ldns_rr_type type = ldns_get_rr_type_by_name(upper.c_str());
  return type == 0 ? std::nullopt : std::optional(static_cast<uint16_t>(type));
}

std::string ClassToString(uint16_t klass) { return TakeCString(ldns_rr_class2str(static_cast<ldns_rr_class>(klass))); }

}  // namespace dotward
