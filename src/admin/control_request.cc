#include "admin/control_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/types.h"

namespace dotward {
namespace {

using Json = nlohmann::json;

// What one command takes beside "schema" and "command".
struct CommandShape {
  ControlCommand command;
  std::string_view name;
  bool needs_name = false;
  bool may_have_type = false;
  bool may_have_flags = false;
  bool may_have_scope = false;
  bool may_have_upstream = false;
};
constexpr std::array kShapes = {
    CommandShape{.command = ControlCommand::kStatus, .name = "status"},
    CommandShape{.command = ControlCommand::kStats, .name = "stats"},
    CommandShape{.command = ControlCommand::kUpstreams, .name = "upstreams"},
    CommandShape{.command = ControlCommand::kSlow, .name = "slow"},
    CommandShape{.command = ControlCommand::kCacheLookup,
                 .name = "cache lookup",
                 .needs_name = true,
                 .may_have_type = true,
                 .may_have_flags = true},
    CommandShape{.command = ControlCommand::kCacheDump, .name = "cache dump"},
    CommandShape{
        .command = ControlCommand::kCacheFlush, .name = "cache flush", .needs_name = true, .may_have_scope = true},
    CommandShape{.command = ControlCommand::kWhy, .name = "why", .needs_name = true, .may_have_type = true},
    CommandShape{.command = ControlCommand::kReload, .name = "reload"},
    CommandShape{.command = ControlCommand::kQuery,
                 .name = "query",
                 .needs_name = true,
                 .may_have_type = true,
                 .may_have_flags = true,
                 .may_have_upstream = true},
    CommandShape{.command = ControlCommand::kHealth, .name = "health"},
};

struct ScopeName {
  FlushScope scope;
  std::string_view name;
};
constexpr std::array kScopes = {ScopeName{FlushScope::kName, "name"}, ScopeName{FlushScope::kZone, "zone"},
                                ScopeName{FlushScope::kAll, "all"}};

const CommandShape& ShapeOf(ControlCommand command) {
  return *std::find_if(kShapes.begin(), kShapes.end(), [command](const auto& s) { return s.command == command; });
}

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

// What came from outside is repeated in errors as JSON writes it, and not in full.
std::string Quote(const Json& value) {
  constexpr size_t kShown = 64;
  // Written by recursion, and as deep as the request is long.
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShown) text = StrCat(text.substr(0, kShown), "…");
  return text;
}

absl::Status ReadSwitch(const Json& value, std::string_view key, bool* target) {
  if (!value.is_boolean()) return Bad(StrCat("\"", key, "\" is true or false, not ", Quote(value)));
  *target = value.get<bool>();
  return absl::OkStatus();
}

absl::Status ReadName(const Json& value, Name* target) {
  if (!value.is_string()) return Bad(StrCat("\"name\" is a domain name in quotes, not ", Quote(value)));
  absl::StatusOr<Name> name = Name::Parse(value.get_ref<const std::string&>());
  if (!name.ok()) return Bad(StrCat(Quote(value), " is not a domain name"));
  *target = *std::move(name);
  return absl::OkStatus();
}

absl::Status ReadType(const Json& value, std::optional<uint16_t>* target) {
  *target = value.is_string() ? ParseType(value.get_ref<const std::string&>()) : std::nullopt;
  if (!*target) return Bad(StrCat(Quote(value), " is not a record type such as \"AAAA\" or \"TYPE65280\""));
  return absl::OkStatus();
}

absl::Status ReadScope(const Json& value, FlushScope* target) {
  const auto scope = std::find_if(kScopes.begin(), kScopes.end(), [&](const auto& s) {
    return value.is_string() && value.get_ref<const std::string&>() == s.name;
  });
  if (scope == kScopes.end()) return Bad(StrCat("\"scope\" is \"name\", \"zone\" or \"all\", not ", Quote(value)));
  *target = scope->scope;
  return absl::OkStatus();
}

absl::Status ReadKey(const std::string& key, const Json& value, const CommandShape& shape, ControlRequest* request) {
  if (key == "schema" || key == "command") return absl::OkStatus();
  if (key == "name" && shape.needs_name) return ReadName(value, &request->name);
  if (key == "type" && shape.may_have_type) return ReadType(value, &request->type);
  if (key == "dnssec_ok" && shape.may_have_flags) return ReadSwitch(value, key, &request->dnssec_ok);
  if (key == "checking_disabled" && shape.may_have_flags) return ReadSwitch(value, key, &request->checking_disabled);
  if (key == "scope" && shape.may_have_scope) return ReadScope(value, &request->flush);
  if (key == "upstream" && shape.may_have_upstream && value.is_string()) {
    request->upstream = value.get<std::string>();
    return absl::OkStatus();
  }
  return Bad(StrCat("\"", shape.name, "\" takes no ", Quote(key), " of ", Quote(value)));
}

}  // namespace

std::string_view ControlCommandToString(ControlCommand command) { return ShapeOf(command).name; }

absl::StatusOr<ControlRequest> ParseControlRequest(std::string_view line) {
  // For the parser a zero octet would be the end of the text, whatever follows.
  const bool cut = line.find('\0') != std::string_view::npos;
  const Json json = cut ? Json() : Json::parse(line.begin(), line.end(), nullptr, false);
  if (!json.is_object()) return Bad("a request is one line with a JSON object");
  const auto schema = json.find("schema");
  if (schema == json.end() || *schema != kControlSchema) {
    return Bad(StrCat("this server speaks \"schema\":", kControlSchema, "; the versions of the two programs differ"));
  }
  const auto command = json.find("command");
  if (command == json.end() || !command->is_string()) return Bad("a request needs a \"command\"");
  const auto shape = std::find_if(kShapes.begin(), kShapes.end(), [&](const CommandShape& candidate) {
    return command->get_ref<const std::string&>() == candidate.name;
  });
  if (shape == kShapes.end()) return Bad(StrCat("there is no command ", Quote(*command)));

  ControlRequest request;
  request.command = shape->command;
  for (const auto& [key, value] : json.items()) RETURN_IF_ERROR(ReadKey(key, value, *shape, &request));
  const bool wants_name = shape->needs_name && request.flush != FlushScope::kAll;
  if (wants_name != json.contains("name")) {
    return Bad(StrCat("\"", shape->name, "\" ", wants_name ? "needs a \"name\"" : "of everything takes no \"name\""));
  }
  return request;
}

std::string RenderControlRequest(const ControlRequest& request) {
  const CommandShape& shape = ShapeOf(request.command);
  nlohmann::ordered_json json = {{"schema", kControlSchema}, {"command", std::string(shape.name)}};
  if (shape.needs_name && request.flush != FlushScope::kAll) json["name"] = request.name.ToString();
  if (request.type) json["type"] = TypeToString(*request.type);
  if (request.dnssec_ok) json["dnssec_ok"] = true;
  if (request.checking_disabled) json["checking_disabled"] = true;
  if (request.flush != FlushScope::kName) {
    const auto scope =
        std::find_if(kScopes.begin(), kScopes.end(), [&](const auto& s) { return s.scope == request.flush; });
    json["scope"] = std::string(scope->name);
  }
  if (!request.upstream.empty()) json["upstream"] = request.upstream;
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace dotward
