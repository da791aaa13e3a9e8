#include "config/json_schema.h"

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "config/schema.h"
#include "config/values.h"

namespace dotward {
namespace {

// `text` as a JSON string. The texts are ours: UTF-8 without control characters.
std::string Text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// An object on lines of its own, its members in the order in which they are added.
class Object {
 public:
  explicit Object(size_t depth) : depth_(depth) {}
  void Add(std::string_view name, std::string_view value) {
    StrAppend(&members_, members_.empty() ? "" : ",", "\n", std::string(2 * (depth_ + 1), ' '), Text(name), ": ",
              value);
  }
  std::string Close() const { return StrCat("{", members_, "\n", std::string(2 * depth_, ' '), "}"); }

 private:
  const size_t depth_;
  std::string members_;
};

std::string Pattern(std::string_view pattern) {
  return StrCat(R"({ "type": "string", "pattern": )", Text(pattern), " }");
}

template <typename List>
std::string Words(const List& list) {
  std::string words;
  for (const std::string_view word : list) StrAppend(&words, words.empty() ? "" : ", ", Text(word));
  return StrCat(R"({ "enum": [)", words, "] }");
}
std::string Words(std::initializer_list<std::string_view> list) { return Words(std::span(list.begin(), list.size())); }

// Which variables a value may hold is known where it is loaded alone.
constexpr std::string_view kVariable = R"({ "$ref": "#/$defs/variable" })";

std::string AnyOf(const std::vector<std::string>& choices) {
  std::string list;
  for (const std::string& choice : choices) StrAppend(&list, list.empty() ? "" : ", ", choice);
  return StrCat("[", list, "]");
}

// One value, or one item of a list, each as it may be written. A text may look like something else to other readers of
// YAML: `name: 1.5`.
std::vector<std::string> WaysToWrite(const SchemaKey& key) {
  const bool off_only = !key.off.empty() && !IsList(key);
  if (off_only && key.type == ValueType::kSwitch) return {R"({ "const": false })", Words({"false", "no", "off"})};
  if (off_only) return {StrCat(R"({ "const": )", key.off, " }")};
  switch (key.type) {
    case ValueType::kSwitch:
      return {R"({ "type": "boolean" })", Words({"true", "false", "yes", "no", "on", "off"})};
    case ValueType::kNumber: {
      std::vector<std::string> ways = {
          StrCat(R"({ "type": "integer", "minimum": )", key.min, R"(, "maximum": )", key.max, " }")};
      if (!key.zero.empty()) ways.push_back(StrCat(R"({ "const": )", Text(key.zero), " }"));
      return ways;
    }
    case ValueType::kFraction:
      return {StrCat(R"({ "type": "number", "minimum": )", key.min, R"(, "maximum": )", key.max, " }")};
    case ValueType::kDuration:
      return {Pattern("^[0-9]+(ms|s|m|h|d)$")};
    case ValueType::kSize:
      return {R"({ "type": "integer", "minimum": 0 })", Pattern("^[0-9]+(KiB|MiB|GiB)?$")};
    case ValueType::kChoice:
      return {Words(key.choices)};
    case ValueType::kListenAddress:
    case ValueType::kPrefix:
    case ValueType::kServer:
    case ValueType::kResolver:
      return {Pattern("^[!-~]+$")};
    case ValueType::kEndpoint:
      return {Pattern("^[!-~]*$")};
    case ValueType::kPin:
      return {Pattern("^sha256/[A-Za-z0-9+/]{43}=$")};
    case ValueType::kUpstreamName:
      return {Pattern("^[A-Za-z0-9._-]{1,253}$"), R"({ "type": ["number", "boolean"] })"};
    default:
      return {StrCat(R"({ "type": "string", "maxLength": )", Limits::kConfigTextOctetsMax, " }"),
              R"({ "type": ["number", "boolean"] })"};
  }
}

// The default as JSON.
std::string DefaultValue(const SchemaKey& key) {
  const std::string text = DefaultText(key);
  if (text.starts_with('"')) return text;
  if (key.type == ValueType::kSwitch) return text == "true" || text == "on" ? "true" : "false";
  const bool digits = text.find_first_not_of("0123456789.") == std::string::npos;
  return digits && (key.type == ValueType::kNumber || key.type == ValueType::kFraction) ? text : Text(text);
}

std::string RenderKeys(std::string_view prefix, size_t depth);

// The schema of one key.
std::string RenderKey(const SchemaKey& key, size_t depth) {
  Object object(depth);
  object.Add("description", Text(key.description));
  if (key.type == ValueType::kSection) {
    object.Add("type", R"(["object", "null"])");  // all its keys may be commented out
    object.Add("additionalProperties", "false");
    object.Add("properties", RenderKeys(StrCat(key.path, "."), depth + 1));
    return object.Close();
  }
  const bool list = IsList(key);
  if (!list) {
    if (!key.required && key.initial.empty()) object.Add("default", DefaultValue(key));
    std::vector<std::string> ways = WaysToWrite(key);
    ways.emplace_back(kVariable);
    object.Add("anyOf", AnyOf(ways));
    return object.Close();
  }
  object.Add("type", Text("array"));
  if (key.items_min != 0) object.Add("minItems", StrCat(key.items_min));
  if (!key.off.empty()) object.Add("maxItems", "0");
  if (key.items_max != 0) object.Add("maxItems", StrCat(key.items_max));
  if (key.type == ValueType::kRecords) {
    const std::string below = StrCat(key.path, "[].");
    Object record(depth + 1);
    record.Add("type", Text("object"));
    record.Add("additionalProperties", "false");
    std::string required;
    for (const SchemaKey* part : KeysBelow(below)) {
      if (part->required) StrAppend(&required, required.empty() ? "" : ", ", Text(LeafOf(part->path)));
    }
    record.Add("required", StrCat("[", required, "]"));
    record.Add("properties", RenderKeys(below, depth + 2));
    object.Add("items", record.Close());
    return object.Close();
  }
  std::vector<std::string> ways = WaysToWrite(key);
  ways.emplace_back(kVariable);
  object.Add("items", StrCat(R"({ "anyOf": )", AnyOf(ways), " }"));
  return object.Close();
}

std::string RenderKeys(std::string_view prefix, size_t depth) {
  Object object(depth);
  for (const SchemaKey* key : KeysBelow(prefix)) object.Add(LeafOf(key->path), RenderKey(*key, depth + 1));
  return object.Close();
}

}  // namespace

std::string RenderJsonSchema() {
  Object schema(0);
  schema.Add("$schema", Text("https://json-schema.org/draft/2020-12/schema"));
  schema.Add("title", Text("dotward.yaml"));
  schema.Add("description", Text("The configuration of dotward. Made from the table that the loader reads by."));
  Object definitions(1);
  Object variable(2);
  variable.Add("description", Text("A value that the environment gives, as ${NAME} or ${NAME:-default}."));
  variable.Add("type", Text("string"));
  variable.Add("pattern", Text("(^|[^$])\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"));
  definitions.Add("variable", variable.Close());
  schema.Add("$defs", definitions.Close());
  schema.Add("type", R"(["object", "null"])");
  schema.Add("additionalProperties", "false");
  schema.Add("properties", RenderKeys("", 1));
  return schema.Close() + "\n";
}

}  // namespace dotward
