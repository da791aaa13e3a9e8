#ifndef DOTWARD_BASE_STRINGS_H_
#define DOTWARD_BASE_STRINGS_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace dotward {

// Debian builds Abseil with a string_view of its own, which std::string_view does not become by itself. These two are
// the bridge: everything of ours takes and gives std::string_view.

template <typename T>
decltype(auto) ToAbslPart(const T& part) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> && !std::is_convertible_v<const T&, const char*> &&
                !std::is_same_v<T, std::string>) {
    const std::string_view view = part;
    return absl::string_view(view.data(), view.size());
  } else {
    return (part);
  }
}

// absl::StrCat that accepts std::string_view among its parts.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  return absl::StrCat(ToAbslPart(parts)...);
}
template <typename... Parts>
void StrAppend(std::string* target, const Parts&... parts) {
  absl::StrAppend(target, ToAbslPart(parts)...);
}

inline std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace dotward

#endif  // DOTWARD_BASE_STRINGS_H_
