#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "config/cross_checks.h"
#include "config/errors.h"
#include "config/schema.h"
#include "config/text.h"
#include "config/values.h"
#include "config/yaml_tree.h"
#include "dotward/config.h"

namespace dotward {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// A key as part of a path: as it is where it looks like a key, in quotes where it is anything else.
std::string PathPart(std::string_view key) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  const bool plain = !key.empty() && key.size() <= 64 && key.find_first_not_of(kPlain) == std::string_view::npos;
  return plain ? std::string(key) : Quote(key);
}

// Walks a document along the schema and fills a Config. Recursion is as deep as the schema.
class Loader {
 public:
  Loader(const YamlTree& tree, Config* config, Places* places, ErrorList* errors)
      : tree_(tree), config_(*config), places_(*places), errors_(*errors) {}

  void Run(const YamlNode& root) {
    if (root.kind == YamlKind::kMapping) {
      ReadMapping(root, "", "", Scope{&config_});
    } else if (root.kind != YamlKind::kNull) {
      errors_.Add(root.position, "", "a configuration is a mapping: lines of the form \"key: value\"");
    }
  }

 private:
  // Aliases can make the walk longer than the text (the "billion laughs"); this is what ends it.
  bool Visit(const YamlNode& node, Position position, const std::string& path) {
    if (exhausted_) return false;
    visited_ += 1 + node.children.size();
    if (visited_ <= Limits::kConfigNodesMax) return true;
    exhausted_ = true;
    errors_.Add(position, path,
                StrCat("the file has more than ", Limits::kConfigNodesMax, " values once its aliases are followed"));
    return false;
  }

  // `schema_prefix` and `path_prefix` are "" or end in "."; they differ in the numbers of records.
  void ReadMapping(const YamlNode& mapping, const std::string& schema_prefix, const std::string& path_prefix,
                   const Scope& scope) {
    std::unordered_map<std::string_view, Position> seen;
    std::set<std::string_view> meant;  // by keys that are misspelt
    for (size_t i = 0; i + 1 < mapping.children.size() && !exhausted_; i += 2) {
      const YamlNode& key_node = tree_[mapping.children[i]];
      const YamlNode& value = tree_[mapping.children[i + 1]];
      if (key_node.kind != YamlKind::kScalar) {
        errors_.Add(key_node.position, path_prefix.substr(0, path_prefix.find_last_not_of('.') + 1),
                    "a key must be a word");
        continue;
      }
      const std::string path = path_prefix + PathPart(key_node.text);
      const auto [first, added] = seen.emplace(key_node.text, key_node.position);
      if (!added) {
        errors_.Add(key_node.position, path, StrCat("is given twice; first at line ", first->second.line));
        continue;
      }
      const bool nested = key_node.text.find_first_of(".[") != std::string::npos;
      const SchemaKey* key = nested ? nullptr : FindKey(schema_prefix + key_node.text);
      if (key == nullptr) {
        errors_.Add(key_node.position, path, UnknownKey(key_node.text, schema_prefix, &meant));
        continue;
      }
      ReadKey(*key, key_node, value, path, scope);
    }
    for (const std::string_view leaf : meant) places_.unsound.insert(StrCat(path_prefix, leaf));
    for (const SchemaKey* key : KeysBelow(schema_prefix)) {
      const std::string_view leaf = LeafOf(key->path);
      if (key->required && !seen.contains(leaf) && !meant.contains(leaf)) {
        errors_.Add(mapping.position, StrCat(path_prefix, leaf), "is missing; it must be given");
      }
    }
  }

  void ReadKey(const SchemaKey& key, const YamlNode& key_node, const YamlNode& value, const std::string& path,
               const Scope& scope) {
    const Position position = value.kind == YamlKind::kNull ? key_node.position : value.position;
    if (!Visit(value, position, path)) return;
    switch (key.type) {
      case ValueType::kSection:
        if (value.kind == YamlKind::kMapping) {
          ReadMapping(value, StrCat(key.path, "."), path + ".", scope);
        } else if (value.kind != YamlKind::kNull) {  // all keys of a section may be commented out
          errors_.Add(position, path, "is a section; its keys stand indented below it");
        }
        return;
      case ValueType::kRecords:
        ReadRecords(key, value, position, path);
        return;
      default:
        break;
    }
    ValueReading reading = ReadValue(key, tree_, value, key_node.position, key.slot(scope));
    for (ValueProblem& problem : reading.problems) {
      errors_.Add(problem.position, problem.item ? StrCat(path, "[", *problem.item, "]") : path,
                  std::move(problem.message));
    }
    // The default would pass for what was meant.
    if (key.type == ValueType::kZone && !reading.problems.empty()) scope.forward->zone.clear();
    // Cross checks look at sound values only; what is unsound has been reported.
    if (reading.problems.empty()) {
      places_.sound[path] = Place{position, std::move(reading.items)};
    } else {
      places_.unsound.insert(path);
    }
  }

