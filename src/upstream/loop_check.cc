#include "upstream/loop_check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "upstream/random_ids.h"

namespace dotward {
namespace {

// Behind the first label, in wire form.
constexpr std::string_view kBelow(
    "\x0aloop-check\x07"
    "example\x03"
    "com",
    23);

std::string_view AsText(OctetView octets) { return {reinterpret_cast<const char*>(octets.data()), octets.size()}; }

}  // namespace

LoopCheck::LoopCheck() {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  RandomIds random;
  for (uint8_t& octet : token_) octet = static_cast<uint8_t>(kDigits[random.Next() % kDigits.size()]);
}

Name LoopCheck::NameFor(size_t number) const {
  return Name::Parse(StrCat(AsText(token_), "-", number, ".loop-check.example.com.")).value_or(Name());
}

std::optional<size_t> LoopCheck::Recognise(OctetView qname) const {
  // Length, token, hyphen, a digit.
  if (qname.size() < 1 + token_.size() + 2 + kBelow.size() + 1) return std::nullopt;
  const size_t label_octets = qname[0];
  if (label_octets < token_.size() + 2 || qname.size() != 1 + label_octets + kBelow.size() + 1) return std::nullopt;
  std::array<uint8_t, kNameOctetsMax> lowered;
  std::transform(qname.begin(), qname.end(), lowered.begin(), LowerOctet);
  const std::string_view label = AsText({&lowered[1], label_octets});
  if (!label.starts_with(AsText(token_)) || label[token_.size()] != '-') return std::nullopt;
  if (AsText({&lowered[1 + label_octets], kBelow.size()}) != kBelow) return std::nullopt;
  const std::string_view digits = label.substr(token_.size() + 1);
  size_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace dotward
