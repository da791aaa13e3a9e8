#ifndef DOTWARD_CONFIG_YAML_TREE_H_
#define DOTWARD_CONFIG_YAML_TREE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"

namespace dotward {

// kUnsound is a scalar whose text could not be made: `text` says why.
enum class YamlKind : uint8_t { kNull, kScalar, kSequence, kMapping, kUnsound };

// One value of a YAML text. Values refer to each other by index, so a tree of any depth is freed without recursion.
struct YamlNode {
  YamlKind kind = YamlKind::kNull;
  bool quoted = false;  // a scalar in quotes or a block scalar: text, whatever it looks like
  Position position;
  std::string text;                // of a scalar
  std::vector<uint32_t> children;  // of a sequence its items; of a mapping key, value, key, value, …
};

// A document as it was written: mappings keep duplicate keys, in the order of the text. An alias is a second reference
// to the node of its anchor, so the tree is never larger than the text, but a walk over it may be: who walks must
// count.
struct YamlTree {
  std::vector<YamlNode> nodes;
  std::optional<uint32_t> root;  // not set for an empty document

  const YamlNode& operator[](uint32_t index) const { return nodes[index]; }
};

struct YamlResult {
  YamlTree tree;
  std::optional<TextProblem> problem;
};

// Reads one YAML document; `source` is the text's number in positions. Never throws. Depth is bounded by
// Limits::kConfigDepthMax, size by Limits::kConfigNodesMax, time by the length of the text.
YamlResult ReadYaml(std::string_view text, int source = 0);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_YAML_TREE_H_
