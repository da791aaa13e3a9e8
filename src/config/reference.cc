#include "config/reference.h"

#include <string_view>
#include <vector>

#include "base/strings.h"
#include "config/schema.h"
#include "config/values.h"

namespace dotward {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

dotward reads one YAML file, `/etc/dotward/dotward.yaml` or the one that `--config` names. Every key has a default, so a
file holds only what is to differ; without a file the defaults alone are in force. `conf/dotward.yaml` is the defaults
written out, `conf/examples/` has files for common cases.

* `dotward check --config FILE` reports all that is wrong with a file, each fault as `FILE:LINE:COL: path: message`.
  `FILE:LINE:COL: path: warning: message` is no fault, but worth knowing; `dotward run` logs it at start.
* `dotward config --config FILE` prints the configuration in force, defaults filled in, as a file that `check` accepts.

A file with any fault is refused as a whole: the server does not start with half of it, and a reload leaves everything
as it was. `docs/dotward.schema.json` is a JSON Schema of the file, for editors that complete and check while one types.

## Several files

`dotward.d/*.yaml` beside the file are laid over it, one after another in the order of their names: for a package, a
host or a tool that adds to a configuration without editing it.

* A section is joined with what the files before it say, key by key.
* Any other key replaces, lists included, but those of `upstreams`, `forward` and `local.records`: there an entry takes
  the place of the one with the same `name`, `zone` or owner as a whole, and the others are added behind. The built-in
  upstreams are in no file; the first list that is given replaces them.
* The last layer is the command line: `--set cache.max_ttl=1h`, with `run`, `check` and `config`, as often as needed.
  The value is YAML, `--set 'access.allow=[192.0.2.0/24]'`; every list replaces.

An error names the file that it is in, or `command line`. `dotward config` shows what comes of it all.

## Variables

`${NAME}` in a value stands for the variable of that name in the environment of the process, `${NAME:-default}` for
`default` where it is unset or empty; `$${` is a literal `${`. A variable that is not set and has no default is an error
at its place, unless a later layer replaces the value. What the variable holds is one value, never YAML; within brackets
and braces it needs quotes:

```yaml
log: { level: "${DOTWARD_LOG_LEVEL:-info}" }
```

A reload sees the environment that the process was started with.

## How values are written

| type | written as |
| --- | --- |
| duration | a whole number and a unit: `250ms`, `5s`, `10m`, `1h`, `1d` |
| size | a whole number of octets, or one with a unit: `512`, `64KiB`, `256MiB`, `1GiB` |
| switch | `true` or `false`; `yes`, `no`, `on` and `off` are read as well |
| whole number, decimal number | digits, without quotes |
| text | on one line; in quotes where it has characters that mean something in YAML |
| address | `192.0.2.1`, `"2001:db8::1"`; a link-local one with its interface, `"fe80::1%eth0"` |
| address and port | `"192.0.2.1:53"`, `"[2001:db8::1]:53"` |
| host name | `dns.example`, with or without the final dot |
| pin | `"sha256/BASE64"`, the SHA-256 of a public key; how to make one stands below |
| resolver | `192.0.2.1` or `"192.0.2.1:53"`, asked over plain DNS; `"tls://192.0.2.1#dns.example"`, over TLS |
| prefix | `192.0.2.0/24`, `"2001:db8::/32"`; an address alone is a prefix of its full length |
| domain name | with or without the final dot; IDNs in their `xn--` form |
| list of … | `[a, b]`, or a line beginning with `- ` for each |

A key that is given replaces its default, lists included. Anchors and aliases work; merge keys, tags, directives and
several documents in one file do not.

A pin of the key that a server has now:

```sh
openssl s_client -connect 192.0.2.1:853 </dev/null 2>/dev/null | openssl x509 -noout -pubkey |
  openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
```

Keys marked **not yet** belong to features that this version does not have. They accept the one value that means "off",
so that a file which names every key stays valid; any other value is refused with that reason.
)";

