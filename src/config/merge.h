#ifndef DOTWARD_CONFIG_MERGE_H_
#define DOTWARD_CONFIG_MERGE_H_

#include <cstdint>

#include "config/yaml_tree.h"

namespace dotward {

// What becomes of a list whose entries bear names, where both texts have it.
enum class NamedEntries : uint8_t {
  kReplaceList,  // as of any other list
  kByName,       // an entry takes the place of the one that bears its name; the others are added behind
};

// Lays one document over another along the schema: sections are joined key by key, every other value replaces. Keys
// that no schema knows and keys that are given twice are carried over, so that the loader reports them. Only the lists
// that the schema calls `merged_by` something are joined.
void LayOver(YamlTree overlay, NamedEntries named_entries, YamlTree* base);

}  // namespace dotward

#endif  // DOTWARD_CONFIG_MERGE_H_
