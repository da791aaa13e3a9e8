#include "config/variables.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/text.h"

namespace dotward {
namespace {

constexpr std::string_view kBegin = "${";
constexpr std::string_view kLiteral = "$${";

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// POSIX, "Environment Variables": letters, digits and "_", not beginning with a digit.
bool IsVariableName(std::string_view name) {
  return !name.empty() && (name.front() < '0' || name.front() > '9') &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

// What "NAME" or "NAME:-default" stands for.
absl::StatusOr<std::string> ValueOf(std::string_view reference, const Environment& environment) {
  const size_t colon = reference.find(":-");
  const std::string name(reference.substr(0, colon));
  if (!IsVariableName(name)) {
    return absl::InvalidArgumentError(StrCat(Quote(StrCat(kBegin, reference, "}")),
                                             " names no variable; write ${NAME} or ${NAME:-default}, and ", kLiteral,
                                             " for ", kBegin, " itself"));
  }
  const std::optional<std::string> value = environment(name);
  if (colon != std::string_view::npos && (!value || value->empty())) return std::string(reference.substr(colon + 2));
  if (value) return *value;
  return absl::InvalidArgumentError(
      StrCat("the environment variable ", name, " is not set; set it, or write ${", name, ":-default}"));
}

}  // namespace

absl::StatusOr<std::string> ExpandVariables(std::string_view text, const Environment& environment) {
  std::string expanded;
  while (true) {
    const size_t dollar = text.find('$');
    expanded += text.substr(0, dollar);
    if (expanded.size() > Limits::kConfigTextOctetsMax) {
      return absl::InvalidArgumentError(
          StrCat("is longer than ", Limits::kConfigTextOctetsMax, " octets once its variables are put in"));
    }
    if (dollar == std::string_view::npos) return expanded;
    text.remove_prefix(dollar);
    if (text.starts_with(kLiteral)) {
      expanded += kBegin;
      text.remove_prefix(kLiteral.size());
    } else if (text.starts_with(kBegin)) {
      const size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return absl::InvalidArgumentError(
            StrCat(Quote(text), " lacks its \"}\"; write ", kLiteral, " for ", kBegin, " itself"));
      }
      ASSIGN_OR_RETURN(const std::string value, ValueOf(text.substr(kBegin.size(), end - kBegin.size()), environment));
      expanded += value;
      text.remove_prefix(end + 1);
    } else {
      expanded += '$';
      text.remove_prefix(1);
    }
  }
}

std::string EscapeVariables(std::string_view text) {
  std::string escaped;
  for (size_t begin = text.find(kBegin); begin != std::string_view::npos; begin = text.find(kBegin)) {
    StrAppend(&escaped, text.substr(0, begin), kLiteral);
    text.remove_prefix(begin + kBegin.size());
  }
  return StrCat(escaped, text);
}

void ExpandVariables(const Environment& environment, YamlTree* tree) {
  // An anchor can make one node a key here and a value there; as a key it is taken as it is written.
  std::vector<bool> is_key(tree->nodes.size());
  for (const YamlNode& node : tree->nodes) {
    if (node.kind != YamlKind::kMapping) continue;
    for (size_t i = 0; i < node.children.size(); i += 2) is_key[node.children[i]] = true;
  }
  size_t grown = 0;
  for (size_t i = 0; i < tree->nodes.size(); ++i) {
    YamlNode& node = tree->nodes[i];
    if (node.kind != YamlKind::kScalar || is_key[i] || node.text.find(kBegin) == std::string::npos) continue;
    absl::StatusOr<std::string> expanded = ExpandVariables(node.text, environment);
    if (expanded.ok() && grown + expanded->size() > Limits::kConfigOctetsMax) {
      expanded =
          absl::InvalidArgumentError(StrCat("with this the values are longer than ", Limits::kConfigOctetsMax >> 20U,
                                            " MiB once their variables are put in"));
    }
    if (!expanded.ok()) {
      node.kind = YamlKind::kUnsound;
      node.text = MessageOf(expanded.status());
      continue;
    }
    grown += expanded->size();
    node.text = *std::move(expanded);
    node.quoted = false;
  }
}

}  // namespace dotward
