#include "config/merge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "config/schema.h"
#include "dns/name.h"

namespace dotward {
namespace {

// Domain names are the same in any case, and with or without the final dot.
std::string ComparableZone(std::string_view zone) {
  std::string comparable(zone);
  std::transform(comparable.begin(), comparable.end(), comparable.begin(),
                 [](char c) { return static_cast<char>(LowerOctet(static_cast<uint8_t>(c))); });
  if (!comparable.ends_with('.')) comparable += '.';
  return comparable;
}

class Merger {
 public:
  Merger(NamedEntries named_entries, YamlTree* tree) : named_entries_(named_entries), tree_(*tree) {}

  // Returns a mapping with the keys of both; neither is changed, since aliases may refer to them. Recursion is as deep
  // as the schema has sections.
  uint32_t Mapping(uint32_t base, uint32_t overlay, const std::string& prefix) {
    YamlNode merged = tree_[base];
    std::unordered_map<std::string, size_t> places;  // of the first key of each name
    for (size_t i = 0; i + 1 < merged.children.size(); i += 2) {
      if (IsScalar(merged.children[i])) places.emplace(tree_[merged.children[i]].text, i);
    }
    const std::vector<uint32_t> added = tree_[overlay].children;
    std::unordered_set<std::string> seen;
    for (size_t i = 0; i + 1 < added.size(); i += 2) {
      const std::string name = IsScalar(added[i]) ? tree_[added[i]].text : "";
      const auto place = places.find(name);
      if (!IsScalar(added[i]) || !seen.insert(name).second || place == places.end()) {
        merged.children.push_back(added[i]);
        merged.children.push_back(added[i + 1]);
        continue;
      }
      uint32_t& value = merged.children[place->second + 1];
      const uint32_t joined = Value(value, added[i + 1], prefix + name);
      if (joined == value) continue;
      value = joined;
      merged.children[place->second] = added[i];
    }
    return Add(std::move(merged));
  }

 private:
  bool IsScalar(uint32_t node) const { return tree_[node].kind == YamlKind::kScalar; }
  bool AreBoth(YamlKind kind, uint32_t base, uint32_t overlay) const {
    return tree_[base].kind == kind && tree_[overlay].kind == kind;
  }
  uint32_t Add(YamlNode node) {
    tree_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(tree_.nodes.size() - 1);
  }

  // The value of the key at `path`, which both have.
  uint32_t Value(uint32_t base, uint32_t overlay, const std::string& path) {
    const SchemaKey* key = FindKey(path);
    if (key == nullptr) return overlay;
    if (key->type == ValueType::kSection) {
      if (AreBoth(YamlKind::kMapping, base, overlay)) return Mapping(base, overlay, path + ".");
      return tree_[overlay].kind == YamlKind::kNull ? base : overlay;  // all its keys may be commented out
    }
    const bool joined = !key->merged_by.empty() && named_entries_ == NamedEntries::kByName;
    return joined && AreBoth(YamlKind::kSequence, base, overlay) ? Entries(base, overlay, *key) : overlay;
  }

  uint32_t Entries(uint32_t base, uint32_t overlay, const SchemaKey& key) {
    std::unordered_set<std::string> known;
    for (const uint32_t entry : tree_[base].children) {
      if (auto name = NameOf(entry, key)) known.insert(*std::move(name));
    }
    std::unordered_map<std::string, std::vector<uint32_t>> news;
    std::vector<uint32_t> behind;
    for (const uint32_t entry : tree_[overlay].children) {
      const auto name = NameOf(entry, key);
      (name && known.contains(*name) ? news[*name] : behind).push_back(entry);
    }
    // What is said of the list as a whole is said where it was added to last.
    YamlNode merged = tree_[overlay];
    merged.children.clear();
    // All entries that bear a name give way to all of the overlay's: a name may have several records.
    for (const uint32_t entry : tree_[base].children) {
      const auto name = NameOf(entry, key);
      const auto found = name ? news.find(*name) : news.end();
      if (found == news.end()) {
        merged.children.push_back(entry);
      } else {
        merged.children.insert(merged.children.end(), found->second.begin(), found->second.end());
        found->second.clear();
      }
    }
    merged.children.insert(merged.children.end(), behind.begin(), behind.end());
    return Add(std::move(merged));
  }

  // What an entry is called; nullopt where it has no name that can be seen.
  std::optional<std::string> NameOf(uint32_t entry, const SchemaKey& key) const {
    const YamlNode& node = tree_[entry];
    if (key.type != ValueType::kRecords) {  // "OWNER …", as zone files have it
      const size_t end = node.text.find_first_of(" \t");
      if (node.kind != YamlKind::kScalar || end == 0 || end == std::string::npos) return std::nullopt;
      return ComparableZone(std::string_view(node.text).substr(0, end));
    }
    if (node.kind != YamlKind::kMapping) return std::nullopt;
    const SchemaKey* name_key = FindKey(StrCat(key.path, "[].", key.merged_by));
    for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
      const YamlNode& value = tree_[node.children[i + 1]];
      if (!IsScalar(node.children[i]) || tree_[node.children[i]].text != key.merged_by) continue;
      if (value.kind != YamlKind::kScalar) return std::nullopt;
      return name_key->type == ValueType::kZone ? ComparableZone(value.text) : value.text;
    }
    if (name_key->required) return std::nullopt;
    return ForwardConfig().zone;
  }

  const NamedEntries named_entries_;
  YamlTree& tree_;
};

}  // namespace

void LayOver(YamlTree overlay, NamedEntries named_entries, YamlTree* base) {
  if (!overlay.root || overlay[*overlay.root].kind == YamlKind::kNull) return;
  const auto offset = static_cast<uint32_t>(base->nodes.size());
  for (YamlNode& node : overlay.nodes) {
    for (uint32_t& child : node.children) child += offset;
    base->nodes.push_back(std::move(node));
  }
  const uint32_t root = *overlay.root + offset;
  const bool mapping = (*base)[root].kind == YamlKind::kMapping;
  if (base->root && mapping && (*base)[*base->root].kind == YamlKind::kMapping) {
    base->root = Merger(named_entries, base).Mapping(*base->root, root, "");
  } else if (!base->root || !mapping || (*base)[*base->root].kind == YamlKind::kNull) {
    base->root = root;
  }
}

}  // namespace dotward