std::string_view TypeName(const SchemaKey& key) {
  const bool list = IsList(key);
  switch (key.type) {
    case ValueType::kSection:
      return "section";
    case ValueType::kRecords:
      return "list of mappings";
    case ValueType::kSwitch:
      return "switch";
    case ValueType::kNumber:
      return "whole number";
    case ValueType::kFraction:
      return "decimal number";
    case ValueType::kDuration:
      return "duration";
    case ValueType::kSize:
      return "size";
    case ValueType::kChoice:
      return "one of";
    case ValueType::kText:
      return list ? "list of texts" : "text";
    case ValueType::kUser:
      return "account";
    case ValueType::kFile:
      return "readable file";
    case ValueType::kStateFile:
      return "file";
    case ValueType::kListenAddress:
      return "list of addresses and ports";
    case ValueType::kEndpoint:
      return "address and port";
    case ValueType::kServer:
      return "list of addresses and host names";
    case ValueType::kPrefix:
      return "list of prefixes";
    case ValueType::kZone:
    case ValueType::kAuthName:
      return "domain name";
    case ValueType::kNegativeAnchor:
      return "list of zones";
    case ValueType::kPin:
      return "list of pins";
    case ValueType::kResolver:
      return "list of resolvers";
    case ValueType::kUpstreamName:
      return list ? "list of names of upstreams" : "text";
  }
  return "";
}

// Inside a table "|" ends a cell, in code as well.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string Code(std::string_view text) { return text.empty() ? "" : StrCat("`", Cell(text), "`"); }

void RenderKey(const SchemaKey& key, std::string* out) {
  std::string accepted = AcceptedText(key);
  if (key.type == ValueType::kChoice) {
    accepted.clear();
    for (const std::string_view choice : key.choices) StrAppend(&accepted, accepted.empty() ? "" : ", ", Code(choice));
  }
  if (key.items_max != 0) {
    accepted = StrCat(key.items_min, " to ", key.items_max, " items");
  } else if (key.items_min != 0) {
    accepted = StrCat("at least ", key.items_min, " item");
  }
  std::string description = Cell(key.description);
  if (key.needs_restart) description += " A change needs a restart.";
  if (!key.missing_feature.empty()) StrAppend(&description, " **Not yet**: only ", Code(key.off), " is accepted.");
  const std::string initial = key.required           ? "required"
                              : !key.initial.empty() ? std::string(key.initial)
                                                     : Code(DefaultText(key));
  StrAppend(out, "| ", Code(key.path), " | ", TypeName(key), " | ", initial, " | ", Cell(accepted), " | ", description,
            " |\n");
}

// The keys below `prefix` that are no section or records themselves, as one table; then those, each with its own.
void RenderTables(std::string_view prefix, std::string* out) {
  std::vector<const SchemaKey*> groups;
  bool table = false;
  for (const SchemaKey* key : KeysBelow(prefix)) {
    if (key->type == ValueType::kSection || key->type == ValueType::kRecords) {
      groups.push_back(key);
      continue;
    }
    if (!table) StrAppend(out, "\n| key | type | default | accepted | meaning |\n| --- | --- | --- | --- | --- |\n");
    table = true;
    RenderKey(*key, out);
  }
  for (const SchemaKey* key : groups) {
    const bool records = key->type == ValueType::kRecords;
    StrAppend(out, prefix.empty() ? "\n## " : "\n### ", Code(key->path), "\n\n", key->description);
    if (records) StrAppend(out, " A list of mappings.");
    StrAppend(out, "\n");
    RenderTables(StrCat(key->path, records ? "[]." : "."), out);
  }
}

}  // namespace

std::string RenderReference() {
  std::string page(kIntroduction);
  StrAppend(&page, "\n## General\n");
  RenderTables("", &page);
  return page;
}

}  // namespace dotward
