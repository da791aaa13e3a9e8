#include "admin/http_host.h"

#include <absl/strings/match.h>

#include <algorithm>
#include <optional>

namespace dotward {
namespace {

bool IsPort(std::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The host without its port and without the brackets of an IPv6 address; nullopt where it is neither name nor address.
std::optional<std::string_view> WithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = host.substr(end + 1);
    if (!rest.empty() && (!rest.starts_with(':') || !IsPort(rest.substr(1)))) return std::nullopt;
    const std::string_view address = host.substr(1, end - 1);
    return address.find(':') == std::string_view::npos ? std::nullopt : std::optional(address);
  }
  const size_t colon = host.find(':');
  if (colon == std::string_view::npos) return host;
  if (!IsPort(host.substr(colon + 1))) return std::nullopt;
  return host.substr(0, colon);
}

bool IsLocalhostName(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  const absl::string_view text(name.data(), name.size());
  return absl::EqualsIgnoreCase(text, "localhost") || absl::EndsWithIgnoreCase(text, ".localhost");
}

}  // namespace

bool IsOwnHost(std::string_view host, const IpAddress& bound) {
  const std::optional<std::string_view> name = WithoutPort(host);
  if (!name) return false;
  if (IsLocalhostName(*name)) return true;
  const absl::StatusOr<IpAddress> address = IpAddress::Parse(*name);
  if (!address.ok()) return false;
  return bound.IsUnspecified() || address->IsLoopback() || *address == bound;
}

}  // namespace dotward
