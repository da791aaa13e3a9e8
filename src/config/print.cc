#include "base/strings.h"
#include "config/schema.h"
#include "config/values.h"
#include "dotward/config.h"

namespace dotward {
namespace {

// A list whose items do not fit gets a line for each.
constexpr size_t kLineColumns = 120;

void PrintValue(const SchemaKey& key, const Slot& slot, const std::string& indent, const std::string& lead,
                std::string* out) {
  const std::string_view name = LeafOf(key.path);
  const std::string line = FormatValue(key, slot);
  if (!line.starts_with('[') || lead.size() + name.size() + 2 + line.size() <= kLineColumns) {
    StrAppend(out, lead, name, ": ", line, "\n");
    return;
  }
  StrAppend(out, lead, name, ":\n");
  for (const std::string& item : FormatItems(key, slot)) StrAppend(out, indent, "  - ", item, "\n");
}

// Prints the keys below `prefix`. `lead` stands before the first of them, `indent` before the others.
void PrintKeys(std::string_view prefix, const Scope& scope, const std::string& indent, std::string lead,
               std::string* out);

template <typename Record>
void PrintRecords(const SchemaKey& key, std::vector<Record>* records, Record* Scope::*member, const Scope& scope,
                  const std::string& indent, std::string* out) {
  for (Record& record : *records) {
    Scope inner = scope;
    inner.*member = &record;
    PrintKeys(StrCat(key.path, "[]."), inner, indent + "    ", indent + "  - ", out);
  }
}

void PrintKeys(std::string_view prefix, const Scope& scope, const std::string& indent, std::string lead,
               std::string* out) {
  for (const SchemaKey* key : KeysBelow(prefix)) {
    if (key->type == ValueType::kSection) {
      StrAppend(out, lead, LeafOf(key->path), ":\n");
      PrintKeys(StrCat(key->path, "."), scope, indent + "  ", indent + "  ", out);
    } else if (key->type == ValueType::kRecords) {
      StrAppend(out, lead, LeafOf(key->path), ":\n");
      if (key->path == "upstreams") {
        PrintRecords(*key, &scope.config->upstreams, &Scope::upstream, scope, indent, out);
      } else {
        PrintRecords(*key, &scope.config->forward, &Scope::forward, scope, indent, out);
      }
    } else {
      PrintValue(*key, key->slot(scope), indent, lead, out);
    }
    lead = indent;
  }
}

}  // namespace

std::string PrintConfig(const Config& config) {
  Config copy = config;  // the schema's slots point into what can be written to
  std::string out;
  PrintKeys("", Scope{&copy}, "", "", &out);
  return out;
}

}  // namespace dotward