  void ReadRecords(const SchemaKey& key, const YamlNode& list, Position position, const std::string& path) {
    const bool upstreams = key.path == "upstreams";
    if (upstreams) {
      config_.upstreams.clear();
    } else {
      config_.forward.clear();
    }
    if (list.kind != YamlKind::kSequence) {
      errors_.Add(position, path, "is a list; begin each of its entries with \"- \"");
      return;
    }
    if (list.children.size() < key.items_min) {
      errors_.Add(position, path, "is empty; leave it out for the default, or give at least one entry");
      return;
    }
    if (key.items_max != 0 && list.children.size() > key.items_max) {
      errors_.Add(position, path,
                  StrCat("has ", list.children.size(), " entries; accepted: ", key.items_min, " to ", key.items_max));
      return;
    }
    Place place{position, {}};
    for (size_t i = 0; i < list.children.size(); ++i) {
      const YamlNode& record = tree_[list.children[i]];
      const std::string record_path = StrCat(path, "[", i, "]");
      if (!Visit(record, record.position, record_path)) break;
      Scope scope{&config_};
      if (upstreams) {
        scope.upstream = &config_.upstreams.emplace_back();
      } else {
        scope.forward = &config_.forward.emplace_back();
      }
      place.items.push_back(record.position);
      if (record.kind != YamlKind::kMapping) {
        errors_.Add(record.kind == YamlKind::kNull ? position : record.position, record_path,
                    "is not a mapping of keys and values");
        if (scope.forward != nullptr) scope.forward->zone.clear();
        places_.unsound.insert(record_path);
        continue;
      }
      ReadMapping(record, StrCat(key.path, "[]."), record_path + ".", scope);
      if (scope.upstream != nullptr && !places_.sound.contains(record_path + ".port")) {
        scope.upstream->port = DefaultPort(scope.upstream->protocol);
      }
    }
    places_.sound[path] = std::move(place);
  }

  // The message for a key that `schema_prefix` does not have; `meant` gets the one that it is probably a slip for.
  static std::string UnknownKey(std::string_view word, const std::string& schema_prefix,
                                std::set<std::string_view>* meant) {
    if (word == "<<") return "merge keys are not supported; write the keys out";
    std::vector<std::string_view> known;
    for (const SchemaKey* key : KeysBelow(schema_prefix)) known.push_back(LeafOf(key->path));
    if (const std::string_view nearest = Nearest(word, known); !nearest.empty()) {
      meant->insert(nearest);
      return StrCat("unknown key; did you mean \"", nearest, "\"?");
    }
    for (const SchemaKey& key : Schema()) {
      if (LeafOf(key.path) == word || key.path == word) return StrCat("unknown key here; did you mean ", key.path, "?");
    }
    std::string names;
    for (const std::string_view name : known) StrAppend(&names, names.empty() ? "" : ", ", name);
    return StrCat("unknown key; accepted here: ", names);
  }

  const YamlTree& tree_;
  Config& config_;
  Places& places_;
  ErrorList& errors_;
  size_t visited_ = 0;
  bool exhausted_ = false;
};

// Where the file says nothing of routes, its upstreams are asked in its order.
void FillForward(const Places& places, Config* config) {
  if (places.sound.contains("forward")) return;
  ForwardConfig route;
  for (const UpstreamConfig& upstream : config->upstreams) route.upstreams.push_back(upstream.name);
  config->forward.assign(1, route);
}

struct FileContent {
  std::string text;
  std::string problem;  // empty: none
};

// At most one octet more than is accepted, so that ParseConfig sees that there is too much.
FileContent ReadFile(const std::string& file) {
  const auto fail = [] { return FileContent{"", StrCat("cannot be read: ", std::strerror(errno))}; };
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return fail();
  FileContent content;
  std::array<char, 65536> buffer;
  while (content.text.size() <= Limits::kConfigOctetsMax) {
    const ssize_t octets = read(descriptor, buffer.data(), buffer.size());
    if (octets < 0 && errno == EINTR) continue;
    if (octets < 0) content = fail();
    if (octets <= 0) break;
    content.text.append(buffer.data(), static_cast<size_t>(octets));
  }
  close(descriptor);
  return content;
}

}  // namespace

ConfigResult ParseConfig(const std::string& whole_text, const std::string& file) {
  std::string_view text = whole_text;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  ErrorList errors;
  if (std::optional<TextProblem> problem = CheckText(text)) {
    errors.Add(problem->position, "", std::move(problem->message));
    return {std::nullopt, errors.Take(text, file)};
  }
  YamlResult yaml = ReadYaml(text);
  if (yaml.problem) {
    errors.Add(yaml.problem->position, "", std::move(yaml.problem->message));
    return {std::nullopt, errors.Take(text, file)};
  }
  Config config = DefaultConfig();
  Places places;
  if (yaml.tree.root) Loader(yaml.tree, &config, &places, &errors).Run(yaml.tree[*yaml.tree.root]);
  FillForward(places, &config);
  ErrorList warnings;
  CrossCheck(config, places, &errors, &warnings);
  ConfigResult result;
  if (errors.empty()) result.config = std::move(config);
  result.errors = errors.Take(text, file);
  result.warnings = warnings.Take(text, file);
  for (ConfigError& warning : result.warnings) warning.severity = ConfigError::Severity::kWarning;
  return result;
}

ConfigResult LoadConfig(const std::string& file) {
  const FileContent content = ReadFile(file);
  if (content.problem.empty()) return ParseConfig(content.text, file);
  return {std::nullopt, {ConfigError{file, 0, 0, "", content.problem}}};
}

}  // namespace dotward
