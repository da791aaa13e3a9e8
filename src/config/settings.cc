#include "config/settings.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "config/text.h"

namespace dotward {
namespace {

YamlResult Fail(Position position, std::string message) {
  YamlResult result;
  result.problem = TextProblem{position, std::move(message)};
  return result;
}

// Wraps the document into a mapping whose one key is `name`.
void PutBelow(std::string_view name, Position position, YamlTree* tree) {
  const auto add = [tree](YamlNode node) {
    tree->nodes.push_back(std::move(node));
    return static_cast<uint32_t>(tree->nodes.size() - 1);
  };
  const uint32_t key = add({YamlKind::kScalar, false, position, std::string(name), {}});
  tree->root = add({YamlKind::kMapping, false, position, "", {key, *tree->root}});
}

}  // namespace

YamlResult ReadSetting(std::string_view setting, int source) {
  const Position nowhere{0, 0, source};
  const size_t equals = setting.find('=');
  std::string_view path = setting.substr(0, equals);
  const auto levels = static_cast<size_t>(std::count(path.begin(), path.end(), '.')) + 1;
  const bool sound = equals != std::string_view::npos && !path.empty() && path.front() != '.' && path.back() != '.' &&
                     path.find("..") == std::string_view::npos && IsPlainText(path) &&
                     levels <= Limits::kConfigDepthMax;
  if (!sound) return Fail(nowhere, StrCat("--set ", Quote(setting), ": write KEY=VALUE, such as cache.max_ttl=1h"));
  const std::string_view value = setting.substr(equals + 1);
  const auto fail = [&](const TextProblem& problem) {
    return Fail(nowhere, StrCat("--set ", Quote(setting), ": the value: ", problem.message));
  };
  if (const std::optional<TextProblem> problem = CheckText(value)) return fail(*problem);
  YamlResult result = ReadYaml(value, source);
  if (result.problem) return fail(*result.problem);
  if (!result.tree.root) {
    result.tree.nodes.push_back({});
    result.tree.root = 0;
  }
  for (YamlNode& node : result.tree.nodes) node.position = nowhere;
  while (true) {
    const size_t dot = path.rfind('.');
    PutBelow(path.substr(dot + 1), nowhere, &result.tree);  // all of it where there is no dot
    if (dot == std::string_view::npos) return result;
    path = path.substr(0, dot);
  }
}

}  // namespace dotward
