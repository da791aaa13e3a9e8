#include "base/ip_address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/strings.h"

namespace dotward {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <typename Number>
std::optional<Number> ParseDecimal(std::string_view text) {
  Number number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

IpAddress IpAddress::V4(std::array<uint8_t, 4> octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

IpAddress IpAddress::V6(std::array<uint8_t, 16> octets, uint32_t zone_index) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) {
    return V4({octets[12], octets[13], octets[14], octets[15]});
  }
  IpAddress address;
  address.family_ = IpFamily::kIpv6;
  address.octets_ = octets;
  address.zone_index_ = zone_index;
  return address;
}

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const auto fail = [text](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\" is not an IP address", why));
  };
  const size_t percent = text.find('%');
  const std::string plain(text.substr(0, percent));
  if (std::array<uint8_t, 4> v4;
      percent == std::string_view::npos && inet_pton(AF_INET, plain.c_str(), v4.data()) == 1) {
    return V4(v4);
  }
  std::array<uint8_t, 16> v6;
  if (inet_pton(AF_INET6, plain.c_str(), v6.data()) != 1) return fail("");
  uint32_t zone_index = 0;
  if (percent != std::string_view::npos) {
    const std::string zone(text.substr(percent + 1));
    zone_index = if_nametoindex(zone.c_str());
    if (zone_index == 0) zone_index = ParseDecimal<uint32_t>(zone).value_or(0);
    if (zone_index == 0) return fail(StrCat(": this machine has no interface \"", zone, "\""));
  }
  return V6(v6, zone_index);
}

bool IpAddress::IsUnspecified() const {
  return std::all_of(octets_.begin(), octets_.end(), [](uint8_t octet) { return octet == 0; });
}

bool IpAddress::IsLoopback() const {
  if (is_v4()) return octets_[0] == 127;
  return octets_[15] == 1 && std::all_of(octets_.begin(), octets_.end() - 1, [](uint8_t octet) { return octet == 0; });
}

bool IpAddress::IsMulticast() const { return is_v4() ? (octets_[0] & 0xf0U) == 0xe0U : octets_[0] == 0xff; }

IpAddress IpAddress::Masked(unsigned length) const {
  IpAddress masked = *this;
  for (size_t i = 0; i < octets().size(); ++i) {
    const unsigned bits = length > 8 * i ? std::min(8U, length - static_cast<unsigned>(8 * i)) : 0;
    masked.octets_[i] &= static_cast<uint8_t>(0xff00U >> bits);
  }
  return masked;
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), text.data(), static_cast<socklen_t>(text.size()));
  if (zone_index_ != 0) return StrCat(text.data(), "%", zone_index_);
  return text.data();
}

absl::StatusOr<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.rfind('/');
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return address.status();
  const auto bits_max = static_cast<uint8_t>(address->octets().size() * 8);
  IpPrefix prefix{*address, bits_max};
  if (slash != std::string_view::npos) {
    const auto length = ParseDecimal<uint8_t>(text.substr(slash + 1));
    if (!length || *length > bits_max) {
      return absl::InvalidArgumentError(
          StrCat("\"", text, "\" has no prefix length between 0 and ", int{bits_max}, " behind its \"/\""));
    }
    prefix.length = *length;
  }
  const IpAddress masked = address->Masked(prefix.length);
  if (masked != *address) {
    const IpPrefix meant{masked, prefix.length};
    return absl::InvalidArgumentError(StrCat("\"", text, "\" has address bits set behind its prefix length; ",
                                             meant.ToString(), " is the prefix, or drop the length for one address"));
  }
  return prefix;
}

bool IpPrefix::Contains(const IpAddress& candidate) const {
  if (candidate.family() != address.family()) return false;
  const IpAddress masked = candidate.Masked(length);
  return std::ranges::equal(address.octets(), masked.octets());
}

std::string IpPrefix::ToString() const { return StrCat(address.ToString(), "/", int{length}); }

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text, uint16_t default_port) {
  const auto fail = [text](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("\"", text, "\": ", why));
  };
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return fail("the \"[\" is not closed; write [2001:db8::1]:53");
    host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (rest.starts_with(':')) {
      port = rest.substr(1);
    } else if (!rest.empty()) {
      return fail("only \":PORT\" may follow the \"]\"");
    }
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  absl::StatusOr<IpAddress> address = IpAddress::Parse(host);
  if (!address.ok()) return fail("not an address; write 192.0.2.1:53 or [2001:db8::1]:53");
  Endpoint endpoint{*address, default_port};
  if (port) {
    const auto number = ParseDecimal<uint16_t>(*port);
    if (!number || *number == 0) return fail("the port must be a number between 1 and 65535");
    endpoint.port = *number;
  }
  if (endpoint.port == 0) return fail("the port is missing; write 192.0.2.1:53 or [2001:db8::1]:53");
  return endpoint;
}

std::string Endpoint::ToString() const {
  if (address.is_v4()) return StrCat(address.ToString(), ":", port);
  return StrCat("[", address.ToString(), "]:", port);
}

}  // namespace dotward
