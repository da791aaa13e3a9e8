#include <cstdlib>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "config/cross_checks.h"
#include "config/errors.h"
#include "config/merge.h"
#include "config/schema.h"
#include "config/settings.h"
#include "config/sources.h"
#include "config/text.h"
#include "config/values.h"
#include "config/variables.h"
#include "config/yaml_tree.h"
#include "dotward/config.h"

namespace dotward {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kCommandLine = "command line";

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
        const std::string where = errors_.Refer(first->second, key_node.position);
        errors_.Add(key_node.position, path, StrCat("is given twice", where.empty() ? "" : "; first at ", where));
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
      const bool outside = key.type == ValueType::kFile || key.type == ValueType::kStateFile ||
                           key.type == ValueType::kUser || key.type == ValueType::kNegativeAnchor;
      if (outside) places_.outside.push_back(path);
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

YamlResult ReadText(std::string_view text, int source) {
  if (std::optional<TextProblem> problem = CheckText(text)) {
    problem->position.source = source;
    return {YamlTree(), std::move(problem)};
  }
  return ReadYaml(text, source);
}

// The documents of all parts, each laid over those before it. Adds what keeps one from being read.
YamlTree ReadParts(const ConfigParts& parts, const std::vector<ConfigText>& sources, ErrorList* errors) {
  YamlTree tree;
  size_t octets = 0;
  const auto lay_over = [&](YamlResult yaml, NamedEntries named_entries) {
    if (yaml.problem) return errors->Add(yaml.problem->position, "", std::move(yaml.problem->message));
    ExpandVariables(parts.environment, &yaml.tree);
    LayOver(std::move(yaml.tree), named_entries, &tree);
  };
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto source = static_cast<int>(i);
    const bool is_text = i < parts.texts.size();
    const std::string& part = is_text ? sources[i].text : parts.settings[i - parts.texts.size()];
    octets += part.size();
    if (octets > Limits::kConfigOctetsMax) {
      errors->Add({0, 0, source}, "",
                  StrCat(i == 0 ? "is" : "and what stands before it are", " longer than the ",
                         Limits::kConfigOctetsMax >> 20U, " MiB that are accepted"));
      return tree;
    }
    if (is_text) {
      lay_over(ReadText(part, source), NamedEntries::kByName);
    } else {
      lay_over(ReadSetting(part, source), NamedEntries::kReplaceList);
    }
  }
  return tree;
}

// The texts as positions number them, with what errors call them.
std::vector<ConfigText> SourcesOf(const ConfigParts& parts) {
  std::vector<ConfigText> sources = parts.texts;
  for (ConfigText& source : sources) {
    if (source.text.starts_with(kByteOrderMark)) source.text.erase(0, kByteOrderMark.size());
  }
  sources.resize(parts.texts.size() + parts.settings.size(), {std::string(kCommandLine), ""});
  return sources;
}

std::unordered_map<std::string, ConfigPlace> PlacesOf(const Places& places, const std::vector<ConfigText>& sources) {
  std::unordered_map<std::string, ConfigPlace> named;
  for (const std::string& path : places.outside) {
    const Position position = places.sound.at(path).value;
    const ConfigText& source = sources[static_cast<size_t>(position.source)];
    named[path] = {source.file, position.line, position.line == 0 ? 0 : CharacterColumn(source.text, position)};
  }
  return named;
}

ConfigResult Load(const std::string& file, MainFile main_file, const std::vector<std::string>& settings) {
  Sources sources = ReadSources(file, main_file);
  if (!sources.errors.empty()) return {std::nullopt, std::move(sources.errors)};
  return ParseConfig({.texts = std::move(sources.texts), .settings = settings});
}

}  // namespace

ConfigResult ParseConfig(const ConfigParts& parts) {
  const std::vector<ConfigText> sources = SourcesOf(parts);
  ErrorList errors(sources);
  const YamlTree tree = ReadParts(parts, sources, &errors);
  if (!errors.empty()) return {std::nullopt, errors.Take()};
  Config config = DefaultConfig();
  Places places;
  if (tree.root) Loader(tree, &config, &places, &errors).Run(tree[*tree.root]);
  FillForward(places, &config);
  ErrorList warnings(sources);
  CrossCheck(config, places, &errors, &warnings);
  ConfigResult result;
  if (errors.empty()) {
    result.config = std::move(config);
    result.places = PlacesOf(places, sources);
  }
  result.errors = errors.Take();
  result.warnings = warnings.Take();
  for (ConfigError& warning : result.warnings) warning.severity = ConfigError::Severity::kWarning;
  return result;
}

ConfigResult ParseConfig(const std::string& text, const std::string& file) {
  return ParseConfig({.texts = {{file, text}}});
}

ConfigResult LoadConfig(const std::string& file, const std::vector<std::string>& settings) {
  return Load(file, MainFile::kRequired, settings);
}

ConfigResult LoadDropIns(const std::string& absent_file, const std::vector<std::string>& settings) {
  return Load(absent_file, MainFile::kAbsent, settings);
}

namespace {

ConfigError ErrorAt(const std::unordered_map<std::string, ConfigPlace>& places, const std::string& path,
                    std::string message) {
  ConfigError error;
  error.path = path;
  error.message = std::move(message);
  if (const auto place = places.find(path); place != places.end()) {
    error.file = place->second.file;
    error.line = place->second.line;
    error.column = place->second.column;
  }
  return error;
}

}  // namespace

void ConfigResult::Refuse(const std::string& path, std::string message) {
  errors.push_back(ErrorAt(places, path, std::move(message)));
  config.reset();
}

void ConfigResult::Warn(const std::string& path, std::string message) {
  warnings.push_back(ErrorAt(places, path, std::move(message)));
  warnings.back().severity = ConfigError::Severity::kWarning;
}

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets variables
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

}  // namespace dotward
