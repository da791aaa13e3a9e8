#include "dns/types.h"

#include <ldns/ldns.h>

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

}  // namespace dotward
